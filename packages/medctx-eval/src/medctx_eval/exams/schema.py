"""The row schema of exams: one question a row, as JSON lines (.jsonl, .jsonl.gz) or Parquet.

  id              text, different in every row
  question        text
  options         {"A": "text", "B": "text", ...}, letters A to J; or a list of texts, lettered in order
  answer          the letter of the right option; several as "BD", "B,D" or ["B", "D"]

and where there is one:

  context         the evidence itself: the text that holds the answer
  book_id         the evidence by name, instead of context: a row of the passages file
  multiple        true where several options may be right, even if one is (by itself true with several answers)
  cannot          the letter of the option that says the question cannot be answered
  counterfactual  {"context": "the evidence, altered", "answer": "the letter that it makes right"}
  subject         what reports group by; more of that as tags: {"name": "value"}
  lang            "en", "zh", ...
  source, licence where the question comes from and how it may be used

Other columns are ignored. Rows whose evidence is the same share their fate in the statistics. A passages file has
a passage a row: book_id (or id), text and, where there is one, title.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from medctx.schemas.records import Record
from medctx_eval.exams.readers.tables import Row

LETTERS = "ABCDEFGHIJ"
NEEDED = ("id", "question", "options", "answer")
COLUMNS = frozenset(
    (*NEEDED, *"context book_id multiple cannot counterfactual subject tags lang source licence".split())
)

NO_GOLD = "no gold"
NOT_OFFERED = "gold not among the options"


class Problem(Record):
    """Why a row is no question: ``kind`` to count by, ``words`` a predicate that says it of the row and the remedy."""

    kind: str
    words: str


def is_row(row: Row) -> bool:
    """Whether a row follows this schema rather than some publisher's."""
    return all(key in row for key in NEEDED)


def text_of(row: Row, key: str) -> str:
    """The text, or a whole number as text, in a column ("" where there is none)."""
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def letters_of(value: object) -> tuple[str, ...] | None:
    """The letters an answer names in order, () for none; nothing where it is not made of letters from A to J."""
    parts = list(value) if isinstance(value, list | tuple) else [value]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) + parts.count(None) < len(parts):
        return None
    # Full-width letters and commas, as Chinese texts have them, are the plain ones from here on.
    plain = unicodedata.normalize("NFKC", "".join(texts)).upper()
    joined = re.sub(r"[\s,;/、&+]", "", plain)
    return tuple(sorted(set(joined))) if set(joined) <= set(LETTERS) else None


def options_of(row: Row) -> dict[str, str]:
    """Options by letter, those that are null left out; {} where the column does not hold options by letter."""
    value = row.get("options")
    if isinstance(value, list):
        value = dict(zip(LETTERS, value, strict=False)) if len(value) <= len(LETTERS) else {}
    if not isinstance(value, dict):
        return {}
    named = [(letters_of(key), text) for key, text in value.items() if text is not None]
    options = {key[0]: text.strip() for key, text in named if key and len(key) == 1 and isinstance(text, str)}
    return dict(sorted(options.items())) if len(options) == len(named) else {}


def counterfactual_of(row: Row) -> tuple[str, tuple[str, ...]] | None:
    """The altered evidence of a row and its answer ("" and () where they are missing); nothing where it has none."""
    value = row.get("counterfactual")
    if value is None:
        return None
    if not isinstance(value, dict):
        return "", ()
    return text_of(value, "context"), letters_of(value.get("answer")) or ()


def tags_of(row: Row) -> dict[str, str]:
    """What reports group by."""
    tags = row.get("tags")
    given = {str(key): str(value) for key, value in tags.items() if value is not None} if isinstance(tags, dict) else {}
    return {**given, **({"subject": text_of(row, "subject")} if text_of(row, "subject") else {})}


def _about_options(row: Row) -> Iterator[Problem]:
    options = options_of(row)
    if not options:
        words = f"has options {str(row.get('options'))[:60]!r}; give a text by letter, from A to J"
        yield Problem(kind="no options by letter", words=words)
    elif len(options) < 2:
        yield Problem(kind="fewer than two options", words="has fewer than two options; give at least two")
    for letter, text in options.items():
        if not text:
            yield Problem(kind="empty option", words=f"has an empty option {letter}; give its text or leave it out")


def _about_answer(row: Row) -> Iterator[Problem]:
    options, answer, letters = options_of(row), row.get("answer"), letters_of(row.get("answer"))
    named = [letter for letter, text in options.items() if isinstance(answer, str) and text == answer.strip()]
    outside = [letter for letter in letters or () if letter not in options]
    if letters is None or (outside and named):
        remedy = f"give its letter {named[0]}" if named else "give the letter of the right option"
        yield Problem(kind=NOT_OFFERED, words=f"has the answer {str(answer)[:60]!r}, which is no letter; {remedy}")
    elif not letters:
        words = f"has no gold: 'answer' is {answer!r}; give the letter of the right option or remove the row"
        yield Problem(kind=NO_GOLD, words=words)
    elif options and outside:
        words = f"has the answer {', '.join(outside)}, but its options are {', '.join(options)}; correct the letter"
        yield Problem(kind=NOT_OFFERED, words=words)
    elif row.get("multiple") is False and len(letters) > 1:
        words = f"has the answers {', '.join(letters)} but multiple is false; give one, or write true"
        yield Problem(kind="several golds in a single choice", words=words)
    wrong = {text: letter for letter, text in options.items() if letter not in (letters or ())}
    for letter in letters or ():
        if options.get(letter) and options[letter] in wrong:
            words = f"has one text as the right option {letter} and as {wrong[options[letter]]}; change one of them"
            yield Problem(kind="right option offered twice", words=words)


def _about_evidence(row: Row) -> Iterator[Problem]:
    if text_of(row, "context") and text_of(row, "book_id"):
        yield Problem(kind="two evidences", words="has both a context and a book_id; leave one of them out")
    altered, options = counterfactual_of(row), options_of(row)
    if altered is None:
        return
    text, letters = altered
    words = ""
    if not text or not letters:
        words = "has a counterfactual without a context and an answer; give both"
    elif not text_of(row, "context") and not text_of(row, "book_id"):
        words = "has a counterfactual but no evidence that it alters; give context or book_id"
    elif not set(letters) <= set(options):
        words = f"has a counterfactual with the answer {', '.join(letters)}, which is none of its options; correct it"
    elif letters == letters_of(row.get("answer")):
        words = "has a counterfactual with the answer it has anyway; give the letter that the altered text makes right"
    elif len(letters) > 1 and row.get("multiple") is not True:
        words = "has a counterfactual with several answers but multiple is not true; give one, or write true"
    if words:
        yield Problem(kind="unusable counterfactual", words=words)


def problems_of(row: Row) -> list[Problem]:
    """Everything that is wrong with a row by itself."""
    found: list[Problem] = []
    if not text_of(row, "id"):
        found.append(Problem(kind="no id", words="has no id; give every item one of its own"))
    if not text_of(row, "question"):
        found.append(Problem(kind="no question", words="has no question; write one or remove the row"))
    found += _about_options(row)
    found += _about_answer(row)
    if row.get("multiple") not in (None, True, False):
        words = f"has multiple {row.get('multiple')!r}; write true or false"
        found.append(Problem(kind="unclear multiple", words=words))
    cannot, options = text_of(row, "cannot").upper(), options_of(row)
    if cannot and options and cannot not in options:
        words = f"has cannot {cannot!r}, which is none of its options; correct the letter"
        found.append(Problem(kind="cannot not among the options", words=words))
    found += _about_evidence(row)
    return found
