"""Lengths of Dialogues in tokens as the chat template renders them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medctx.io import digest
from medctx.schemas.records import Dialogue
from medctx.text import tokenizer as tokenizers
from medctx_data.mixture.budget import Draw, Sized
from medctx_data.row_store.features import Columns
from medctx_data.tokens.quick_count import QuickLengths

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 64
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja")

Counter = Callable[[Sequence[Dialogue]], list[int]]


def tokenizer_digests(folder: Path) -> list[str]:
    """Digests of the files that decide how many tokens a Dialogue has."""
    return [digest.of_file(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()]


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> tuple[PreTrainedTokenizerBase, QuickLengths]:
    tokenizer = tokenizers.load(folder)
    return tokenizer, QuickLengths.of(tokenizer)


@dataclass(frozen=True)
class TokenCounter:
    """Counts with the tokenizer of a model folder, which is loaded when it is first needed, once in each process."""

    folder: Path

    @property
    def name(self) -> str:
        """Names the tokenizer by its content."""
        return f"tokens-{digest.of_value(tokenizer_digests(self.folder))[: digest.SHORT]}"

    def __call__(self, dialogues: Sequence[Dialogue]) -> list[int]:
        """The lengths of Dialogues, at least 1 each."""
        tokenizer, lengths = _loaded(self.folder)
        return lengths([tokenizers.render(tokenizer, dialogue.turns, ask=False) for dialogue in dialogues])

    def of_text(self, text: str) -> int:
        """The tokens of a bare text, without the chat template."""
        return _loaded(self.folder)[1]([text])[0]


@dataclass(frozen=True)
class Lengths:
    """A counter as something that is measured once for a source."""

    count: Counter
    name: str

    def __call__(self, dialogues: Sequence[Dialogue]) -> Columns:
        """One column: ``tokens``."""
        found = [self.count(dialogues[start : start + 1_000]) for start in range(0, len(dialogues), 1_000)]
        return {"tokens": np.array([length for chunk in found for length in chunk], dtype=np.int64)}


def weigh(draws: Iterator[Draw[Dialogue]], count: Counter) -> Iterator[Sized[Dialogue]]:
    """Add lengths to draws, :data:`CHUNK` at a time: at most one chunk too many is counted."""
    while chunk := list(islice(draws, CHUNK)):
        for draw, tokens in zip(chunk, count([draw.row for draw in chunk]), strict=True):
            yield Sized(draw.row, draw.epoch, tokens)
