"""Finds letters whose place makes them the answer: alone on a line or first in the text. Removes echoed options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medctx_eval.extract.languages.language import Wording
from medctx_eval.extract.markup import PlainText, fold
from medctx_eval.extract.options import OfferedOptions
from medctx_eval.extract.reader import AnswerReader, Mention

_LABELLED = re.compile(r"\s*[\"'(\[]*([A-Z])[\"')\]]*(?:\s*[.:、]|(?<=[)\]]))")
_INLINE = re.compile(r"(?<![A-Za-z0-9])([A-Z])(?:[.):、]|\s?-\s)\s*\S")
_GAP = re.compile(r"[\s,;|/\"'{}()\[\].。、-]*")
_MARKS = re.compile(r"[\"')\]}]*[.():,\s-]*")
_BLANKS = re.compile(r"\s*")
_DELIMITED = re.compile(r"[\"')\]}]*\s*(?:[.:)]|$)|(?<=[)\]])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _LetterLine:
    """A line that begins with a letter; ``whole`` if it holds nothing but the letter and its option's text."""

    number: int
    mention: Mention
    whole: bool


def without_echo(page: PlainText, options: OfferedOptions, words: Wording) -> tuple[PlainText, bool]:
    """Remove lists of all options, each letter before its own text.

    Directly after "the answers are" such a list is an answer where several letters are allowed.

    Returns:
        The rest of the answer, and whether there was such a list.
    """
    spans = sorted(span for letter in options.letters for span in _labelled_texts(page, options, letter))
    runs: list[list[tuple[int, int, str]]] = []
    for span in spans:
        last = runs[-1][-1] if runs else None
        if last and span[0] < last[1]:
            continue
        if last and last[2] < span[2] and _is_gap(page.text[last[1] : span[0]], words):
            runs[-1].append(span)
        else:
            runs.append([span])
    cue_ends = {match.end() for match in words.cues.finditer(page.text)} if options.multiple else set()
    echoes = [run for run in runs if len(run) == len(options.letters) and run[0][0] not in cue_ends]
    text = page.text
    for run in reversed(echoes):
        text = f"{text[: run[0][0]]}\n{text[run[-1][1] :]}"
    text = re.sub(r"\n[\s.。;,]*\n|^[\s.。;,]+", "\n", text).strip() if echoes else text
    return PlainText(text, fold(text)), bool(echoes)


def _is_gap(text: str, words: Wording) -> bool:
    """Return True if only marks and one conjunction stand between two entries of a list."""
    marks = _GAP.match(text)
    rest = text[marks.end() if marks else 0 :]
    conjunction = words.conjunction.match(rest)
    return not rest[conjunction.end() if conjunction else 0 :].strip(" \n\"'([")


def _labelled_texts(page: PlainText, options: OfferedOptions, letter: str) -> list[tuple[int, int, str]]:
    if options.keys[letter] not in page.folded:
        return []  # compiling the pattern would take longer than reading a short answer
    label = rf"(?<![a-z0-9])[\"'(\[]*{letter.lower()}[\"')\]]*\s*[.:、,)-]*\s*[\"']*(?:(?:the|an?) )?"
    text = re.escape(options.keys[letter])
    matches = re.finditer(rf"{label}{text}(?![a-z0-9])[\"')\]]*", page.folded)
    return [(match.start(), match.end(), letter) for match in matches]


def _letter_lines(reader: AnswerReader) -> list[_LetterLine]:
    text, lines, start = reader.page.text, [], 0
    for number, line in enumerate(text.split("\n")):
        mention = reader.read(start, across_lines=False) if line and not line.endswith((":", "?")) else None
        whole = bool(
            mention and mention.by != "text" and mention.start < start + len(line) and reader.ends_line(mention)
        )
        noun = reader.words.option_noun.match(text, start)
        label = _LABELLED.match(text, noun.end() if noun else start, start + len(line))
        if mention and whole:
            lines.append(_LetterLine(number, mention, whole=True))
        elif label and label[1] in reader.options.letters:
            lines.append(_LetterLine(number, Mention((label[1],), start, label.end(), "both"), whole=False))
        start += len(line) + 1
    return lines


def line_statements(reader: AnswerReader) -> list[Mention]:
    """Return letters that stand alone on a line, with or without their option's text.

    Lines of one kind that name different letters may be the headings of a discussion. Then only two count: the first
    line, if the list behind it starts again from there, and the last one, if it does not end a list.
    """
    bare: list[_LetterLine] = []
    labelled: list[_LetterLine] = []
    for line in _letter_lines(reader):
        (bare if line.whole and line.mention.by == "letter" else labelled).append(line)
    return [*_standing(reader, bare), *_standing(reader, labelled)]


def _standing(reader: AnswerReader, lines: Sequence[_LetterLine]) -> list[Mention]:
    groups: list[list[_LetterLine]] = []
    for line in lines:
        if groups and groups[-1][-1].number + 1 == line.number:
            groups[-1].append(line)
        else:
            groups.append([line])
    answers = [_joined(reader, group) for group in groups]
    if len({answer.letters for answer in answers if answer}) == 1 and all(answers):
        return [answer for answer in answers if answer]
    standing = []
    last_number = reader.page.text.count("\n")
    first_stands = bool(groups) and groups[0][0].number == 0 and _restarts(reader, groups)
    if first_stands and answers[0]:
        standing.append(answers[0])
    if len(groups) > 1 and groups[-1][-1].number == last_number and answers[-1]:
        before, last = groups[-2][-1].mention.letters, groups[-1][0].mention.letters
        if before >= last:
            standing.append(answers[-1])
    return standing


def _restarts(reader: AnswerReader, groups: Sequence[Sequence[_LetterLine]]) -> bool:
    """Return True if an explanation or a new list follows the first group, not the next entry of its list."""
    explained = reader.words.explains.match(reader.page.text, groups[0][-1].mention.end)
    return len(groups) == 1 or bool(explained) or groups[1][0].mention.letters <= groups[0][0].mention.letters


def _joined(reader: AnswerReader, group: Sequence[_LetterLine]) -> Mention | None:
    """Return neighbouring lines as one answer, or None if they are none."""
    letters = tuple(sorted({letter for line in group for letter in line.mention.letters}))
    first, last = group[0].mention, group[-1].mention
    flaws = [line.mention.flaw for line in group if line.mention.flaw]
    if len(letters) == 1 or len(group) == 1:
        return first if all(line.whole for line in group) else None
    is_list = all(line.whole for line in group) and all(
        line.mention.letters < following.mention.letters for line, following in pairwise(group)
    )
    if not is_list or (first.by == "both" and not reader.options.multiple):
        return None
    flaw = flaws[0] if flaws else "" if reader.options.multiple else "several"
    return Mention(letters, first.start, last.end, first.by, flaw)


def _goes_on(reader: AnswerReader, end: int) -> bool:
    """Return True if a sentence about the letter, its rejection or another letter follows."""
    text, words = reader.page.text, reader.words
    rejected = words.rejected.match(text, _end(_MARKS, text, end))
    return bool(words.verb.match(text, end) or rejected or words.conjunction.match(text, _end(_BLANKS, text, end)))


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def leading_letter(reader: AnswerReader) -> Mention | None:
    """Return the letter that opens the answer and is followed by its text or an explanation."""
    text = reader.page.text
    mention = reader.read(0)
    if not mention or mention.by == "text" or reader.is_denied(mention.start, mention):
        return None
    if _goes_on(reader, mention.end):
        return None
    if mention.by == "letter" and not mention.flaw and text.startswith("A:"):  # "Q:" question, "A:" answer
        return None
    if mention.flaw == "not offered" and not _DELIMITED.match(text, mention.end):
        return None
    first_line = text.split("\n", 1)[0]
    later = [match[1] for match in _INLINE.finditer(first_line, mention.end)]
    if not reader.words.explains.match(text, len(first_line)):
        later += [line.mention.letters[0] for line in _letter_lines(reader) if line.number > 0][:1]
    return None if any(letter > mention.letters[0] for letter in later) else mention
