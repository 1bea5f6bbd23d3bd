"""Lengths of Dialogues in tokens as the chat template renders them, and how many of the tokens carry loss.

Texts are counted by fastokens where it gives what the model's own tokenizer gives, some thirty times faster. That both
agree is checked on some texts before the first use and on a share of all texts afterwards; at the first difference, and
where fastokens is not installed or cannot read the tokenizer, the model's own tokenizer counts everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medctx.io import digest
from medctx.process.progress import say
from medctx.schemas.records import Dialogue, Turn
from medctx.text import tokenizer as tokenizers
from medctx.text.chat_templates import chat_template_text
from medctx.text.rendering import check_token_count, content_spans, encode_turns, holds_control_tokens, render
from medctx_data.row_store.rows import Columns

if TYPE_CHECKING:
    from medctx.text.json_tokenizer import ChatTokenizer

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja")
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
_BATCH = 1_000

TextLengths = Callable[[Sequence[str]], list[int]]


class DialogueSize(NamedTuple):
    """Length of a rendered Dialogue in tokens, and how many of them the model is trained to produce."""

    tokens: int
    loss_tokens: int


Counter = Callable[[Sequence[Dialogue]], list[DialogueSize]]


def by_reference(tokenizer: ChatTokenizer) -> TextLengths:
    """Return a function that gives the lengths of texts by the model's own tokenizer."""

    def lengths(texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        # verbose=False: a text longer than the model's positions is left out later, no warning needed.
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]

    return lengths


def _by_fastokens(tokenizer: ChatTokenizer) -> TextLengths | None:
    """A function that gives lengths by fastokens; None where it is not installed or cannot read the tokenizer."""
    if not tokenizer.is_fast:
        return None
    try:
        import fastokens

        # From the tokenizer in memory, not its file: it includes what tokenizer_config.json adds.
        quick = fastokens.Tokenizer.from_json_str(tokenizer.backend_tokenizer.to_str())
    except (ImportError, ValueError):
        return None
    quick.no_truncation()

    def lengths(texts: Sequence[str]) -> list[int]:
        _, edges = quick.encode_batch_flat(list(texts))
        sizes: list[int] = np.diff(np.frombuffer(edges, np.uint64).astype(np.int64)).tolist()
        return sizes

    return lengths


def _differs(quick: TextLengths, reference: TextLengths, text: str) -> bool:
    """Whether both count a text and disagree; a text that ``quick`` refuses is counted by ``reference`` anyway."""
    try:
        lengths = quick([text])
    except ValueError:
        return False
    return lengths != reference([text])


class QuickLengths:
    """Lengths of texts by ``quick`` as long as it agrees with ``reference``, by ``reference`` otherwise."""

    def __init__(self, reference: TextLengths, quick: TextLengths | None) -> None:
        self._reference = reference
        self._quick = quick
        self._seen = 0
        if quick is not None and any(_differs(quick, reference, text) for text in _HARD):
            self._quick = None

    @classmethod
    def of(cls, tokenizer: ChatTokenizer) -> QuickLengths:
        """Count by fastokens where it can read ``tokenizer``."""
        return cls(by_reference(tokenizer), _by_fastokens(tokenizer))

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """Return the length of each text."""
        if self._quick is None:
            return self._reference(texts)
        try:
            lengths = self._quick(texts)
        except ValueError:
            # Vocabularies without a token for every byte: only their own tokenizer knows what it leaves out.
            return self._reference(texts)
        checked = range(-self._seen % CHECKED_EVERY, len(texts), CHECKED_EVERY)
        self._seen += len(texts)
        expected = self._reference([texts[number] for number in checked])
        if any(lengths[number] != length for number, length in zip(checked, expected, strict=True)):
            say("fastokens counts a text differently from the model's own tokenizer, which counts from here on.")
            self._quick = None
            return self._reference(texts)
        return lengths


def tokenizer_digests(folder: Path, chat_template: str = "") -> list[str]:
    """Return digests of the files that decide how many tokens a Dialogue has, and of a chat template instead of its
    own.
    """
    files = [digest.of_file(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()]
    return [*files, digest.of_text(chat_template_text(chat_template))] if chat_template else files


@lru_cache(maxsize=1)
def _loaded(folder: Path, chat_template: str) -> tuple[ChatTokenizer, QuickLengths]:
    tokenizer = tokenizers.load_tokenizer(folder, chat_template)
    return tokenizer, QuickLengths.of(tokenizer)


def _trained_spans(text: str, dialogue: Dialogue) -> list[tuple[int, int]]:
    """Where the trained answers occur in a rendered text, each with the marker that closes it."""
    spans = content_spans(text, dialogue.turns)
    if isinstance(spans, Turn):
        return []
    closing = text[spans[-1][1] :]
    return [
        (begin, end + len(closing) if text.startswith(closing, end) else end)
        for number, (begin, end) in enumerate(spans)
        if dialogue.turns[number].role == "assistant" and number not in dialogue.without_loss
    ]


def _exact_size(tokenizer: ChatTokenizer, text: str, dialogue: Dialogue) -> DialogueSize:
    """The size of a Dialogue whose texts hold the characters of control tokens, which count as plain text."""
    starts = [begin for begin, _ in encode_turns(tokenizer, text, dialogue.turns).offsets]
    spans = _trained_spans(text, dialogue)
    return DialogueSize(len(starts), sum(any(begin <= start < end for begin, end in spans) for start in starts))


@dataclass(frozen=True)
class TokenCounter:
    """Counts with the tokenizer of a model folder, which is loaded at the first use, once per process."""

    folder: Path
    chat_template: str = ""

    @property
    def name(self) -> str:
        """Name of the tokenizer by its content."""
        digests = tokenizer_digests(self.folder, self.chat_template)
        return f"tokens-2-{digest.of_value(digests)[: digest.SHORT]}"

    def __call__(self, dialogues: Sequence[Dialogue]) -> list[DialogueSize]:
        """Return the sizes of Dialogues.

        The tokens of an answer are those of the text up to its end less those of the text up to its beginning.

        Raises:
            MedctxError: The chat template drops a text, or the tokenizer does.
        """
        tokenizer, lengths = _loaded(self.folder, self.chat_template)
        texts = [render(tokenizer, dialogue.turns, ask=False) for dialogue in dialogues]
        spans = [_trained_spans(text, dialogue) for text, dialogue in zip(texts, dialogues, strict=True)]
        pieces = [
            piece
            for text, places in zip(texts, spans, strict=True)
            for piece in (text, *(text[:at] for place in places for at in place))
        ]
        counted = iter(lengths(pieces))
        sizes = []
        for text, places, dialogue in zip(texts, spans, dialogues, strict=True):
            tokens, *edges = islice(counted, 1 + 2 * len(places))
            size = DialogueSize(tokens, sum(edges[1::2]) - sum(edges[::2]))
            if tokenizer.is_fast and holds_control_tokens(tokenizer, [turn.content for turn in dialogue.turns]):
                size = _exact_size(tokenizer, text, dialogue)
            check_token_count(text, size.tokens, str(self.folder))
            sizes.append(size)
        return sizes

    def of_text(self, text: str) -> int:
        """Return the number of tokens of a bare text, without the chat template."""
        return _loaded(self.folder, self.chat_template)[1]([text])[0]


@dataclass(frozen=True)
class Lengths:
    """A token counter as a measurement of the row store."""

    count: Counter
    name: str

    def __call__(self, dialogues: Sequence[Dialogue]) -> Columns:
        """Return the columns ``tokens`` and ``loss_tokens``."""
        batches = [self.count(dialogues[start : start + _BATCH]) for start in range(0, len(dialogues), _BATCH)]
        sizes = np.array([size for batch in batches for size in batch], dtype=np.int64).reshape(-1, 2)
        return {"tokens": sizes[:, 0], "loss_tokens": sizes[:, 1]}
