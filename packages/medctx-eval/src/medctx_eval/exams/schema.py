"""The row schema of exams: one question per row, as JSON lines (.jsonl, .jsonl.gz) or Parquet.

  id              text, different in every row
  question        text
  options         {"A": "text", "B": "text", ...}, letters A to J; or a list of texts, lettered in order
  answer          the letter of the right option; several as "BD", "B,D" or ["B", "D"]

optionally:

  context         the evidence itself: the text that contains the answer
  book_id         the evidence by name, instead of context: a row of the passages file
  multiple        true if several options may be right (implied by several answers)
  cannot          the letter of the option that says the question cannot be answered
  counterfactual  {"context": "the evidence, altered", "answer": "the letter that is right by it"}
  subject         what reports group by; further groups as tags: {"name": "value"}
  lang            "en", "zh", ...
  source, licence where the question comes from and how it may be used

Other columns are ignored. Rows with the same evidence form one cluster in the statistics. A passages file has one
passage per row: book_id (or id), text and, where there is one, title.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from medctx.schemas.records import Record

ExamRow = dict[str, object]

LETTERS = "ABCDEFGHIJ"
NEEDED = ("id", "question", "options", "answer")
COLUMNS = frozenset(
    (*NEEDED, *"context book_id multiple cannot counterfactual subject tags lang source licence".split())
)

NO_GOLD = "no gold"
NOT_OFFERED = "gold not among the options"


class RowProblem(Record):
    """Why a row is not a question: ``kind`` to count by; ``message`` is a predicate about the row, with the remedy."""

    kind: str
    message: str


def is_row(row: ExamRow) -> bool:
    """Whether a row follows this schema, not a publisher's."""
    return all(key in row for key in NEEDED)


def text_of(row: ExamRow, key: str) -> str:
    """The text in a column, or a whole number as text; "" if there is neither."""
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def letters_of(value: object) -> tuple[str, ...] | None:
    """The letters of an answer, sorted; () for none; None if it contains anything but letters from A to J."""
    parts = list(value) if isinstance(value, list | tuple) else [value]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) + parts.count(None) < len(parts):
        return None
    # NFKC: Chinese texts use full-width letters and commas.
    plain = unicodedata.normalize("NFKC", "".join(texts)).upper()
    joined = re.sub(r"[\s,;/、&+]", "", plain)
    return tuple(sorted(set(joined))) if set(joined) <= set(LETTERS) else None


def options_of(row: ExamRow) -> dict[str, str]:
    """Options by letter, without null ones; {} if the column does not hold options by letter."""
    value = row.get("options")
    if isinstance(value, list):
        value = dict(zip(LETTERS, value, strict=False)) if len(value) <= len(LETTERS) else {}
    if not isinstance(value, dict):
        return {}
    pairs = [(letters_of(key), text) for key, text in value.items() if text is not None]
    options = {key[0]: text.strip() for key, text in pairs if key and len(key) == 1 and isinstance(text, str)}
    return dict(sorted(options.items())) if len(options) == len(pairs) else {}


def counterfactual_of(row: ExamRow) -> tuple[str, tuple[str, ...]] | None:
    """The altered evidence of a row and its answer ("" and () if missing); None if the row has no counterfactual."""
    value = row.get("counterfactual")
    if value is None:
        return None
    if not isinstance(value, dict):
        return "", ()
    return text_of(value, "context"), letters_of(value.get("answer")) or ()


def tags_of(row: ExamRow) -> dict[str, str]:
    """What reports group by."""
    tags = row.get("tags")
    values = tags if isinstance(tags, dict) else {}
    subject = text_of(row, "subject")
    named = {str(key): str(value) for key, value in values.items() if value is not None}
    return named | ({"subject": subject} if subject else {})


def _about_options(row: ExamRow) -> Iterator[RowProblem]:
    options = options_of(row)
    if not options:
        message = f"has options {str(row.get('options'))[:60]!r}; give a text by letter, from A to J"
        yield RowProblem(kind="no options by letter", message=message)
    elif len(options) < 2:
        yield RowProblem(kind="fewer than two options", message="has fewer than two options; give at least two")
    for letter, text in options.items():
        if not text:
            yield RowProblem(kind="empty option", message=f"has an empty option {letter}; give its text or remove it")


def text_as_seen(text: str) -> str:
    """The text as readers see it: accents composed, characters without width left out."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(char for char in composed if unicodedata.category(char) != "Cf").split())


def _about_answer(row: ExamRow) -> Iterator[RowProblem]:
    options, answer, letters = options_of(row), row.get("answer"), letters_of(row.get("answer"))
    by_text = [letter for letter, text in options.items() if isinstance(answer, str) and text == answer.strip()]
    outside = [letter for letter in letters or () if letter not in options]
    if letters is None or (outside and by_text):
        remedy = f"give its letter {by_text[0]}" if by_text else "give the letter of the right option"
        yield RowProblem(
            kind=NOT_OFFERED, message=f"has the answer {str(answer)[:60]!r}, which is not a letter; {remedy}"
        )
    elif not letters:
        message = f"has no gold: 'answer' is {answer!r}; give the letter of the right option or remove the row"
        yield RowProblem(kind=NO_GOLD, message=message)
    elif options and outside:
        message = f"has the answer {', '.join(outside)}, but its options are {', '.join(options)}; correct the letter"
        yield RowProblem(kind=NOT_OFFERED, message=message)
    elif row.get("multiple") is False and len(letters) > 1:
        message = f"has the answers {', '.join(letters)} but multiple is false; give one, or write true"
        yield RowProblem(kind="several golds in a single choice", message=message)
    wrong = {text_as_seen(text): letter for letter, text in options.items() if letter not in (letters or ())}
    for letter in letters or ():
        twin = wrong.get(text_as_seen(options[letter])) if options.get(letter) else None
        if twin is not None:
            message = f"has one text as the right option {letter} and as the option {twin}; change one"
            yield RowProblem(kind="right option offered twice", message=message)


def _about_evidence(row: ExamRow) -> Iterator[RowProblem]:
    if text_of(row, "context") and text_of(row, "book_id"):
        yield RowProblem(kind="two evidences", message="has both a context and a book_id; remove one of them")
    altered, options = counterfactual_of(row), options_of(row)
    if altered is None:
        return
    text, letters = altered
    message = ""
    if not text or not letters:
        message = "has a counterfactual without a context and an answer; give both"
    elif not text_of(row, "context") and not text_of(row, "book_id"):
        message = "has a counterfactual but no evidence that it alters; give context or book_id"
    elif not set(letters) <= set(options):
        message = (
            f"has a counterfactual with the answer {', '.join(letters)}, which is not among its options; correct it"
        )
    elif text == text_of(row, "context"):
        message = "has a counterfactual with the context it has anyway; give the altered text"
    elif letters == letters_of(row.get("answer")):
        message = "has a counterfactual with the row's own answer; give the letter that is right by the altered text"
    elif len(letters) > 1 and row.get("multiple") is not True:
        message = "has a counterfactual with several answers but multiple is not true; give one, or write true"
    if message:
        yield RowProblem(kind="unusable counterfactual", message=message)


def _about_groups(row: ExamRow) -> Iterator[RowProblem]:
    subject, tags = row.get("subject"), row.get("tags")
    if subject is not None and not isinstance(subject, str | int):
        message = f"has the subject {str(subject)[:60]!r}, which is no text; give one name"
        yield RowProblem(kind="unclear groups", message=message)
    if tags is None:
        return
    if not isinstance(tags, dict):
        message = f"has tags {str(tags)[:60]!r}; give values by name, such as {{'ward': 'surgery'}}"
        yield RowProblem(kind="unclear groups", message=message)
        return
    nested = next((name for name, value in tags.items() if isinstance(value, dict | list)), None)
    if nested is not None:
        message = f"has the tag {nested!r} with several values; give one text or number"
        yield RowProblem(kind="unclear groups", message=message)


def problems_of(row: ExamRow) -> list[RowProblem]:
    """Everything that is wrong with a row, regardless of other rows."""
    problems: list[RowProblem] = []
    if not text_of(row, "id"):
        problems.append(RowProblem(kind="no id", message="has no id; give every item its own"))
    if not text_of(row, "question"):
        problems.append(RowProblem(kind="no question", message="has no question; write one or remove the row"))
    problems += _about_options(row)
    problems += _about_answer(row)
    if not isinstance(row.get("multiple"), bool | None):
        message = f"has multiple {row.get('multiple')!r}; write true or false"
        problems.append(RowProblem(kind="unclear multiple", message=message))
    cannot, options = text_of(row, "cannot").upper(), options_of(row)
    if cannot and options and cannot not in options:
        message = f"has cannot {cannot!r}, which is not among its options; correct the letter"
        problems.append(RowProblem(kind="cannot not among the options", message=message))
    problems += _about_evidence(row)
    problems += _about_groups(row)
    return problems
