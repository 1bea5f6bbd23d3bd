"""Where the place of a letter makes it the answer: alone on a line, at the head of the text; or no answer: an echo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medctx_eval.extract.languages import WORDS
from medctx_eval.extract.options import Options
from medctx_eval.extract.plain import Plain, fold
from medctx_eval.extract.reading import Reader, Said
from medctx_eval.extract.statements import is_denied

_LABELLED = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice|选项)\s*)?[\"'(\[]*([A-Z])[\"')\]]*(?:\s*[.:、]|(?<=[)\]]))")
_INLINE = re.compile(r"(?<![A-Za-z0-9])([A-Z])(?:[.):、]|\s?-\s)\s*\S")
_GAP = re.compile(r"[\s,;|/\"'{}()\[\].。、-]*(?:(?:and|or|和)\s+)?[\"'(\[]*")
_REJECTED = re.compile(
    r"[\"')\]}]*[.():,\s-]*(?:this\s+(?:option\s+)?is\s+)?(?:(?:incorrect|wrong|false|no)\b|not\b(?!\s+(?-i:[A-Z])\b)|错|不(?!选))",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\s+(?:is|are|was|would|seems?|appears?)\b|\s*(?:选?项)?(?:[是为均都对最]|正确|符合|错|不正确|的说法)",
    re.IGNORECASE,
)
_LEFT_OPEN = re.compile(r"\s*(?:(?:and|or|plus)\b|和|与|及|或|还是)(?!\s*not\b)", re.IGNORECASE)
_DELIMITED = re.compile(r"[\"')\]}]*\s*(?:[.:)]|$)|(?<=[)\]])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that begins with a letter; ``whole``: it says nothing beside it and its option's text."""

    number: int
    said: Said
    whole: bool


def without_echo(page: Plain, options: Options) -> tuple[Plain, bool]:
    """The answer without the list of all options, each letter before its own text, and whether there was one.

    Directly behind "the answers are" the list is an answer where several are asked for.
    """
    spans = sorted(span for letter in options.letters for span in _labelled_texts(page, options, letter))
    runs: list[list[tuple[int, int, str]]] = []
    for span in spans:
        last = runs[-1][-1] if runs else None
        if last and span[0] < last[1]:
            continue
        if last and last[2] < span[2] and _GAP.fullmatch(page.text, last[1], span[0]):
            runs[-1].append(span)
        else:
            runs.append([span])
    cued = {match.end() for match in WORDS.cues.finditer(page.text)} if options.multiple else set()
    echoes = [run for run in runs if len(run) == len(options.letters) and run[0][0] not in cued]
    text = page.text
    for run in reversed(echoes):
        text = f"{text[: run[0][0]]}\n{text[run[-1][1] :]}"
    text = re.sub(r"\n[\s.。;,]*\n|^[\s.。;,]+", "\n", text).strip() if echoes else text
    return Plain(text, fold(text)), bool(echoes)


def _labelled_texts(page: Plain, options: Options, letter: str) -> list[tuple[int, int, str]]:
    if options.keys[letter] not in page.folded:
        return []  # spares the making of a pattern, which takes longer than an answer has words to look at
    pattern = rf"(?<![a-z0-9])[\"'(\[]*{letter.lower()}[\"')\]]*\s*[.:、,)-]*\s*[\"']*(?:(?:the|an?) )?"
    text = re.escape(options.keys[letter])
    found = re.finditer(rf"{pattern}{text}(?![a-z0-9])[\"')\]]*", page.folded)
    return [(match.start(), match.end(), letter) for match in found]


def _lines(reader: Reader) -> list[_Line]:
    text, found, start = reader.page.text, [], 0
    for number, line in enumerate(text.split("\n")):
        said = reader.read(start, across_lines=False) if line and not line.endswith((":", "?")) else None
        whole = bool(said and said.by != "text" and said.start < start + len(line) and reader.ends_line(said))
        label = _LABELLED.match(text, start)
        if said and whole:
            found.append(_Line(number, said, whole=True))
        elif label and label[1] in reader.options.letters:
            found.append(_Line(number, Said((label[1],), start, label.end(), "both"), whole=False))
        start += len(line) + 1
    return found


def line_statements(reader: Reader) -> list[Said]:
    """Letters that stand alone on a line, with or without their option's text.

    Where lines of one kind name different letters they may be headings of a discussion; then only a first line that
    the list behind it starts again from, or a last one that ends no list, is an answer.
    """
    bare: list[_Line] = []
    labelled: list[_Line] = []
    for line in _lines(reader):
        (bare if line.whole and line.said.by == "letter" else labelled).append(line)
    return [*_standing(reader, bare), *_standing(reader, labelled)]


def _standing(reader: Reader, lines: Sequence[_Line]) -> list[Said]:
    groups: list[list[_Line]] = []
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
        before, last = groups[-2][-1].said.letters, groups[-1][0].said.letters
        if before >= last:
            standing.append(answers[-1])
    return standing


def _restarts(reader: Reader, groups: Sequence[Sequence[_Line]]) -> bool:
    """Whether the first group is followed by an explanation or a list's beginning, not by the list's next entry."""
    explained = WORDS.explains.match(reader.page.text, groups[0][-1].said.end)
    return len(groups) == 1 or bool(explained) or groups[1][0].said.letters <= groups[0][0].said.letters


def _joined(reader: Reader, group: Sequence[_Line]) -> Said | None:
    """A group of neighbouring lines as one answer; None where it is none."""
    letters = tuple(sorted({letter for line in group for letter in line.said.letters}))
    first, last = group[0].said, group[-1].said
    flaws = [line.said.flaw for line in group if line.said.flaw]
    if len(letters) == 1 or len(group) == 1:
        return first if all(line.whole for line in group) else None
    listed = all(line.whole for line in group) and all(
        one.said.letters < two.said.letters for one, two in pairwise(group)
    )
    if not listed or (first.by == "both" and not reader.options.multiple):
        return None
    flaw = flaws[0] if flaws else "" if reader.options.multiple else "several"
    return Said(letters, first.start, last.end, first.by, flaw)


def leading_letter(reader: Reader) -> Said | None:
    """The letter that opens the answer and is followed by its text or an explanation."""
    text = reader.page.text
    said = reader.read(0)
    if not said or said.by == "text" or is_denied(reader, said.start, said):
        return None
    if _VERB.match(text, said.end) or _REJECTED.match(text, said.end) or _LEFT_OPEN.match(text, said.end):
        return None
    if said.by == "letter" and not said.flaw and text.startswith("A:"):  # as "Q:" and "A:" mark question and answer
        return None
    if said.flaw == "not offered" and not _DELIMITED.match(text, said.end):
        return None
    line = text.split("\n", 1)[0]
    later = [match[1] for match in _INLINE.finditer(line, said.end)]
    rest = [one for one in _lines(reader) if one.number > 0]
    if not WORDS.explains.match(text, len(line)):
        later += [one.said.letters[0] for one in rest[:1]]
    return None if any(letter > said.letters[0] for letter in later) else said
