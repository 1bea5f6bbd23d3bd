"""The planned exam: sittings of all exams in order, under one tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medctx.io import digest
from medctx.io.jsonl import write_records
from medctx.schemas.contamination import PASSAGES
from medctx.schemas.records import Book, ExamItem, Passage
from medctx_eval.artifacts import run_folder
from medctx_eval.exams import registry
from medctx_eval.exams.condition import parse
from medctx_eval.exams.counterfactual import offer_cannot
from medctx_eval.exams.exam import Exam
from medctx_eval.planning.batches import BookBatch, PlannedItem, batches
from medctx_eval.planning.groups import unalterable
from medctx_eval.prompting.prompt import Tokenizer
from medctx_eval.run.config import ExamConfig, RunConfig

_REMEMBERED_CHARS = 20_000


class _Counter:
    """Tokens of texts; those of Passages, which stand in many Books, are counted once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        known = self._known.get(text)
        if known is None:
            known = len(self._tokenizer.encode(text, add_special_tokens=False))
            if len(text) <= _REMEMBERED_CHARS:
                self._known[text] = known
        return known


def build_exams(config: RunConfig) -> list[Exam]:
    """The exams of a config; with an option that nothing can be answered added where the config asks for it."""
    found = []
    for asked in config.exams:
        exam = registry.build(asked, config.curriculum, config.seed)
        if asked.offer_cannot:
            exam = exam.model_copy(update={"items": tuple(offer_cannot(item) for item in exam.items)})
        found.append(exam)
    return found


def _sittings(exam: Exam, asked: ExamConfig, count: _Counter, seed: int) -> list[BookBatch]:
    conditions = [parse(text) for text in asked.conditions]
    return batches(exam, conditions, count, depths=asked.depths, limits=asked.limits, seed=seed)


class ExamPlan:
    """Every Book, item and Condition that a model with this tokenizer is asked.

    ``unalterable``: by exam, how many items with evidence are left out of ``counterfactual``, where that is asked.
    """

    def __init__(self, config: RunConfig, exams: Sequence[Exam], tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.exams = tuple(exams)
        count = _Counter(tokenizer)
        self.batches: list[BookBatch] = []
        self.conditions: list[str] = []
        self.unalterable: dict[str, int] = {}
        for exam, asked in zip(exams, config.exams, strict=True):
            self.batches += _sittings(exam, asked, count, config.seed)
            self.conditions += [condition for condition in asked.conditions if condition not in self.conditions]
            if any(parse(text).kind == "counterfactual" for text in asked.conditions):
                self.unalterable[exam.card.name] = unalterable(exam)
        self.digest = digest.of_records(self.batches)

    @property
    def planned_items(self) -> list[PlannedItem]:
        """Every item under every Condition, in the order they are asked."""
        return [planned_item for batch in self.batches for planned_item in batch.planned_items]

    @property
    def books(self) -> dict[str, Book]:
        """Different Books by id, the empty one not among them."""
        return {batch.book.id: batch.book for batch in self.batches if batch.book and batch.book.tokens}

    @property
    def items(self) -> dict[str, ExamItem]:
        """The items asked, as their exams have them."""
        asked = {planned_item.item.id for planned_item in self.planned_items}
        return {item.id: item for exam in self.exams for item in exam.items if item.id in asked}

    @property
    def evidence(self) -> dict[str, Passage]:
        """The Passages that the items asked name as their evidence, by id."""
        asked = self.items
        return {
            name: exam.by_id[name]
            for exam in self.exams
            for item in exam.items
            if item.id in asked
            for name in item.evidence
            if name in exam.by_id
        }

    def save(self, out: Path) -> str:
        """Write items, their evidence and Books beside the run folders, for those who want to look and for the ledger
        of contamination; returns the folder's name.
        """
        name = f"exam-plan-{self.digest[: digest.SHORT]}"
        folder = out / name
        if not (folder / run_folder.ITEMS).is_file():
            write_records(folder / run_folder.BOOKS, self.books.values())
            write_records(folder / PASSAGES, self.evidence.values())
            write_records(folder / run_folder.ITEMS, self.items.values())
        return name
