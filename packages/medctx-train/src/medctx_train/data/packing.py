"""Several Dialogues in one row, without attention across them."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx_train.data.tokenize import Encoded

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


WINDOW = 2048
"""Samples that are packed together: the order of the data is kept from window to window."""


def pack(samples: Sequence[Encoded], row_tokens: int, window: int = WINDOW) -> list[Row]:
    """Best-fit decreasing within windows of ``window`` consecutive samples, so a mixed order stays mixed.

    Within a window the longest samples are placed first, each into the fullest row that still has room. The rows follow
    each other so that the sources' shares stay near those of the window, otherwise as their longest members stood in
    the data. No sample leaves its window.
    """
    rows: list[Row] = []
    for begin in range(0, len(samples), window):
        part = samples[begin : begin + window]
        placed = sorted(_best_fit_decreasing([len(sample.ids) for sample in part], row_tokens))
        rows += _evenly([Row(tuple(part[number] for number in sorted(row))) for row in placed])
    return rows


def _evenly(rows: Sequence[Row]) -> list[Row]:
    """The rows so ordered that every source's share of the tokens so far stays near its share of all.

    Packing long samples first parts sources of different lengths. Each row waits in the line of the source it has most
    too much of; the next is taken from the line of the source that is furthest behind.
    """
    tokens = [Counter[str]() for _ in rows]
    for counts, row in zip(tokens, rows, strict=True):
        for member in row.members:
            counts[member.source] += len(member.ids)
    total = sum(row.tokens for row in rows)
    shares = {source: count / total for source, count in sorted(sum(tokens, Counter[str]()).items())}
    surplus = [
        {source: counts[source] - share * row.tokens for source, share in shares.items()}
        for counts, row in zip(tokens, rows, strict=True)
    ]
    lines: dict[str, deque[int]] = defaultdict(deque)
    for number, over in enumerate(surplus):
        lines[max(over, key=over.__getitem__)].append(number)
    behind = dict.fromkeys(shares, 0.0)
    ordered: list[Row] = []
    while lines:
        source = max(lines, key=lambda source: (behind[source], -lines[source][0]))
        number = lines[source].popleft()
        if not lines[source]:
            del lines[source]
        for other, amount in surplus[number].items():
            behind[other] -= amount
        ordered.append(rows[number])
    return ordered


def _best_fit_decreasing(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Numbers of the samples of each row, the longest first. Rows of equal room wait in line, oldest first."""
    rows: list[list[int]] = []
    waiting: dict[int, deque[int]] = defaultdict(deque)
    rooms = 0  # bit r is set where a row with r tokens of room waits
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        size = sizes[number]
        fitting = rooms >> size
        if fitting:
            left = size + (fitting & -fitting).bit_length() - 1
            row = waiting[left].popleft()
            if not waiting[left]:
                rooms &= ~(1 << left)
            rows[row].append(number)
        else:
            row, left = len(rows), room
            rows.append([number])
        waiting[left - size].append(row)
        rooms |= 1 << (left - size)
    return rows


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
