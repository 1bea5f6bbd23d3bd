"""Lengths of Dialogues in tokens as the chat template renders them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medctx.io import digest
from medctx.schemas.records import Dialogue
from medctx.text import tokenizer as tokenizers
from medctx_data.row_store.rows import Columns
from medctx_data.tokens.quick_count import QuickLengths

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja")

Counter = Callable[[Sequence[Dialogue]], list[int]]


def tokenizer_digests(folder: Path) -> list[str]:
    """Return digests of the files that decide how many tokens a Dialogue has."""
    return [digest.of_file(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()]


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> tuple[PreTrainedTokenizerBase, QuickLengths]:
    tokenizer = tokenizers.load(folder)
    return tokenizer, QuickLengths.of(tokenizer)


@dataclass(frozen=True)
class TokenCounter:
    """Counts with the tokenizer of a model folder, which is loaded at the first use, once per process."""

    folder: Path

    @property
    def name(self) -> str:
        """Name of the tokenizer by its content."""
        return f"tokens-{digest.of_value(tokenizer_digests(self.folder))[: digest.SHORT]}"

    def __call__(self, dialogues: Sequence[Dialogue]) -> list[int]:
        """Return the lengths of Dialogues, at least 1 each."""
        tokenizer, lengths = _loaded(self.folder)
        return lengths([tokenizers.render(tokenizer, dialogue.turns, ask=False) for dialogue in dialogues])

    def of_text(self, text: str) -> int:
        """Return the number of tokens of a bare text, without the chat template."""
        return _loaded(self.folder)[1]([text])[0]


@dataclass(frozen=True)
class Lengths:
    """A token counter as a measurement of the row store."""

    count: Counter
    name: str

    def __call__(self, dialogues: Sequence[Dialogue]) -> Columns:
        """Return one column: ``tokens``."""
        chunks = [self.count(dialogues[start : start + 1_000]) for start in range(0, len(dialogues), 1_000)]
        return {"tokens": np.array([length for chunk in chunks for length in chunk], dtype=np.int64)}
