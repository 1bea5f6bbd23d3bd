"""Replay: other data among the samples, against forgetting (arXiv 2502.06042 finds that one percent already helps)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medctx.errors import MedctxError
from medctx.io.mix_folder import read_dialogues
from medctx.schemas.records import Dialogue
from medctx_train.data.tokenize import EncodedSample

if TYPE_CHECKING:
    from medctx.text.json_tokenizer import ChatTokenizer


class ReplayText(NamedTuple):
    """A plain text that is replayed."""

    id: str
    text: str


def read_replay(folder: Path) -> list[Dialogue] | list[ReplayText]:
    """Read the plain texts (``*.txt``) of a folder, sorted by name; without any, the Dialogues of a mix folder."""
    texts = sorted(folder.glob("*.txt"))
    if texts:
        return [ReplayText(path.name, path.read_text(encoding="utf-8")) for path in texts]
    return list(read_dialogues(folder))


def encode_text(tokenizer: ChatTokenizer, text: ReplayText, source: str, row_tokens: int) -> list[EncodedSample]:
    """Encode a plain text with loss on every token, ended by the EOS token, in pieces of at most ``row_tokens``."""
    # Control tokens inside a text are plain text.
    ids = list(tokenizer(text.text, split_special_tokens=True)["input_ids"])
    if tokenizer.eos_token_id is not None and (not ids or ids[-1] != tokenizer.eos_token_id):
        ids.append(tokenizer.eos_token_id)
    pieces = [tuple(ids[begin : begin + row_tokens]) for begin in range(0, len(ids), row_tokens)]
    return [
        EncodedSample(f"{text.id}/piece-{number}", source, piece, (True,) * len(piece))
        for number, piece in enumerate(pieces, start=1)
    ]


def shuffled_order(size: int, seed: int) -> list[int]:
    """Return the numbers below ``size``, shuffled by ``seed``."""
    numbers = list(range(size))
    random.Random(seed).shuffle(numbers)
    return numbers


def interleave_replay(
    main: Sequence[EncodedSample], replayed: Iterable[Sequence[EncodedSample]], share: float
) -> tuple[list[EncodedSample], int]:
    """Insert replayed items into ``main`` wherever the replayed tokens fall behind ``share`` of all tokens.

    At every point the replayed tokens are within half an item of ``share`` of all tokens so far.

    Args:
        main: The samples of the mix, which keep their order.
        replayed: The samples of each replayed Dialogue or text, which are inserted together.
        share: Fraction of all tokens to be replayed, in [0, 1).

    Returns:
        The combined samples, and the number of replayed items that were used.

    Raises:
        MedctxError: If the replayed items run out.
    """
    waiting = iter(replayed)
    following = next(waiting, None)
    mixed: list[EncodedSample] = []
    main_tokens = replayed_tokens = items = 0
    for sample in main:
        mixed.append(sample)
        main_tokens += len(sample.ids)
        due = main_tokens * share / (1 - share)
        while replayed_tokens < due:
            if following is None:
                raise MedctxError(
                    f"The replay mix holds {replayed_tokens:,} tokens, fewer than the {round(due):,} that "
                    f"replay.share={share:g} needs after {main_tokens:,} tokens of the mix; add to it or lower the "
                    "share."
                )
            size = sum(len(piece.ids) for piece in following)
            if replayed_tokens + size / 2 > due:
                break
            mixed += following
            replayed_tokens += size
            items += 1
            following = next(waiting, None)
    return mixed, items
