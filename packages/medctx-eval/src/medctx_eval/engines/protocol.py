"""The protocol every engine speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from medctx_eval.prompt import Ask

Scores = tuple[tuple[float, ...], ...]
"""For each continuation of an Ask, the natural-log probability of each of its tokens."""


@dataclass(slots=True)
class Receipt:
    """What an exam cost: ``prompt_tokens`` sent, of which ``computed_tokens`` were not read from a cache;
    ``book_prefills``: times a Book was computed.
    """

    requests: int = 0
    prompt_tokens: int = 0
    computed_tokens: int = 0
    book_prefills: float = 0.0
    seconds: float = 0.0


class Engine(Protocol):
    """Scores continuations of prompts that share a Book."""

    receipt: Receipt

    @property
    def max_positions(self) -> int:
        """Longest sequence the model takes, in tokens."""
        ...

    def score(self, asks: Sequence[Ask], book_tokens: int) -> list[Scores | str]:
        """Scores of each Ask of one sitting in order; a string says why there are none.

        ``book_tokens``: length of the Book the prompts share, 0 where there is none; for the receipt only.
        """
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...
