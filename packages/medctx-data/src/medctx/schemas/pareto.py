"""Where a cell stands among others on knowledge and reading: told by the report, kept with a registered version."""

from __future__ import annotations

from typing import Literal

from medctx.schemas.records import Record

Standing = Literal["front", "perhaps behind", "behind"]


class ParetoPosition(Record):
    """Where one cell stands among the cells of its base, the base too.

    ``front``: no other has both accuracies at least as high and one higher. ``behind``: some ``beaten_by`` is surely
    better on one axis (its interval excludes 0) and not lower on the other; ``perhaps behind``: only the values say so.
    Accuracies in [0, 1], with their 95 % intervals.
    """

    cell: str
    standing: Standing
    beaten_by: tuple[str, ...] = ()
    knowledge: float
    knowledge_low: float
    knowledge_high: float
    reading: float
    reading_low: float
    reading_high: float
