"""Dialogues from the files of a source: each row is one, or is told with its place and why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io.jsonl import describe
from medctx.schemas.records import Dialogue, Domain, Turn
from medctx_data.sources import shapes, tables
from medctx_data.sources.card import AS_STATED, Row, SourceCard, Unread
from medctx_data.sources.shapes import Columns, UnfitError
from medctx_data.sources.tables import Found

PATIENCE = 1_000
"""So many rows from the beginning that cannot be read, and none that can be read, and the file is given up."""
_SHOWN = 500
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_CHINESE_SHARE = 0.2


def language_of(turns: Sequence[Turn]) -> str:
    """``zh`` where at least a fifth of the first turns' characters are Chinese ones, else ``en``."""
    text = "".join(turn.content[:500] for turn in turns[:4])
    return "zh" if len(_CHINESE.findall(text)) >= _CHINESE_SHARE * max(len(text), 1) else "en"


def _licence(row: Columns, card: SourceCard) -> str:
    """The row's own licence, else the card's; that of one's own files is theirs to say."""
    own = row.get("licence")
    if isinstance(own, str) and own.strip():
        return own.strip()
    return "" if card.licence == AS_STATED else card.licence


def _facts(row: Columns, card: SourceCard) -> tuple[str, ...]:
    """What the row teaches, by the name exams know it under."""
    if shapes.fits(row, card.form, card.columns):
        return (shapes.named(row, card.columns["fact"]),) if "fact" in card.columns else ()
    # Rows passed on in the columns of an exam keep its names.
    known = (row.get("book_id") or row.get("id")) if "options" in row else None
    return (known,) if isinstance(known, str) and known else ()


def _own(row: Columns, label: str, domain: Domain) -> Dialogue:
    """A row that is a Dialogue record already, its ``source`` replaced by ``label``."""
    try:
        dialogue = Dialogue.model_validate({name: value for name, value in row.items() if value is not None})
    except ValidationError as error:
        raise UnfitError(f"is no Dialogue ({describe(error)})") from None
    if dialogue.domain != domain:
        raise UnfitError(f"is a {dialogue.domain} Dialogue but the config says domain: {domain}")
    return dialogue.model_copy(update={"source": label})


def _beginning(row: Columns) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)[:_SHOWN]


@dataclass(frozen=True)
class Reader:
    """What rows of one source are read with. ``held_out`` gives ids of exams, asked for at the first row with an id."""

    label: str
    domain: Domain
    card: SourceCard
    held_out: Callable[[], Collection[str]] = tuple

    @cached_property
    def _exam_ids(self) -> Collection[str]:
        return self.held_out()

    def _dialogue(self, name: str, row: Columns) -> Dialogue:
        card = self.card
        if card.form == "dialogues" and "turns" in row:
            return _own(row, self.label, self.domain)
        turns = shapes.turns_of(row, card.form, card.columns, card.language)
        return Dialogue(
            id=name,
            domain=self.domain,
            source=self.label,
            turns=tuple(turns),
            language=card.language or language_of(turns),
            licence=_licence(row, card),
            facts=_facts(row, card),
        )

    def _exam_id(self, row: Columns) -> str:
        """The id under which an exam holds the row, "" where none does."""
        card = self.card
        if "id" not in card.columns or not shapes.fits(row, card.form, card.columns):
            return ""
        name = shapes.named(row, card.columns["id"])
        return name if name in self._exam_ids else ""

    def read(self, name: str, place: str, found: Found) -> Row:
        """One row under the id ``name``."""
        try:
            if found.why:
                raise UnfitError(found.why)
            if exam_id := self._exam_id(found.columns):
                why = f"has the id {exam_id}, which belongs to an exam"
                return Unread(place, "held_out", why, _beginning(found.columns))
            return self._dialogue(name, found.columns)
        except UnfitError as error:
            return Unread(place, "malformed", str(error), found.text or _beginning(found.columns))


class Line(NamedTuple):
    """A row as it was found: the id it is to have, and where it stands."""

    name: str
    place: str
    found: Found


def _lines(paths: Sequence[Path], label: str) -> Iterator[Line]:
    for number, path in enumerate(paths, start=1):
        start = f"{label}-{number}" if len(paths) > 1 else label
        for found in tables.rows(path):
            yield Line(f"{start}-{found.number}", f"{path}:{found.number}", found)


def rows(paths: Sequence[Path], reader: Reader) -> Iterator[Row]:
    """Yield every row of ``paths`` as a Dialogue or as Unread; ids are ``label-row``, or ``label-file-row``.

    Raises MedctxError where none of the first :data:`PATIENCE` rows, or none at all, can be read.
    """
    return told(_lines(paths, reader.label), reader, f"The file {paths[0]}" if len(paths) == 1 else "Every file")


def told(lines: Iterable[Line], reader: Reader, whole: str) -> Iterator[Row]:
    """Yield every line as a Dialogue or as Unread; ``whole`` is what an error calls all of them together.

    Raises MedctxError where none of the first :data:`PATIENCE` lines, or none at all, can be read.
    """
    lost: list[Unread] = []
    readable = False
    for name, place, found in lines:
        row = reader.read(name, place, found)
        readable = readable or isinstance(row, Dialogue) or row.reason == "held_out"
        if not readable and isinstance(row, Unread):
            lost.append(row)
            if len(lost) >= PATIENCE:
                raise _useless(reader.label, whole, lost)
        yield row
    if not readable:
        raise _useless(reader.label, whole, lost)


def _useless(label: str, whole: str, lost: Sequence[Unread]) -> MedctxError:
    first = f": {lost[0].place} {lost[0].why}" if lost else ""
    return MedctxError(f"{whole} of the source {label!r} has no usable row{first}; give another one.")
