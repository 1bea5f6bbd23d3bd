"""Run folders whose truth is written down: a base, 1:0, 1:1 and 0:1 on about 350 items, with their paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from medctx.io.digest import of_text
from medctx.io.jsonl import write_record, write_records
from medctx.schemas.contamination import OVERLAPS, SUMMARY, CheckedExam, ContaminationReport, Kind, Overlap
from medctx.schemas.exam_run import Cost, ExamCard, ExamManifest
from medctx.schemas.records import AnswerScore, Axis, Book, ExamItem, Judged, Mode, Reply, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.prompting.option_order import show

LETTERS = "ABCD"
CANNOT = "E"
CONDITIONS = ("closed", "gold", "open:200", "open:400", "counterfactual", "distractor")
DEPTHS = ("0", "0.5", "1")
EXAM_PLAN = "paper"
AXES: dict[str, Axis] = {
    "closed": "knowledge",
    "gold": "reading",
    "open": "reading",
    "counterfactual": "faithfulness",
    "distractor": "abstention",
}


class Ability(NamedTuple):
    """True chances: to know a taught fact, to read it, to answer from memory against the page, to abstain."""

    knows: float
    reads: float
    trusts_memory: float
    abstains: float


ABILITY: dict[str, Ability] = {
    "base": Ability(0.27, 0.62, 0.10, 0.55),
    "1:0": Ability(0.27, 0.64, 0.08, 0.60),
    "1:1": Ability(0.44, 0.63, 0.14, 0.50),
    "0:1": Ability(0.47, 0.44, 0.33, 0.20),
    "0:1@10k": Ability(0.33, 0.58, 0.15, 0.45),
    "0:1@20k": Ability(0.40, 0.50, 0.24, 0.35),
}
NAMES = ("base", "1:0", "1:1", "0:1")
_SUBJECTS = ("gait", "hearing", "vision", "growth", "skin", "reflexes", "speech", "posture")
_FINDINGS = ("absent", "delayed", "increased", "reduced", "asymmetric", "normal", "episodic", "progressive")


class PlannedItem(NamedTuple):
    """One item under one Condition."""

    item: ExamItem
    condition: str
    taught: bool

    @property
    def kind(self) -> str:
        return self.condition.split(":")[0]

    @property
    def gold(self) -> tuple[str, ...]:
        """What is right under the Condition: another letter than before where evidence was altered."""
        if self.kind == "distractor":
            return (CANNOT,)
        gold_place = LETTERS.index(self.item.gold[0])
        return (LETTERS[(gold_place + 1) % 4],) if self.kind == "counterfactual" else self.item.gold

    @property
    def book(self) -> str:
        return "" if self.kind == "closed" else f"book/{self.item.cluster}/{self.condition}"


def _item(name: str, cluster: str, number: int, tags: dict[str, str]) -> ExamItem:
    rng = Random(name)
    subject, findings = rng.choice(_SUBJECTS), rng.sample(_FINDINGS, 4)
    return ExamItem(
        id=name,
        exam="synthetic",
        question=f"Which finding in {subject} belongs to {cluster.replace('-', ' ')}, question {number}?",
        options=dict(zip(LETTERS, (f"{finding} {subject}" for finding in findings), strict=True)),
        gold=(rng.choice(LETTERS),),
        evidence=() if name.startswith("u/") else (f"page/{cluster}",),
        cluster=cluster,
        tags=tags,
        generated=True,
    )


def entries(facts: int = 60, dossiers: int = 30) -> Iterator[PlannedItem]:
    """Two closed items per fact (half the facts again are untaught), the first also with its page, with an altered
    page and without it; and four items per dossier under gold and at one depth of either length.
    """
    for fact in range(facts + facts // 2):
        taught = fact < facts
        for wording in range(2):
            tags = {"kind": "finding", "taught": "yes" if taught else "no"}
            item = _item(f"{'k' if taught else 'u'}/{fact}/{wording}", f"fact-{fact}", wording, tags)
            yield PlannedItem(item, "closed", taught)
            for condition in ("gold", "counterfactual", "distractor") if taught and not wording else ():
                yield PlannedItem(item, condition, taught)
    for dossier in range(dossiers):
        depth = DEPTHS[dossier % 3]
        for question in range(4):
            item = _item(f"r/{dossier}/{question}", f"dossier-{dossier}", question, {"kind": "finding"})
            for condition in ("gold", f"open:200:{depth}", f"open:400:{depth}"):
                yield PlannedItem(item, condition, True)


def _luck(*names: object) -> float:
    return Random("/".join(map(str, names))).uniform(-0.12, 0.12)


def _answer(name: str, entry: PlannedItem, mode: Mode, order: int) -> tuple[Verdict, tuple[str, ...]]:
    """Items of a cluster share half of their luck, and so do models on an item."""
    able = ABILITY[name.partition("-")[0]]
    # Most answers do not care about the order of the options.
    turn = order if Random(f"{name}-{entry.item.id}-{order}").random() < 0.2 else 0
    rng = Random(f"{name}-{entry.item.id}-{entry.condition}-{mode}-{turn}")
    shared = _luck(entry.item.cluster) + _luck(entry.item.id, entry.condition)
    shift = {"text": 0.0, "letter": -0.04}.get(mode, -0.08)
    longer = -0.08 if entry.condition.startswith("open:400") else 0.0
    chance = {
        "knowledge": able.knows if entry.taught else 0.26,
        "reading": able.reads + longer,
        "faithfulness": able.reads - 0.05,
        "abstention": able.abstains,
    }[AXES[entry.kind]]
    if rng.random() < chance + shared + shift:
        return Verdict.CORRECT, entry.gold
    drawn = rng.random()
    if mode == "generate" and drawn < 0.06:
        return (Verdict.UNPARSABLE if drawn < 0.04 else Verdict.TRUNCATED), ()
    if drawn < 0.08 and entry.kind != "distractor":
        return Verdict.ABSTAINED, ()
    if entry.kind == "counterfactual" and rng.random() < able.trusts_memory / (1 - able.reads):
        return Verdict.WRONG, entry.item.gold
    others = [letter for letter in LETTERS if (letter,) != entry.gold]
    # In letter mode the models lean to the option shown first.
    first = show(entry.item, order).item_letters["A"]
    lean = mode == "letter" and rng.random() < 0.45 and first in others
    return Verdict.WRONG, (first if lean else rng.choice(others),)


@cache
def planned_items(facts: int, dossiers: int) -> tuple[tuple[Mode, int, PlannedItem], ...]:
    """Every planned item in every mode and option order."""
    modes: tuple[tuple[Mode, int], ...] = (("text", 1), ("letter", 4), ("generate", 1))
    planned = tuple(entries(facts, dossiers))
    return tuple((mode, order, entry) for mode, turns in modes for entry in planned for order in range(turns))


@cache
def judged(name: str, facts: int = 60, dossiers: int = 30) -> tuple[Judged, ...]:
    """Every planned item in text mode, in letter mode in four orders of the options, and in generate mode.

    ``name``: a cell, and its seed behind a hyphen where it has several.
    """
    return tuple(_judged(name, mode, order, entry) for mode, order, entry in planned_items(facts, dossiers))


def _judged(name: str, mode: Mode, order: int, entry: PlannedItem) -> Judged:
    verdict, chosen = _answer(name, entry, mode, order)
    return Judged(
        item=entry.item.id,
        exam="synthetic",
        condition=entry.condition,
        axis=AXES[entry.kind],
        cluster=entry.item.cluster,
        mode=mode,
        order=order,
        verdict=verdict,
        chosen=chosen,
        gold=entry.gold,
        memory=entry.item.gold if entry.kind == "counterfactual" else (),
        book=entry.book,
        tags=dict(entry.item.tags),
    )


def reply(name: str, mode: Mode, order: int, entry: PlannedItem, said: str = "") -> Reply:
    """What a model replied; ``said`` begins every written reply."""
    verdict, chosen = _answer(name, entry, mode, order)
    common = {
        "item": entry.item.id,
        "condition": entry.condition,
        "book": entry.book,
        "order": order,
    }
    key = of_text(f"{name}-{entry.item.id}-{entry.condition}-{mode}-{order}")[:16]
    if mode == "generate":
        empty = {Verdict.UNPARSABLE: "It depends on the patient.", Verdict.TRUNCATED: "Let us first consider"}
        text = empty.get(verdict, f"The answer is {chosen[0]}." if chosen else "I cannot tell.")
        return Reply.model_validate({**common, "key": key, "form": "generate", "text": said + text})
    rng = Random(key)
    scores = tuple(
        AnswerScore(letters=(letter,), logprob=-rng.uniform(0.2, 1) - 4 * ((letter,) != chosen), tokens=4)
        for letter in LETTERS
    )
    return Reply.model_validate({**common, "key": key, "form": mode, "scores": scores})


def manifest(name: str, items: int) -> ExamManifest:
    """What the exam would have written."""
    card = ExamCard(
        name="synthetic",
        source="drawn by tests/support/synthetic_runs.py",
        licence="Apache-2.0",
        citation="none",
        generated=True,
        items=items,
        digest=of_text("synthetic"),
    )
    cell, _, seed = name.partition("-")
    return ExamManifest(
        model=name,
        cell=cell,
        training_seed=int(seed) if seed else None,
        weights_digest=of_text("weights"),
        adapter_digest="" if cell == "base" else of_text(name),
        engine="transformers",
        mode="text",
        modes=("text", "letter", "generate"),
        exam_plan=EXAM_PLAN,
        exams=(card,),
        conditions=CONDITIONS,
        n=items,
        cost=Cost(
            requests=items,
            prompt_tokens=items * 400,
            computed_tokens=items * 90,
            books=90,
            book_prefills=91,
            seconds=74.5,
        ),
        versions={"medctx-eval": "0.1.0", "transformers": "5.19"},
        seed=7,
    )


def write_paper(root: Path, facts: int = 60, dossiers: int = 30, question: str = "") -> None:
    """Items and Books as an exam leaves them beside its runs; ``question`` stands in for every question and Book."""
    every = list(entries(facts, dossiers))
    items = {entry.item.id: entry.item for entry in every}
    if question:
        items = {name: item.model_copy(update={"question": question}) for name, item in items.items()}
    books: dict[str, Book] = {}
    for entry in every:
        if entry.book:
            evidence = (
                f"The finding of {entry.item.cluster} is {entry.item.options[entry.gold[0]]}."
                if entry.gold[0] != CANNOT
                else ""
            )
            filler = "Nothing of note was recorded on this day. " * (8 if entry.kind == "open" else 1)
            books[entry.book] = Book(id=entry.book, text=question or f"{filler}{evidence} {filler}", tokens=200)
    write_records(root / EXAM_PLAN / run_folder.ITEMS, items.values())
    write_records(root / EXAM_PLAN / run_folder.BOOKS, books.values())


def write(root: Path, names: Sequence[str] = NAMES, facts: int = 60, dossiers: int = 30, said: str = "") -> list[Path]:
    """One folder per name under ``root``, and the paper beside them; ``said`` begins every written reply."""
    folders = []
    write_paper(root, facts, dossiers)
    for name in names:
        records = list(judged(name, facts, dossiers))
        replies = (reply(name, *planned, said) for planned in planned_items(facts, dossiers))
        write_records(root / name / run_folder.REPLIES, replies)
        run_folder.write_run(root / name, manifest(name, len(records)), records)
        folders.append(root / name)
    return folders


def write_training(root: Path, names: Sequence[str]) -> dict[str, Path]:
    """The steps each cell's training would have logged, by cell."""
    from medctx.schemas.records import Record

    class Step(Record):
        step: int
        loss: float
        by_source: dict[str, float]
        learning_rate: float
        tokens: int
        tokens_per_second: float

    files = {}
    for name in names:
        rng = Random(name)
        losses = [1.2 + 1.6 * 0.97**step + rng.gauss(0, 0.08) for step in range(120)]
        steps = [
            Step(
                step=step,
                loss=loss,
                by_source={"everyday": loss - 0.1, "phenotypes": loss + 0.1},
                learning_rate=1e-3 * (1 - step / 120),
                tokens=340 * (step + 1),
                tokens_per_second=rng.uniform(240, 280),
            )
            for step, loss in enumerate(losses)
        ]
        files[name] = root / f"steps-{name.replace(':', '-')}.jsonl"
        write_records(files[name], steps)
    return files


def write_contamination_report(
    folder: Path, touched: Sequence[tuple[str, Kind]], exam: str = "synthetic", taught: Sequence[str] = ()
) -> Path:
    """The contamination report of a mix that overlaps with these items, and teaches the facts of others."""
    touches = [
        Overlap(exam=exam, item=item, kind=kind, where="question", source="phenotypes", row="row-7", score=1.0)
        for item, kind in touched
    ] + [
        Overlap(
            exam=exam, item=item, kind="13-gram", where="question", source="phenotypes", row="r", score=0.5, taught=True
        )
        for item in taught
    ]
    write_records(folder / OVERLAPS, touches)
    compared = CheckedExam(exam=exam, digest="", items=1, passages=0, overlapping=len(touched), by_kind={})
    summary = ContaminationReport(
        medctx="0",
        request="",
        mix_digest="",
        rows=1,
        overlapping=1,
        overlaps=len(touched),
        gram=13,
        similarity=0.8,
        exams=(compared,),
    )
    write_record(folder / SUMMARY, summary)
    return folder
