"""The protocol every engine speaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from medctx.schemas.exam_run import Usage
from medctx.schemas.records import Book, Form
from medctx_eval.prompting.prompt import GenerationRequest, LikelihoodRequest

Scores = tuple[tuple[float, ...], ...]
"""For each continuation of an Ask, the natural-log probability of each of its tokens."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote; ``cut``: it was ended by the length allowed."""

    text: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: the request failed (asking again may help), it is too long, or nothing can be read."""

    detail: str
    problem: Literal["failed", "does_not_fit", "unparsable"] = "failed"


class Engine(Protocol):
    """Answers prompts that share a Book. Its methods may be called from as many threads as it has ``lanes``."""

    @property
    def usage(self) -> Usage:
        """What was spent so far."""
        ...

    @property
    def forms(self) -> frozenset[Form]:
        """In which forms an item can be put to it."""
        ...

    @property
    def fine(self) -> bool | None:
        """Whether its logits are float32, not in the steps of a half precision; nothing where that cannot be told."""
        ...

    @property
    def lanes(self) -> int:
        """How many Books it works on at a time."""
        ...

    @property
    def max_positions(self) -> int:
        """Longest sequence the model takes, in tokens."""
        ...

    def score(self, asks: Sequence[LikelihoodRequest], book: Book) -> Iterator[Scores | Failure]:
        """Scores of each Ask of one sitting in order, each as soon as it is there; nothing is asked before the first
        one is taken.
        """
        ...

    def write(self, writings: Sequence[GenerationRequest], book: Book) -> Iterator[Written | Failure]:
        """What the model writes after each prompt of one sitting, greedily, in order, in the same way."""
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...
