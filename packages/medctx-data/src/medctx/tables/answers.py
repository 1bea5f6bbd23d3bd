"""Which option an answer names: a letter, an option's text, or a number counted from 0 or from 1.

How a source names its answers is decided from all its rows: one row alone is often ambiguous. Among the options
``A: O, B: A`` the answer ``A`` is a letter or a text, and the answer 2 is the second or the third option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

LETTERS = "ABCDEFGHIJKL"
Base = Literal[0, 1] | None
"""Number of the first option; None where it is not known."""
_LETTERED = re.compile(r"[A-L][A-L\s,;\uff0c\uff1b\u3001]*")


class AnswerError(ValueError):
    """An answer names no option, or several: a clause that continues "the row ...".

    Attributes:
        base_unknown: Whether the only reason is that no row shows from which number the answers count.
    """

    def __init__(self, reason: str, *, base_unknown: bool = False) -> None:
        super().__init__(reason)
        self.base_unknown = base_unknown


class Convention(NamedTuple):
    """How a source names its answers.

    Attributes:
        base: Number of the first option, None where no row shows it.
        ambiguous: How to read an answer that is a letter and another option's text; ``refuse`` where the source uses
            both letters and texts.
        digits: Whether an answer written in digits is a number or a text where it is also the text of an option;
            ``refuse`` where the source has answers in digits of both kinds.
    """

    base: Base = None
    ambiguous: Literal["letter", "text", "refuse"] = "letter"
    digits: Literal["number", "text", "refuse"] = "text"


def is_number(answer: object) -> bool:
    """Return whether an answer is the number of an option."""
    return isinstance(answer, int) and not isinstance(answer, bool)


def _letters(answer: str, options: Mapping[str, str]) -> list[str]:
    letters = sorted(set(re.findall("[A-L]", answer))) if _LETTERED.fullmatch(answer.strip()) else []
    return letters if all(letter in options for letter in letters) else []


def _by_text(answer: str, options: Mapping[str, str]) -> list[str]:
    answer = answer.strip()
    same = [letter for letter, text in options.items() if text == answer]
    return same or [letter for letter, text in options.items() if text.casefold() == answer.casefold()]


def is_ambiguous(answer: object, options: Mapping[str, str]) -> bool:
    """Return whether the row alone does not say which option an answer names."""
    if is_number(answer):
        return True
    if not isinstance(answer, str):
        return False
    letters, texts = _letters(answer, options), _by_text(answer, options)
    return bool(letters and texts) and letters != texts


class AnswerEvidence:
    """What the answers seen so far show of how their source names options."""

    def __init__(self) -> None:
        self._first = self._last = self._letters_only = self._texts_only = False

    def add(self, answer: object, options: Mapping[str, str]) -> None:
        """Look at one answer and the options of its row."""
        if is_number(answer):
            self._first = self._first or answer == 0
            self._last = self._last or answer == len(options)
        elif isinstance(answer, str):
            letters, texts = _letters(answer, options), _by_text(answer, options)
            self._letters_only = self._letters_only or bool(letters and not texts)
            self._texts_only = self._texts_only or bool(texts and not letters)

    def _base(self, published: Base) -> Base:
        if self._first != self._last:
            return 0 if self._first else 1
        # Nothing is shown, or a row is wrong: the publisher's word counts.
        return published if published is not None else 0 if self._first else None

    def convention(self, published: Base = None) -> Convention:
        """How the source names options; ``published`` is the base that its publisher states, which rows can refute."""
        base = self._base(published)
        if self._letters_only and self._texts_only:
            return Convention(base, "refuse")
        return Convention(base, "text" if self._texts_only else "letter")


def detect_convention(answers: Iterable[tuple[object, Mapping[str, str]]]) -> Convention:
    """Decide how a source names its answers, from the answers and options of all its rows."""
    evidence = AnswerEvidence()
    for answer, options in answers:
        evidence.add(answer, options)
    return evidence.convention()


def right_letters(answer: object, options: Mapping[str, str], convention: Convention) -> list[str]:
    """Return the letters of the options that an answer names.

    Raises:
        AnswerError: It names none of them, or the source does not say which.
    """
    letters: list[str] = []
    if isinstance(answer, int) and not isinstance(answer, bool):
        if convention.base is None:
            raise AnswerError(
                f"has the answer {answer}, but no row of the source shows whether its answers count from 0 or from 1",
                base_unknown=True,
            )
        place = answer - convention.base
        letters = list(options)[place : place + 1] if place >= 0 else []
    elif isinstance(answer, str):
        letters, texts = _letters(answer, options), _by_text(answer, options)
        if letters and texts and letters != texts:
            if convention.ambiguous == "refuse":
                raise AnswerError(
                    f"has the answer {answer!r}, a letter and also the text of option {texts[0]}, in a source whose "
                    "answers are letters and texts"
                )
            letters = texts if convention.ambiguous == "text" else letters
        if (not letters or letters == texts) and len(texts) > 1:
            raise AnswerError(f"has the answer {answer!r}, the text of several options ({', '.join(texts)})")
        letters = letters or texts
    if not letters:
        raise AnswerError(f"has the gold {answer!r}, which is none of its options {', '.join(options)}")
    return letters
