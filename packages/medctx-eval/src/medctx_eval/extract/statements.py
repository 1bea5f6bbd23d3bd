"""Finds statements in words: "the answer is B", "so it is B", "B is correct"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from medctx_eval.extract.reader import LABEL, AnswerReader, Mention

_CAPITAL = re.compile(r"(?<![A-Za-z0-9'])[A-Z](?![a-z0-9])")
_SENTENCE_END = re.compile(r"[\"')\]}]*\s*(?:$|[.!;。\n])", re.MULTILINE)
_CLOSING = re.compile(r"[\"')\]}]*")
_COMMA = re.compile(r"\s*[,、;]\s*")


@dataclass(slots=True)
class Statements:
    """The statements of one answer, each list from left to right.

    Attributes:
        stated: Given as the answer.
        asserted: Called correct, which may hold for options other than the answer.
        findings: An option's text named as what the question asks for.
    """

    stated: list[Mention] = field(default_factory=list)
    asserted: list[Mention] = field(default_factory=list)
    findings: list[Mention] = field(default_factory=list)


def find_statements(reader: AnswerReader) -> Statements:
    """Return all statements in words that are not denied."""
    text, words, result = reader.page.text, reader.words, Statements()
    for pattern in (words.cues, words.conclusions, words.findings):
        for cue in pattern.finditer(text):
            mention = reader.read(cue.end())
            if not mention or reader.is_denied(cue.start(), mention):
                continue
            if pattern is words.conclusions and (
                "\n" in text[cue.end() : mention.start] or not _ends_statement(reader, mention.end)
            ):
                continue
            is_answer = pattern is words.cues or mention.by != "text"
            (result.stated if is_answer else result.findings).append(mention)
    _add_assertions(reader, result)
    return result


def _ends_statement(reader: AnswerReader, end: int) -> bool:
    text = reader.page.text
    closing = _CLOSING.match(text, end)
    after = closing.end() if closing else end
    return bool(_SENTENCE_END.match(text, end) or reader.words.statement_end.match(text, after))


def _add_assertions(reader: AnswerReader, result: Statements) -> None:
    """Add statements that follow their option: "B is the answer", "B is correct"."""
    text, read_to, labelled_at = reader.page.text, 0, -1
    starts = {match.start() for match in _CAPITAL.finditer(text)}
    starts |= {match.start for match in reader.options.texts_in(reader.page)}
    for start in sorted(starts):
        mention = reader.read(start) if start >= read_to else None
        if not mention:
            continue
        in_list = read_to and _COMMA.fullmatch(text, read_to, start)
        if labelled_at == start:  # "C. Aspirin is the answer"
            mention = replace(mention, flaw="conflict")
        label = LABEL.match(text, mention.end) if mention.flaw == "conflict" else None
        labelled_at = label.end() if label else -1
        read_to = mention.end
        if in_list or reader.is_denied(start, mention):
            continue
        if reader.words.stated_after.match(text, mention.end):
            result.stated.append(mention)
        elif reader.words.asserted_after.match(text, mention.end):
            result.asserted.append(mention)
