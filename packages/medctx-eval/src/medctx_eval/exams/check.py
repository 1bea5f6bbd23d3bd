"""Checks a file of questions before a model is asked: what is wrong with its rows, and what it contains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from medctx.schemas.records import ExamItem
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.entries import CONTEXT, EntryReader
from medctx_eval.exams.readers.layouts import lay_out
from medctx_eval.exams.readers.own import CARDS
from medctx_eval.exams.schema import text_of

EXAM = "file"


@dataclass(slots=True)
class ExamCheck:
    """The result of a check.

    Attributes:
        path: The file.
        rows: Number of rows.
        items: The usable items.
        problems: One sentence with its place per problem.
        passages: Number of passages.
        unused_passages: Passages that are no item's evidence.
        alterations: Items with a counterfactual.
        repeats: Items that repeat an earlier one with the same answer.
        summary: One sentence on the layout that was recognised.
        ignored: Columns that are not read, with the number of rows that fill them.
        contexts: Texts of the contexts, by the id of their Passage.
    """

    path: Path
    rows: int = 0
    items: list[ExamItem] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    passages: int = 0
    unused_passages: int = 0
    alterations: int = 0
    repeats: int = 0
    summary: str = ""
    ignored: dict[str, int] = field(default_factory=dict)
    contexts: dict[str, str] = field(default_factory=dict)

    @property
    def without_evidence(self) -> int:
        """Items that can be asked closed only."""
        return sum(not item.evidence for item in self.items)


def _read_passages(path: Path, result: ExamCheck) -> set[str]:
    names: set[str] = set()
    for number, row in tables.numbered_rows(path):
        if isinstance(row, str):
            result.problems.append(f"{path}:{number} {row}; mend or remove that line.")
            continue
        name = text_of(row, "book_id") or text_of(row, "id")
        if not name or not text_of(row, "text"):
            result.problems.append(f"{path}:{number} is not a passage; give book_id and text.")
        elif name in names:
            result.problems.append(f"{path}:{number} repeats the book_id {name!r}; give every passage its own.")
        names.add(name)
    result.passages = len(names)
    return names


class _SeenQuestions:
    """The questions read so far, each with its gold letters and line number."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], tuple[tuple[str, ...], int]] = {}

    def add(self, item: ExamItem, number: int) -> tuple[tuple[str, ...], int] | None:
        """Gold letters and line of an earlier item with this question, options and evidence; None if it is new."""
        key = (item.question, tuple(sorted(item.options.items())), item.evidence)
        earlier = self._seen.get(key)
        self._seen.setdefault(key, (item.gold, number))
        return earlier


def check_entries(path: Path, passages: Path | None) -> ExamCheck:
    """Read a file of questions, and its passages file if there is one, and collect all problems.

    Raises:
        MedctxError: No questions with options and an answer are recognised in the columns of the file.
    """
    laid_out = lay_out(path)
    result = ExamCheck(path=path, summary=laid_out.summary, ignored=laid_out.ignored)
    known = _read_passages(passages, result) if passages else set()
    reader, seen, named = EntryReader(EXAM, CARDS[EXAM]), _SeenQuestions(), set[str]()
    for number, row in laid_out.rows:
        result.rows += 1
        if isinstance(row, str):
            result.problems.append(f"{path}:{number} {row}; mend or remove that line.")
            continue
        place = f"{path}:{number} (item {text_of(row, 'id')!r})"
        entry = reader.read(row)
        if isinstance(entry, list):
            result.problems += [f"{place} {problem.message}." for problem in entry]
            continue
        result.items.append(entry.item)
        if entry.passage:
            result.contexts[entry.passage.id] = entry.passage.text
        result.alterations += entry.alteration is not None
        earlier = seen.add(entry.item, number)
        if earlier and earlier[0] != entry.item.gold:
            result.problems.append(
                f"{place} asks the question of line {earlier[1]} but has the answer {', '.join(entry.item.gold)}, not "
                f"{', '.join(earlier[0])}; correct one of them."
            )
        result.repeats += earlier is not None and earlier[0] == entry.item.gold
        book = text_of(row, "book_id")
        if book and passages and book not in known:
            result.problems.append(f"{place} names the book_id {book!r}, which {passages} does not contain; add it.")
        named.add(book)
    result.unused_passages = len(known - named)
    if not result.rows:
        result.problems.append(f"{path} holds no rows; give a file with one question per line.")
    return result


def _shares(counts: Counter[str]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{name} {count:,} ({count / total:.0%})" for name, count in sorted(counts.items()))


def _contents(result: ExamCheck, passages: Path | None) -> Iterator[str]:
    items = result.items
    yield f"{result.path}: {result.rows:,} rows, {len(items):,} usable items"
    yield result.summary
    if not items:
        return
    yield f"languages     {_shares(Counter(item.language for item in items))}"
    yield f"options       {_shares(Counter(str(len(item.options)) for item in items))}"
    yield f"gold letters  {_shares(Counter(letter for item in items for letter in item.gold))}"
    multiple = sum(item.multiple for item in items)
    if multiple:
        yield f"multiple      {multiple:,} items may have several right options"
    yield f"evidence      {len(items) - result.without_evidence:,} items with, {result.without_evidence:,} without"
    if result.alterations:
        yield f"altered       {result.alterations:,} items with a counterfactual"
    by_name = sum(bool(item.evidence) and not item.evidence[0].endswith(CONTEXT) for item in items)
    if passages:
        yield f"passages      {result.passages:,}, of which {result.unused_passages:,} are no item's evidence"
    elif by_name:
        yield f"passages      none given, {by_name:,} items name a book_id: to ask them with a Book, give --passages"
    if result.repeats:
        yield f"repeated      {result.repeats:,} items repeat an earlier one with the same answer"
    if result.ignored:
        yield f"ignored       columns {', '.join(sorted(result.ignored))}"


def describe_exam(result: ExamCheck, passages: Path | None, max_problems: int = 20) -> str:
    """The contents and the first ``max_problems`` problems, as text."""
    lines = list(_contents(result, passages))
    lines += result.problems[:max_problems]
    more = len(result.problems) - max_problems
    if more > 0:
        lines.append(f"... and {more:,} more.")
    count = len(result.problems)
    lines.append(f"{count:,} problem{'s' if count > 1 else ''}." if count else "No problems.")
    return "\n".join(lines)
