"""The keys of a Config class as rows, as text for a terminal and as Markdown: one source for help and documentation.

Everything is taken from the class: names, types, bounds and defaults from its fields, the prose from
``Field(description=...)``.
"""

from __future__ import annotations

import inspect
import shutil
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

REQUIRED = "required"
_WIDTH = 100
_KINDS: dict[object, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true | false",
    Path: "path",
    type(None): "null",
}
_BOUNDS = (("ge", ">= "), ("gt", "> "), ("le", "<= "), ("lt", "< "))


class KeyRow(NamedTuple):
    """One key of a config.

    Attributes:
        key: Dotted path as ``--set`` takes it. ``[]`` stands for an entry of a list, ``<name>`` for a key of a map.
        kind: Type and bounds, for example ``integer (>= 1)`` or ``jsonl | parquet``.
        default: Default value as YAML; ``REQUIRED`` where there is none, ``""`` for a section.
        description: What the key means.
    """

    key: str
    kind: str
    default: str
    description: str


def _is_section(kind: object) -> bool:
    return inspect.isclass(kind) and not get_origin(kind) and issubclass(kind, BaseModel)


def _bounds(metadata: Sequence[object]) -> str:
    # Bounds within Annotated are in a FieldInfo of their own.
    metadata = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    bounds = [f"{sign}{getattr(item, name)}" for item in metadata for name, sign in _BOUNDS if hasattr(item, name)]
    return f" ({', '.join(bounds)})" if bounds else ""


def kind_text(annotation: object, metadata: Sequence[object] = ()) -> str:
    """Describe an annotation in words: ``list of path``, ``text -> number (> 0)``, ``all | integer (>= 1)``."""
    if isinstance(annotation, TypeVar):
        return "value"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind_text(arguments[0], [*metadata, *arguments[1:]])
    if origin is Literal:
        return " | ".join(str(value) or '""' for value in arguments)
    if origin in {Union, types.UnionType}:
        members = [member for member in arguments if member is not type(None)]
        texts = [kind_text(member, metadata if len(members) == 1 else ()) for member in members]
        return " | ".join(dict.fromkeys([*texts, *(["null"] if len(members) < len(arguments) else [])]))
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return f"{kind_text(arguments[0])} -> {kind_text(arguments[1])}"
    if inspect.isclass(origin) and issubclass(origin, Sequence | frozenset | set):
        item = kind_text(arguments[0])
        return f"list of {f'({item})' if ' | ' in item else item}{_bounds(metadata)}"
    if _is_section(annotation):
        return "section"
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return " | ".join(str(member.value) for member in annotation)
    return _KINDS.get(annotation, getattr(annotation, "__name__", str(annotation))) + _bounds(metadata)


def _sections(annotation: object, key: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The config classes an annotation holds, each with the key its own keys are reached under."""
    if inspect.isclass(annotation) and not get_origin(annotation):
        if issubclass(annotation, BaseModel):
            yield key, annotation
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        yield from _sections(arguments[1], f"{key}.<name>")
        return
    if inspect.isclass(origin) and issubclass(origin, Sequence):
        key = f"{key}[]"
    for argument in arguments:
        yield from _sections(argument, key)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def default_text(field: FieldInfo) -> str:
    """The default of a field as one line of YAML."""
    if field.is_required():
        return REQUIRED
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return ""
    text = yaml.safe_dump(_plain(value), default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def config_rows(kind: type[BaseModel], prefix: str = "") -> list[KeyRow]:
    """Rows for every key of a Config class, sections and their keys in the order of the class.

    Args:
        kind: The Config class.
        prefix: Dotted path of the section the class stands for, ``""`` at the top.

    Returns:
        One row per key. A key that holds sections is followed by the keys of each, in alternatives one after the
        other.
    """
    rows = []
    for name, field in kind.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        description = " ".join((field.description or "").split())
        rows.append(KeyRow(key, kind_text(field.annotation, field.metadata), default_text(field), description))
        sections = list(_sections(field.annotation, key))
        for path, section in dict.fromkeys(sections):
            label = f"({section.__name__})" if len(sections) > 1 else ""
            rows += config_rows(section, f"{path}{label}.")
    return rows


def _summary(row: KeyRow) -> str:
    if row.kind == "section" and not row.default:
        return row.key
    default = row.default if row.default == REQUIRED else f"default: {row.default}" if row.default else ""
    return f"{row.key}  [{', '.join(part for part in (row.kind, default) if part)}]"


def config_text(kind: type[BaseModel], width: int = 0) -> str:
    """All keys of a Config class for a terminal: type and default in one line, the description indented below.

    Args:
        kind: The Config class.
        width: Columns of the text, 0 for those of the terminal (at most 100).
    """
    columns = width or min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)
    lines = []
    for row in config_rows(kind):
        lines += textwrap.wrap(_summary(row), columns, subsequent_indent="    ", break_on_hyphens=False)
        lines += textwrap.wrap(row.description, columns, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def config_markdown(kind: type[BaseModel], title: str) -> str:
    """All keys of a Config class as a Markdown section with a table.

    Args:
        kind: The Config class.
        title: Heading of the section.
    """

    def cell(text: str) -> str:
        return text.replace("|", "\\|").replace("<", "&lt;")

    def code(text: str) -> str:
        return f"`{text.replace('|', chr(92) + '|')}`" if text else ""

    lines = [f"## {title}", "", *textwrap.wrap(inspect.getdoc(kind) or "", 120), ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    for row in config_rows(kind):
        default = row.default if row.default == REQUIRED else code(row.default)
        lines.append(f"| {code(row.key)} | {cell(row.kind)} | {default} | {cell(row.description)} |")
    return "\n".join(lines) + "\n"
