"""A row of a source: its columns, read by name or by template, and the turns it gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeGuard

from medctx.schemas.records import Turn
from medctx.tables.cells import Columns

Names = Mapping[str, str]
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class UnfitError(ValueError):
    """A row is not of the form requested: a clause that continues "the row ..."."""


class RowTurns(NamedTuple):
    """What a row gives.

    Attributes:
        turns: Its turns.
        without_loss: Numbers of the answers that are not trained on, from 0 among all turns.
        notes: What was not read of it, or was cut, beside whole columns.
        unread: Columns that were not read.
    """

    turns: list[Turn]
    without_loss: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


class SourceRow:
    """A row that remembers which of its columns were read."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name.split(".", maxsplit=1)[0] in self.columns

    def at(self, name: str) -> object:
        """The value of a column; a dotted name reaches into a nested one."""
        value: object = self.columns
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise UnfitError(f"has no column {name}")
            value = value[part]
        self._read.add(name)
        return value

    def text(self, name: str) -> str:
        """The text of a column, lists of texts joined by lines."""
        return as_text(self.at(name), f"the column {name}")

    def unread(self) -> list[str]:
        """The columns with a value that were not read."""
        names = []
        for name, value in self.columns.items():
            inner = [read for read in self._read if read.startswith(f"{name}.")]
            if inner and isinstance(value, Mapping):
                names += [
                    f"{name}.{key}" for key, part in value.items() if f"{name}.{key}" not in inner and holds_value(part)
                ]
            elif name not in self._read and holds_value(value):
                names.append(str(name))
        return names


def holds_value(value: object) -> bool:
    """Return False for None and for empty texts, lists and objects."""
    return value is not None and value not in ("", [], {}, ())


def is_annotated(value: object) -> TypeGuard[Mapping[str, list[object]]]:
    """Whether a value holds the answers of annotators as SQuAD does: ``{"text": [...], "answer_start": [...]}``."""
    return isinstance(value, Mapping) and value.keys() == {"text", "answer_start"} and isinstance(value["text"], list)


def _is_text_part(value: object) -> bool:
    """Whether a value is a part of a message's content that holds text only."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("text"), str)
        and value.keys() <= {"type", "text"}
        and value.get("type", "text") == "text"
    )


def as_text(value: object, place: str) -> str:
    """Return the text of a value, lists of texts joined by lines, of the answers of several annotators the first.

    Raises:
        UnfitError: The value is no text; ``place`` names it in the message.
    """
    if value is None:
        return ""
    if is_annotated(value):
        return str(next(iter(value["text"]), "")).strip()
    if isinstance(value, list) and value and all(_is_text_part(part) for part in value):
        return "".join(str(part["text"]) for part in value).strip()
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    if isinstance(value, bool | int | float):
        raise UnfitError(f"has a number in {place} where text is needed")
    if not isinstance(value, str):
        raise UnfitError(f"has a {type(value).__name__} in {place} where text is needed")
    return value.strip()


def placeholders(template: str) -> list[str]:
    """Return the columns that a template names in braces."""
    return _PLACEHOLDER.findall(template)


def fill(row: SourceRow, template: str) -> str:
    """Fill a template with the texts of the columns that it names."""
    return _PLACEHOLDER.sub(lambda match: row.text(match[1]), template).strip()


def named(row: Columns, template: str) -> str:
    """Fill a template for an id, whose columns may be numbers."""
    return _PLACEHOLDER.sub(lambda match: str(SourceRow(row).at(match[1])), template).strip()


def exchange(question: str, answer: str) -> RowTurns:
    """Return a question and its answer as two turns."""
    return RowTurns([Turn(role="user", content=question), Turn(role="assistant", content=answer)])
