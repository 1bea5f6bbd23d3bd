"""Packing: several samples in one row, without attention across them.

A row of the samples a (3 tokens), b (2) and c (2), where ``.`` is no attention and ``*`` attention::

                 a0  a1  a2  b0  b1  c0  c1
    input_ids    a0  a1  a2  b0  b1  c0  c1
    position_ids  0   1   2   0   1   0   1
    labels       a1  a2  --  b1  --  c1  --        (the next token of the same sample; -- is IGNORED)

    query a0      *   .   .   .   .   .   .
          a1      *   *   .   .   .   .   .
          a2      *   *   *   .   .   .   .
          b0      .   .   .   *   .   .   .
          b1      .   .   .   *   *   .   .
          c0      .   .   .   .   .   *   .
          c1      .   .   .   .   .   *   *

No attention mask is passed. transformers starts a new sample wherever ``position_ids`` returns to 0 and builds the mask
from that; FlashAttention gets the sample lengths instead. A label is IGNORED also where the next token carries no loss.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx_train.data.tokenize import EncodedSample

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""Label of a token without loss, as in PyTorch's cross entropy."""

WINDOW = 2048
"""Number of consecutive samples that are packed together; samples never leave their window."""


@dataclass(frozen=True, slots=True)
class PackedRow:
    """Samples that share a row; together at most as long as the row."""

    members: tuple[EncodedSample, ...]

    @property
    def tokens(self) -> int:
        """Number of tokens of all members."""
        return sum(len(member.ids) for member in self.members)


@dataclass(frozen=True, slots=True)
class RowTensors:
    """One packed row as the model takes it; each tensor has shape (1, tokens).

    Attributes:
        input_ids: Token ids of all members, one after the other.
        position_ids: Positions, from 0 for every member.
        labels: Already shifted: position t holds the token after t in the same member, or ``IGNORED``.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> RowTensors:
        """Return the same row on another device."""
        return RowTensors(self.input_ids.to(device), self.position_ids.to(device), self.labels.to(device))


def pack(samples: Sequence[EncodedSample], row_tokens: int, window: int = WINDOW) -> list[PackedRow]:
    """Pack samples by best-fit decreasing, window by window, so that the order of the data is kept between windows.

    Within a window, the longest samples are placed first, each into the fullest row that still has room. The rows of a
    window are then ordered so that the share of every source stays near its share of the window.

    Args:
        samples: Samples of at most ``row_tokens`` tokens each.
        row_tokens: Length of a row.
        window: Number of consecutive samples that are packed together.

    Returns:
        Rows that hold every sample exactly once.
    """
    rows: list[PackedRow] = []
    for begin in range(0, len(samples), window):
        part = samples[begin : begin + window]
        placed = sorted(_best_fit_decreasing([len(sample.ids) for sample in part], row_tokens))
        rows += _balance_sources([PackedRow(tuple(part[number] for number in sorted(row))) for row in placed])
    return rows


def _balance_sources(rows: Sequence[PackedRow]) -> list[PackedRow]:
    """Order rows so that every source's share of the tokens so far stays near its share of all tokens.

    Placing long samples first separates sources of different lengths. Each row waits in the queue of the source it
    holds most too much of; the next row comes from the queue of the source that is furthest behind.
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
    queues: dict[str, deque[int]] = defaultdict(deque)
    for number, row_surplus in enumerate(surplus):
        queues[max(row_surplus, key=row_surplus.__getitem__)].append(number)
    deficit = dict.fromkeys(shares, 0.0)
    ordered: list[PackedRow] = []
    while queues:
        source = max(queues, key=lambda source: (deficit[source], -queues[source][0]))
        number = queues[source].popleft()
        if not queues[source]:
            del queues[source]
        for other, amount in surplus[number].items():
            deficit[other] -= amount
        ordered.append(rows[number])
    return ordered


def _best_fit_decreasing(sizes: Sequence[int], row_tokens: int) -> list[list[int]]:
    """Return the sample numbers of each row; among rows with equal room the oldest is filled first."""
    rows: list[list[int]] = []
    rows_by_room: dict[int, deque[int]] = defaultdict(deque)
    available = 0  # bit r is set if a row with r tokens of room exists
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        size = sizes[number]
        large_enough = available >> size
        if large_enough:
            room = size + (large_enough & -large_enough).bit_length() - 1
            row = rows_by_room[room].popleft()
            if not rows_by_room[room]:
                available &= ~(1 << room)
            rows[row].append(number)
        else:
            row, room = len(rows), row_tokens
            rows.append([number])
        rows_by_room[room - size].append(row)
        available |= 1 << (room - size)
    return rows


def fill_rate(rows: Sequence[PackedRow], row_tokens: int) -> float:
    """Return the fraction of the rows' positions that hold a token, in [0, 1]."""
    return sum(row.tokens for row in rows) / (len(rows) * row_tokens) if rows else 0.0


def row_tensors(row: PackedRow) -> RowTensors:
    """Return the row as tensors on the CPU."""
    import torch

    ids: list[int] = []
    positions: list[int] = []
    labels: list[int] = []
    for member in row.members:
        ids += member.ids
        positions += range(len(member.ids))
        next_tokens = zip(member.ids[1:], member.carries_loss[1:], strict=True)
        labels += [token if carries else IGNORED for token, carries in next_tokens]
        labels.append(IGNORED)
    return RowTensors(*(torch.tensor([values]) for values in (ids, positions, labels)))
