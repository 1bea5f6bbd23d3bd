"""Replay: a share of other data among the rows, against forgetting (arXiv 2502.06042: one percent already helps)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.io.mix_folder import read_dialogues
from medctx.schemas.records import Dialogue
from medctx_train.data.tokenize import Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ReplaySettings(Config):
    """``share`` of all trained tokens comes from ``mix``: a mix folder, or a folder of plain texts (``*.txt``).

    Which come first is drawn by the run's seed, so a smaller share is a subset of a larger one. Plain texts carry
    loss on every token.
    """

    mix: Path | None = None
    share: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.mix is None) != (self.share == 0):
            raise ValueError("replay needs both a mix folder and a share above 0, or neither")
        return self


class Text(NamedTuple):
    """A plain text that is replayed."""

    id: str
    text: str


def read_replay(folder: Path) -> list[Dialogue] | list[Text]:
    """The Dialogues of a mix folder, or the plain texts (``*.txt``) of a folder that is none, sorted by name."""
    texts = sorted(folder.glob("*.txt"))
    if texts:
        return [Text(path.name, path.read_text(encoding="utf-8")) for path in texts]
    return list(read_dialogues(folder))


def encode_text(tokenizer: PreTrainedTokenizerBase, text: Text, source: str, limit: int) -> list[Encoded]:
    """A plain text as pieces of at most ``limit`` tokens with loss on all of them, closed by the end token."""
    ids = list(tokenizer(text.text)["input_ids"])
    if tokenizer.eos_token_id is not None and (not ids or ids[-1] != tokenizer.eos_token_id):
        ids.append(tokenizer.eos_token_id)
    pieces = [tuple(ids[begin : begin + limit]) for begin in range(0, len(ids), limit)]
    return [
        Encoded(f"{text.id}/piece-{number}", source, piece, (True,) * len(piece))
        for number, piece in enumerate(pieces, start=1)
    ]


def order(size: int, seed: int) -> list[int]:
    """The order in which replayed items are taken: a shuffle of ``size`` numbers by ``seed``."""
    numbers = list(range(size))
    random.Random(seed).shuffle(numbers)
    return numbers


def interleave(
    main: Sequence[Encoded], replayed: Iterable[Sequence[Encoded]], share: float
) -> tuple[list[Encoded], int]:
    """``main`` in its order, with items of ``replayed`` put in wherever its tokens fall behind ``share`` of all.

    An item is the samples of one Dialogue or text, given whole. At every point the replayed tokens are within half an
    item of their due. Returns the samples and how many items were given; raises MedctxError when ``replayed`` runs
    out.
    """
    mixed: list[Encoded] = []
    waiting = iter(replayed)
    following = next(waiting, None)
    seen = given = items = 0
    for sample in main:
        mixed.append(sample)
        seen += len(sample.ids)
        due = seen * share / (1 - share)
        while given < due:
            if following is None:
                raise MedctxError(
                    f"The replay mix holds {given:,} tokens, fewer than the {round(due):,} that replay.share={share:g} "
                    f"asks for after {seen:,} tokens of the mix; give more of it or lower the share."
                )
            size = sum(len(one.ids) for one in following)
            if given + size / 2 > due:
                break
            mixed += following
            given += size
            items += 1
            following = next(waiting, None)
    return mixed, items
