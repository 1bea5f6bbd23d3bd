"""``openstax-anatomy`` and ``openstax-psychology``: end-of-section questions and the sections they were written for.

Both books come from the same publisher in the same form: one medical, the other the general control. They are read
from the archive of the publisher's repository or from a checkout of it (``path``). Newer revisions of the anatomy
book hold links in place of its questions, so that the default revisions are ones that hold the questions themselves.
The licence on the card is the one the collection file of that revision names: it is not the same in all.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.exam import Exam, seal
from medctx_eval.exams.published.cnxml import Exercise, Module
from medctx_eval.exams.published.openstax_book import BOOKS, Textbook, read_book
from medctx_eval.exams.readers import own as files
from medctx_eval.exams.readers.published_files import obtain
from medctx_eval.run.config import ExamConfig

LETTERS = "ABCDEFGHIJ"
ROWS = (".jsonl", ".jsonl.gz", ".json", ".parquet")
ARCHIVE = "https://github.com/{repository}/archive/{revision}.tar.gz"
_LICENCE = re.compile(r"licenses/([a-z-]+)/(\d\.\d)")

ELSEWHERE = "kept by the publisher elsewhere"
OPEN_QUESTION = "no options"
PICTURED = "about a picture"
NO_SOLUTION = "no solution"
UNCLEAR = "its solution is no letter of one option"
NO_TEXT = "its section has no text"
BLANK = "an option or the question is blank, or two options are the same"


def _why_not(exercise: Exercise) -> str:
    """Why an exercise is no question with one right option ("" where it is)."""
    if exercise.elsewhere:
        return ELSEWHERE
    if len(exercise.options) < 2:
        return OPEN_QUESTION
    if exercise.pictured:
        return PICTURED
    if not exercise.solution:
        return NO_SOLUTION
    if _gold(exercise) not in LETTERS[: len(exercise.options)]:
        return UNCLEAR
    texts = [text.casefold() for text in exercise.options]
    return BLANK if not exercise.question or not all(texts) or len(set(texts)) < len(texts) else ""


def _gold(exercise: Exercise) -> str:
    letter = exercise.solution.strip("().: ").upper()
    return letter if len(letter) == 1 else "none"


def _items(exam: str, book: Textbook, licence: str, module: Module, chapter: str, mates: list[str]) -> list[ExamItem]:
    passage = f"{book.name}/{module.id}"
    return [
        ExamItem(
            id=f"{passage}/{exercise.id}",
            exam=exam,
            question=exercise.question,
            options=dict(zip(LETTERS, exercise.options, strict=False)),
            gold=(_gold(exercise),),
            evidence=(passage,),
            rivals=tuple(name for name in mates if name != passage),
            cluster=passage,
            source=f"OpenStax {book.name}",
            licence=licence,
            tags={"chapter": chapter, "subject": module.title},
        )
        for exercise in module.exercises
        if not _why_not(exercise)
    ]


def _nothing(path: Path, book: Textbook, dropped: dict[str, int]) -> MedctxError:
    counted = ", ".join(f"{count} {why}" for why, count in dropped.items()) or "no exercises at all"
    return MedctxError(
        f"{path} holds no question with its options and solution ({counted}); take a revision of {book.repository} "
        f"that does, as revision={book.revision} is."
    )


def build(config: ExamConfig, seed: int) -> Exam:
    """The questions of a textbook; sections in an order drawn by ``seed``, so that a limit is a fair sample.

    Passages are in reading order, the rivals of a question are the other sections of its chapter. With ``items``, or
    where ``path`` is a file of rows, the exam is read from files in the row schema.
    """
    if config.items or (config.path and config.path.name.endswith(ROWS)):
        return files.build(config.model_copy(update={"items": config.items or config.path}))
    book = BOOKS[config.exam]
    address = ARCHIVE.replace("{repository}", book.repository)
    path, revision = obtain(config, Remote(url=address, revision=book.revision))
    collection, modules = read_book(book, path)
    named = _LICENCE.search(collection.licence)
    licence = f"CC {named[1].upper()} {named[2]}" if named else collection.licence or "as the book says"
    groups, passages = [], []
    for chapter in collection.chapters:
        told = [modules[name] for name in chapter.modules if modules[name].text]
        mates = [f"{book.name}/{module.id}" for module in told]
        passages += [
            Passage(id=name, text=f"# {module.title}\n\n{module.text}", title=module.title, facts=(name,))
            for name, module in zip(mates, told, strict=True)
        ]
        groups += [_items(config.exam, book, licence, module, chapter.title, mates) for module in told]
    asked = [(module, one) for module in modules.values() for one in module.exercises]
    dropped = Counter(why for module, one in asked if (why := _why_not(one) or ("" if module.text else NO_TEXT)))
    if not any(groups):
        raise _nothing(path, book, dropped)
    Random(f"openstax-{seed}").shuffle(groups)
    card = ExamCard(
        name=config.exam,
        source=f"OpenStax {collection.title}, end-of-section questions with their sections",
        licence=licence,
        citation=f"{book.authors}, {collection.title}, OpenStax",
        domain=book.domain,
        revision=revision,
        dropped=dict(sorted(dropped.items())),
    )
    return seal(card, [item for group in groups for item in group], passages)
