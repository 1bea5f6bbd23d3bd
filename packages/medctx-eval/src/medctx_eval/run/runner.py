"""Asks one model everything of an exam plan that is not yet answered.

Every answer is one line of a journal, keyed by the digest of everything that determines it. Running again asks only
what is missing or failed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Condition, Lock
from typing import NamedTuple, TypeAlias

from medctx.io.journal import Journal
from medctx.process.progress import track
from medctx.schemas.exam_run import Usage
from medctx.schemas.records import AnswerScore, Book, Form, Judged, Mode, Reply
from medctx.text.book import EMPTY
from medctx_eval.artifacts import run_folder
from medctx_eval.engines.protocol import (
    Engine,
    Generated,
    GenerationRequest,
    LikelihoodRequest,
    RequestFailure,
    TokenLogprobs,
)
from medctx_eval.planning.plan import BookBatch, ExamPlan, PlannedItem
from medctx_eval.planning.requests import ItemRequest, RequestBuilder, orders_of
from medctx_eval.prompting.prompt import FORMS, possible_answers
from medctx_eval.run.usage_log import UsageLog

Judge: TypeAlias = Callable[[PlannedItem, Mode, int, Reply, Reply | None], Judged]
"""Gives the Verdict on a planned item under a mode and option order, from its Reply and that to the options alone."""
DOES_NOT_FIT = "does_not_fit"
PRIOR_BATCH_SIZE = 32
ROUNDING = 1e-4
"""A log-probability above 0 by no more than this is one of 0, rounded."""


def answer_scores(answers: Sequence[tuple[str, ...]], logprobs: TokenLogprobs) -> tuple[AnswerScore, ...]:
    """Pair possible answers with the summed log-probabilities of their tokens."""
    return tuple(
        AnswerScore(letters=letters, logprob=sum(min(token, 0.0) for token in tokens), tokens=len(tokens))
        for letters, tokens in zip(answers, logprobs, strict=True)
    )


def impossible_logprob(logprobs: TokenLogprobs) -> float | None:
    """The first value that is not a log-probability: NaN, infinite or positive; None if all are."""
    values = (token for tokens in logprobs for token in tokens)
    return next((value for value in values if not math.isfinite(value) or value > ROUNDING), None)


def _storable(text: str) -> str:
    """The text with halves of surrogate pairs replaced, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _reply(item_request: ItemRequest, result: object, model: str) -> Reply:
    """The record of one answer."""
    planned = item_request.planned
    reply = Reply(
        key=item_request.key,
        item=planned.item.id,
        condition=planned.condition.name if item_request.form != "prior" else "prior",
        book=item_request.book.id,
        form=item_request.form,
        order=item_request.order,
    )
    if isinstance(result, RequestFailure):
        return reply.model_copy(update={"problem": result.problem, "detail": _storable(result.detail)})
    if isinstance(result, Generated):
        return reply.model_copy(update={"text": _storable(result.text), "cut": result.truncated})
    assert isinstance(result, tuple)
    impossible = impossible_logprob(result)
    if impossible is not None:
        detail = f"{model} gave {impossible} as a log-probability; are its weights damaged?"
        return reply.model_copy(update={"problem": "failed", "detail": detail})
    return reply.model_copy(update={"scores": answer_scores(possible_answers(planned.item), result)})


def _too_long(planned: PlannedItem, form: Form, order: int, book: str, detail: str) -> Reply:
    return Reply(
        key="",
        item=planned.item.id,
        condition=planned.condition.name,
        book=book,
        form=form,
        order=order,
        problem=DOES_NOT_FIT,
        detail=detail,
    )


class _InFlight:
    """Counts requests that are not answered yet, so that as many are under way as an engine takes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._count, self._stopped = limit, 0, False
        self._changed = Condition()

    def add(self, requests: int) -> None:
        """Note requests that are sent from now on."""
        with self._changed:
            self._count += requests

    def answered(self) -> None:
        """Note one answer."""
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody wait any more: a job has failed."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Wait until fewer requests than the limit are under way."""
        with self._changed:
            self._changed.wait_for(lambda: self._count < self._limit or self._stopped)


class _Replies:
    """Replies by key, from the journal or from the engine. Safe to use from several threads.

    Only their places in the journal are in memory: an exam may have millions. A request that is under way has None.
    """

    def __init__(self, journal: Journal[Reply], usage_log: UsageLog, engine: Engine, model: str) -> None:
        self._journal, self._usage_log, self._engine, self._lock = journal, usage_log, engine, Lock()
        self._model = model
        self.in_flight = _InFlight(engine.concurrency)
        self._places: dict[str, int | None] = {
            reply.key: place for place, reply in enumerate(journal.records) if reply.problem != "failed"
        }

    def of(self, key: str) -> Reply:
        """Read the reply to a request that was asked."""
        place = self._places[key]
        assert place is not None, f"{key} was not answered"
        return self._journal.records[place]

    def missing(self, requests: Sequence[ItemRequest]) -> list[ItemRequest]:
        """The requests that are neither answered nor claimed already, each key once; they are claimed from now on."""
        missing = []
        for item_request in requests:
            if item_request.key not in self._places:
                self._places[item_request.key] = None
                missing.append(item_request)
        return missing

    def _store(self, requests: Sequence[ItemRequest], results: Iterable[object]) -> None:
        """Append every answer as soon as it arrives, and wait until all are on the disk."""
        for item_request, result in zip(requests, results, strict=True):
            reply = _reply(item_request, result, self._model)
            with self._lock:
                self._journal.add(reply)
                self._places[reply.key] = len(self._journal.records) - 1
            self.in_flight.answered()
        self._journal.sync()
        self._usage_log.note()

    def ask(self, requests: Sequence[ItemRequest], book: Book) -> None:
        """Ask the engine the requests about one Book and store its answers."""
        scored = [(entry, entry.request) for entry in requests if isinstance(entry.request, LikelihoodRequest)]
        if scored:
            results = self._engine.score([request for _, request in scored], book)
            self._store([entry for entry, _ in scored], results)
        generated = [(entry, entry.request) for entry in requests if isinstance(entry.request, GenerationRequest)]
        if generated:
            texts = self._engine.generate([request for _, request in generated], book)
            self._store([entry for entry, _ in generated], texts)


class _Job(NamedTuple):
    """A piece of work: the requests it sends, and what is called; that returns the items it was about."""

    requests: int
    work: Callable[[], int]


def _run_jobs(jobs: Iterator[_Job], in_flight: _InFlight, threads: int, done: Callable[[int], None]) -> None:
    """Run jobs in order, each as soon as requests may be sent; the first error ends all.

    A job is prepared while the ones before it run, and no earlier: prompts of long Books take much memory.
    """
    running: deque[Future[int]] = deque()

    def guarded(job: _Job) -> int:
        try:
            return job.work()
        except BaseException:
            in_flight.stop()
            raise

    with ThreadPoolExecutor(threads, thread_name_prefix="book") as pool:
        try:
            for job in jobs:
                if job.requests:
                    in_flight.wait_for_room()
                while running and running[0].done():
                    done(running.popleft().result())
                in_flight.add(job.requests)
                running.append(pool.submit(guarded, job))
            while running:
                done(running.popleft().result())
        except BaseException:
            in_flight.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True, slots=True)
class _AskedItem:
    """A planned item with the form, order and key of each of its requests; no key for requests that do not fit."""

    planned: PlannedItem
    book: str
    keys: tuple[tuple[Form, int, str | None], ...]

    def key(self, form: Form, order: int) -> str | None:
        """The key of the request in a form and order."""
        return next((key for key_form, key_order, key in self.keys if (key_form, key_order) == (form, order)), None)


class _Exam:
    """One model's pass through a plan."""

    def __init__(self, plan: ExamPlan, builder: RequestBuilder, replies: _Replies, positions: int) -> None:
        self._plan, self._builder, self._replies, self._positions = plan, builder, replies, positions
        self._asked: list[_AskedItem] = []
        self._prior_keys: dict[tuple[str, ...], str] = {}

    def _option_key(self, planned: PlannedItem) -> tuple[str, ...]:
        return (planned.item.id, *planned.item.options.values())

    def batch_jobs(self) -> Iterator[_Job]:
        """The work of each batch, prepared in order."""
        for batch in self._plan.batches:
            missing = self._missing(batch)
            yield _Job(len(missing), partial(self._ask_batch, batch, missing))

    def _missing(self, batch: BookBatch) -> list[ItemRequest]:
        requests: list[ItemRequest] = []
        for planned in batch.items:
            keys: list[tuple[Form, int, str | None]] = []
            for item_request in self._builder.requests(planned, batch.book) if batch.book else ():
                fits = not self._positions or item_request.length < self._positions
                keys.append((item_request.form, item_request.order, item_request.key if fits else None))
                requests += [item_request] if fits else []
            self._asked.append(_AskedItem(planned, batch.book.id if batch.book else "", tuple(keys)))
        return self._replies.missing(requests)

    def _ask_batch(self, batch: BookBatch, missing: Sequence[ItemRequest]) -> int:
        if missing and batch.book is not None:
            self._replies.ask(missing, batch.book)
        return len(batch.items)

    def _ask_priors(self, requests: Sequence[ItemRequest]) -> int:
        self._replies.ask(requests, EMPTY)
        return len(requests)

    def prior_jobs(self) -> Iterator[_Job]:
        """The work of scoring every item's options without their question."""
        waiting: list[ItemRequest] = []
        for planned in self._plan.planned_items:
            if self._option_key(planned) not in self._prior_keys:
                item_request = self._builder.prior(planned)
                self._prior_keys[self._option_key(planned)] = item_request.key
                waiting += self._replies.missing([item_request])
        for begin in range(0, len(waiting), PRIOR_BATCH_SIZE):
            requests = waiting[begin : begin + PRIOR_BATCH_SIZE]
            yield _Job(len(requests), partial(self._ask_priors, requests))

    def _reply(self, item: _AskedItem, form: Form, order: int) -> Reply:
        key = item.key(form, order)
        if key is not None:
            return self._replies.of(key)
        reason = f"longer than {self._positions} tokens" if item.book else "its evidence is longer than its condition"
        return _too_long(item.planned, form, order, item.book, reason)

    def judged(self, mode: Mode, orders: int, judge: Judge) -> Iterator[Judged]:
        """The Verdict on every planned item under a mode, in every order it is judged in."""
        form = FORMS[mode][0]
        for item in self._asked:
            planned = item.planned
            prior = None
            if "prior" in FORMS[mode]:
                prior = self._replies.of(self._prior_keys[self._option_key(planned)])
            for order in orders_of(planned, mode, orders):
                yield judge(planned, mode, order, self._reply(item, form, order), prior)


def ask_all(
    plan: ExamPlan,
    engine: Engine,
    builder: RequestBuilder,
    *,
    name: str,
    positions: int,
    folder: Path,
    modes: Sequence[Mode],
    orders: int,
    judge: Judge,
) -> tuple[list[Judged], Usage]:
    """Ask a model everything in a plan that has no answer yet, and judge all answers.

    Args:
        plan: The exam plan.
        engine: The model's engine.
        builder: Builds the requests for this model.
        name: The model's name, for the progress bar and errors.
        positions: Longest sequence that every compared model accepts; longer requests are sent to none. 0: unknown, the
            server decides.
        folder: The run folder, which holds the journal.
        modes: The scoring modes.
        orders: In how many option orders an item is asked if its prompt lists the options.
        judge: Gives the Verdict on an answer.

    Returns:
        The Verdicts, mode by mode, and the usage of all sessions so far.
    """
    with Journal(folder / run_folder.REPLIES, Reply) as journal:
        with UsageLog(folder, engine) as usage_log:
            replies = _Replies(journal, usage_log, engine, name)
            exam = _Exam(plan, builder, replies, positions)
            if any("prior" in FORMS[mode] for mode in modes):
                _run_jobs(exam.prior_jobs(), replies.in_flight, engine.concurrency, lambda _: None)
            with track(f"Examining {name}", len(plan.planned_items), "items") as advance:
                _run_jobs(exam.batch_jobs(), replies.in_flight, engine.concurrency, advance)
        judged = [record for mode in modes for record in exam.judged(mode, orders, judge)]
    return judged, usage_log.total
