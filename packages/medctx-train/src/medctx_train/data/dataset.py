"""The data of a run: a mix folder encoded, what is too long dealt with, replay mixed in, and packed into rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.mix_folder import read_dialogues
from medctx.process.progress import say, track
from medctx.schemas.records import Dialogue
from medctx.schemas.sft import SourceCount
from medctx.text import tokenizer
from medctx_train.config import SftConfig
from medctx_train.data.overlong import Fitted, fit
from medctx_train.data.packing import Row, pack
from medctx_train.data.replay import Text, encode_text, interleave, order, read_replay
from medctx_train.data.tokenize import Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLAY = "replay/"
"""Stands before the source of every replayed sample, so that its losses and counts are told apart."""


@dataclass(frozen=True, slots=True)
class Data:
    """The encoded mix: packed rows, how many Dialogues were read, their digest and that of the replayed mix ("" without
    one), and what became of each source.
    """

    rows: list[Row]
    dialogues: int
    digest: str
    replay_digest: str
    sources: tuple[SourceCount, ...]

    @property
    def replay_share(self) -> float:
        """Realised share of tokens that are replayed, in [0, 1]."""
        tokens = sum(one.tokens for one in self.sources)
        return sum(one.tokens for one in self.sources if one.replay) / tokens if tokens else 0.0


class Counts:
    """What became of the Dialogues of each source, counted while they go by."""

    def __init__(self) -> None:
        self._counts: dict[str, SourceCount] = {}

    def add(self, source: str, fitted: Fitted) -> None:
        """Count one Dialogue (or text)."""
        before = self._counts.get(source) or SourceCount(source=source, replay=source.startswith(REPLAY))
        self._counts[source] = before.model_copy(
            update={
                "dialogues": before.dialogues + 1,
                "dropped": before.dropped + (not fitted.samples),
                "split": before.split + (fitted.parts > 1),
                "unrolled": before.unrolled + fitted.unrolled,
                "samples": before.samples + len(fitted.samples),
                "tokens": before.tokens + sum(len(sample.ids) for sample in fitted.samples),
                "loss_tokens": before.loss_tokens + sum(sample.loss_tokens for sample in fitted.samples),
            }
        )

    def all(self) -> tuple[SourceCount, ...]:
        """The counts, sorted by source."""
        return tuple(one for _, one in sorted(self._counts.items()))


class _Kept:
    """Passes items on and keeps them, so that those that were used can be counted afterwards."""

    def __init__(self, items: Iterator[tuple[str, Fitted]]) -> None:
        self._items = items
        self.kept: list[tuple[str, Fitted]] = []

    def __iter__(self) -> Iterator[tuple[str, Fitted]]:
        for item in self._items:
            self.kept.append(item)
            yield item


def _encode(
    tokens: PreTrainedTokenizerBase, dialogues: Sequence[Dialogue], config: SftConfig, counts: Counts
) -> list[Encoded]:
    encoded: list[Encoded] = []
    with track("Encoding", len(dialogues), "Dialogues") as advance:
        for dialogue in dialogues:
            fitted = fit(tokens, dialogue, config.row_tokens, config.too_long)
            counts.add(dialogue.source, fitted)
            encoded += fitted.samples
            advance(1)
    return encoded


def _replayed(
    tokens: PreTrainedTokenizerBase, items: Sequence[Dialogue | Text], config: SftConfig
) -> Iterator[tuple[str, Fitted]]:
    """The items of a replay mix in the order of the seed with their source, encoded as they are asked for."""
    for number in order(len(items), config.seed):
        item = items[number]
        if isinstance(item, Text):
            source = f"{REPLAY}text"
            pieces = tuple(encode_text(tokens, item, source, config.row_tokens))
            yield source, Fitted(pieces, parts=len(pieces))
        else:
            source = f"{REPLAY}{item.source}"
            renamed = item.model_copy(update={"source": source})
            yield source, fit(tokens, renamed, config.row_tokens, config.too_long)


def _told(one: SourceCount, limit: int) -> list[str]:
    """What a reader of the log should know of one source; nothing where all went through as it was."""
    told = []
    if one.dropped:
        told.append(f"{one.dropped:,} of {one.dialogues:,} left out, longer than {limit:,} tokens")
    if one.split:
        told.append(f"{one.split:,} of {one.dialogues:,} split into parts")
    if one.unrolled:
        told.append(
            f"{one.unrolled:,} of {one.dialogues:,} with a sample per answer, the template rewrites earlier turns"
        )
    return told


def _tell(data: Data, limit: int) -> None:
    for one in data.sources:
        for what in _told(one, limit):
            say(f"{one.source}: {what}.")
    if data.replay_digest:
        say(f"Replayed: {data.replay_share:.2%} of the tokens.")


def load_data(config: SftConfig, folder: Path) -> Data:
    """Encode and pack the mix with the tokenizer of the model folder.

    Dialogues that stand in the mix are not replayed. Raises MedctxError where nothing is left to train on.
    """
    tokens = tokenizer.load(folder)
    dialogues = list(read_dialogues(config.mix))
    if not dialogues:
        raise MedctxError(f"The mix {config.mix} holds no Dialogues; make it anew with medctx-data mix.")
    counts = Counts()
    encoded = _encode(tokens, dialogues, config, counts)
    replay_digest = ""
    if config.replay.mix is not None:
        known = {dialogue.id for dialogue in dialogues}
        items = [item for item in read_replay(config.replay.mix) if item.id not in known]
        replay_digest = digest.of_value([[item.id, digest.of_text(str(item))] for item in items])
        offered = _Kept(_replayed(tokens, items, config))
        encoded, given = interleave(encoded, (fitted.samples for _, fitted in offered), config.replay.share)
        for source, fitted in offered.kept[:given]:
            counts.add(source, fitted)
    if not any(sample.loss_tokens for sample in encoded):
        raise MedctxError(
            f"Nothing of the mix {config.mix} is left to train on: all {len(dialogues):,} Dialogues are longer than "
            f"{config.row_tokens:,} tokens; raise row_tokens or set too_long=split."
        )
    rows = pack(encoded, config.row_tokens)
    data = Data(rows, len(dialogues), digest.of_records(dialogues), replay_digest, counts.all())
    _tell(data, config.row_tokens)
    return data
