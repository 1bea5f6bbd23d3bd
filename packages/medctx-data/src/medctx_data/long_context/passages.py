"""Passages for Books: those that a Dialogue's own answers give, and those that may serve as its distractors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Passage, Turn
from medctx.tables.files import rows
from medctx.tables.opening import FileRow
from medctx_data.long_context.config import Style

LONGEST_TITLE = 300
_STRIPPED = " .!?\u3002\uff01\uff1f"


class Exchange(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


class Leaf(NamedTuple):
    """A Passage with what decides where it may be used.

    Attributes:
        passage: The Passage.
        plain: Its text as it is compared.
        question: The question it answers as it is compared, ``""`` where it comes from a file.
        language: Its language, ``""`` for any.
        licence: Its licence.
    """

    passage: Passage
    plain: str
    question: str
    language: str
    licence: str


def plain(text: str) -> str:
    """Return a text as it is compared: case folded, single spaces, no mark at the end."""
    return " ".join(text.casefold().split()).rstrip(_STRIPPED)


def exchanges(turns: Sequence[Turn]) -> list[Exchange]:
    """Return the exchanges of a Dialogue that can be wrapped, without a system turn; none where it cannot."""
    spoken = list(turns[1:] if turns[0].role == "system" else turns)
    roles = [turn.role for turn in spoken]
    texts = [turn.content.strip() for turn in spoken]
    if len(spoken) % 2 or roles != ["user", "assistant"] * (len(spoken) // 2) or not all(map(plain, texts)):
        return []
    return [Exchange(question, answer) for question, answer in zip(texts[::2], texts[1::2], strict=True)]


def leaves(dialogue: Dialogue, style: Style) -> list[Leaf]:
    """Return the answers of a Dialogue as Passages; in ``titled`` style below their questions if those are short."""
    results = []
    for number, (question, answer) in enumerate(exchanges(dialogue.turns), start=1):
        titled = style == "titled" and len(question) <= LONGEST_TITLE
        text = f"{question}\n{answer}" if titled else answer
        passage = Passage(id=f"{dialogue.id}#{number}", text=text, facts=dialogue.facts)
        results.append(Leaf(passage, plain(text), plain(question), dialogue.language, dialogue.licence))
    return results


def _passage(path: Path, row: FileRow) -> Passage:
    name, text = row.columns.get("book_id") or row.columns.get("id"), row.columns.get("text")
    if row.problem or name in (None, "") or not isinstance(text, str) or not text.strip():
        problem = row.problem or "is no passage (it needs book_id or id, and text)"
        raise MedctxError(f"{path}:{row.number} {problem}; mend or remove that line.")
    title, facts = row.columns.get("title"), row.columns.get("facts")
    known = tuple(map(str, facts)) if isinstance(facts, list | tuple) else ()
    return Passage(id=str(name), text=text, title=title if isinstance(title, str) else "", facts=known)


@lru_cache(maxsize=2)
def from_file(path: Path) -> tuple[Leaf, ...]:
    """Read the Passages of a file, which serve any language: rows of book_id (or id), text and maybe title.

    An exam reads the same file for the questions that name a book_id.
    """
    passages = (_passage(path, row) for row in rows(path))
    return tuple(Leaf(passage, plain(passage.text), "", "", "") for passage in passages)


def distractors_for(dialogue: Dialogue, evidence: Sequence[Leaf], pool: Iterable[Leaf]) -> Iterator[Leaf]:
    """Yield the Passages of ``pool`` that may be distractors of ``dialogue``.

    They are in its language, share no fact with it, answer another question and contain none of its answers.
    """
    answers = [plain(exchange.answer) for exchange in exchanges(dialogue.turns)]
    questions = {leaf.question for leaf in evidence}
    evidence_ids = {leaf.passage.id for leaf in evidence}
    facts = set(dialogue.facts)
    seen: set[str] = set()
    for leaf in pool:
        if (
            leaf.language in {"", dialogue.language}
            and leaf.passage.id not in evidence_ids
            and leaf.plain not in seen
            and leaf.question not in questions
            and facts.isdisjoint(leaf.passage.facts)
            and not any(answer in leaf.plain for answer in answers)
        ):
            seen.add(leaf.plain)
            yield leaf
