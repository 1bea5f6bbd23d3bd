"""Texts of the items that are shown: replies, and long Books cut to what matters."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable

from medctx.schemas.records import Mode, Reply
from medctx_eval.artifacts import run_folder
from medctx_eval.planning.requests import FORMS
from medctx_eval.report.load.collect import Run

Place = tuple[str, str, int]
"""Item, Condition and order."""

REPLY_CHARS = 1_500
BOOK_CHARS = 9_000
"""What is longer is shown around the evidence."""
_HEAD, _BEFORE, _AFTER, _TAIL = 1_200, 900, 1_500, 600
_ITEM = re.compile(rb'"item":\s*("(?:[^"\\]|\\.)*")')


def _said(reply: Reply, mode: Mode) -> str:
    """A reply in words: what was written, or how likely every answer was."""
    if not reply.scores:
        rest = len(reply.text) - REPLY_CHARS
        return (
            reply.text
            if rest <= 0
            else f"{reply.text[:REPLY_CHARS]} \N{HORIZONTAL ELLIPSIS} ({rest:,} characters more)"
        )
    per_token = mode == "text"
    values = [(score.letters, score.logprob / (score.tokens if per_token else 1)) for score in reply.scores]
    best = sorted(values, key=lambda one: -one[1])[:6]
    return ", ".join(f"{'+'.join(letters)} {value:.2f}" for letters, value in best)


def replies_of(run: Run, mode: Mode, wanted: Collection[str]) -> dict[Place, str]:
    """What a run replied on the wanted items, in the first form of a mode; the last reply counts.

    Files of replies are long: only lines that name a wanted item are read as records.
    """
    file = run.folder / run_folder.REPLIES if run.folder else None
    if file is None or not file.is_file():
        return {}
    found: dict[Place, str] = {}
    form = FORMS[mode][0]
    with file.open("rb") as lines:
        for line in lines:
            name = _ITEM.search(line)
            if name is None or json.loads(name[1]) not in wanted:
                continue
            try:
                reply = Reply.model_validate_json(line)
            except ValueError:  # a line that a kill cut short; the journal mends it when it is opened again
                continue
            if reply.form == form and not reply.problem:
                found[reply.item, reply.condition, reply.order] = _said(reply, mode)
    return found


def excerpt(text: str, marks: Iterable[str]) -> str:
    """A long text's beginning, end and surroundings of ``marks``; what is left out is said in its place."""
    if len(text) <= BOOK_CHARS:
        return text
    places = [(0, _HEAD), (len(text) - _TAIL, len(text))]
    for mark in marks:
        place = text.find(mark) if mark else -1
        if place >= 0:
            places.append((max(0, place - _BEFORE), min(len(text), place + len(mark[:_AFTER]) + _AFTER)))
    shown, end = [], 0
    for begin, own_end in sorted(places):
        if begin > end:
            shown.append(f"\n[{begin - end:,} characters left out]\n")
        if own_end > end:
            shown.append(text[max(begin, end) : own_end])
            end = own_end
    return "".join(shown)
