"""Several Dialogues in one row, without attention across them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx_train.encode import Encoded

if TYPE_CHECKING:
    import torch

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Row:
    """Dialogues that are trained on side by side; together at most as long as the row."""

    members: tuple[Encoded, ...]

    @property
    def tokens(self) -> int:
        """Tokens of all members."""
        return sum(len(member.ids) for member in self.members)


@dataclass(frozen=True, slots=True)
class Tensors:
    """One packed row as the model takes it, each of shape (1, tokens).

    ``position_ids`` begin at 0 with every member: with no attention mask given, transformers reads the
    boundaries from them and keeps attention inside a member. ``labels`` are shifted already: position t holds the
    token that follows t inside its member, or :data:`IGNORED`.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> Tensors:
        """The same row on another device."""
        return Tensors(self.input_ids.to(device), self.position_ids.to(device), self.labels.to(device))


def pack(samples: Sequence[Encoded], row_tokens: int, window: int = 64) -> list[Row]:
    """Best-fit packing that keeps the order of the data nearly: a sample goes into the fullest of the last ``window``
    open rows that still has room for it, so a mixed order stays mixed.

    Rows come out in the order they were begun.
    """
    rows: list[list[Encoded]] = []
    room: list[int] = []
    for sample in samples:
        size = len(sample.ids)
        fitting = [number for number in range(max(0, len(rows) - window), len(rows)) if room[number] >= size]
        if fitting:
            best = min(fitting, key=lambda number: room[number])
            rows[best].append(sample)
            room[best] -= size
        else:
            rows.append([sample])
            room.append(row_tokens - size)
    return [Row(tuple(row)) for row in rows]


def fill(rows: Sequence[Row], row_tokens: int) -> float:
    """Share of the rows' places that hold a token, in [0, 1]."""
    return sum(row.tokens for row in rows) / (len(rows) * row_tokens) if rows else 0.0


def tensors(row: Row) -> Tensors:
    """The row as tensors."""
    import torch

    ids: list[int] = []
    positions: list[int] = []
    labels: list[int] = []
    for member in row.members:
        ids += member.ids
        positions += range(len(member.ids))
        following = zip(member.ids[1:], member.carries_loss[1:], strict=True)
        labels += [token if carries else IGNORED for token, carries in following]
        labels.append(IGNORED)
    return Tensors(*(torch.tensor([values]) for values in (ids, positions, labels)))
