"""Texts of the items in the browser: replies, and long Books cut to the parts that matter."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable

from medctx.schemas.records import Mode, Reply
from medctx_eval.artifacts import run_folder
from medctx_eval.prompting.prompt import FORMS
from medctx_eval.report.load.collect import ExaminedRun
from medctx_eval.report.load.verdict_matrix import Question

REPLY_CHARS = 1_500
BOOK_CHARS = 9_000
"""Length above which a Book is cut to its ends and the surroundings of the evidence."""
_HEAD, _BEFORE, _AFTER, _TAIL = 1_200, 900, 1_500, 600
_ITEM = re.compile(rb'"item":\s*("(?:[^"\\]|\\.)*")')


def _reply_text(reply: Reply, mode: Mode) -> str:
    """The written reply, or the log-likelihoods of the best answers."""
    if not reply.scores:
        rest = len(reply.text) - REPLY_CHARS
        if rest <= 0:
            return reply.text
        return f"{reply.text[:REPLY_CHARS]} \N{HORIZONTAL ELLIPSIS} ({rest:,} characters more)"
    per_token = mode == "text"
    values = [(score.letters, score.logprob / (score.tokens if per_token else 1)) for score in reply.scores]
    best = sorted(values, key=lambda entry: -entry[1])[:6]
    return ", ".join(f"{'+'.join(letters)} {value:.2f}" for letters, value in best)


def replies_of(run: ExaminedRun, mode: Mode, items: Collection[str]) -> dict[Question, str]:
    """Replies of a run on some items, in the first form of a mode; the last reply counts.

    Reply files are long, so only lines that name one of the items are parsed.
    """
    file = run.folder / run_folder.REPLIES if run.folder else None
    if file is None or not file.is_file():
        return {}
    replies: dict[Question, str] = {}
    form = FORMS[mode][0]
    with file.open("rb") as lines:
        for line in lines:
            name = _ITEM.search(line)
            if name is None or json.loads(name[1]) not in items:
                continue
            try:
                reply = Reply.model_validate_json(line)
            except ValueError:  # a line cut short by a kill; the journal repairs it when it is opened again
                continue
            if reply.form == form and not reply.problem:
                replies[reply.item, reply.condition, reply.order] = _reply_text(reply, mode)
    return replies


def excerpt(text: str, passages: Iterable[str]) -> str:
    """A long text cut to its beginning, its end and the surroundings of ``passages``, with the omissions marked."""
    if len(text) <= BOOK_CHARS:
        return text
    spans = [(0, _HEAD), (len(text) - _TAIL, len(text))]
    for passage in passages:
        place = text.find(passage) if passage else -1
        if place >= 0:
            spans.append((max(0, place - _BEFORE), min(len(text), place + len(passage[:_AFTER]) + _AFTER)))
    pieces, end = [], 0
    for begin, span_end in sorted(spans):
        if begin > end:
            pieces.append(f"\n[{begin - end:,} characters left out]\n")
        if span_end > end:
            pieces.append(text[max(begin, end) : span_end])
            end = span_end
    return "".join(pieces)
