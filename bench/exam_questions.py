"""Books and questions made for measuring, and the same questions as other harnesses take them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

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


def _record(random: Random, name: str) -> tuple[str, str]:
    """A sentence about a patient, and the finding it states."""
    finding = random.choice(FINDINGS)
    text = (
        f"{name} was admitted on day {random.randint(1, 28)} to room {random.randint(1, 99)} with {finding} "
        f"and was given {random.choice(DRUGS)}, {random.randint(1, 50) * 10} mg."
    )
    return text, finding


def make_questions(path: Path, tokenizer: str, *, length: int, books: int, questions: int, seed: int = 0) -> None:
    """Write rows with question, options, answer and context: ``questions`` about each of ``books`` Books.

    A Book has as many records of invented patients as fit into ``length`` tokens; each is asked about at most once.
    """
    tokens = load_exam_tokenizer(tokenizer)
    rows: list[dict[str, object]] = []
    for book in range(books):
        random = Random(f"{seed}-{length}-{book}")
        records: list[str] = []
        facts: list[tuple[str, str]] = []
        size = 0
        while True:
            name = f"{random.choice(NAMES)} {random.choice(FAMILIES)} {random.randint(100, 999)}"
            text, finding = _record(random, name)
            size += len(tokens.encode(f"{text}\n", add_special_tokens=False))
            if size > length:
                break
            records.append(text)
            facts.append((name, finding))
        asked = random.sample(range(len(facts)), min(questions, len(facts)))
        for number in asked:
            name, finding = facts[number]
            options = [finding, *random.sample([other for other in FINDINGS if other != finding], OPTIONS - 1)]
            random.shuffle(options)
            letters = dict(zip("ABCD", options, strict=True))
            rows.append(
                {
                    "id": f"{book}-{number}",
                    "question": f"With what was {name} admitted?",
                    "options": letters,
                    "answer": next(letter for letter, text in letters.items() if text == finding),
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
