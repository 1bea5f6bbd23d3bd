"""The data of a run: a mix folder encoded, over-long Dialogues dealt with, replay inserted, and packed into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.mix_folder import read_dialogues
from medctx.model.decoder_config import require_tokens_known_in
from medctx.process.progress import say, track
from medctx.schemas.records import Dialogue
from medctx.schemas.sft import SourceCount
from medctx.text import tokenizer
from medctx_train.data.config import DataSettings
from medctx_train.data.overlong import FittedDialogue, fit_to_row
from medctx_train.data.packing import PackedRow, pack
from medctx_train.data.replay import ReplayText, encode_text, interleave_replay, read_replay, shuffled_order
from medctx_train.data.tokenize import EncodedSample

if TYPE_CHECKING:
    from medctx.text.json_tokenizer import ChatTokenizer

REPLAY_PREFIX = "replay/"
"""Prefix of the source of replayed samples, so that their losses and counts stay separate."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The encoded and packed data of a run.

    Attributes:
        rows: Packed rows of one epoch.
        dialogues: Number of Dialogues in the mix.
        digest: Digest of the mix's Dialogues.
        replay_digest: Digest of the replay mix, "" without one.
        sources: What became of each source, sorted by source.
    """

    rows: list[PackedRow]
    dialogues: int
    digest: str
    replay_digest: str
    sources: tuple[SourceCount, ...]

    @property
    def replay_share(self) -> float:
        """Realised fraction of tokens that is replayed, in [0, 1]."""
        tokens = sum(count.tokens for count in self.sources)
        return sum(count.tokens for count in self.sources if count.replay) / tokens if tokens else 0.0


def count_sources(fitted: Iterable[tuple[str, FittedDialogue]]) -> tuple[SourceCount, ...]:
    """Count Dialogues (or texts), given with their source, by source; sorted by source."""
    counts: dict[str, dict[str, int]] = {}
    for source, dialogue in fitted:
        tally = counts.setdefault(source, dict.fromkeys(_COUNTED, 0))
        tally["dialogues"] += 1
        tally["dropped"] += not dialogue.samples
        tally["split"] += dialogue.parts > 1
        tally["unrolled"] += dialogue.unrolled
        tally["samples"] += len(dialogue.samples)
        tally["tokens"] += sum(len(sample.ids) for sample in dialogue.samples)
        tally["loss_tokens"] += sum(sample.loss_tokens for sample in dialogue.samples)
    return tuple(
        SourceCount(source=source, replay=source.startswith(REPLAY_PREFIX), **tally)
        for source, tally in sorted(counts.items())
    )


_COUNTED = tuple(name for name in SourceCount.model_fields if name not in {"source", "replay"})


def _encode(
    tokens: ChatTokenizer, dialogues: Sequence[Dialogue], data: DataSettings
) -> list[tuple[str, FittedDialogue]]:
    fitted = []
    with track("Encoding", len(dialogues), "Dialogues") as advance:
        for dialogue in dialogues:
            fitted.append((dialogue.source, fit_to_row(tokens, dialogue, data.row_tokens, data.too_long)))
            advance(1)
    return fitted


def _encode_replay(
    tokens: ChatTokenizer, items: Sequence[Dialogue | ReplayText], data: DataSettings, seed: int
) -> Iterator[tuple[str, FittedDialogue]]:
    """Encode the items of a replay mix lazily, with their source, in the order that the seed fixes."""
    for number in shuffled_order(len(items), seed):
        item = items[number]
        if isinstance(item, ReplayText):
            source = f"{REPLAY_PREFIX}text"
            pieces = tuple(encode_text(tokens, item, source, data.row_tokens))
            yield source, FittedDialogue(pieces, parts=len(pieces))
        else:
            source = f"{REPLAY_PREFIX}{item.source}"
            renamed = item.model_copy(update={"source": source})
            yield source, fit_to_row(tokens, renamed, data.row_tokens, data.too_long)


def _add_replay(
    tokens: ChatTokenizer,
    encoded: Sequence[EncodedSample],
    items: Sequence[Dialogue | ReplayText],
    data: DataSettings,
    seed: int,
) -> tuple[list[EncodedSample], list[tuple[str, FittedDialogue]]]:
    """Return the samples with replay inserted, and the replayed items that were used."""
    offered: list[tuple[str, FittedDialogue]] = []

    def replayed_samples() -> Iterator[tuple[EncodedSample, ...]]:
        for source, fitted in _encode_replay(tokens, items, data, seed):
            offered.append((source, fitted))
            yield fitted.samples

    mixed, used = interleave_replay(encoded, replayed_samples(), data.replay.share)
    return mixed, offered[:used]


def _report(data: TrainingData, row_tokens: int) -> None:
    """Log what was changed on the way from Dialogues to samples."""
    for count in data.sources:
        of_all = f"of {count.dialogues:,} Dialogues"
        if count.dropped:
            say(f"{count.source}: {count.dropped:,} {of_all} dropped, longer than {row_tokens:,} tokens.")
        if count.split:
            say(f"{count.source}: {count.split:,} {of_all} split into parts.")
        if count.unrolled:
            say(
                f"{count.source}: {count.unrolled:,} {of_all} became one sample per answer, because the chat template "
                "rewrites earlier turns."
            )
    if data.replay_digest:
        say(f"Replayed: {data.replay_share:.2%} of the tokens.")


def load_data(data: DataSettings, folder: Path, seed: int) -> TrainingData:
    """Encode and pack a mix with the tokenizer of a model folder.

    Args:
        data: The data section of the config.
        folder: Model folder with the tokenizer.
        seed: Fixes the order in which replayed items are used.

    Returns:
        The packed rows of one epoch. Dialogues of the mix are not replayed as well.

    Raises:
        MedctxError: If the mix is empty, a Dialogue is too long under ``too_long=refuse``, or nothing is left.
    """
    tokens = tokenizer.load_tokenizer(folder, data.chat_template)
    dialogues = list(read_dialogues(data.mix))
    if not dialogues:
        raise MedctxError(f"The mix {data.mix} holds no Dialogues; make it again with medctx-data mix.")
    fitted = _encode(tokens, dialogues, data)
    encoded = [sample for _, dialogue in fitted for sample in dialogue.samples]
    replay_digest = ""
    if data.replay.mix is not None:
        known = {dialogue.id for dialogue in dialogues}
        items = [item for item in read_replay(data.replay.mix) if item.id not in known]
        replay_digest = digest.of_value([[item.id, digest.of_text(str(item))] for item in items])
        encoded, replayed = _add_replay(tokens, encoded, items, data, seed)
        fitted += replayed
    if not any(sample.loss_tokens for sample in encoded):
        raise MedctxError(
            f"Nothing of the mix {data.mix} is left to train on: all {len(dialogues):,} Dialogues are longer than "
            f"{data.row_tokens:,} tokens; raise row_tokens or set too_long=split."
        )
    if (folder / "config.json").is_file():
        require_tokens_known_in(folder, max(max(sample.ids) for sample in encoded))
    training_data = TrainingData(
        rows=pack(encoded, data.row_tokens),
        dialogues=len(dialogues),
        digest=digest.of_records(dialogues),
        replay_digest=replay_digest,
        sources=count_sources(fitted),
    )
    _report(training_data, data.row_tokens)
    return training_data
