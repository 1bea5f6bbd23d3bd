"""Lengths of texts in tokens, counted by fastokens where it gives what the model's own tokenizer gives.

It reads the same tokenizer.json some thirty times faster. That both agree is checked on a share of all texts for as
long as it is used; at the first difference, and where it cannot read a tokenizer or is not installed, the model's own
counts everything. Texts that it refuses (a byte for which the vocabulary has no token) are counted by the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from medctx.process.progress import say

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Lengths = Callable[[Sequence[str]], list[int]]

CHECKED_EVERY = 64
"""One of so many texts is counted by the model's own tokenizer too."""
_HARD = (
    "",
    " \t\r\n\n  two  spaces ",
    "it's I'LL we've 'tis",
    "1234567 3.14 0x1F",
    "na\u00efve e\u0301 \ufb01 \u00df \u0130 \u2126",
    "\u75db\u98ce\uff0c\u9ad8\u8840\u538b\u3002",
    "\u0627\u0644 \u0939\u093f\u0928\u094d\u0926\u0940 \u1100\u1161",
    "\x04 \x7f",
    "\U0001f469\u200d\u2695\ufe0f \ufffd\u200b\u0000",
)
"""Texts on which tokenizers differ if they do: counted by both before the first use."""


def by_reference(tokenizer: PreTrainedTokenizerBase) -> Lengths:
    """Lengths as the model's own tokenizer gives them."""

    def lengths(texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        # verbose=False: a text longer than the model's positions is dropped later, no warning needed.
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]

    return lengths


def _by_fastokens(tokenizer: PreTrainedTokenizerBase) -> Lengths | None:
    """Lengths as fastokens gives them; None where it is not installed or cannot read the tokenizer."""
    if not tokenizer.is_fast:
        return None
    try:
        import fastokens

        # From the tokenizer in memory, not its file: it has what tokenizer_config.json adds.
        quick = fastokens.Tokenizer.from_json_str(tokenizer.backend_tokenizer.to_str())
    except (ImportError, ValueError):
        return None
    quick.no_truncation()

    def lengths(texts: Sequence[str]) -> list[int]:
        _, edges = quick.encode_batch_flat(list(texts))
        found: list[int] = np.diff(np.frombuffer(edges, np.uint64).astype(np.int64)).tolist()
        return found

    return lengths


def _differs(quick: Lengths, reference: Lengths, text: str) -> bool:
    """Whether both count and do not agree; a text that ``quick`` refuses is counted by ``reference`` anyway."""
    try:
        found = quick([text])
    except ValueError:
        return False
    return found != reference([text])


class QuickLengths:
    """Lengths of texts by ``quick`` as long as it agrees with ``reference``, by that otherwise."""

    def __init__(self, reference: Lengths, quick: Lengths | None) -> None:
        self._reference = reference
        self._quick = quick
        self._seen = 0
        if quick is not None and any(_differs(quick, reference, text) for text in _HARD):
            self._quick = None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> QuickLengths:
        """By fastokens where it can read ``tokenizer``."""
        return cls(by_reference(tokenizer), _by_fastokens(tokenizer))

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """The length of each text."""
        if self._quick is None:
            return self._reference(texts)
        try:
            found = self._quick(texts)
        except ValueError:
            # Vocabularies without a token for every byte: what is then left out of a text only its own tokenizer knows.
            return self._reference(texts)
        checked = range(-self._seen % CHECKED_EVERY, len(texts), CHECKED_EVERY)
        self._seen += len(texts)
        requested = self._reference([texts[number] for number in checked])
        if any(found[number] != length for number, length in zip(checked, requested, strict=True)):
            say("fastokens counts a text otherwise than the model's own tokenizer, which counts from here on.")
            self._quick = None
            return self._reference(texts)
        return found
