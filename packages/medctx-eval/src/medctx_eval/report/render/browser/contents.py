"""Contents of the item browser as one JSON document that the script of the page reads."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medctx.schemas.records import ExamItem
from medctx_eval.report.load import parts
from medctx_eval.report.load.collect import ExaminedRun, RunSet
from medctx_eval.report.load.exam_contents import books_of
from medctx_eval.report.load.verdict_matrix import VERDICTS, Question, VerdictMatrix
from medctx_eval.report.load.view import ModeView
from medctx_eval.report.render.browser.document import BrowserContents
from medctx_eval.report.render.browser.selection import Changes, select_items, view_with_orders
from medctx_eval.report.render.browser.texts import excerpt, replies_of

MAX_BYTES = 5_000_000
"""Size of the document; with figures and tables the page stays well under 10 MB."""
JsonObject = dict[str, object]


@dataclass(frozen=True)
class _Sources:
    """Texts of the selected items, as far as they are available."""

    items: Mapping[str, ExamItem]
    books: Mapping[str, str]
    replies: Mapping[int, Mapping[Question, str]]


def _books(
    matrix: VerdictMatrix, run: ExaminedRun, items: Mapping[str, ExamItem], selected: list[int]
) -> dict[str, str]:
    """Texts of the Books of the selected items; long ones are cut to the surroundings of their evidence."""
    planned_items = np.flatnonzero(np.isin(matrix.item[matrix.starts], selected))
    passages: defaultdict[str, list[str]] = defaultdict(list)
    evidence_book: dict[int, str] = {}
    by_item: list[tuple[int, str]] = []
    for question in matrix.starts[planned_items].tolist():
        name = matrix.books[matrix.book[question]]
        if not name:
            continue
        code = int(matrix.item[question])
        by_item.append((code, name))
        passages[name] += []
        if matrix.conditions[matrix.condition[question]] == "gold":
            evidence_book[code] = name
    books = books_of(run, passages.keys())
    for code, name in by_item:
        # The Book of the gold condition is the evidence itself; without it the text of the right option may be found.
        item = items.get(matrix.items[code])
        evidence = books.get(evidence_book.get(code, ""))
        passages[name].append(evidence.text if evidence else "")
        if item is not None:
            passages[name].append(item.options[item.gold[0]])
    return {name: excerpt(book.text, passages[name]) for name, book in books.items()}


def _letters(answer: tuple[str, ...]) -> str:
    return "+".join(answer)


def _planned_item(
    view: ModeView, sources: _Sources, book_places: Mapping[str, int], changes: Changes, place: int
) -> JsonObject:
    """One item under one condition: answers as [letters, verdict] by cell, option orders and seeds side by side."""
    matrix = view.matrix
    begin = int(matrix.starts[place])
    questions = range(begin, begin + int(matrix.sizes[place]))
    condition = matrix.conditions[matrix.condition[begin]]
    item = matrix.items[matrix.item[begin]]
    answers = [
        [
            [_letters(matrix.answers[matrix.chosen[row, question]]), int(matrix.verdicts[row, question])]
            for row in rows
            for question in questions
        ]
        for rows in view.rows.values()
    ]
    replies = [
        [
            sources.replies[row].get((item, condition, int(matrix.order[question])), "")
            for row in rows
            for question in questions
        ]
        for rows in view.rows.values()
    ]
    entry: JsonObject = {
        "condition": int(matrix.condition[begin]),
        "gold": _letters(matrix.answers[matrix.gold[begin]]),
        "answers": answers,
        "flags": changes.flags[:, place].tolist(),
    }
    if matrix.memory[begin]:
        entry["memory"] = _letters(matrix.answers[matrix.memory[begin]])
    book = matrix.books[matrix.book[begin]]
    if book in book_places:
        entry["book"] = book_places[book]
    if any(text for cell_replies in replies for text in cell_replies):
        entry["replies"] = replies
    return entry


def _item(
    view: ModeView,
    sources: _Sources,
    book_places: Mapping[str, int],
    changes: Changes,
    code: int,
    planned_items: list[int],
) -> JsonObject:
    matrix = view.matrix
    name = matrix.items[code]

    def condition_order(place: int) -> tuple[int, int, float, str]:
        return parts.sort_key(matrix.conditions[matrix.condition[matrix.starts[place]]])

    entry: JsonObject = {"id": name, "exam": matrix.exams[code]}
    item = sources.items.get(name)
    if item is not None:
        entry |= {"question": item.question, "options": list(item.options.items()), "gold": _letters(item.gold)}
        entry["tags"] = ", ".join(f"{key} {value}" for key, value in sorted(item.tags.items()))
    entry["asked"] = [
        _planned_item(view, sources, book_places, changes, place)
        for place in sorted(planned_items, key=condition_order)
    ]
    return entry


def _safe_json(value: object) -> str:
    """JSON that no HTML parser can take for markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _entries(
    max_bytes: int, view: ModeView, sources: _Sources, changes: Changes, selected: Sequence[int]
) -> tuple[list[JsonObject], list[str]]:
    """Entries of the selected items as far as ``max_bytes`` allows, and the texts of their Books."""
    matrix = view.matrix
    owners = matrix.item[matrix.starts]
    planned_items_of: defaultdict[int, list[int]] = defaultdict(list)
    for place in np.flatnonzero(np.isin(owners, selected)).tolist():
        planned_items_of[int(owners[place])].append(place)
    entries: list[JsonObject] = []
    texts: list[str] = []
    book_places: dict[str, int] = {}
    for code in selected:
        names = dict.fromkeys(matrix.books[matrix.book[matrix.starts[place]]] for place in planned_items_of[code])
        fresh = [name for name in names if name in sources.books and name not in book_places]
        places = book_places | {name: len(book_places) + number for number, name in enumerate(fresh)}
        entry = _item(view, sources, places, changes, code, planned_items_of[code])
        size = len(_safe_json([entry, [sources.books[name] for name in fresh]]).encode())
        if size > max_bytes:
            continue
        max_bytes -= size
        book_places = places
        texts += [sources.books[name] for name in fresh]
        entries.append(entry)
    return entries, texts


def contents(
    run_set: RunSet,
    views: Sequence[ModeView],
    bases: Mapping[str, str],
    items: Mapping[str, ExamItem],
    limit: int,
    *,
    max_bytes: int = MAX_BYTES,
) -> BrowserContents | None:
    """The item browser of the first view, the headline mode's.

    Args:
        run_set: The runs.
        views: One view per mode, the headline mode first.
        bases: The base of each cell.
        items: The items asked by id.
        limit: Largest number of items.
        max_bytes: Largest size of the document.

    Returns:
        The contents, or None if ``limit`` is 0.
    """
    if not limit:
        return None
    view = views[0]
    matrix = view.matrix
    selected, changes = select_items(views, bases, limit)
    flip_view = view_with_orders(views)
    names = {matrix.items[code] for code in selected}
    runs = {row: run_set.runs[place] for place, row in matrix.rows.items()}
    sources = _Sources(
        items=items,
        books=_books(matrix, runs[0], items, selected),
        replies={row: replies_of(run, view.mode, names) for row, run in runs.items()},
    )
    entries, texts = _entries(max_bytes, view, sources, changes, selected)
    document = {
        "cells": list(view.cells),
        "conditions": [[name, parts.title(name)] for name in matrix.conditions],
        "verdicts": [verdict.replace("_", " ") for verdict in VERDICTS],
        "books": texts,
        "items": entries,
    }
    rule = (
        "one item in turn from every cell, condition and kind of change (lost, gained, flipped), largest changes "
        "first, then others evenly spread"
    )
    if len(entries) < len(selected):
        rule += f"; {len(selected) - len(entries)} that would have made the page too large are left out"
    return BrowserContents(
        document=_safe_json(document),
        shown=len(entries),
        asked=len(matrix.items),
        rule=rule,
        flip_mode=flip_view.mode if flip_view else None,
    )
