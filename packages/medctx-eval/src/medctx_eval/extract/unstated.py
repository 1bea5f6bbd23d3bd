"""Reads answers that state no letter: the one option whose text is repeated, and refusals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medctx_eval.extract.options import OptionMatch, ends_phrase
from medctx_eval.extract.reader import AnswerReader, Flaw, Mention, sentence_rest

_SENTENCE_END = re.compile(r"[.!?](?=\s)|[。;\n]")
_MARKS = " \n.!?。\"')]}"

_SHORT = 4
"""In an answer of fewer sentences a refusal counts anywhere."""

_SENTENCE_LOOK_BACK = 400
"""Characters searched backwards for the beginning of a sentence."""

_WORD_LOOK_BACK = 40
"""Characters searched backwards for the word before a phrase; no such word is longer."""


def refuses(reader: AnswerReader) -> bool:
    """Return True if the first or last two sentences say that the answer cannot be given."""
    text = reader.page.text
    ends = _sentence_ends(text)
    if len(ends) < _SHORT:
        return bool(reader.words.refusals.search(text))
    return any(reader.words.refusals.search(part) for part in (text[: ends[1]], text[ends[-2] :]))


def refusing_option(reader: AnswerReader) -> Mention | None:
    """Return the option that itself says there is no answer, if the answer repeats it and no other."""
    matches = _naming_matches(reader)
    if not matches or len({match.option for match in matches}) > 1:
        return None
    return _repeated(reader, matches) if reader.words.refusals.search(matches[0].option.text) else None


def repeated_option(reader: AnswerReader) -> Mention | None:
    """Return the option whose text the first or last sentence repeats undoubted, if no other occurs anywhere.

    Where several letters are allowed, a bare list of texts counts.
    """
    text = reader.page.text
    opening = reader.read(0)
    if opening and opening.by == "text":
        is_all = opening.end >= len(text.rstrip(".。!"))
        if opening.flaw or (reader.options.multiple and is_all):
            return opening
    matches = _naming_matches(reader)
    if len({match.option for match in matches}) > 1:
        return Mention((), matches[0].start, matches[-1].end, "text", "several")
    if not matches or any(_is_doubted(reader, match) for match in matches):
        return None
    ends = _sentence_ends(text)
    return _repeated(reader, matches) if any(_is_stated(reader, match, ends) for match in matches) else None


def _sentence_ends(text: str) -> list[int]:
    """Return where sentences and lines end, without the last one."""
    return [match.end() for match in _SENTENCE_END.finditer(text, 0, len(text.rstrip(_MARKS)))]


def _opens_line(reader: AnswerReader, match: OptionMatch) -> bool:
    before = reader.page.text[max(0, match.start - _WORD_LOOK_BACK) : match.start]
    if match.start > _WORD_LOOK_BACK and "\n" not in before:
        return False
    return not re.sub(r"[\"'(\[]|^(?:the|an?) ", "", before.rsplit("\n", 1)[-1], flags=re.IGNORECASE).strip()


def _is_line(reader: AnswerReader, match: OptionMatch) -> bool:
    return _opens_line(reader, match) and ends_phrase(reader.page, match.end)


def _naming_matches(reader: AnswerReader) -> list[OptionMatch]:
    """Return the matches that name an option: telling texts anywhere, others if they open a line and end a phrase.

    Those directly denied ("not aspirin") do not count beside others.
    """
    matches = [
        match for match in reader.options.texts_in(reader.page) if match.option.telling or _is_line(reader, match)
    ]
    return [match for match in matches if not reader.is_denied_before(match.start)] or matches


def _repeated(reader: AnswerReader, matches: Sequence[OptionMatch]) -> Mention:
    first = matches[0]
    letters = first.option.letters
    readings = [reader.read(match.start) for match in matches]
    conflict = any(reading and reading.flaw == "conflict" for reading in readings)
    flaw: Flaw = "conflict" if conflict else "several" if len(letters) > 1 else ""
    return Mention(letters, first.start, first.end, "text", flaw)


def _is_doubted(reader: AnswerReader, match: OptionMatch) -> bool:
    """Return True if the sentence around the match denies, doubts or asks."""
    if _is_line(reader, match):
        return False
    text = reader.page.text
    before = _SENTENCE_END.split(text[max(0, match.start - _SENTENCE_LOOK_BACK) : match.start])[-1]
    rest = sentence_rest(text, match.end)
    contrast = reader.words.statement_end.match(rest)
    if contrast and reader.words.denied_before.search(contrast[0]):  # "heparin, not aspirin"
        rest = ""
    return rest.endswith("?") or any(reader.words.doubted.search(part) for part in (before, rest))


def _is_stated(reader: AnswerReader, match: OptionMatch, ends: Sequence[int]) -> bool:
    """Return True if the match occurs in the first or last sentence, with its letter or as a name of its own."""
    text = reader.page.text
    if ends and ends[0] <= match.start < ends[-1]:
        return False
    mention = reader.read(match.start)
    if mention and mention.by == "both":
        return True
    before = text[max(0, match.start - _WORD_LOOK_BACK) : match.start]
    return bool(reader.words.before_mention.search(before) and reader.words.after_mention.match(text, match.end))
