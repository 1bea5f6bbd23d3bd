"""Reads one place of an answer: a letter, an option's text, or a list of them, and whether the sentence denies it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medctx_eval.extract.languages.language import Wording
from medctx_eval.extract.markup import PlainText
from medctx_eval.extract.options import OfferedOptions, OptionMatch, ends_phrase

Flaw = Literal["", "several", "conflict", "not offered"]
NamedBy = Literal["letter", "text", "both"]

LABEL = re.compile(
    r"[\"')\]}]*[^\S\n]*(?:[.:,、。)-][^\S\n]?)?[^\S\n]*(?:即|也就是|i\.e\.,?[^\S\n]+)?[\"'(\[]*(?:(?:the|an?)[^\S\n]+)?(?=\S)",
    re.IGNORECASE,
)
"""What may stand between a letter and the text of its option."""

_OPENING = re.compile(r"[\s\"'(\[{<:=>✓]*(?:-+>?\s)?[\s\"'(\[{]*")
_CLOSING = re.compile(r"[\"')\]}]*")
_LINE_END = re.compile(r"[\"')\]}]*[^\S\n]*[.,;!。]*[\"')\]}]*[^\S\n]*(?:\n|$)")
_SENTENCE_REST = re.compile(r"(?:[^.!?。\n]|\.(?=\w)){0,400}[.!?。\n]?")
_BRACKET = re.compile(r"\s*[(\[]\s*")
_BRACKETED_LETTER = re.compile(r"\s*([A-Z])[)\]]", re.IGNORECASE)
_COMMA = re.compile(r",?\s*")
_NAMED_LETTER = re.compile(r"\s*([A-Z])(?!\w)", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?](?=\s)|[。\n]")
_SPACED = re.compile(r" (?=[A-Z](?![A-Za-z]))")
_MAX_NAMING_WORDS = 5
"""Words like "the" and "option" that are skipped before an option."""

_MAX_LIST_ITEMS = 20
"""Items read of one list: models that loop repeat themselves thousands of times."""

_LOOK_BACK = 160
"""Characters searched backwards for the beginning of a clause."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One option, or a list of them, named at one place of an answer.

    Attributes:
        letters: The letters named, sorted.
        start: Where the mention begins.
        end: Where it ends.
        by: Whether letters, option texts, or both name them.
        flaw: Why it cannot be an answer: several letters where one is allowed, or alternatives ("A or B"); a letter in
            conflict with the text beside it; a letter that is not offered.
    """

    letters: tuple[str, ...]
    start: int
    end: int
    by: NamedBy
    flaw: Flaw = ""


def sentence_rest(text: str, start: int) -> str:
    """Return the rest of the sentence at ``start`` with the mark that ends it, at most 400 characters."""
    match = _SENTENCE_REST.match(text, start)
    return match[0] if match else ""


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads one answer.

    Attributes:
        page: The plain text of the answer.
        options: The options offered.
        words: The wordings to read it with.
    """

    page: PlainText
    options: OfferedOptions
    words: Wording

    def read(self, start: int, *, across_lines: bool = True) -> Mention | None:
        """Return the option or list named at ``start`` after opening marks and words like "option".

        Args:
            start: Where to read.
            across_lines: True if a list may continue on the next line where several letters are allowed.

        Returns:
            None if no option is named there.
        """
        text = self.page.text
        for _ in range(_MAX_NAMING_WORDS):
            start = _end(_OPENING.match(text, start), start)
            if first := self._item(start):
                return self._list(first, across_lines=across_lines)
            naming = self.words.naming.match(text, start)
            if not naming:
                break
            start = naming.end()
        return None

    def ends_line(self, mention: Mention) -> bool:
        """Return True if only marks follow on the line."""
        return bool(_LINE_END.match(self.page.text, mention.end))

    def is_denied(self, start: int, mention: Mention) -> bool:
        """Return True if the clause before, the words behind or a question mark take back the statement.

        Args:
            start: Where the statement begins, cue included.
            mention: The option that it names.
        """
        text = self.page.text
        if self.is_denied_before(start) or self.words.denied_after.match(text, mention.end):
            return True
        rest = sentence_rest(text, mention.end)
        if rest.endswith("?"):
            return True
        sentence = _SENTENCE.split(text[max(0, start - _LOOK_BACK) : start])[-1] + rest
        modal = self.words.modal.search(self._clause(start) + text[start : mention.end] + rest[:12])
        return bool(modal and self.words.condition.search(sentence))

    def is_denied_before(self, start: int) -> bool:
        """Return True if the clause that ends at ``start`` denies or doubts what follows."""
        clause = self._clause(start)
        boundary = self.words.clause.match(clause)
        return bool(self.words.denied_before.search(clause[boundary.end() if boundary else 0 :]))

    def _clause(self, start: int) -> str:
        """Return the clause that ends at ``start``, with the boundary it begins with."""
        before = self.page.text[max(0, start - _LOOK_BACK) : start]
        boundaries = [match.start() for match in self.words.clause.finditer(before) if match.end() > match.start()]
        return before[boundaries[-1] if boundaries else 0 :]

    def _item(self, at: int, *, in_list: bool = False) -> Mention | None:
        match = self.options.text_at(self.page, at)
        if match:
            return self._text_item(match)
        letters = self.options.letters_at(self.page, self.words, at, in_list=in_list)
        return self._letter_item(*letters, at) if letters else None

    def _text_item(self, match: OptionMatch) -> Mention:
        named = self._letter_after(match.end)
        letter = named[1].upper() if named else ""
        if not named or letter not in self.options.letters:
            return Mention(match.option.letters, match.start, match.end, "text")
        flaw: Flaw = "" if letter in match.option.letters else "conflict"
        return Mention((letter,), match.start, named.end(), "both", flaw)

    def _letter_after(self, at: int) -> re.Match[str] | None:
        """Return the letter that follows an option's text: "(B)", "(option B)", "option B"."""
        text, option_noun = self.page.text, self.words.option_noun
        bracket = _BRACKET.match(text, at)
        start = bracket.end() if bracket else _end(_COMMA.match(text, at), at)
        noun = option_noun.match(text, start)
        if bracket:
            return _BRACKETED_LETTER.match(text, noun.end() if noun else start)
        return _NAMED_LETTER.match(text, noun.end()) if noun else None

    def _letter_item(self, name: str, end: int, at: int) -> Mention:
        letters = tuple(sorted(name))
        if not set(name) <= self.options.letters:
            return Mention(letters, at, end, "letter", "not offered")
        closed = _end(_CLOSING.match(self.page.text, end), end)
        label = LABEL.match(self.page.text, end)
        if len(name) > 1 or not label:
            return Mention(letters, at, closed, "letter")
        beside = self.options.text_at(self.page, label.end())
        if beside and name in beside.option.letters:
            return Mention(letters, at, _end(_CLOSING.match(self.page.text, beside.end), end), "both")
        flaw: Flaw = "conflict" if self._contradicts(name, label.end(), beside) else ""
        return Mention(letters, at, closed, "letter", flaw)

    def _contradicts(self, letter: str, at: int, beside: OptionMatch | None) -> bool:
        """Return True if the text beside a letter is plainly another option, or says that there is no answer."""
        text = self.options.keys[letter]
        if not beside:
            return bool(self.words.refuses.match(self.page.text, at)) and not self.words.refusals.search(text)
        if text.startswith(beside.option.text):
            return False
        page = self.page.text
        predicate = self.words.verb.match(page, beside.end) or self.words.because.match(page, beside.end)
        doubted = predicate and self.words.doubted.search(sentence_rest(self.page.text, beside.end))
        return ends_phrase(self.page, beside.end) or bool(predicate and not doubted)

    def _list(self, first: Mention, *, across_lines: bool) -> Mention:
        items, alternatives = [first], False
        while len(items) < _MAX_LIST_ITEMS and (following := self._next(items[-1], across_lines=across_lines)):
            items.append(following[0])
            alternatives = alternatives or following[1]
        letters = tuple(sorted({letter for item in items for letter in item.letters}))
        kinds = {item.by for item in items}
        flaws = [item.flaw for item in items if item.flaw]
        if not flaws and (alternatives or self._is_several(letters, items)):
            flaws = ["several"]
        by = kinds.pop() if len(kinds) == 1 else "both"
        return Mention(letters, first.start, items[-1].end, by, flaws[0] if flaws else "")

    def _is_several(self, letters: Sequence[str], items: Sequence[Mention]) -> bool:
        """Return True for several letters where one is allowed, or for a text that several letters carry."""
        ambiguous = any(item.by == "text" and len(item.letters) > 1 for item in items)
        return len(letters) > 1 and (not self.options.multiple or ambiguous)

    def _next(self, item: Mention, *, across_lines: bool) -> tuple[Mention, bool] | None:
        """Return the next item of a list, and whether it is an alternative to the item before it."""
        text, alternative, comma = self.page.text, False, False
        line = _LINE_END.match(text, item.end)
        if choice := self.words.chooses.match(text, item.end):
            at, alternative = choice.end(), True
        elif join := self.words.joins.match(text, item.end):
            at, comma = join.end(), join[0].strip() in {",", ";", "、"}
        elif line and across_lines and self.options.multiple:
            at = line.end()
        elif spaced := _SPACED.match(text, item.end):
            at = spaced.end()
        else:
            return None
        at = _end(_OPENING.match(text, at), at)
        naming = self.words.naming.match(text, at)
        following = self._item(at, in_list=True) or (self._item(naming.end(), in_list=True) if naming else None)
        if not following or (comma and self.words.verb.match(text, following.end)):
            return None
        if line and not self.ends_line(following):
            return None
        return following, alternative


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return match.end() if match else otherwise
