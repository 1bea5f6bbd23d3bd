"""Sections of a report: what each analysis gives, one record for each cell, part or mode."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.schemas.records import Mode, Record
from medctx.schemas.statistics import Accuracy, Attribution, Behaviour, Difference, Outcome, RepeatNoise
from medctx.schemas.study_plan import PlanAxis


class OptionOrderScore(Record):
    """Stability of one cell's answers on one axis when the options change places.

    Attributes:
        cell: Name of the cell.
        part: The axis.
        mode: Scoring mode.
        items: Items asked in several orders.
        orders: Largest number of orders.
        mean: Accuracy averaged over orders.
        all_right: Share of items right in all orders.
        flips: Share of items whose answer is not the same in every order.
    """

    cell: str
    part: str
    mode: Mode
    items: int = Field(ge=1)
    orders: int = Field(ge=2)
    mean: float = Field(ge=0, le=1)
    all_right: Accuracy
    flips: Accuracy


class LetterBias(Record):
    """Use of the shown letters by one cell in one mode; all shares in [0, 1].

    Attributes:
        cell: Name of the cell.
        mode: Scoring mode.
        n: Number of answers.
        chosen: Share of answers by letter.
        gold: Share of right letters.
        recall: Share of right answers among items whose right letter this is.
        spread: Standard deviation of the recalls; 0 for a model without a preferred letter.
    """

    cell: str
    mode: Mode
    n: int = Field(ge=1)
    chosen: dict[str, float]
    gold: dict[str, float]
    recall: dict[str, float]
    spread: float = Field(ge=0)


class AboveFloor(Record):
    """One cell on one part minus the question-blind reader, on the same items; ``outcome`` against 0."""

    cell: str
    part: str
    difference: Difference
    outcome: Outcome


class LongestOption(Record):
    """How often one cell chooses an option of the most characters.

    Attributes:
        cell: Name of the cell.
        part: The axis.
        chosen: Share of its answers.
        indifferent: The share of a model to which length does not matter.
    """

    cell: str
    part: str
    chosen: Accuracy
    indifferent: float = Field(ge=0, le=1)


class CalibrationBin(Record):
    """Answers of about the same confidence: their number, mean confidence and accuracy."""

    n: int = Field(ge=1)
    confidence: float = Field(ge=0, le=1)
    accuracy: float = Field(ge=0, le=1)


class Calibration(Record):
    """Confidence of one cell on one axis held against its accuracy.

    The confidence of an answer is its share of the summed likelihood of all options, and the answer is the likeliest
    one: that of ``text-raw`` for options scored by their text, that of ``letter`` for letters.

    Attributes:
        cell: Name of the cell.
        part: The axis.
        n: Number of answers.
        error: Expected calibration error in [0, 1] over ten bins of equal width (Guo et al. 2017, ICML).
        confidence: Mean confidence.
        accuracy: Share of the likeliest answers that are right.
        bins: The bins that hold answers.
    """

    cell: str
    part: str
    n: int = Field(ge=1)
    error: float = Field(ge=0, le=1)
    confidence: float = Field(ge=0, le=1)
    accuracy: float = Field(ge=0, le=1)
    bins: tuple[CalibrationBin, ...]


class WordChange(Record):
    """What one cell's difference to its base is called under each way of scoring the options' texts."""

    cell: str
    axis: PlanAxis
    words: dict[Mode, Outcome]

    @property
    def changes(self) -> bool:
        """Whether the word depends on the way of scoring."""
        return len(set(self.words.values())) > 1


class CellBehaviour(Record):
    """Behaviour of one cell in the headline mode."""

    cell: str
    behaviour: Behaviour


class CellAttribution(Record):
    """Where one tuned cell's difference to the base comes from, in the headline mode."""

    cell: str
    attribution: Attribution


class NoiseFloor(Record):
    """Noise between the two exams ``runs`` of one model of a cell.

    ``computed_by``: engine, precision and hardware, one entry if both exams had the same.
    """

    cell: str
    runs: tuple[str, str]
    part: str
    mode: Mode
    noise: RepeatNoise
    computed_by: tuple[str, ...] = ()


class CleanScore(Record):
    """One cell on all items of an axis and on those not found in training data (None if all were found)."""

    cell: str
    part: str
    all_items: Accuracy
    clean_items: Accuracy | None


class TrainingCurve(Record):
    """Training loss of one cell or run in nats per token.

    Attributes:
        name: Name of the cell or run.
        tokens: Trained tokens at each point.
        loss: Loss at each point.
        sources: Loss by source over the last tenth of the steps.
        steps: Number of optimizer steps.
        tokens_per_second: Median speed.
    """

    name: str
    tokens: tuple[int, ...]
    loss: tuple[float, ...]
    sources: dict[str, float] = Field(default_factory=dict)
    steps: int
    tokens_per_second: float


class PublishedCell(Record):
    """One published accuracy and the measured one of the same cell.

    Attributes:
        cell: Name of the cell.
        value: Published accuracy in [0, 1].
        measured: Measured accuracy; None if the cell was not examined.
        position: Position of the published value relative to the measured interval.
    """

    cell: str
    value: float = Field(ge=0, le=1)
    measured: Accuracy | None = None
    position: Literal["inside", "below", "above"] | None = None


class Published(Record):
    """Published accuracies on ``part``, from ``source``; ``note`` says what differs there."""

    source: str
    part: str
    note: str = ""
    cells: tuple[PublishedCell, ...]


class GateCheck(Record):
    """One condition of the gate for one cell.

    Attributes:
        cell: Name of the cell.
        name: Which condition. ``family``: knowledge and reading hold also when adjusted for all cells.
        value: The value checked: lower ends of intervals, a P value (``family``) or a share; None if it is not known.
        limit: The limit it is held to.
        passed: None if the condition could not be checked.
        power: Of ``reading``: chance that a cell that reads exactly as well as its base passes this, and the reading
            side of ``family`` at its strictest level.
    """

    cell: str
    name: Literal["knowledge", "reading", "family", "readable", "clean"]
    value: float | None
    limit: float
    passed: bool | None
    power: float | None = Field(None, ge=0, le=1)


class Confirmation(Record):
    """One selected cell on one axis, measured again on items that selected no cell.

    Attributes:
        cell: Name of the cell.
        other: The base it is compared with.
        axis: The axis.
        part: What is compared: the axis, or taught items minus untaught ones.
        selected: Accuracy on the items that selected it; None if the report does not have the cell.
        selected_gain: Difference to the base on these items. Of a cell that was chosen for it, too large on average.
        confirmed: Accuracy on the other items.
        confirmed_gain: Difference to the base on the other items.
        outcome: ``confirmed_gain`` in words.
        contaminated: Confirmation items found in training data, other than as a taught fact; None if not compared.
    """

    cell: str
    other: str
    axis: PlanAxis
    part: str
    selected: Accuracy | None
    selected_gain: Difference | None
    confirmed: Accuracy
    confirmed_gain: Difference
    outcome: Outcome
    contaminated: int | None = None
