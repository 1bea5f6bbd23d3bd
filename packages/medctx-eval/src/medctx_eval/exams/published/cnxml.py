"""Textbook modules and collections in CNXML, the format of OpenStax books.

The text of a module excludes exercises, pictures and captions; a section that holds only exercises is dropped with its
title. A reference to a figure or a table becomes that word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from medctx.errors import MedctxError
from medctx.schemas.records import Record

_BLOCKS = frozenset(
    "para section note list table figure equation exercise example quote code div rule theorem title".split()
)
_SILENT = frozenset("exercise figure media image footnote glossary metadata label".split())
_MATH_SPACED = re.compile(r"\s*([=\u2194\u2192\u21cc\u2264\u2265<>])\s*")
_BEFORE_STOP = re.compile(r"\s+([,.;:!?)])")
_EMPTY_BRACKETS = re.compile(r"\s*\(\s*[,;]?\s*\)")


class Exercise(Record):
    """An exercise. ``elsewhere``: it is a link to the question; ``pictured``: it shows or refers to a picture."""

    id: str
    question: str
    options: tuple[str, ...] = ()
    solution: str = ""
    elsewhere: bool = False
    pictured: bool = False


class Module(Record):
    """A section of a book: its text without exercises, and the exercises."""

    id: str
    title: str
    text: str
    exercises: tuple[Exercise, ...]


class Chapter(Record):
    """The ids of a chapter's modules, in reading order."""

    title: str
    modules: tuple[str, ...]


class Collection(Record):
    """A book: its chapters in order; ``licence`` is the address of its licence."""

    title: str
    licence: str
    chapters: tuple[Chapter, ...]


def _tag(element: Element) -> str:
    """The name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _find(element: Element, tag: str) -> Element | None:
    return next((child for child in element if _tag(child) == tag), None)


def _tidy(text: str) -> str:
    line = " ".join(text.split())
    return _BEFORE_STOP.sub(r"\1", _EMPTY_BRACKETS.sub("", line)).replace("( ", "(").strip()


def _math(element: Element) -> str:
    """A formula in one line: sub- and superscripts as plain text, fractions with a slash."""
    if _tag(element) == "mfrac" and len(element) == 2:
        return f"{_math(element[0])}/{_math(element[1])}"
    text = " ".join((element.text or "").split())
    return text + "".join(_math(child) for child in element)


class _Reader:
    """Reads one module; ``kinds`` maps the targets of references to their tags."""

    def __init__(self, document: Element) -> None:
        self.kinds = {name: _tag(node) for node in document.iter() if (name := node.get("id"))}

    def refers_to_picture(self, element: Element) -> bool:
        """Whether the element shows a picture or refers to one."""
        shown = {_tag(node) for node in element.iter()} & {"media", "image", "figure"}
        links = (node.get("target-id", "") for node in element.iter() if _tag(node) == "link")
        return bool(shown) or any(self.kinds.get(target) == "figure" for target in links)

    def _raw(self, element: Element, skip: Element | None = None) -> str:
        tag = _tag(element)
        if element is skip or tag in _SILENT:
            return ""
        if tag == "math":
            return _MATH_SPACED.sub(r" \1 ", _math(element))
        if tag == "link" and not (element.text or "").strip() and not len(element):
            kind = self.kinds.get(element.get("target-id", ""), "")
            return kind.capitalize() if kind in {"figure", "table", "example", "equation"} else ""
        parts = [element.text or ""]
        for child in element:
            inside = self._raw(child, skip)
            apart = _tag(child) in _BLOCKS or _tag(child) in {"item", "newline"}
            parts += [" " if apart else "", inside, ";" if _tag(child) == "item" and child is not element[-1] else ""]
            parts += [" " if apart else "", child.tail or ""]
        return "".join(parts)

    def line(self, element: Element | None, skip: Element | None = None) -> str:
        """The text of an element as one line."""
        return "" if element is None else _tidy(self._raw(element, skip))

    def _table(self, table: Element) -> Iterator[str]:
        yield self.line(_find(table, "title"))
        for row in table.iter():
            if _tag(row) == "row":
                yield " | ".join(self.line(cell) for cell in row if _tag(cell) == "entry")

    def blocks(self, element: Element) -> Iterator[str]:
        """Yield the paragraphs of an element, headings marked with ##."""
        for child in element:
            tag = _tag(child)
            if tag in _SILENT or tag == "title":
                continue
            if tag == "section":
                inside = [text for text in self.blocks(child) if text]
                if inside:
                    yield f"\n## {self.line(_find(child, 'title'))}"
                    yield from inside
            elif tag == "list":
                yield from (f"- {self.line(item)}" for item in child if _tag(item) == "item")
            elif tag == "table":
                yield from self._table(child)
            elif tag != "para" and any(_tag(node) in _BLOCKS for node in child):
                yield self.line(_find(child, "title"))
                yield from self.blocks(child)
            else:
                yield self.line(child)

    def exercise(self, element: Element) -> Exercise:
        """Read one exercise; its options are the last list of its problem."""
        problem = _find(element, "problem")
        inside = [] if problem is None else list(problem.iter())
        lists = [node for node in inside if _tag(node) == "list"]
        options = lists[-1] if lists else None
        links = (node for node in inside if _tag(node) == "link")
        return Exercise(
            id=element.get("id", ""),
            question=self.line(problem, skip=options),
            options=() if options is None else tuple(self.line(node) for node in options if _tag(node) == "item"),
            solution=self.line(_find(element, "solution")),
            elsewhere=any("os-embed" in link.get("class", "").split() for link in links),
            pictured=problem is not None and self.refers_to_picture(problem),
        )


def _parse(xml: bytes, place: str) -> Element:
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise MedctxError(f"{place} is not XML ({error}); fetch or check out the book again.") from None


def parse_module(name: str, xml: bytes) -> Module:
    """Parse a module's index.cnxml; raises MedctxError if it is not XML."""
    document = _parse(xml, f"The module {name}")
    reader = _Reader(document)
    content = _find(document, "content")
    blocks = [] if content is None else [text for text in reader.blocks(content) if text.strip()]
    return Module(
        id=name,
        title=reader.line(_find(document, "title")),
        text="\n".join(blocks).strip(),
        exercises=tuple(reader.exercise(node) for node in document.iter() if _tag(node) == "exercise"),
    )


def parse_collection(xml: bytes, place: str) -> Collection:
    """Parse a collection file; modules outside all chapters (a preface) are left out."""
    root = _parse(xml, place)
    described = {_tag(node): node for node in reversed(list(root.iter())) if _tag(node) in {"title", "license"}}
    chapters = []
    for part in root.iter():
        content = _find(part, "content") if _tag(part) == "subcollection" else None
        modules = [] if content is None else [node.get("document", "") for node in content if _tag(node) == "module"]
        if modules:
            title = _find(part, "title")
            chapters.append(
                Chapter(title=_tidy((title.text or "") if title is not None else ""), modules=tuple(modules))
            )
    licence = described["license"].get("url", "") if "license" in described else ""
    return Collection(
        title=_tidy(described["title"].text or "") if "title" in described else "",
        licence=licence,
        chapters=tuple(chapters),
    )
