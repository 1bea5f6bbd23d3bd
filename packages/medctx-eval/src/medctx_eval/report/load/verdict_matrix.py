"""One mode of an exam in columns: what was asked, and what every run made of it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.schemas.records import Axis, Judged, Mode, Verdict
from medctx_eval.stats.clusters import BoolArray

IntArray = NDArray[np.int32]
VerdictArray = NDArray[np.uint8]
Key = tuple[str, str, int]
"""Item, Condition and order."""

VERDICTS = tuple(Verdict)
_CODE = {verdict: code for code, verdict in enumerate(VERDICTS)}
MISFIT, CORRECT = _CODE[Verdict.DOES_NOT_FIT], _CODE[Verdict.CORRECT]
REPEAT = "examine both again with the same exams, conditions, limits and seed"


@dataclass(frozen=True)
class Names:
    """The different texts of a column in the order of their first use; the column holds their places."""

    known: dict[object, int] = field(default_factory=dict)

    def code(self, value: object) -> int:
        """The place of a value, given to it now where it is new."""
        return self.known.setdefault(value, len(self.known))


@dataclass(frozen=True)
class Aligned:
    """R runs on K (item, Condition, order) keys of one mode, sorted by key; N seats (item, Condition).

    Columns over keys, shape (K,): ``item``, ``condition``, ``cluster`` index ``items``, ``conditions`` and
    ``cluster_names``; ``gold`` and ``memory`` index ``answers`` (sets of the item's own letters, () for none);
    ``book`` indexes ``books``, ids of the Books that the first run was asked on; ``order`` is how far the options
    were turned, ``taught`` false for facts that no Dialogue teaches. Tables of
    shape (R, K): ``verdicts`` index VERDICTS, ``chosen`` index ``answers``, ``imposed`` marks verdicts turned into
    does_not_fit because the item did not fit another run. ``rows`` maps the place of a run among all runs to its row.
    """

    mode: Mode
    rows: dict[int, int]
    items: tuple[str, ...]
    exams: tuple[str, ...]
    conditions: tuple[str, ...]
    axes: tuple[Axis, ...]
    cluster_names: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]
    books: tuple[str, ...]
    item: IntArray
    condition: IntArray
    cluster: IntArray
    order: IntArray
    gold: IntArray
    memory: IntArray
    taught: BoolArray
    book: IntArray
    verdicts: VerdictArray
    chosen: IntArray
    imposed: BoolArray

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(N,) the first key of every seat: one item under one Condition, whose orders lie side by side."""
        changes = np.diff(self.item, prepend=-1).astype(np.bool_) | np.diff(self.condition, prepend=-1).astype(np.bool_)
        return np.flatnonzero(changes)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(N,) in how many orders every seat was asked."""
        return np.diff(np.append(self.starts, len(self.item)))

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """(R, N) the share of its orders that a seat was answered correctly in."""
        correct = (self.verdicts == CORRECT).astype(np.float64)
        return np.asarray(np.add.reduceat(correct, self.starts, axis=1) / self.sizes)

    @cached_property
    def fits(self) -> BoolArray:
        """(N,): the Book had room in every run; where it had none for one, all are does_not_fit."""
        return np.asarray(self.verdicts[0][self.starts] != MISFIT)

    def keys_of(self, planned_items: BoolArray) -> BoolArray:
        """(K,) the keys of a mask over seats."""
        return np.repeat(planned_items, self.sizes)


class Aligner:
    """Takes the records of one run after the other; the first run of a mode says what was asked in it.

    ``axis`` and ``exam`` belong to a Condition and an item; everything that must be the same in all runs is one tuple
    of codes a key.
    """

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._place: dict[Key, int] = {}
        self._meaning: list[tuple[int, ...]] = []
        self._items, self._conditions, self._clusters, self._answers = Names(), Names(), Names(), Names()
        self._books, self._book = Names(), array("i")
        self._axes: dict[str, Axis] = {}
        self._exams: dict[str, str] = {}
        self._rows: dict[int, int] = {}
        self._names: list[str] = []
        self._verdicts: list[bytearray] = []
        self._chosen: list[array[int]] = []
        self._extra: list[Key] = []
        self._answers.code(())

    def _show(self, key: Key) -> str:
        item, condition, order = key
        turned = f", order {order}" if order else ""
        return f"the item {item!r} under {condition} (mode {self._mode}{turned})"

    def _begin(self, row: int, name: str) -> None:
        self._rows[row] = len(self._names)
        self._names.append(name)
        # 255 marks what this run has not yet answered.
        self._verdicts.append(bytearray(b"\xff" * len(self._place)))
        self._chosen.append(array("i", bytes(4 * len(self._place))))

    def _meaning_of(self, one: Judged) -> tuple[int, ...]:
        self._axes.setdefault(one.condition, one.axis)
        self._exams.setdefault(one.item, one.exam)
        return (
            self._items.code(one.item),
            self._conditions.code(one.condition),
            self._clusters.code(one.cluster),
            one.order,
            self._answers.code(one.gold),
            self._answers.code(one.memory),
            one.tags.get("taught", "yes") == "yes",
        )

    def add(self, row: int, name: str, one: Judged) -> None:
        """Take one record of the run at place ``row``."""
        if row not in self._rows:
            self._begin(row, name)
        first = self._rows[row] == 0
        key = (one.item, one.condition, one.order)
        place = self._place.get(key)
        verdicts, chosen = self._verdicts[-1], self._chosen[-1]
        meaning = self._meaning_of(one)
        if place is None:
            if not first:
                self._extra.append(key)
                return
            place = self._place[key] = len(self._place)
            self._meaning.append(meaning)
            self._book.append(self._books.code(one.book))
            verdicts.append(255)
            chosen.append(0)
        elif meaning != self._meaning[place] or one.axis != self._axes[one.condition]:
            raise MedctxError(
                f"The runs {self._names[0]} and {name} disagree about {self._show(key)} (axis, cluster, tags or gold "
                f"letters); {REPEAT}."
            )
        if verdicts[place] != 255:
            raise MedctxError(f"The run {name} judges {self._show(key)} twice; remove its folder and examine it again.")
        verdicts[place] = _CODE[one.verdict]
        chosen[place] = self._answers.code(one.chosen)

    def close(self, row: int, name: str) -> None:
        """Check that a run, where it was judged in this mode at all, answered exactly what the first run did."""
        if row not in self._rows:
            return
        missing = [key for key, place in self._place.items() if self._verdicts[-1][place] == 255]
        for lacking, having, keys in ((name, self._names[0], missing), (self._names[0], name, self._extra)):
            if keys:
                raise MedctxError(
                    f"The run {lacking} lacks {len(keys)} that {having} has, first {self._show(min(keys))}; {REPEAT}, "
                    "or leave one out."
                )

    def _fitting(self, verdicts: VerdictArray, columns: IntArray) -> BoolArray:
        """Make what does not fit one run (in any order) fit none, in place; returns (R, K) where a run gave up."""
        misfit = (verdicts == MISFIT).any(axis=0)
        planned_items = columns[0].astype(np.int64) * (int(columns[1].max()) + 1) + columns[1]
        lost = np.isin(planned_items, planned_items[misfit])
        imposed = np.asarray((verdicts != MISFIT) & lost)
        verdicts[:, lost] = MISFIT
        return imposed

    def aligned(self) -> Aligned:
        """Everything taken, as columns."""
        keys = sorted(self._place)
        turn = np.array([self._place[key] for key in keys])
        columns = np.array(self._meaning, dtype=np.int32)[turn].T
        verdicts = np.array([np.frombuffer(own, dtype=np.uint8)[turn] for own in self._verdicts])
        chosen = np.array([np.frombuffer(own, dtype=np.int32)[turn] for own in self._chosen])
        imposed = self._fitting(verdicts, columns)
        chosen[verdicts == MISFIT] = 0
        items, conditions = [str(one) for one in self._items.known], [str(one) for one in self._conditions.known]
        return Aligned(
            mode=self._mode,
            rows=dict(self._rows),
            items=tuple(items),
            exams=tuple(self._exams[item] for item in items),
            conditions=tuple(conditions),
            axes=tuple(self._axes[condition] for condition in conditions),
            cluster_names=tuple(str(one) for one in self._clusters.known),
            answers=tuple(self._answers.known),  # type: ignore[arg-type]
            books=tuple(str(one) for one in self._books.known),
            item=columns[0],
            condition=columns[1],
            cluster=columns[2],
            order=columns[3],
            gold=columns[4],
            memory=columns[5],
            taught=columns[6].astype(np.bool_),
            book=np.frombuffer(self._book, dtype=np.int32)[turn],
            verdicts=verdicts,
            chosen=chosen,
            imposed=imposed,
        )
