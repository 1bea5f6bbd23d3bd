"""The browser's contents as one JSON document that the page's script reads."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medctx.schemas.records import ExamItem, Mode
from medctx_eval.report.load import parts
from medctx_eval.report.load.collect import Collected, Run
from medctx_eval.report.load.exam_contents import books_of
from medctx_eval.report.load.verdict_matrix import VERDICTS, Aligned
from medctx_eval.report.load.view import Sheet
from medctx_eval.report.render.browser.choice import Changes, chosen, turned
from medctx_eval.report.render.browser.sources import Place, excerpt, replies_of

BUDGET = 5_000_000
"""Bytes of the document: with figures and tables the page stays well under 10 MB."""

Json = dict[str, object]


@dataclass(frozen=True)
class Contents:
    """``document``: the JSON text, safe inside a script element; ``shown`` of ``asked`` items, by ``rule``.

    ``turned`` is the mode that flips are read from, nothing where no options changed places.
    """

    document: str
    shown: int
    asked: int
    rule: str
    turned: Mode | None


@dataclass(frozen=True)
class _Known:
    """What is at hand for the items taken."""

    items: Mapping[str, ExamItem]
    books: Mapping[str, str]
    replies: Mapping[int, Mapping[Place, str]]


def _books(aligned: Aligned, run: Run, items: Mapping[str, ExamItem], taken: list[int]) -> dict[str, str]:
    """Texts of the Books of the items taken, long ones cut to the surroundings of their evidence."""
    planned_items = np.flatnonzero(np.isin(aligned.item[aligned.starts], taken))
    marks: defaultdict[str, list[str]] = defaultdict(list)
    alone: dict[int, str] = {}
    by_item: list[tuple[int, str]] = []
    for key in aligned.starts[planned_items].tolist():
        name = aligned.books[aligned.book[key]]
        if not name:
            continue
        code = int(aligned.item[key])
        by_item.append((code, name))
        marks[name] += []
        if aligned.conditions[aligned.condition[key]] == "gold":
            alone[code] = name
    known = books_of(run, marks.keys())
    for code, name in by_item:
        # The Book of the gold Condition is the evidence itself; without it the right option's text may be found.
        item = items.get(aligned.items[code])
        evidence = known.get(alone.get(code, ""))
        marks[name].append(evidence.text if evidence else "")
        if item is not None:
            marks[name].append(item.options[item.gold[0]])
    return {name: excerpt(book.text, marks[name]) for name, book in known.items()}


def _letters(answer: tuple[str, ...]) -> str:
    return "+".join(answer)


def _seat(sheet: Sheet, known: _Known, places: Mapping[str, int], found: Changes, planned_item: int) -> Json:
    """One item under one Condition: answers as [letters, verdict] by cell, orders and seeds side by side."""
    aligned = sheet.aligned
    begin = int(aligned.starts[planned_item])
    keys = range(begin, begin + int(aligned.sizes[planned_item]))
    condition = aligned.conditions[aligned.condition[begin]]
    item = aligned.items[aligned.item[begin]]
    answers = [
        [
            [_letters(aligned.answers[aligned.chosen[row, key]]), int(aligned.verdicts[row, key])]
            for row in rows
            for key in keys
        ]
        for rows in sheet.rows.values()
    ]
    said = [
        [known.replies[row].get((item, condition, int(aligned.order[key])), "") for row in rows for key in keys]
        for rows in sheet.rows.values()
    ]
    entry: Json = {
        "c": int(aligned.condition[begin]),
        "g": _letters(aligned.answers[aligned.gold[begin]]),
        "a": answers,
        "k": found.flags[:, planned_item].tolist(),
    }
    if aligned.memory[begin]:
        entry["m"] = _letters(aligned.answers[aligned.memory[begin]])
    book = aligned.books[aligned.book[begin]]
    if book in places:
        entry["b"] = places[book]
    if any(text for own in said for text in own):
        entry["r"] = said
    return entry


def _item(
    sheet: Sheet, known: _Known, places: Mapping[str, int], found: Changes, code: int, planned_items: list[int]
) -> Json:
    aligned = sheet.aligned
    name = aligned.items[code]
    ordered = sorted(
        planned_items,
        key=lambda planned_item: parts.order(aligned.conditions[aligned.condition[aligned.starts[planned_item]]]),
    )
    entry: Json = {"i": name, "x": aligned.exams[code]}
    item = known.items.get(name)
    if item is not None:
        entry |= {"q": item.question, "o": list(item.options.items()), "g": _letters(item.gold)}
        entry["t"] = ", ".join(f"{key} {value}" for key, value in sorted(item.tags.items()))
    entry["s"] = [_seat(sheet, known, places, found, planned_item) for planned_item in ordered]
    return entry


def _safe(value: object) -> str:
    """JSON that no HTML parser can take for markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _within(
    budget: int, sheet: Sheet, known: _Known, found: Changes, taken: Sequence[int]
) -> tuple[list[Json], list[str]]:
    """Entries of the items taken, one after the other as long as ``budget`` bytes hold them, and their Books."""
    aligned = sheet.aligned
    owners = aligned.item[aligned.starts]
    seats_of: defaultdict[int, list[int]] = defaultdict(list)
    for planned_item in np.flatnonzero(np.isin(owners, taken)).tolist():
        seats_of[int(owners[planned_item])].append(planned_item)
    entries: list[Json] = []
    texts: list[str] = []
    places: dict[str, int] = {}
    for code in taken:
        wanted = dict.fromkeys(
            aligned.books[aligned.book[aligned.starts[planned_item]]] for planned_item in seats_of[code]
        )
        fresh = [name for name in wanted if name in known.books and name not in places]
        own = places | {name: len(places) + number for number, name in enumerate(fresh)}
        entry = _item(sheet, known, own, found, code, seats_of[code])
        size = len(_safe([entry, [known.books[name] for name in fresh]]).encode())
        if size > budget:
            continue
        budget -= size
        places = own
        texts += [known.books[name] for name in fresh]
        entries.append(entry)
    return entries, texts


def contents(
    collected: Collected,
    sheets: Sequence[Sheet],
    bases: Mapping[str, str],
    items: Mapping[str, ExamItem],
    limit: int,
    *,
    budget: int = BUDGET,
) -> Contents | None:
    """The browser of the first sheet, the headline mode's, at most ``budget`` bytes; nothing where no item is wanted.

    ``bases`` names the cell that every other is compared with.
    """
    if not limit:
        return None
    sheet = sheets[0]
    aligned = sheet.aligned
    taken, found = chosen(sheets, bases, limit)
    orders = turned(sheets)
    names = {aligned.items[code] for code in taken}
    runs = {row: collected.runs[place] for place, row in aligned.rows.items()}
    known = _Known(
        items=items,
        books=_books(aligned, runs[0], items, taken),
        replies={row: replies_of(run, sheet.mode, names) for row, run in runs.items()},
    )
    entries, texts = _within(budget, sheet, known, found, taken)
    document = {
        "cells": list(sheet.cells),
        "conditions": [[name, parts.title(name)] for name in aligned.conditions],
        "verdicts": [verdict.replace("_", " ") for verdict in VERDICTS],
        "books": texts,
        "items": entries,
    }
    rule = (
        "from every cell, condition and kind of change (lost, gained, flipped) one item in turn, largest changes "
        "first, then others evenly spread"
    )
    if len(entries) < len(taken):
        rule += f"; {len(taken) - len(entries)} that would have made the page too large are left out"
    return Contents(_safe(document), len(entries), len(aligned.items), rule, orders.mode if orders else None)
