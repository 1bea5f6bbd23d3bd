"""Verdicts of all runs in one scoring mode as a matrix: what was asked, and what each run answered.

Shapes: R runs; K questions, each an item under one condition in one option order; N planned items, each an item under
one condition, whose option orders are adjacent.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.schemas.records import Axis, Judged, Mode, Verdict

CodeArray = NDArray[np.int32]
VerdictArray = NDArray[np.uint8]
MaskArray = NDArray[np.bool_]
Question = tuple[str, str, int]
"""Item, condition and option order."""

VERDICTS = tuple(Verdict)
_CODE = {verdict: code for code, verdict in enumerate(VERDICTS)}
DOES_NOT_FIT, CORRECT = _CODE[Verdict.DOES_NOT_FIT], _CODE[Verdict.CORRECT]
_UNANSWERED = 255
EXAMINE_AGAIN = "examine both again with the same exams, conditions, limits and seed"


@dataclass(frozen=True)
class Codebook:
    """Integer codes of the values of a column, in the order of their first use."""

    codes: dict[object, int] = field(default_factory=dict)

    def code(self, value: object) -> int:
        """The code of a value; a new value gets the next one."""
        return self.codes.setdefault(value, len(self.codes))


@dataclass(frozen=True)
class VerdictMatrix:
    """R runs on K questions of one mode, sorted by question.

    Attributes:
        mode: Scoring mode.
        rows: Row of each run, by its place among all runs.
        items: Names of the items.
        exams: Exam of each item.
        conditions: Names of the conditions.
        axes: Names of the axes.
        cluster_names: Names of the clusters.
        answers: Sets of letters; the first is empty.
        books: Ids of the Books the first run was asked on.
        item: Index into ``items``, (K,).
        condition: Index into ``conditions``, (K,).
        axis: Index into ``axes``, (K,): under one condition, questions that the Book does not answer have another.
        cluster: Index into ``cluster_names``, (K,).
        order: Option order, the number of cyclic shifts, (K,).
        gold: Index into ``answers`` of the right letters, (K,).
        memory: Index into ``answers`` of the letters that were right before the evidence was altered, (K,).
        taught: False for facts that no training dialogue teaches, (K,).
        book: Index into ``books``, (K,).
        verdicts: Index into VERDICTS, (R, K).
        chosen: Index into ``answers`` of the chosen letters, (R, K).
        dropped_for_others: Verdicts changed to ``does_not_fit`` because the item did not fit another run, (R, K).
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
    item: CodeArray
    condition: CodeArray
    axis: CodeArray
    cluster: CodeArray
    order: CodeArray
    gold: CodeArray
    memory: CodeArray
    taught: MaskArray
    book: CodeArray
    verdicts: VerdictArray
    chosen: CodeArray
    dropped_for_others: MaskArray

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First question of each planned item, (N,)."""
        changes = np.diff(self.item, prepend=-1).astype(np.bool_) | np.diff(self.condition, prepend=-1).astype(np.bool_)
        return np.flatnonzero(changes)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Number of option orders of each planned item, (N,)."""
        return np.diff(np.append(self.starts, len(self.item)))

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Share of the option orders of each planned item that were answered correctly, (R, N)."""
        correct = (self.verdicts == CORRECT).astype(np.float64)
        return np.asarray(np.add.reduceat(correct, self.starts, axis=1) / self.sizes)

    @cached_property
    def fits(self) -> MaskArray:
        """Whether the Book fitted in every run, (N,)."""
        return np.asarray(self.verdicts[0][self.starts] != DOES_NOT_FIT)

    def questions_of(self, planned_items: MaskArray) -> MaskArray:
        """Mask over questions (K,) of a mask over planned items (N,)."""
        return np.repeat(planned_items, self.sizes)


class MatrixBuilder:
    """Takes the records of one run after the other; the first run of a mode defines its questions."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._place: dict[Question, int] = {}
        # Per question: everything that must be the same in all runs.
        self._meaning: list[tuple[int, ...]] = []
        self._items, self._conditions, self._clusters, self._answers = Codebook(), Codebook(), Codebook(), Codebook()
        self._axes, self._books, self._book = Codebook(), Codebook(), array("i")
        self._exams: dict[str, str] = {}
        self._exam_codes = Codebook()
        self._rows: dict[int, int] = {}
        self._names: list[str] = []
        self._verdicts: list[bytearray] = []
        self._chosen: list[array[int]] = []
        self._extra: list[Question] = []
        self._answers.code(())

    def _describe(self, question: Question) -> str:
        item, condition, order = question
        order_text = f", option order {order}" if order else ""
        return f"the item {item!r} under {condition} (mode {self._mode}{order_text})"

    def _begin(self, row: int, name: str) -> None:
        self._rows[row] = len(self._names)
        self._names.append(name)
        self._verdicts.append(bytearray(bytes([_UNANSWERED]) * len(self._place)))
        self._chosen.append(array("i", bytes(4 * len(self._place))))

    def _meaning_of(self, judged: Judged) -> tuple[int, ...]:
        self._exams.setdefault(judged.item, judged.exam)
        return (
            self._items.code(judged.item),
            self._conditions.code(judged.condition),
            self._axes.code(judged.axis),
            self._clusters.code(judged.cluster),
            judged.order,
            self._answers.code(judged.gold),
            self._answers.code(judged.memory),
            judged.tags.get("taught", "yes") == "yes",
            self._exam_codes.code(judged.exam),
        )

    def add(self, row: int, name: str, judged: Judged) -> None:
        """Take one record of the run at place ``row``.

        Raises:
            MedctxError: If it contradicts the first run, or the run judges a question twice.
        """
        if row not in self._rows:
            self._begin(row, name)
        first = self._rows[row] == 0
        question = (judged.item, judged.condition, judged.order)
        place = self._place.get(question)
        verdicts, chosen = self._verdicts[-1], self._chosen[-1]
        meaning = self._meaning_of(judged)
        if place is None:
            if not first:
                self._extra.append(question)
                return
            place = self._place[question] = len(self._place)
            self._meaning.append(meaning)
            self._book.append(self._books.code(judged.book))
            verdicts.append(_UNANSWERED)
            chosen.append(0)
        elif meaning != self._meaning[place]:
            raise MedctxError(
                f"The runs {self._names[0]} and {name} disagree about {self._describe(question)} (exam, axis, "
                f"cluster, tags or gold letters); {EXAMINE_AGAIN}."
            )
        if verdicts[place] != _UNANSWERED:
            raise MedctxError(
                f"The run {name} judges {self._describe(question)} twice; remove its folder and examine it again."
            )
        verdicts[place] = _CODE[judged.verdict]
        chosen[place] = self._answers.code(judged.chosen)

    def close(self, row: int, name: str) -> None:
        """Check that a run judged in this mode answered exactly the questions of the first run."""
        if row not in self._rows:
            return
        missing = [question for question, place in self._place.items() if self._verdicts[-1][place] == _UNANSWERED]
        for lacking, having, questions in ((name, self._names[0], missing), (self._names[0], name, self._extra)):
            if questions:
                raise MedctxError(
                    f"The run {lacking} lacks {len(questions)} questions that {having} has, first "
                    f"{self._describe(min(questions))}; {EXAMINE_AGAIN}, or leave one out."
                )

    def _drop_misfits(self, verdicts: VerdictArray, columns: CodeArray) -> MaskArray:
        """Make a planned item that does not fit one run (in any option order) fit none, in place.

        Returns the mask (R, K) of verdicts changed by this.
        """
        misfit = (verdicts == DOES_NOT_FIT).any(axis=0)
        planned_items = columns[0].astype(np.int64) * (int(columns[1].max()) + 1) + columns[1]
        dropped = np.isin(planned_items, planned_items[misfit])
        changed = np.asarray((verdicts != DOES_NOT_FIT) & dropped)
        verdicts[:, dropped] = DOES_NOT_FIT
        return changed

    def build(self) -> VerdictMatrix:
        """The matrix of everything taken."""
        questions = sorted(self._place)
        index = np.array([self._place[question] for question in questions])
        columns = np.array(self._meaning, dtype=np.int32)[index].T
        verdicts = np.array([np.frombuffer(row, dtype=np.uint8)[index] for row in self._verdicts])
        chosen = np.array([np.frombuffer(row, dtype=np.int32)[index] for row in self._chosen])
        dropped = self._drop_misfits(verdicts, columns)
        chosen[verdicts == DOES_NOT_FIT] = 0
        items = [str(item) for item in self._items.codes]
        conditions = [str(condition) for condition in self._conditions.codes]
        return VerdictMatrix(
            mode=self._mode,
            rows=dict(self._rows),
            items=tuple(items),
            exams=tuple(self._exams[item] for item in items),
            conditions=tuple(conditions),
            axes=tuple(self._axes.codes),  # type: ignore[arg-type]
            cluster_names=tuple(str(cluster) for cluster in self._clusters.codes),
            answers=tuple(self._answers.codes),  # type: ignore[arg-type]
            books=tuple(str(book) for book in self._books.codes),
            item=columns[0],
            condition=columns[1],
            axis=columns[2],
            cluster=columns[3],
            order=columns[4],
            gold=columns[5],
            memory=columns[6],
            taught=columns[7].astype(np.bool_),
            book=np.frombuffer(self._book, dtype=np.int32)[index],
            verdicts=verdicts,
            chosen=chosen,
            dropped_for_others=dropped,
        )
