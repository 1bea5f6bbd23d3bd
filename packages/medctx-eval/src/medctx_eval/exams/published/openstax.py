"""``openstax-anatomy`` and ``openstax-psychology``: end-of-section questions and the sections they were written for.

Both books come from the same publisher in the same format: one medical, the other the general control. They are read
from the archive of the publisher's repository or from a checkout of it (``path``). Newer revisions of the anatomy book
contain links instead of questions; the default revisions contain the questions themselves. The licence on the card is
the one that the collection file of the revision names, since it differs between revisions.
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
from medctx_eval.exams.exam import Exam, seal_exam
from medctx_eval.exams.published.cnxml import Exercise, Module
from medctx_eval.exams.published.openstax_book import BOOKS, Textbook, read_book
from medctx_eval.exams.readers.published_files import obtain_exam

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


def _reason_to_drop(exercise: Exercise) -> str:
    """Why an exercise is not a question with one right option ("" if it is)."""
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


def _items(
    exam: str, book: Textbook, licence: str, module: Module, chapter: str, siblings: list[str]
) -> list[ExamItem]:
    passage = f"{book.name}/{module.id}"
    return [
        ExamItem(
            id=f"{passage}/{exercise.id}",
            exam=exam,
            question=exercise.question,
            options=dict(zip(LETTERS, exercise.options, strict=False)),
            gold=(_gold(exercise),),
            evidence=(passage,),
            rivals=tuple(name for name in siblings if name != passage),
            cluster=passage,
            source=f"OpenStax {book.name}",
            licence=licence,
            tags={"chapter": chapter, "subject": module.title},
        )
        for exercise in module.exercises
        if not _reason_to_drop(exercise)
    ]


def _no_question_error(path: Path, book: Textbook, dropped: dict[str, int]) -> MedctxError:
    counts = ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "no exercises at all"
    return MedctxError(
        f"{path} holds no question with its options and solution ({counts}); choose a revision of {book.repository} "
        f"that does, such as revision={book.revision}."
    )


def is_row_file(path: Path | None) -> bool:
    """Whether a path is a file of rows, not a book."""
    return path is not None and path.name.endswith(ROWS)


def build(exam: str, path: Path | None, revision: str, seed: int) -> Exam:
    """Build the exam of a textbook; sections come in an order drawn by ``seed``, so that a limit is a fair sample.

    Passages are in reading order; the rivals of a question are the other sections of its chapter.
    """
    book = BOOKS[exam]
    address = ARCHIVE.replace("{repository}", book.repository)
    source, resolved = obtain_exam(exam, path, Remote(url=address, revision=book.revision), revision)
    collection, modules = read_book(book, source)
    match = _LICENCE.search(collection.licence)
    licence = f"CC {match[1].upper()} {match[2]}" if match else collection.licence or "as the book says"
    groups, passages = [], []
    for chapter in collection.chapters:
        with_text = [modules[name] for name in chapter.modules if modules[name].text]
        siblings = [f"{book.name}/{module.id}" for module in with_text]
        passages += [
            Passage(id=name, text=f"# {module.title}\n\n{module.text}", title=module.title, facts=(name,))
            for name, module in zip(siblings, with_text, strict=True)
        ]
        groups += [_items(exam, book, licence, module, chapter.title, siblings) for module in with_text]
    reasons = (
        _reason_to_drop(exercise) or ("" if module.text else NO_TEXT)
        for module in modules.values()
        for exercise in module.exercises
    )
    dropped = Counter(reason for reason in reasons if reason)
    if not any(groups):
        raise _no_question_error(source, book, dropped)
    Random(f"openstax-{seed}").shuffle(groups)
    card = ExamCard(
        name=exam,
        source=f"OpenStax {collection.title}, end-of-section questions with their sections",
        licence=licence,
        citation=f"{book.authors}, {collection.title}, OpenStax",
        domain=book.domain,
        revision=resolved,
        dropped=dict(sorted(dropped.items())),
    )
    return seal_exam(card, [item for group in groups for item in group], passages)
