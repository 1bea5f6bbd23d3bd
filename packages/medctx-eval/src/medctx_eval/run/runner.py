"""An exam from beginning to end: ask what is not yet answered, judge every seat.

Every answer is one line of a journal, keyed by the digest of everything that determines it; running again asks only
what is missing or failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from medctx.io.journal import Journal
from medctx.process.progress import track
from medctx.schemas.exam_run import Usage
from medctx.schemas.records import Book, Form, Judged, Mode, Reply
from medctx.text.book import EMPTY
from medctx_eval.artifacts import run_folder
from medctx_eval.engines.protocol import Engine, Failure, Written
from medctx_eval.planning.batches import BookBatch, PlannedItem
from medctx_eval.planning.requests import FORMS, ItemRequest, RequestBuilder, orders_of
from medctx_eval.prompting.prompt import GenerationRequest, LikelihoodRequest, answers
from medctx_eval.run import score
from medctx_eval.run.exam_plan import ExamPlan
from medctx_eval.run.usage_log import UsageLog

DOES_NOT_FIT = "does_not_fit"
PRIORS_TOGETHER = 32


def _reply(question: ItemRequest, given: object) -> Reply:
    """The record of one answer."""
    planned_item = question.planned_item
    reply = Reply(
        key=question.key,
        item=planned_item.item.id,
        condition=planned_item.condition.name if question.form != "prior" else "prior",
        book=question.book.id,
        form=question.form,
        order=question.order,
    )
    if isinstance(given, Failure):
        return reply.model_copy(update={"problem": given.problem, "detail": given.detail})
    if isinstance(given, Written):
        return reply.model_copy(update={"text": given.text, "cut": given.cut})
    assert isinstance(given, tuple)
    return reply.model_copy(update={"scores": score.answer_scores(answers(planned_item.item), given)})


def _unanswerable(planned_item: PlannedItem, form: Form, order: int, book: str, detail: str) -> Reply:
    return Reply(
        key="",
        item=planned_item.item.id,
        condition=planned_item.condition.name,
        book=book,
        form=form,
        order=order,
        problem=DOES_NOT_FIT,
        detail=detail,
    )


class _Answers:
    """The journal's answers by key, and who is asked for those that are missing. Safe to use from several threads."""

    def __init__(self, journal: Journal[Reply], usage_log: UsageLog, engine: Engine) -> None:
        self._journal, self._spending, self._engine, self._lock = journal, usage_log, engine, Lock()
        self.known = {reply.key: reply for reply in journal.records if reply.problem != "failed"}
        self._asked = set(self.known)

    def missing(self, questions: Sequence[ItemRequest]) -> list[ItemRequest]:
        """Those neither answered nor asked already, each key once; they count as asked from now on."""
        found = []
        for question in questions:
            if question.key not in self._asked:
                self._asked.add(question.key)
                found.append(question)
        return found

    def _keep(self, questions: Sequence[ItemRequest], given: Iterable[object]) -> None:
        """Every answer as soon as it is there, and all of them on the disk at the end."""
        for question, one in zip(questions, given, strict=True):
            reply = _reply(question, one)
            with self._lock:
                self._journal.add(reply)
                self.known[reply.key] = reply
        self._journal.sync()
        self._spending.note()

    def ask(self, questions: Sequence[ItemRequest], book: Book) -> None:
        """Put the questions of one Book to the engine and keep its answers."""
        read = [(question, question.asked) for question in questions if isinstance(question.asked, LikelihoodRequest)]
        if read:
            self._keep([one for one, _ in read], self._engine.score([asked for _, asked in read], book))
        written = [
            (question, question.asked) for question in questions if isinstance(question.asked, GenerationRequest)
        ]
        if written:
            self._keep([one for one, _ in written], self._engine.write([asked for _, asked in written], book))


def _in_lanes(lanes: int, work: Iterator[Callable[[], int]], done: Callable[[int], None]) -> None:
    """Run pieces of work in ``lanes`` threads, preparing no more than are soon needed; the first error ends it."""
    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        running: deque[Future[int]] = deque()
        try:
            for piece in work:
                running.append(pool.submit(piece))
                while len(running) > 2 * lanes:
                    done(running.popleft().result())
            while running:
                done(running.popleft().result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is needed of a seat's questions to judge it: keys by form and order, nothing for those that do not fit."""

    planned_item: PlannedItem
    book: str
    keys: Mapping[tuple[Form, int], str | None]


class _Exam:
    """One model's way through the paper."""

    def __init__(self, exam_plan: ExamPlan, request_builder: RequestBuilder, found: _Answers, positions: int) -> None:
        self._paper, self._asker, self._found, self._positions = exam_plan, request_builder, found, positions
        self.asked: list[_Asked] = []
        self._prior: dict[tuple[str, ...], str] = {}

    def _texts(self, planned_item: PlannedItem) -> tuple[str, ...]:
        return (planned_item.item.id, *planned_item.item.options.values())

    def batches(self) -> Iterator[Callable[[], int]]:
        """The work of each sitting, prepared one after the other; each returns how many seats it was."""
        for batch in self._paper.batches:
            missing = self._missing(batch)
            yield partial(self._sit, batch, missing)

    def _missing(self, batch: BookBatch) -> list[ItemRequest]:
        questions: list[ItemRequest] = []
        for planned_item in batch.planned_items:
            keys: dict[tuple[Form, int], str | None] = {}
            for question in self._asker.questions(planned_item, batch.book) if batch.book else ():
                fits = question.longest < self._positions
                keys[question.form, question.order] = question.key if fits else None
                questions += [question] if fits else []
            self.asked.append(_Asked(planned_item, batch.book.id if batch.book else "", keys))
        return self._found.missing(questions)

    def _sit(self, batch: BookBatch, missing: Sequence[ItemRequest]) -> int:
        if missing and batch.book is not None:
            self._found.ask(missing, batch.book)
        return len(batch.planned_items)

    def _ask_alone(self, several: Sequence[ItemRequest]) -> int:
        self._found.ask(several, EMPTY)
        return len(several)

    def priors(self) -> Iterator[Callable[[], int]]:
        """The work of reading every item's options without their question."""
        waiting: list[ItemRequest] = []
        for planned_item in self._paper.planned_items:
            if self._texts(planned_item) not in self._prior:
                question = self._asker.prior(planned_item)
                self._prior[self._texts(planned_item)] = question.key
                waiting += self._found.missing([question])
        for begin in range(0, len(waiting), PRIORS_TOGETHER):
            yield partial(self._ask_alone, waiting[begin : begin + PRIORS_TOGETHER])

    def _answer(self, one: _Asked, form: Form, order: int) -> Reply:
        key = one.keys.get((form, order))
        if key is not None:
            return self._found.known[key]
        reason = f"longer than {self._positions} positions" if one.book else "its evidence is longer than its condition"
        return _unanswerable(one.planned_item, form, order, one.book, reason)

    def judged(self, mode: Mode, wanted: int) -> Iterator[Judged]:
        """Every seat under a mode, in every order it is judged in."""
        form = FORMS[mode][0]
        for one in self.asked:
            prior = self._found.known[self._prior[self._texts(one.planned_item)]] if "prior" in FORMS[mode] else None
            for order in orders_of(one.planned_item, mode, wanted):
                yield score.judge(one.planned_item, mode, order, self._answer(one, form, order), prior)


def examine(
    exam_plan: ExamPlan,
    engine: Engine,
    request_builder: RequestBuilder,
    *,
    name: str,
    positions: int,
    folder: Path,
    modes: Sequence[Mode],
    orders: int,
) -> tuple[list[Judged], Usage]:
    """Ask a model every seat of the paper and judge its replies; also says what that cost in all sessions so far.

    ``positions`` is the length every compared model has room for; what is longer is asked of none. ``orders`` is in
    how many orders of the options a seat is asked where a mode lists them.
    """
    with Journal(folder / run_folder.REPLIES, Reply) as journal, UsageLog(folder, engine) as usage_log:
        exam = _Exam(exam_plan, request_builder, _Answers(journal, usage_log, engine), positions)
        if any("prior" in FORMS[mode] for mode in modes):
            _in_lanes(engine.lanes, exam.priors(), lambda _: None)
        with track(f"Examining {name}", len(exam_plan.planned_items), "items") as advance:
            _in_lanes(engine.lanes, exam.batches(), advance)
    return [judged for mode in modes for judged in exam.judged(mode, orders)], usage_log.total
