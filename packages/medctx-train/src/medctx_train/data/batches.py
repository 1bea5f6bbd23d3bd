"""Which rows of a step each process trains on.

The same rows make a step whatever the number of processes: the plan is made for all of them, every process takes every
so-manieth row, and one that has none left does empty work, so that all run the same number of passes. Nothing is
dropped, nothing is trained on twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medctx_train.data.packing import Row
from medctx_train.data.tokenize import Encoded

# Two tokens of which the second carries loss: a row that every model can pass, and whose loss is weighed with nothing.
NOTHING = Row((Encoded(id="", source="", ids=(0, 0), carries_loss=(False, True)),))


@dataclass(frozen=True, slots=True)
class Portion:
    """A row of a step: ``place`` among all rows of the step (what its random draws hang on); ``empty``: no work."""

    row: Row
    place: int
    empty: bool = False


def portions(rows: Sequence[Row], process: int, processes: int) -> list[Portion]:
    """The rows of a step that ``process`` of ``processes`` passes, in order; equally many for every process."""
    rounds = -(-len(rows) // processes)
    places = [turn * processes + process for turn in range(rounds)]
    return [
        Portion(rows[place], place) if place < len(rows) else Portion(NOTHING, place, empty=True) for place in places
    ]
