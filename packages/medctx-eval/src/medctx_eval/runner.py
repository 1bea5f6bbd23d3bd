"""An exam from beginning to end: plan sittings, check their fit, ask what is not yet answered, judge, write.

Every answer is one line of a journal, keyed by the digest of everything that determines it; running again asks only
what is missing or failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medctx import digest
from medctx.journal import Journal
from medctx.progress import track
from medctx.records import Judged, Mode, Reply
from medctx_eval import run_folder, score
from medctx_eval.condition import parse
from medctx_eval.config import RunConfig
from medctx_eval.engines.protocol import Engine
from medctx_eval.exams import registry
from medctx_eval.exams.exam import Exam
from medctx_eval.plan import Seat, Sitting, sittings
from medctx_eval.prompt import Ask, Tokenizer, letter_ask, text_ask
from medctx_eval.run_folder import Cost, Manifest

MODES: tuple[Mode, ...] = ("text", "letter")
DOES_NOT_FIT = "does_not_fit"


class Paper:
    """The planned exam: sittings of all exams in order, with the token count of the examined tokenizer."""

    def __init__(self, config: RunConfig, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.exams: list[Exam] = [registry.build(exam, config.curriculum, config.seed) for exam in config.exams]
        self.sittings: list[Sitting] = []
        self.conditions: list[str] = []
        for exam, asked in zip(self.exams, config.exams, strict=True):
            self.sittings += sittings(
                exam,
                [parse(text) for text in asked.conditions],
                lambda text: len(tokenizer.encode(text, add_special_tokens=False)),
                depths=asked.depths,
                limits=asked.limits,
                seed=config.seed,
            )
            self.conditions += asked.conditions

    @property
    def seats(self) -> list[Seat]:
        """Every item under every Condition, in the order they are asked."""
        return [seat for sitting in self.sittings for seat in sitting.seats]

    @property
    def digest(self) -> str:
        """Digest of every Book, item and Condition of the paper, in order."""
        return digest.of_records(self.sittings)

    @property
    def books(self) -> int:
        """Different Books, the empty one not counted."""
        return len({sitting.book.id for sitting in self.sittings if sitting.book and sitting.book.tokens})

    def asks(self, sitting: Sitting) -> list[tuple[Ask, Ask]]:
        """For each seat of a sitting the prompt that is scored by texts and the one scored by letters."""
        assert sitting.book is not None
        return [
            (text_ask(self.tokenizer, sitting.book, seat.item), letter_ask(self.tokenizer, sitting.book, seat.item))
            for seat in sitting.seats
        ]


def _key(identity: str, pair: tuple[Ask, Ask]) -> str:
    return digest.of_value([identity, *([ask.prompt, ask.continuations] for ask in pair)])


def _fits(pair: tuple[Ask, Ask], positions: int) -> bool:
    return all(ask.longest < positions for ask in pair)


def _replies(
    engine: Engine, sitting: Sitting, pairs: Sequence[tuple[Ask, Ask]], keys: Sequence[str], missing: Sequence[int]
) -> Iterator[Reply]:
    """Ask the missing seats of a sitting together."""
    assert sitting.book is not None
    # Text prompts and letter prompts alternate, so both kinds of one item are read close together.
    results = engine.score([ask for place in missing for ask in pairs[place]], sitting.book.tokens)
    for number, place in enumerate(missing):
        seat = sitting.seats[place]
        texts, letters = results[2 * number], results[2 * number + 1]
        common = {"key": keys[place], "item": seat.item.id, "condition": seat.condition.name, "book": sitting.book.id}
        if isinstance(texts, str) or isinstance(letters, str):
            detail = texts if isinstance(texts, str) else str(letters)
            yield Reply(**common, problem="failed", detail=detail)
        else:
            yield Reply(**common, scores=score.option_scores(list(seat.item.options), texts, letters))


def _unanswerable(seat: Seat, key: str, detail: str) -> Reply:
    return Reply(
        key=key, item=seat.item.id, condition=seat.condition.name, book="", problem=DOES_NOT_FIT, detail=detail
    )


def examine(
    paper: Paper, engine: Engine, name: str, identity: str, positions: int, folder: Path, modes: Sequence[Mode]
) -> list[Judged]:
    """Ask a model every seat of the paper and judge its replies.

    ``identity`` is the digest of weights, adapter and engine kind; ``positions`` the length every compared model
    has room for.
    """
    judged: list[Judged] = []
    with (
        Journal(folder / run_folder.REPLIES, Reply) as journal,
        track(f"Examining {name}", len(paper.seats), "items") as advance,
    ):
        known = {reply.key: reply for reply in journal.records if reply.problem != "failed"}
        for sitting in paper.sittings:
            if sitting.book is None:
                detail = "the evidence alone is longer than the condition allows"
                replies = [_unanswerable(seat, "", detail) for seat in sitting.seats]
            else:
                pairs = paper.asks(sitting)
                keys = [_key(identity, pair) for pair in pairs]
                fitting = [_fits(pair, positions) for pair in pairs]
                missing = [place for place, key in enumerate(keys) if fitting[place] and key not in known]
                for reply in _replies(engine, sitting, pairs, keys, missing) if missing else ():
                    journal.append(reply)
                    known[reply.key] = reply
                detail = f"longer than {positions} positions"
                replies = [
                    known[key] if fits else _unanswerable(seat, key, detail)
                    for seat, key, fits in zip(sitting.seats, keys, fitting, strict=True)
                ]
            judged += [
                score.judge(seat, reply, mode)
                for seat, reply in zip(sitting.seats, replies, strict=True)
                for mode in modes
            ]
            advance(len(sitting.seats))
    return judged


def manifest(
    paper: Paper,
    config: RunConfig,
    engine: Engine,
    name: str,
    kind: str,
    digests: tuple[str, str],
    key: str,
    judged: int,
) -> Manifest:
    """The manifest of one examined model. ``digests``: of the weights and of the adapter; ``key``: of all that
    determines its answers.
    """
    receipt = engine.receipt
    return Manifest(
        model=name,
        key=key,
        weights_digest=digests[0],
        adapter_digest=digests[1],
        engine=kind,
        mode=config.mode,
        exams=tuple(exam.card for exam in paper.exams),
        conditions=tuple(paper.conditions),
        n=judged,
        cost=Cost(
            requests=receipt.requests,
            prompt_tokens=receipt.prompt_tokens,
            computed_tokens=receipt.computed_tokens,
            books=paper.books,
            book_prefills=receipt.book_prefills,
            seconds=receipt.seconds,
        ),
        seed=config.seed,
    )
