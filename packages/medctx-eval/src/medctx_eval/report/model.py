"""The Report: everything that is shown, computed once; report.json is its dump."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from medctx.schemas.records import Mode, Record
from medctx.schemas.report import Accuracy, Comparison, Family, ReportCore
from medctx_eval.stats import Noise
from medctx_eval.stats.attribution import Attribution
from medctx_eval.stats.behaviour import Behaviour

KNOWLEDGE = "knowledge"
READING = "reading"
UNTAUGHT = "untaught"
ABSTENTION = "abstention"
FAITHFULNESS = "faithfulness"


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


class Report(ReportCore):
    """A comparison of cells on the same items, with everything that is shown. Fields that others read: ReportCore."""

    model_config = ConfigDict(extra="forbid")

    max_unreadable: float
    max_contaminated: float
    draws: int
    seed: int
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
    def to_base(self) -> str:
        """What differences are against, in words: the name of the base, or where there are several ``its base``."""
        return self.base if len(self.bases) == 1 else "its base"

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The headline mode first, then the others that were scored."""
        return tuple(dict.fromkeys([self.mode, *(score.mode for score in self.scores)]))

    def family(self, name: Family, mode: Mode | None = None) -> tuple[Comparison, ...]:
        """The comparisons of one family, in the headline mode unless another is named."""
        return tuple(one for one in self.comparisons if one.family == name and one.mode == (mode or self.mode))

    def parts(self, family: Family) -> tuple[str, ...]:
        """The parts a family compares on, in the order they are shown."""
        return tuple(dict.fromkeys(one.part for one in self.family(family)))
