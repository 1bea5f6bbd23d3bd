"""A file of questions examined before models are: what is wrong with its rows, and what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from medctx.schemas.records import ExamItem
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.entries import CONTEXT, EntryReader
from medctx_eval.exams.readers.own import CARDS
from medctx_eval.exams.schema import COLUMNS, text_of

EXAM = "file"


@dataclass(slots=True)
class Checked:
    """What was found: ``problems`` are sentences with their place; ``repeats`` counts questions asked before."""

    path: Path
    rows: int = 0
    items: list[ExamItem] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    passages: int = 0
    unused_passages: int = 0
    alterations: int = 0
    repeats: int = 0
    columns: Counter[str] = field(default_factory=Counter)

    @property
    def without_evidence(self) -> int:
        """Items that can be asked closed only."""
        return sum(not item.evidence for item in self.items)


def _read_passages(path: Path, checked: Checked) -> set[str]:
    names: set[str] = set()
    for number, row in tables.lines(path):
        if isinstance(row, str):
            checked.problems.append(f"{path}:{number} {row}; mend or remove that line.")
            continue
        name = text_of(row, "book_id") or text_of(row, "id")
        if not name or not text_of(row, "text"):
            checked.problems.append(f"{path}:{number} is no passage; give book_id and text.")
        elif name in names:
            checked.problems.append(f"{path}:{number} names the passage {name!r} again; give each a name of its own.")
        names.add(name)
    checked.passages = len(names)
    return names


class _Asked:
    """The questions met so far, each with its golds and where it stands."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], tuple[tuple[str, ...], int]] = {}

    def meet(self, item: ExamItem, number: int) -> tuple[tuple[str, ...], int] | None:
        """The golds and the line of the same question with the same options and evidence before; nothing if new."""
        key = (item.question, tuple(sorted(item.options.items())), item.evidence)
        before = self._seen.get(key)
        self._seen.setdefault(key, (item.gold, number))
        return before


def check(path: Path, passages: Path | None) -> Checked:
    """Read a file in the row schema to its end, and its passages where there are some."""
    checked = Checked(path=path)
    known = _read_passages(passages, checked) if passages else set()
    reader, asked, named = EntryReader(EXAM, CARDS[EXAM]), _Asked(), set[str]()
    for number, row in tables.lines(path):
        checked.rows += 1
        if isinstance(row, str):
            checked.problems.append(f"{path}:{number} {row}; mend or remove that line.")
            continue
        checked.columns.update(key for key, value in row.items() if value is not None)
        where = f"{path}:{number} (item {text_of(row, 'id')!r})"
        entry = reader.read(row)
        if isinstance(entry, list):
            checked.problems += [f"{where} {problem.words}." for problem in entry]
            continue
        checked.items.append(entry.item)
        checked.alterations += entry.alteration is not None
        before = asked.meet(entry.item, number)
        if before and before[0] != entry.item.gold:
            checked.problems.append(
                f"{where} asks what line {before[1]} asks but has the answer {', '.join(entry.item.gold)}, not "
                f"{', '.join(before[0])}; correct one of them."
            )
        checked.repeats += before is not None and before[0] == entry.item.gold
        book = text_of(row, "book_id")
        if book and passages and book not in known:
            checked.problems.append(f"{where} names the book_id {book!r}, which {passages} does not hold; add it.")
        named.add(book)
    checked.unused_passages = len(known - named)
    if not checked.rows:
        checked.problems.append(f"{path} holds no rows; give a file with one question a line.")
    return checked


def _shares(counts: Counter[str]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{name} {count:,} ({count / total:.0%})" for name, count in sorted(counts.items()))


def _contents(checked: Checked, passages: Path | None) -> Iterator[str]:
    items = checked.items
    yield f"{checked.path}: {checked.rows:,} rows, {len(items):,} usable items"
    if not items:
        return
    yield f"languages     {_shares(Counter(item.language for item in items))}"
    yield f"options       {_shares(Counter(str(len(item.options)) for item in items))}"
    yield f"gold letters  {_shares(Counter(letter for item in items for letter in item.gold))}"
    several = sum(item.multiple for item in items)
    if several:
        yield f"multiple      {several:,} items may have several right options"
    yield f"evidence      {len(items) - checked.without_evidence:,} items with, {checked.without_evidence:,} without"
    if checked.alterations:
        yield f"altered       {checked.alterations:,} items with a counterfactual"
    unread = sum(bool(item.evidence) and not item.evidence[0].endswith(CONTEXT) for item in items)
    if passages:
        yield f"passages      {checked.passages:,}, of which {checked.unused_passages:,} are nobody's evidence"
    elif unread:
        yield f"passages      none given, but {unread:,} items name a book_id: asked with a Book they need --passages"
    if checked.repeats:
        yield f"repeated      {checked.repeats:,} items ask the same with the same answer as one before"
    ignored = sorted(set(checked.columns) - COLUMNS)
    if ignored:
        yield f"ignored       columns {', '.join(ignored)}"


def describe(checked: Checked, passages: Path | None, most: int = 20) -> str:
    """The contents and the first ``most`` problems, for people."""
    told = list(_contents(checked, passages))
    told += checked.problems[:most]
    left = len(checked.problems) - most
    if left > 0:
        told.append(f"... and {left:,} more.")
    count = len(checked.problems)
    told.append(f"{count:,} problem{'s' if count > 1 else ''}." if count else "No problems.")
    return "\n".join(told)
