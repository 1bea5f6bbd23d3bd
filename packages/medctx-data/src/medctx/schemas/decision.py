"""``decision.json``: what the gate decided and a card for each cell. Written by the report, read by the registry."""

from __future__ import annotations

from typing import Literal

from medctx.schemas.records import Record

DECISION_FILE = "decision.json"

Standing = Literal["front", "possibly dominated", "dominated"]
"""``front``: no other cell of the same base has both accuracies at least as high and one higher. ``dominated``: another
cell is better on one axis (its interval excludes 0) and not lower on the other. ``possibly dominated``: by value only.
"""


class ParetoPosition(Record):
    """Position of one cell among the cells of its base (and the base) on knowledge and reading.

    Attributes:
        cell: Name of the cell.
        standing: Whether it is on the Pareto front.
        dominated_by: The cells that dominate it, surely or possibly.
        knowledge: Knowledge accuracy in [0, 1].
        knowledge_low: Lower end of its 95 % interval.
        knowledge_high: Upper end.
        reading: Reading accuracy in [0, 1].
        reading_low: Lower end of its 95 % interval.
        reading_high: Upper end.
    """

    cell: str
    standing: Standing
    dominated_by: tuple[str, ...] = ()
    knowledge: float
    knowledge_low: float
    knowledge_high: float
    reading: float
    reading_low: float
    reading_high: float


class Card(Record):
    """A cell in one paragraph and in numbers.

    Attributes:
        cell: Name of the cell.
        summary: Accuracies and differences to the base in words.
        metrics: Accuracies in [0, 1], and differences to the base with the ends of their intervals, by name.
    """

    cell: str
    summary: str
    metrics: dict[str, float]


class Decision(Record):
    """Which cells get the registry's aliases.

    Attributes:
        champion: The cell that passes the gate with the largest knowledge gain; empty if none passes.
        reason: Why, in words.
        passed: All cells that pass the gate.
        best_knowledge: Among the cells whose knowledge gain is shown (interval above 0), the one with the highest
            accuracy; empty if there is none.
        best_reading: The same for reading.
        balanced: Among the cells that gain on one axis and lose on none, the one whose smaller gain is largest; empty
            if there is none.
        registered: Whether the report was made as registered, in words; empty without a plan.
        notes: Why the aliases above are given or not, one sentence each.
        pareto: Position of every cell on both axes.
        cards: One card for each tuned cell.
    """

    champion: str
    reason: str
    passed: tuple[str, ...] = ()
    best_knowledge: str = ""
    best_reading: str = ""
    balanced: str = ""
    registered: str = ""
    notes: tuple[str, ...] = ()
    pareto: tuple[ParetoPosition, ...] = ()
    cards: tuple[Card, ...] = ()
