"""Which rows an optimizer step trains on, and which of them fall to each process.

The rows of a step do not depend on the number of processes, so any number of processes trains the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medctx_train.data.packing import PackedRow
from medctx_train.data.tokenize import EncodedSample

EMPTY_ROW = PackedRow((EncodedSample(id="", source="", ids=(0, 0), carries_loss=(False, True)),))
"""Two tokens of which the second carries loss: any model can process it, and its loss gets weight 0."""


@dataclass(frozen=True, slots=True)
class AssignedRow:
    """A row that a process trains on.

    Attributes:
        row: The row.
        position: Its index among all rows of the step, which its random draws depend on.
        empty: True if the process has run out of rows and this one stands in.
    """

    row: PackedRow
    position: int
    empty: bool = False


def step_batches(rows: Sequence[PackedRow], rows_per_step: int, epochs: int) -> list[Sequence[PackedRow]]:
    """Return the rows of each optimizer step, in order, epoch after epoch."""
    one_epoch = [rows[begin : begin + rows_per_step] for begin in range(0, len(rows), rows_per_step)]
    return one_epoch * epochs


def unpack_rows(rows: Sequence[PackedRow]) -> list[PackedRow]:
    """Return every sample of the rows as a row of its own, in order."""
    return [PackedRow((member,)) for row in rows for member in row.members]


def assign_rows(rows: Sequence[PackedRow], process: int, processes: int) -> list[AssignedRow]:
    """Assign the rows of one optimizer step to processes, round-robin.

    A process that runs out gets an empty row, so all run the same number of forward passes.
    """
    rounds = -(-len(rows) // processes)
    positions = [turn * processes + process for turn in range(rounds)]
    return [
        AssignedRow(rows[position], position) if position < len(rows) else AssignedRow(EMPTY_ROW, position, empty=True)
        for position in positions
    ]


def count_loss_tokens(rows: Sequence[PackedRow]) -> int:
    """Return the number of tokens of the rows that carry loss."""
    return sum(member.loss_tokens for row in rows for member in row.members)
