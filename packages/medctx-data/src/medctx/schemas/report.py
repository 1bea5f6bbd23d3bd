"""The part of ``report.json`` that others than the report read: cells, scores and comparisons."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from medctx.schemas.exam_run import ExamManifest
from medctx.schemas.records import Mode, Record, Verdict
from medctx.schemas.statistics import LEVEL, Accuracy, Difference, Outcome
from medctx.schemas.study_plan import Contrast, Estimand, PlanAxis, Power, Prediction

REPORT_FILE = "report.json"
MARKDOWN_FILE = "report.md"
KNOWLEDGE: Final = "knowledge"
READING: Final = "reading"
UNTAUGHT = "untaught"
LEARNING = "taught-minus-untaught"
"""Gain on taught items minus gain on untaught ones: what training taught, without what it did to every answer."""
ABSTENTION = "abstention"
FAITHFULNESS = "faithfulness"
READABLE = (Verdict.CORRECT, Verdict.WRONG, Verdict.ABSTAINED)
UNREADABLE = (Verdict.UNPARSABLE, Verdict.TRUNCATED, Verdict.FAILED)
Family = Literal["headline", "pairs", "knowledge", "axes", "conditions", "grid"]
"""Comparisons shown together; P values are adjusted within each family."""
RecipeAxis = Literal["general_share", "amount", "base", "method"]


class Recipe(Record):
    """What is known of how a cell was made; None or empty for what is not known."""

    general_share: float | None = Field(
        None, ge=0, le=1, description="Share of general data in the training tokens, in [0, 1]."
    )
    amount: int | None = Field(None, ge=0, description="Trained tokens.")
    base: str = Field("", description="The untrained cell it was made from and is compared with.")
    method: str = Field("", description="How the weights were changed, for example `lora` or `full`.")

    def without(self, *axes: RecipeAxis) -> Recipe:
        """The recipe with some axes cleared; cells whose rest is equal differ along these axes only."""
        return self.model_copy(update={axis: Recipe.model_fields[axis].default for axis in axes})


class CellRun(Record):
    """One examined model of a cell; the runs of a cell differ in their training seed.

    Attributes:
        name: Name of the examined model.
        manifest: Its ``exam.json``.
    """

    name: str
    manifest: ExamManifest


class Cell(Record):
    """One trained or untrained model, examined once per training seed.

    Attributes:
        name: Name of the cell.
        base: True for an untrained model from which others were made.
        recipe: How the cell was made, and the base it is compared with.
        runs: Its examined models.
    """

    name: str
    base: bool
    recipe: Recipe = Recipe()
    runs: tuple[CellRun, ...] = Field(min_length=1)


class Score(Record):
    """One cell on one part of the exam in one mode.

    Attributes:
        cell: Name of the cell.
        part: An axis, ``untaught``, or a condition.
        mode: Scoring mode.
        n: Number of answers: items x option orders x training seeds.
        verdicts: Number of answers by verdict; they add up to ``n``.
        accuracy: Mean over the exams and conditions of the part, weighted as in the estimand of its axis, of correct
            answers / answers. Unreadable answers count as not correct, so it is a lower bound.
        validity: Share of readable answers (correct, wrong, abstained) among those that fitted.
        upper_bound: Accuracy if every unreadable answer had been right.
        seeds: Accuracy of each run.
        dropped_for_others: Answers counted as ``does_not_fit`` because the item did not fit another cell.
    """

    cell: str
    part: str
    mode: Mode
    n: int = Field(ge=1)
    verdicts: dict[Verdict, int]
    accuracy: Accuracy
    validity: float = Field(ge=0, le=1)
    upper_bound: float = Field(ge=0, le=1)
    seeds: tuple[float, ...] = ()
    dropped_for_others: int = 0

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = sum(self.verdicts.values())
        if total != self.n:
            raise ValueError(f"the verdicts of {self.cell} on {self.part} add up to {total}, not to n = {self.n}")
        return self

    @property
    def unreadable(self) -> int:
        """Number of unparsable, truncated and failed answers."""
        return sum(self.verdicts[verdict] for verdict in UNREADABLE)


class PairedComparison(Record):
    """``cell`` minus ``other`` on one part.

    Attributes:
        cell: Name of the first cell.
        other: Name of the second cell.
        part: Part of the exam.
        difference: The paired difference.
        outcome: The difference in words; "equals" means equivalence within the margin of the report.
        dropped: Items that did not fit one of the models and count for neither.
        p_holm: P value of the permutation test, Holm-adjusted over the comparisons shown together.
        p_mcnemar_holm: P value of McNemar's test, adjusted likewise.
    """

    cell: str
    other: str
    part: str
    difference: Difference
    outcome: Outcome
    dropped: int = Field(ge=0)
    p_holm: float = Field(ge=0, le=1)
    p_mcnemar_holm: float | None = Field(None, ge=0, le=1)


class Comparison(PairedComparison):
    """A comparison of a report, in one mode.

    Attributes:
        mode: Scoring mode.
        family: The family within which, and within the mode, its P values are adjusted.
    """

    mode: Mode
    family: Family

    @property
    def not_after_holm(self) -> bool:
        """Whether the gain or loss is no longer significant when the whole family is adjusted."""
        return self.outcome in ("gains", "loses") and self.p_holm > 1 - LEVEL


class Registration(Record):
    """The registered plan of the study, and what the report found on its primary contrast.

    Attributes:
        study: Name of the study in the plan.
        digest: First characters of the digest of the plan.
        statement: "as registered (plan ...)", or "not as registered (plan ...): " and what differs.
        deviations: What the report did otherwise than registered, one clause each.
        primary: The contrast that the study is judged by first.
        prediction: What was expected of it; None if nothing was predicted.
        power: Power of the primary contrast as planned.
        difference: What was found; None if it was not compared.
        outcome: The same in words.
    """

    study: str
    digest: str
    statement: str
    deviations: tuple[str, ...]
    primary: Contrast
    prediction: Prediction | None
    power: Power
    difference: Difference | None = None
    outcome: Outcome | None = None

    @property
    def as_registered(self) -> bool:
        """Whether nothing was done otherwise."""
        return not self.deviations

    @property
    def as_predicted(self) -> bool | None:
        """Whether the value found lies in the predicted range; None if either is missing."""
        if self.prediction is None or self.difference is None:
            return None
        return self.prediction.low <= self.difference.value <= self.prediction.high

    @property
    def prediction_place(self) -> str:
        """Where the measured value lies, as the end of a sentence; "" if either is missing."""
        words = {True: ", inside the predicted range", False: ", outside the predicted range", None: ""}
        return words[self.as_predicted]


class PartFloor(Record):
    """Expected accuracy of readers that leave something out, weighted as the cells' accuracies.

    Attributes:
        part: An axis or a condition.
        question_blind: Guesses among the options that occur in the Book (among all where none does).
        book_blind: Guesses among all options.
    """

    part: str
    question_blind: float = Field(ge=0, le=1)
    book_blind: float = Field(ge=0, le=1)


class Contamination(Record):
    """Items of both axes found in training data.

    Attributes:
        items: Number of items asked.
        contaminated: How many of them were found.
        taught: Further items that share only the words of their fact with a dialogue that teaches it on purpose.
        by_kind: Items by the way they were found.
        unchecked_exams: Exams that the contamination report does not cover.
    """

    items: int = Field(ge=1)
    contaminated: int = Field(ge=0)
    taught: int = Field(0, ge=0)
    by_kind: dict[str, int] = Field(default_factory=dict)
    unchecked_exams: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of contaminated items in [0, 1]."""
        return self.contaminated / self.items


class ReportCore(Record):
    """A comparison of cells on the same items; further keys of ``report.json`` are ignored.

    Attributes:
        title: Title of the report.
        headline: The main result in words.
        base: Name of the first base.
        mode: Scoring mode of the headline.
        margin: Largest loss of reading that counts as none, in (0, 1).
        estimands: What the one number of each axis is: its parts and their weights.
        registration: The registered plan; None if the report has none.
        cells: Each base before the cells made from it, and these from general to medical.
        scores: Every cell on every part of the exam in every mode.
        comparisons: Paired differences.
        floors: What readers score that leave out question or Book, by part.
        contamination: Items found in training data; None if that was not checked.
    """

    model_config = ConfigDict(extra="ignore")

    title: str
    headline: str
    base: str
    mode: Mode
    margin: float = Field(gt=0, lt=1)
    estimands: tuple[Estimand, ...] = ()
    registration: Registration | None = None
    cells: tuple[Cell, ...] = Field(min_length=1)
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    floors: tuple[PartFloor, ...] = ()
    contamination: Contamination | None = None

    @property
    def tuned(self) -> tuple[Cell, ...]:
        """All cells but the bases."""
        return tuple(cell for cell in self.cells if not cell.base)

    @property
    def bases(self) -> tuple[Cell, ...]:
        """The untrained cells."""
        return tuple(cell for cell in self.cells if cell.base)

    def base_of(self, name: str) -> str:
        """The base a cell is compared with; a base is its own."""
        cell = next(cell for cell in self.cells if cell.name == name)
        return cell.name if cell.base else cell.recipe.base

    def score(self, cell: str, part: str, mode: Mode | None = None) -> Score | None:
        """One score, by default in the headline mode."""
        key = (cell, part, mode or self.mode)
        return next((score for score in self.scores if (score.cell, score.part, score.mode) == key), None)

    def floor(self, part: str) -> PartFloor | None:
        """What blind readers score on a part."""
        return next((floor for floor in self.floors if floor.part == part), None)

    def measure(self, axis: PlanAxis) -> str:
        """The part whose differences are the headline of an axis: the axis, or taught items minus untaught ones."""
        estimand = next((estimand for estimand in self.estimands if estimand.axis == axis), None)
        return axis if estimand is None or estimand.measure == "accuracy" else estimand.measure

    def axis_gain(self, cell: str, axis: PlanAxis, mode: Mode | None = None) -> Comparison | None:
        """The headline comparison of a cell with its base on an axis, by default in the headline mode."""
        return self.gain(cell, self.measure(axis), mode)

    def gain(self, cell: str, part: str, mode: Mode | None = None) -> Comparison | None:
        """The comparison of a cell with its base on one part, by default in the headline mode."""
        key = (cell, self.base_of(cell), part, mode or self.mode)
        candidates = (item for item in self.comparisons if item.family != "pairs")
        return next((item for item in candidates if (item.cell, item.other, item.part, item.mode) == key), None)
