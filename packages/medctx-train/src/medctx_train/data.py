"""The data of a run: a mix folder encoded, what is too long dealt with, replay mixed in, and packed into rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from medctx import digest, tokenizer
from medctx.dialogues import read_dialogues
from medctx.errors import MedctxError
from medctx.progress import track
from medctx_train.config import SftConfig
from medctx_train.encode import Encoded, encode_all
from medctx_train.manifest import SourceCount
from medctx_train.pack import Row, pack


@dataclass(frozen=True, slots=True)
class Data:
    """The encoded mix: packed rows, how many Dialogues were read, their digest, and what became of each source."""

    rows: list[Row]
    dialogues: int
    digest: str
    sources: tuple[SourceCount, ...]

    @property
    def replay_share(self) -> float:
        """Realised share of tokens that are replayed, in [0, 1]."""
        tokens = sum(one.tokens for one in self.sources)
        return sum(one.tokens for one in self.sources if one.replay) / tokens if tokens else 0.0


def count(encoded: list[Encoded]) -> tuple[SourceCount, ...]:
    """Samples and tokens by source, sorted by name."""
    groups: dict[str, list[Encoded]] = defaultdict(list)
    for one in encoded:
        groups[one.source].append(one)
    return tuple(
        SourceCount(
            source=source,
            dialogues=len(members),
            samples=len(members),
            tokens=sum(len(one.ids) for one in members),
            loss_tokens=sum(one.loss_tokens for one in members),
        )
        for source, members in sorted(groups.items())
    )


def load_data(config: SftConfig, folder: Path) -> Data:
    """Encode and pack the mix with the tokenizer of the model folder."""
    tokens = tokenizer.load(folder)
    dialogues = list(read_dialogues(config.mix))
    if not dialogues:
        raise MedctxError(f"The mix {config.mix} holds no Dialogues; make it anew with medctx-data mix.")
    with track("Encoding", len(dialogues), "Dialogues") as advance:
        encoded = []
        for one in encode_all(tokens, dialogues, config.row_tokens):
            encoded.append(one)
            advance(1)
    rows = pack(encoded, config.row_tokens)
    return Data(rows, len(dialogues), digest.of_records(dialogues), count(encoded))
