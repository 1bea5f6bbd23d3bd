"""The gate's decision, ``decision.json``: written by ``medctx-eval report``, read by the registry."""

from __future__ import annotations

from typing import Literal

from medctx.schemas.records import Record

DECISION_FILE = "decision.json"
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


class Card(Record):
    """A cell in words and numbers; metrics are accuracies in [0, 1] and differences to base with their bounds."""

    cell: str
    summary: str
    metrics: dict[str, float]


class Decision(Record):
    """Which cell the alias ``champion`` belongs to, and why.

    ``champion`` is empty where no cell ``passed``; ``reason`` says why in words. ``best_knowledge`` and
    ``best_reading`` name the tuned cells of the highest accuracy (empty without any); ``balanced`` the one whose
    smaller gain of the two is the largest. ``front``: where each cell stands. ``cards``: one per tuned cell.
    """

    champion: str
    reason: str
    passed: tuple[str, ...] = ()
    best_knowledge: str = ""
    best_reading: str = ""
    balanced: str = ""
    front: tuple[ParetoPosition, ...] = ()
    cards: tuple[Card, ...] = ()
