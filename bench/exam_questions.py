"""Books and questions made for measuring, and the same questions as other harnesses take them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

from medctx.facts.curriculum import CurriculumConfig
from medctx.io.jsonl import write_text
from medctx.schemas.records import Book
from medctx.text.book import EMPTY
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.registry import build_exam
from medctx_eval.planning.build import build_plan
from medctx_eval.prompting.prompt import letter_request, render_prompt, text_request
from medctx_eval.prompting.tokenizers import load_exam_tokenizer

NAMES = "Ada Ben Cora Dov Edda Finn Gala Hugo Ines Jon Kira Lev Mona Nils Olga Per Quin Rosa Sven Tilda".split()
FAMILIES = "Abel Berg Crane Dahl Ernst Falk Grote Holm Ivers Jansen Kern Lund Moser Nolte Olsen Perry".split()
FINDINGS = "fever cough anaemia jaundice vertigo nausea oedema tremor rash fatigue migraine asthma".split()
DRUGS = "aspirin heparin insulin codeine digoxin lithium morphine warfarin quinine atropine".split()
OPTIONS = 4


class Fact(NamedTuple):
    """What a record says: a question about it, its answer, and the answers of other records."""

    question: str
    answer: str
    others: tuple[str, ...]


def _record(random: Random, name: str) -> tuple[str, list[Fact]]:
    """A sentence about a patient, and its facts."""
    finding, drug = random.choice(FINDINGS), random.choice(DRUGS)
    text = (
        f"{name} was admitted on day {random.randint(1, 28)} to room {random.randint(1, 99)} with {finding} "
        f"and was given {drug}, {random.randint(1, 50) * 10} mg."
    )
    return text, [
        Fact(f"With what was {name} admitted?", finding, tuple(FINDINGS)),
        Fact(f"What was {name} given?", drug, tuple(DRUGS)),
    ]


def make_questions(path: Path, tokenizer: str, *, length: int, books: int, questions: int, seed: int = 0) -> None:
    """Write rows with question, options, answer and context: ``questions`` about each of ``books`` Books.

    A Book has as many records of invented patients as fit into ``length`` tokens; each fact is asked at most once.

    Raises:
        ValueError: If the Books have fewer facts.
    """
    tokens = load_exam_tokenizer(tokenizer)
    rows: list[dict[str, object]] = []
    for book in range(books):
        random = Random(f"{seed}-{length}-{book}")
        records: list[str] = []
        facts: list[Fact] = []
        size = 0
        while True:
            name = f"{random.choice(NAMES)} {random.choice(FAMILIES)} {random.randint(100, 999)}"
            text, stated = _record(random, name)
            size += len(tokens.encode(f"{text}\n", add_special_tokens=False))
            if size > length:
                break
            records.append(text)
            facts += stated
        if questions > len(facts):
            raise ValueError(f"A Book of {length} tokens has {len(facts)} facts, too few for {questions} questions.")
        for number in random.sample(range(len(facts)), questions):
            fact = facts[number]
            wrong = [other for other in fact.others if other != fact.answer]
            options = [fact.answer, *random.sample(wrong, OPTIONS - 1)]
            random.shuffle(options)
            letters = dict(zip("ABCD", options, strict=True))
            rows.append(
                {
                    "id": f"{book}-{number}",
                    "question": fact.question,
                    "options": letters,
                    "answer": "ABCD"[options.index(fact.answer)],
                    "context": "\n".join(records),
                }
            )
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def exam_config(path: Path) -> ExamConfig:
    """The exam of such a file, each question with its Book."""
    return ExamConfig(exam="file", items=path, conditions=("gold",))


def write_for_peers(path: Path, questions: Path, tokenizer: str) -> int:
    """Write the prompts that medctx sends, token for token, for other programs; returns their unique tokens.

    Each row: ``id``, ``prompt`` (rendered) with ``options`` (the texts that continue it), ``message`` (what a chat
    server gets, the options listed) with ``letters``, and ``gold`` (index of the right option).
    """
    tokens = load_exam_tokenizer(tokenizer)
    config = exam_config(questions)
    plan = build_plan((config,), [build_exam(config, CurriculumConfig(), 0)], tokens, 0)
    rows = []
    unique = 0
    for batch in plan.batches:
        book: Book = batch.book or EMPTY
        prompts: set[tuple[int, ...]] = set()
        for planned in batch.items:
            item = planned.item
            scored, listed = text_request(tokens, book, item), letter_request(tokens, book, item)
            for continuation in scored.continuations:
                sequence = (*scored.prompt, *continuation)
                prompts.update(sequence[: end + 1] for end in range(len(sequence) - 1))
            rows.append(
                {
                    "id": item.id,
                    "prompt": render_prompt(tokens, scored.message),
                    "options": list(scored.texts),
                    "message": listed.message,
                    "letters": list(item.options),
                    "gold": list(item.options).index(item.gold[0]),
                }
            )
        unique += len(prompts)
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
    return unique


def write_first_questions(file: Path, count: int) -> tuple[Path, float]:
    """Write the first ``count`` questions on each Book of a file of ``write_for_peers``.

    Returns:
        The new file, and its share of the questions.
    """
    asked: Counter[str] = Counter()
    kept = []
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    for line in lines:
        book = json.loads(line)["id"].rpartition("/")[2].partition("-")[0]
        asked[book] += 1
        if asked[book] <= count:
            kept.append(line)
    part = file.with_name(f"{file.stem}-first-{count}.jsonl")
    write_text(part, "".join(kept))
    return part, len(kept) / len(lines)
