"""Dialogues from the files of a source: each row gives one, or is skipped with its place and the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io.jsonl import describe
from medctx.schemas.records import Dialogue, Domain, Turn
from medctx.tables import files as tables
from medctx.tables.answers import Base, Convention
from medctx.tables.cells import Columns
from medctx.tables.choices import convention_of
from medctx_data.sources import shapes
from medctx_data.sources.card import AS_STATED, FILE, HUB, PlacedRow, Row, RowNote, SkippedRow, SourceCard
from medctx_data.sources.detect import HEAD, is_dialogue
from medctx_data.sources.row import RowTurns, UnfitError, named, placeholders
from medctx_data.sources.shapes import Settings

PATIENCE = 1_000
"""Rows from the beginning that may be unreadable, with none readable, before the file is given up."""
_SHOWN = 500
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_CHINESE_SHARE = 0.2


def language_of(turns: Sequence[Turn]) -> str:
    """Return ``zh`` if at least a fifth of the first turns' characters are Chinese, else ``en``."""
    text = "".join(turn.content[:500] for turn in turns[:4])
    return "zh" if len(_CHINESE.findall(text)) >= _CHINESE_SHARE * max(len(text), 1) else "en"


def _licence(row: Columns, card: SourceCard) -> str:
    """The row's own licence, else the card's; a user's own files have none on their card."""
    stated = row.get("licence")
    if isinstance(stated, str) and stated.strip():
        return stated.strip()
    return "" if card.licence == AS_STATED else card.licence


def _facts(row: Columns, card: SourceCard) -> tuple[str, ...]:
    """The facts a row teaches, by the names that exams use."""
    if shapes.fits(row, card.form, card.columns):
        return (named(row, card.columns["fact"]),) if "fact" in card.columns else ()
    # Rows in the columns of an exam keep its ids.
    known = (row.get("book_id") or row.get("id")) if "options" in row else None
    return (known,) if isinstance(known, str) and known else ()


def _as_dialogue(row: Columns, label: str, domain: Domain) -> Dialogue:
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


def _no_rows() -> Iterator[PlacedRow]:
    return iter(())


@dataclass(frozen=True)
class Reader:
    """Turns the rows of one source into Dialogues.

    Attributes:
        label: Label of the source, part of the ids.
        domain: Domain of the Dialogues.
        card: Its card.
        held_out: Gives the ids of rows that belong to an exam; called at the first row with an id.
        again: Streams all rows once more, to see how the source names right options.
        answer_base: Number of the first option where the config states it.
        published_base: Number of the first option where the publisher states it, which the rows can refute.
        reasoning: Whether the reasoning of an answer is put before it.
        tool_turns: Whether turns of tools are kept as text.
    """

    label: str
    domain: Domain
    card: SourceCard
    held_out: Callable[[], Collection[str]] = tuple
    again: Callable[[], Iterator[PlacedRow]] = _no_rows
    answer_base: Base = None
    published_base: Base = None
    reasoning: bool = True
    tool_turns: bool = False

    @cached_property
    def _exam_ids(self) -> Collection[str]:
        return self.held_out()

    @cached_property
    def convention(self) -> Convention:
        """How the source names right options."""
        columns = (placed.row.columns for placed in self.again())
        convention = convention_of(shapes.answers_of(columns, self.card.columns), self.published_base)
        return convention if self.answer_base is None else convention._replace(base=self.answer_base)

    @property
    def _settings(self) -> Settings:
        return Settings(self.card.language, lambda: self.convention, self.reasoning, self.tool_turns)

    @cached_property
    def _also_read(self) -> list[str]:
        """Columns that are read for other things than turns."""
        columns = self.card.columns
        return ["licence", *(name for part in ("id", "fact") for name in placeholders(columns.get(part, "")))]

    def _dialogue(self, name: str, row: Columns) -> tuple[Dialogue, RowTurns]:
        card = self.card
        if card.name in {FILE, HUB} and is_dialogue(row):
            return _as_dialogue(row, self.label, self.domain), RowTurns([])
        facts = _facts(row, card)
        also_read = [*self._also_read, *(column for column in ("book_id", "id") if row.get(column) in facts)]
        read = shapes.turns_of(row, card.form, card.columns, self._settings, also_read)
        dialogue = Dialogue(
            id=name,
            domain=self.domain,
            source=self.label,
            turns=tuple(read.turns),
            language=card.language or language_of(read.turns),
            licence=_licence(row, card),
            facts=facts,
            without_loss=read.without_loss,
        )
        return dialogue, read

    def _exam_id(self, row: Columns) -> str:
        """The id of the row in an exam, ``""`` where it is in none."""
        card = self.card
        if "id" not in card.columns or not shapes.fits(row, card.form, card.columns):
            return ""
        name = named(row, card.columns["id"])
        return name if name in self._exam_ids else ""

    def read(self, placed: PlacedRow) -> Iterator[Row]:
        """Yield a row as a Dialogue or as a SkippedRow with the reason, and notes on what was not read of it."""
        name, place, row = placed
        try:
            if row.problem:
                raise UnfitError(row.problem)
            if exam_id := self._exam_id(row.columns):
                detail = f"has the id {exam_id}, which belongs to an exam"
                yield SkippedRow(place, "held_out", detail, _beginning(row.columns))
                return
            dialogue, read = self._dialogue(name, row.columns)
        except UnfitError as error:
            yield SkippedRow(place, "malformed", str(error), row.text or _beginning(row.columns))
            return
        half = _half_character(dialogue)
        if half:
            yield SkippedRow(place, "malformed", f"holds {half}, half of a surrogate pair and no character", "")
            return
        yield from map(RowNote, read.notes)
        yield from (RowNote(f"column {name} not read", name) for name in read.unread)
        yield dialogue


def _half_character(dialogue: Dialogue) -> str:
    """Half of a surrogate pair in a Dialogue, which no file can hold; ``""`` where there is none."""
    texts = [dialogue.id, dialogue.licence, *dialogue.facts, *(turn.content for turn in dialogue.turns)]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        return ascii(error.object[error.start])[1:-1]
    return ""


def placed_rows(
    paths: Sequence[Path], label: str, split: str = "train", most: int | None = None
) -> Iterator[PlacedRow]:
    """Yield the rows of files with the ids of their Dialogues: ``label-row``, or ``label-file-row`` for several.

    Args:
        paths: The files.
        label: Label of the source.
        split: The key that is read of a JSON file with several lists.
        most: Most rows of each file; None for all.
    """
    for number, path in enumerate(paths, start=1):
        start = f"{label}-{number}" if len(paths) > 1 else label
        for row in islice(tables.rows(path, (split,)), most):
            yield PlacedRow(f"{start}-{row.number}", f"{path}:{row.number}", row)


def first_rows(paths: Sequence[Path], label: str, split: str) -> list[PlacedRow]:
    """Return rows from the beginning of each file, ``HEAD`` in all."""
    each = max(1, HEAD // max(1, len(paths)))
    return list(islice(placed_rows(paths, label, split, each), HEAD))


def rows(paths: Sequence[Path], reader: Reader, split: str = "train") -> Iterator[Row]:
    """Yield every row of ``paths`` as a Dialogue or as a SkippedRow, with notes.

    Raises:
        MedctxError: None of the first ``PATIENCE`` rows, or none at all, can be read.
    """
    whole = f"The file {paths[0]}" if len(paths) == 1 else "Every file"
    return read_placed(placed_rows(paths, reader.label, split), reader, whole)


def read_placed(placed: Iterable[PlacedRow], reader: Reader, whole: str) -> Iterator[Row]:
    """Yield every row as a Dialogue or as a SkippedRow, with notes.

    Args:
        placed: The rows.
        reader: Reads one row.
        whole: Name of all rows together in errors.

    Raises:
        MedctxError: None of the first ``PATIENCE`` rows, or none at all, can be read.
    """
    lost: list[SkippedRow] = []
    readable = False
    for placed_row in placed:
        for row in reader.read(placed_row):
            readable = readable or not isinstance(row, SkippedRow) or row.reason == "held_out"
            if not readable and isinstance(row, SkippedRow):
                lost.append(row)
                if len(lost) >= PATIENCE:
                    raise _useless(reader.label, whole, lost)
            yield row
    if not readable:
        raise _useless(reader.label, whole, lost)


def _useless(label: str, whole: str, lost: Sequence[SkippedRow]) -> MedctxError:
    first = f": {lost[0].place} {lost[0].detail}" if lost else ""
    return MedctxError(f"{whole} of the source {label!r} has no usable row{first}; give another one.")
