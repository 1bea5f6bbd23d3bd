"""The Report: all results, computed once. ``report.json`` is its dump."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import ConfigDict, Field

from medctx.schemas.records import Mode, Record, Verdict
from medctx.schemas.report import KNOWLEDGE, READING, Comparison, Family, PairedComparison, ReportCore
from medctx.schemas.statistics import Accuracy, Attribution, Behaviour, Difference, Equivalence, Outcome, RepeatNoise
from medctx.schemas.study_plan import PlanAxis
from medctx_eval.report.markdown_table import escape, table_lines
from medctx_eval.stats.formatting import accuracy_interval, difference_interval, p_value, percent, points

TEXT_MODES: tuple[Mode, ...] = ("text", "text-raw", "text-prior")


def _accuracy_text(accuracy: Accuracy | None) -> str:
    return f"{percent(accuracy.value)} [{accuracy_interval(accuracy)}]" if accuracy else ""


def _difference_text(difference: Difference, outcome: Outcome) -> str:
    return f"{points(difference.value)} [{difference_interval(difference)}], {outcome}"


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


class PartFloor(Record):
    """Expected accuracy of readers that leave something out, weighted as the cells' accuracies.

    Attributes:
        part: An axis or a condition.
        question_blind: Guesses among the options that stand in the Book (among all where none does).
        book_blind: Guesses among all options.
    """

    part: str
    question_blind: float = Field(ge=0, le=1)
    book_blind: float = Field(ge=0, le=1)


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


class Report(ReportCore):
    """A comparison of cells on the same items, with everything that is shown.

    ``run_folders`` are the folders of the runs relative to the report; ``configs`` the configs as YAML by name.
    """

    model_config = ConfigDict(extra="forbid")

    max_unreadable: float
    max_contaminated: float
    error_rate: float = 0.05
    draws: int
    seed: int
    option_orders: tuple[OptionOrderScore, ...] = ()
    letter_bias: tuple[LetterBias, ...] = ()
    floors: tuple[PartFloor, ...] = ()
    above_floors: tuple[AboveFloor, ...] = ()
    longest_options: tuple[LongestOption, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    behaviours: tuple[CellBehaviour, ...] = ()
    attributions: tuple[CellAttribution, ...] = ()
    noise_floor: tuple[NoiseFloor, ...] = ()
    contamination: Contamination | None = None
    clean_scores: tuple[CleanScore, ...] = ()
    training_curves: tuple[TrainingCurve, ...] = ()
    gate_checks: tuple[GateCheck, ...] = ()
    confirmations: tuple[Confirmation, ...] = ()
    published: Published | None = None
    configs: dict[str, str] = Field(default_factory=dict)
    run_folders: tuple[str, ...] = ()

    @property
    def base_label(self) -> str:
        """What differences are against, in words: the name of the base, or ``its base`` if there are several."""
        return self.base if len(self.bases) == 1 else "its base"

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The headline mode first, then the other scored modes."""
        return tuple(dict.fromkeys([self.mode, *(score.mode for score in self.scores)]))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What limits every number of the report, one sentence each."""
        failed: dict[str, int] = {}
        for score in self.scores:
            if score.mode == self.mode and score.part in (KNOWLEDGE, READING):
                failed[score.cell] = failed.get(score.cell, 0) + score.verdicts[Verdict.FAILED]
        counts = ", ".join(f"{cell} {count:,}" for cell, count in failed.items() if count)
        sentences = []
        if counts:
            sentences.append(f"Answers that failed count as not correct: {counts}. Run the exam again to ask for them.")
        differing = dict.fromkeys(
            comparison.part for comparison in self.family("headline") if comparison.difference.seeds_differ
        )
        if differing:
            sentences.append(
                f"Training seeds vary more in some cells than in others on {' and '.join(differing)}, so no difference "
                "there is called a gain or a loss; more seeds per cell are needed."
            )
        if len(self.ways_of_computing) > 1:
            ways = "; ".join(f"{', '.join(names)} by {way}" for way, names in self.ways_of_computing.items())
            sentences.append(
                f"The models were computed in different ways ({ways}), which adds to every difference between them; no "
                "interval contains it."
            )
        sentences += self._cluster_warnings + self._floor_warnings + self._word_warnings
        return tuple(sentences)

    def floor(self, part: str) -> PartFloor | None:
        """What blind readers score on a part."""
        return next((floor for floor in self.floors if floor.part == part), None)

    def above_floor(self, cell: str, part: str) -> AboveFloor | None:
        """A cell against the question-blind reader on a part."""
        return next((row for row in self.above_floors if (row.cell, row.part) == (cell, part)), None)

    @property
    def ways_of_computing(self) -> dict[str, tuple[str, ...]]:
        """Engine, precision and hardware in words, and the cells with runs computed by each."""
        ways: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            for run in cell.runs:
                ways.setdefault(run.manifest.computed_by, {})[cell.name] = None
        return {way: tuple(names) for way, names in ways.items()}

    @property
    def word_changes(self) -> tuple[WordChange, ...]:
        """The words of every tuned cell by way of scoring the options' texts, where there are several."""
        modes = [mode for mode in TEXT_MODES if mode in self.modes]
        rows = []
        for cell in self.tuned:
            for axis in get_args(PlanAxis):
                gains = {mode: self.axis_gain(cell.name, axis, mode) for mode in modes}
                words = {mode: gain.outcome for mode, gain in gains.items() if gain}
                if len(words) > 1:
                    rows.append(WordChange(cell=cell.name, axis=axis, words=words))
        return tuple(rows)

    @property
    def _cluster_warnings(self) -> list[str]:
        single = {
            estimand.axis: [part.name for part in estimand.parts if part.clusters == 1] for estimand in self.estimands
        }
        return [
            f"All items of {' and of '.join(names)} lie in one cluster, so {axis} has no interval; ask items of "
            "several clusters, or leave this part out of report.weights."
            for axis, names in single.items()
            if names
        ]

    @property
    def _floor_warnings(self) -> list[str]:
        reading = {part.condition for estimand in self.estimands if estimand.axis == READING for part in estimand.parts}
        low = [
            f"{row.part} ({points(row.difference.value)} points)"
            for row in self.above_floors
            if row.cell == self.base and row.part in reading and row.outcome != "gains"
        ]
        if not low:
            return []
        return [
            f"{self.base} is not shown to read better than a reader without the question under {', '.join(low)}: what "
            "is lost there cannot be seen."
        ]

    @property
    def _word_warnings(self) -> list[str]:
        return [
            f"The word for {row.axis} of {row.cell} depends on how the options' texts are scored: "
            f"{', '.join(f'{word} in {mode}' for mode, word in row.words.items())}."
            for row in self.word_changes
            if row.changes
        ]

    def _repr_markdown_(self) -> str:
        """The headline and one row per cell, for notebooks."""
        rows = []
        for cell in self.cells:
            texts = [cell.name]
            for axis in (KNOWLEDGE, READING):
                score, gain = self.score(cell.name, axis), self.axis_gain(cell.name, axis)
                texts.append(_accuracy_text(score.accuracy if score else None))
                texts.append("base" if cell.base else _difference_text(gain.difference, gain.outcome) if gain else "")
            rows.append(texts)
        header = ("cell", "knowledge %", "to base, points", "reading %", "to base, points")
        return "\n".join([escape(self.headline), "", *table_lines(header, rows)])

    def family(self, name: Family, mode: Mode | None = None) -> tuple[Comparison, ...]:
        """The comparisons of one family, by default in the headline mode."""
        mode = mode or self.mode
        return tuple(item for item in self.comparisons if item.family == name and item.mode == mode)

    def parts(self, family: Family) -> tuple[str, ...]:
        """The parts a family compares on, in display order."""
        return tuple(dict.fromkeys(item.part for item in self.family(family)))


class ComparedCell(Record):
    """One compared cell.

    Attributes:
        name: Name of the cell.
        base: Whether it is the base.
        runs: Names of its runs, one per training seed.
    """

    name: str
    base: bool
    runs: tuple[str, ...]


class CellAccuracy(Record):
    """Accuracy of one cell on one part of the exam.

    Attributes:
        cell: Name of the cell.
        part: An axis or a condition.
        accuracy: The accuracy with its interval.
    """

    cell: str
    part: str
    accuracy: Accuracy


class CellDifference(PairedComparison):
    """``cell`` minus ``other`` on one part, as ``medctx-eval compare`` shows it.

    Attributes:
        equivalence: Tests against the margin.
    """

    equivalence: Equivalence


class ExamComparison(Record):
    """Everything ``medctx-eval compare`` shows, in one scoring mode.

    Attributes:
        mode: The scoring mode.
        exams: Names of the exams.
        base: Name of the first base.
        margin: Largest loss of reading that counts as none, in (0, 1).
        draws: Draws of the bootstrap.
        seed: Seed of the bootstrap.
        cells: The compared cells, the base first.
        failed: Number of failed answers, for every cell that has any.
        accuracies: Every cell on every part.
        differences: Paired differences.
        noise_floor: Differences between two exams of the same model, where there are any.
    """

    mode: Mode
    exams: tuple[str, ...]
    base: str
    margin: float
    draws: int
    seed: int
    cells: tuple[ComparedCell, ...]
    failed: dict[str, int] = Field(default_factory=dict)
    accuracies: tuple[CellAccuracy, ...]
    differences: tuple[CellDifference, ...]
    noise_floor: tuple[NoiseFloor, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Compared parts in display order."""
        return tuple(dict.fromkeys(entry.part for entry in self.accuracies))

    def accuracy(self, cell: str, part: str) -> Accuracy | None:
        """Accuracy of a cell on a part."""
        return next((entry.accuracy for entry in self.accuracies if (entry.cell, entry.part) == (cell, part)), None)

    def _repr_markdown_(self) -> str:
        """Accuracies and differences as tables, for notebooks."""
        accuracies = [
            (row.part, row.cell, _accuracy_text(row.accuracy), str(row.accuracy.n), str(row.accuracy.clusters))
            for row in self.accuracies
        ]
        differences = [
            (row.cell, row.other, row.part, _difference_text(row.difference, row.outcome), p_value(row.p_holm))
            for row in self.differences
        ]
        lines = table_lines(("part", "cell", "accuracy, % [95 % interval]", "items", "clusters"), accuracies)
        if differences:
            header = ("cell", "minus", "part", "difference, points [95 % interval]", "p, Holm")
            lines += ["", *table_lines(header, differences)]
        return "\n".join(lines)
