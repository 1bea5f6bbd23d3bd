"""The part of ``report.json`` that is read by others than the report itself: cells, scores and comparisons."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from medctx.schemas.exam_run import ExamManifest
from medctx.schemas.records import Mode, Record, Verdict

REPORT_FILE = "report.json"
LEVEL = 0.95
"""Of every interval."""
FEWEST = 10
"""Below so many clusters no difference is claimed."""
Word = Literal["gains", "loses", "ties with"]
Family = Literal["headline", "pairs", "untaught", "axes", "conditions", "grid"]
"""Comparisons shown together; p values are adjusted within each."""
Along = Literal["general_share", "amount", "base", "method"]


class Accuracy(Record):
    """``value`` = correct / N in [0, 1] and its 95 % interval [``low``, ``high``], inside [0, 1].

    ``n`` counts items; ``value`` is the mean over ``seeds`` runs. ``seed_error`` is the standard error that training
    seeds bring, and part of the interval; None where no seeds were repeated: the interval then speaks of these runs
    alone.
    """

    n: int = Field(ge=1)
    clusters: int = Field(ge=1)
    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    seeds: int = Field(1, ge=1)
    seed_error: float | None = None
    few_clusters: bool = False


class Difference(Record):
    """Accuracy of the first model minus that of the second, on N items both answered.

    ``n`` counts items, under each of their Conditions once: one asked in several orders of its options, or of several
    training seeds, counts once with its mean. ``value`` and its 95 % interval [``low``, ``high``] are in [-1, 1]
    (accuracy points / 100). ``only_first`` / ``only_second``: items that the one or the other did better on (with one
    order and seed: that only it got right). ``p_mcnemar`` takes these items for independent, ``p_swap`` only clusters;
    both are exact and speak of these runs. ``p`` belongs to the interval, which excludes 0 where it is at most 0.05 and
    nowhere else: the mid-p of the swap test, and where seeds were repeated no less than a t test's that counts their
    variance too. ``bootstrap`` holds the ends of the cluster bootstrap alone. ``detectable``: the smallest true
    difference (absolute) that an exam of this noise finds with 80 % power, at most 1.

    ``error`` is the standard error that items bring, ``seed_error`` that of training seeds (None where no cell was
    trained twice: the interval then speaks of these runs alone), known with ``seed_df`` degrees of freedom; ``seeds``
    counts the training runs of the side that has fewest.
    """

    n: int = Field(ge=1)
    clusters: int = Field(ge=1)
    value: float = Field(ge=-1, le=1)
    low: float = Field(ge=-1, le=1)
    high: float = Field(ge=-1, le=1)
    bootstrap: tuple[float, float]
    only_first: int = Field(ge=0)
    only_second: int = Field(ge=0)
    p: float = Field(ge=0, le=1)
    p_mcnemar: float = Field(ge=0, le=1)
    p_swap: float = Field(ge=0, le=1)
    detectable: float = Field(ge=0, le=1)
    error: float = Field(ge=0, le=1)
    seeds: int = Field(1, ge=1)
    seed_error: float | None = Field(None, ge=0)
    seed_df: int = Field(0, ge=0)
    few_clusters: bool = False

    @property
    def word(self) -> Word:
        """A tie is an interval that contains 0; too few clusters for a claim count as one."""
        if self.clusters < FEWEST:
            return "ties with"
        return "gains" if self.low > 0 else "loses" if self.high < 0 else "ties with"

    def not_worse(self, margin: float) -> bool:
        """Non-inferiority: the whole interval lies above ``-margin`` (a one-sided test at 2.5 %, as ICH E9 asks).

        The bound is the lower end of the interval that is shown, so that readers can check the verdict by eye. Too
        few clusters for a claim prove nothing.
        """
        return self.clusters >= FEWEST and self.low > -margin


class Recipe(Record):
    """What is known of how a cell was made; None or "" for what is not.

    ``general_share`` in [0, 1]: the general part of its training data; ``amount``: its trained tokens; ``base``: the
    untouched cell it was made from, with which it is compared; ``method``: how its weights were changed, such as
    ``lora`` or ``full``.
    """

    general_share: float | None = Field(None, ge=0, le=1)
    amount: int | None = Field(None, ge=0)
    base: str = ""
    method: str = ""

    def without(self, *along: Along) -> Recipe:
        """The recipe with some axes cleared: cells whose rest is equal differ along these axes alone."""
        return self.model_copy(update={axis: Recipe.model_fields[axis].default for axis in along})

    def words(self) -> str:
        """``20,000 trained tokens, lora``: amount and method, as far as they are known."""
        amount = "" if self.amount is None else f"{self.amount:,} trained tokens"
        return ", ".join(part for part in (amount, self.method) if part)


class CellRun(Record):
    """One examined model of a cell; the runs of a cell differ in their training seed."""

    name: str
    manifest: ExamManifest


class Cell(Record):
    """One trained or untrained model, examined once per training seed.

    ``base``: the untouched model that others were made from; ``recipe``: how this one was made, and which base it is
    compared with (empty where it is one itself).
    """

    name: str
    base: bool
    recipe: Recipe = Recipe()
    runs: tuple[CellRun, ...] = Field(min_length=1)


class Score(Record):
    """One cell on one part of the exam (an axis, ``untaught`` or a Condition) in one mode.

    ``verdicts`` add up to ``n`` = items x orders x training seeds. ``accuracy.value`` is correct / n and the lower
    bound: it counts every unreadable answer (unparsable, truncated, failed) as not correct; ``upper`` is the accuracy
    if they all had been right. ``validity`` in [0, 1] is the share of readable answers (correct, wrong or abstained)
    among those that fit. ``seeds``: the accuracy of each run. ``imposed``: verdicts that became does_not_fit because
    the item did not fit another cell.
    """

    cell: str
    part: str
    mode: Mode
    n: int = Field(ge=1)
    verdicts: dict[Verdict, int]
    accuracy: Accuracy
    validity: float = Field(ge=0, le=1)
    upper: float = Field(ge=0, le=1)
    seeds: tuple[float, ...] = ()
    imposed: int = 0

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = sum(self.verdicts.values())
        if total != self.n:
            raise ValueError(f"the verdicts of {self.cell} on {self.part} add up to {total}, not to N = {self.n}")
        return self

    @property
    def unreadable(self) -> int:
        """Answers without a readable choice: unparsable, truncated or failed."""
        return sum(self.verdicts.get(verdict, 0) for verdict in (Verdict.UNPARSABLE, Verdict.TRUNCATED, Verdict.FAILED))


class Comparison(Record):
    """``cell`` minus ``other`` on one part in one mode.

    ``dropped``: items that did not fit and count for neither. ``p_holm`` is the cluster swap test's p,
    ``p_mcnemar_holm`` McNemar's, adjusted within ``family`` and mode.
    """

    cell: str
    other: str
    part: str
    mode: Mode
    family: Family
    difference: Difference
    word: Word
    dropped: int = Field(ge=0)
    p_holm: float = Field(ge=0, le=1)
    p_mcnemar_holm: float = Field(ge=0, le=1)

    @property
    def doubtful(self) -> bool:
        """Whether a gain or loss does not survive the adjustment within its family."""
        return self.word != "ties with" and self.p_holm > 1 - LEVEL


class ReportCore(Record):
    """A comparison of cells on the same items, without what only the report shows; other keys are ignored.

    Cells are ordered: every base before the cells made from it, these from general to medical. ``base`` is the first of
    the bases; ``mode`` the scoring mode of the headline; ``margin`` the largest loss of reading that counts as none, in
    (0, 1).
    """

    model_config = ConfigDict(extra="ignore")

    title: str
    headline: str
    base: str
    mode: Mode
    margin: float = Field(gt=0, lt=1)
    cells: tuple[Cell, ...] = Field(min_length=1)
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def tuned(self) -> tuple[Cell, ...]:
        """Every cell but the bases."""
        return tuple(cell for cell in self.cells if not cell.base)

    @property
    def bases(self) -> tuple[Cell, ...]:
        """The untouched cells."""
        return tuple(cell for cell in self.cells if cell.base)

    def base_of(self, cell: str) -> str:
        """The base a cell is compared with; a base itself is its own."""
        named = next(one for one in self.cells if one.name == cell)
        return named.name if named.base else named.recipe.base

    def score(self, cell: str, part: str, mode: Mode | None = None) -> Score | None:
        """One score, in the headline mode unless another is named."""
        key = (cell, part, mode or self.mode)
        return next((score for score in self.scores if (score.cell, score.part, score.mode) == key), None)

    def gain(self, cell: str, part: str, mode: Mode | None = None) -> Comparison | None:
        """How a cell compares with its base on one part, in the headline mode unless another is named."""
        key = (cell, self.base_of(cell), part, mode or self.mode)
        return next(
            (
                comparison
                for comparison in self.comparisons
                if comparison.family != "pairs"
                and (comparison.cell, comparison.other, comparison.part, comparison.mode) == key
            ),
            None,
        )
