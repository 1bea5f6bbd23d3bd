"""The Report: everything that is shown, computed once; report.json is its dump."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from medctx.schemas.records import Mode, Record, Verdict
from medctx_eval.artifacts.run_folder import Manifest
from medctx_eval.report.recipe import Recipe
from medctx_eval.stats import LEVEL, Accuracy, Difference, Noise, Word
from medctx_eval.stats.attribution import Attribution
from medctx_eval.stats.behaviour import Behaviour

Family = Literal["headline", "pairs", "untaught", "axes", "conditions", "grid"]
"""Comparisons shown together; p values are adjusted within each."""

KNOWLEDGE = "knowledge"
READING = "reading"
UNTAUGHT = "untaught"
ABSTENTION = "abstention"
FAITHFULNESS = "faithfulness"


class CellRun(Record):
    """One examined model of a cell; the runs of a cell differ in their training seed."""

    name: str
    manifest: Manifest


class Cell(Record):
    """One trained or untrained model, examined once per training seed.

    ``base``: the untouched model that others were made from; ``recipe``: how this one was made, and which base it is
    compared with (nothing where it is one itself).
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
        """Answers that say nothing: unparsable, truncated or failed."""
        return sum(self.verdicts[one] for one in (Verdict.UNPARSABLE, Verdict.TRUNCATED, Verdict.FAILED))


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
        """A gain or loss that is none any more when its whole family is looked at together."""
        return self.word != "ties with" and self.p_holm > 1 - LEVEL


class Orders(Record):
    """How one cell's answers on one axis hold when the options change places.

    Over ``items`` asked in ``orders`` orders at most: ``mean`` accuracy over orders, the share of items right in all
    orders, and the share whose answer is not the same in every order, all in [0, 1].
    """

    cell: str
    part: str
    mode: Mode
    items: int = Field(ge=1)
    orders: int = Field(ge=2)
    mean: float = Field(ge=0, le=1)
    all_right: Accuracy
    flips: Accuracy


class Letters(Record):
    """Letters as they were shown, in one mode; all shares in [0, 1].

    ``chosen``: how often a cell chose each; ``gold``: how often each was right; ``recall``: how often the cell was
    right where the letter was; ``spread``: the standard deviation of the recalls, 0 for a model without a favourite.
    """

    cell: str
    mode: Mode
    n: int = Field(ge=1)
    chosen: dict[str, float]
    gold: dict[str, float]
    recall: dict[str, float]
    spread: float = Field(ge=0)


class Conduct(Record):
    """What one cell does, in the headline mode."""

    cell: str
    behaviour: Behaviour


class Losses(Record):
    """Where one tuned cell's difference to the base lies, in the headline mode."""

    cell: str
    attribution: Attribution


class Repeated(Record):
    """One model of a cell, examined in both ``runs``."""

    cell: str
    runs: tuple[str, str]
    part: str
    mode: Mode
    noise: Noise


class Clean(Record):
    """One cell on all items of an axis and on those that are not in the ledger (nothing where all are)."""

    cell: str
    part: str
    every: Accuracy
    clean: Accuracy | None


class Contamination(Record):
    """``found`` of the ``asked`` items of both axes are in the training data; ``kinds`` says in which ways. ``taught``
    others share no more than the words of their fact with a Dialogue that teaches it on purpose.

    ``forgotten`` are exams that the ledger was not made for: whether their items are clean is not known.
    """

    asked: int = Field(ge=1)
    found: int = Field(ge=0)
    taught: int = Field(0, ge=0)
    kinds: dict[str, int] = Field(default_factory=dict)
    forgotten: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.found / self.asked


class Curve(Record):
    """Training loss of one cell or run in nats per token over trained ``tokens``, and by source at the end."""

    name: str
    tokens: tuple[int, ...]
    loss: tuple[float, ...]
    sources: dict[str, float] = Field(default_factory=dict)
    steps: int
    tokens_per_second: float


class PublishedCell(Record):
    """One published accuracy in [0, 1], and the measured one where the cell was examined. ``place``: where the
    published one lies in respect of the measured interval.
    """

    cell: str
    value: float = Field(ge=0, le=1)
    measured: Accuracy | None = None
    place: Literal["inside", "below", "above"] | None = None


class Published(Record):
    """What somebody else published of ``part``: ``source`` says where, ``note`` what is not the same there."""

    source: str
    part: str
    note: str = ""
    cells: tuple[PublishedCell, ...]


class Check(Record):
    """One condition of the gate on one cell: ``value`` and ``limit`` in [-1, 1]; ``passed`` is nothing where it could
    not be checked.
    """

    cell: str
    name: Literal["knowledge", "reading", "readable", "clean"]
    value: float | None
    limit: float
    passed: bool | None


class Report(Record):
    """A comparison of cells on the same items. Cells are ordered: every base before the cells made from it, these from
    general to medical. ``base`` is the first of the bases.
    """

    title: str
    headline: str
    base: str
    mode: Mode
    margin: float = Field(gt=0, lt=1)
    max_unreadable: float
    max_contaminated: float
    draws: int
    seed: int
    cells: tuple[Cell, ...] = Field(min_length=1)
    scores: tuple[Score, ...]
    comparisons: tuple[Comparison, ...]
    orders: tuple[Orders, ...] = ()
    letters: tuple[Letters, ...] = ()
    conduct: tuple[Conduct, ...] = ()
    losses: tuple[Losses, ...] = ()
    repeated: tuple[Repeated, ...] = ()
    contamination: Contamination | None = None
    clean: tuple[Clean, ...] = ()
    curves: tuple[Curve, ...] = ()
    checks: tuple[Check, ...] = ()
    published: Published | None = None
    configs: dict[str, str] = Field(default_factory=dict)

    @property
    def tuned(self) -> tuple[Cell, ...]:
        """Every cell but the base."""
        return tuple(cell for cell in self.cells if not cell.base)

    @property
    def to_base(self) -> str:
        """What differences are against, in words: the name of the base, or where there are several ``its base``."""
        return self.base if sum(cell.base for cell in self.cells) == 1 else "its base"

    def base_of(self, cell: str) -> str:
        """The base a cell is compared with; a base itself is its own."""
        own = next(one for one in self.cells if one.name == cell)
        return own.name if own.base else own.recipe.base

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The headline mode first, then the others that were scored."""
        return tuple(dict.fromkeys([self.mode, *(score.mode for score in self.scores)]))

    def score(self, cell: str, part: str, mode: Mode | None = None) -> Score | None:
        """One score, in the headline mode unless another is asked for."""
        wanted = (cell, part, mode or self.mode)
        return next((one for one in self.scores if (one.cell, one.part, one.mode) == wanted), None)

    def family(self, name: Family, mode: Mode | None = None) -> tuple[Comparison, ...]:
        """The comparisons of one family, in the headline mode unless another is asked for."""
        return tuple(one for one in self.comparisons if one.family == name and one.mode == (mode or self.mode))

    def gain(self, cell: str, part: str, mode: Mode | None = None) -> Comparison | None:
        """How a cell compares with its base on one part."""
        wanted = (cell, self.base_of(cell), part, mode or self.mode)
        found = (one for one in self.comparisons if one.family != "pairs")
        return next((one for one in found if (one.cell, one.other, one.part, one.mode) == wanted), None)

    def parts(self, family: Family) -> tuple[str, ...]:
        """The parts a family compares on, in the order they are shown."""
        return tuple(dict.fromkeys(one.part for one in self.family(family)))
