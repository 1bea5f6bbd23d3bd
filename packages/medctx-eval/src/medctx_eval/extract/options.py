"""The offered options, and where an answer names one of them by its letter or by its text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medctx_eval.extract.languages.language import Wording
from medctx_eval.extract.markup import PlainText, to_plain

SPECIES = frozenset(
    """
    abortus acnes aerogenes aeruginosa agalactiae albicans americanus anthracis asteroides aureus auris avium bancrofti
    baumannii botulinum bovis brucei burgdorferi burnetii canis capsulatum carinii catarrhalis cepacia cereus
    cerevisiae cholerae cloacae coli cruzi dermatitidis difficile diphtheriae donovani duodenale dysenteriae elegans
    enterica enterocolitica epidermidis faecalis faecium falciparum flexneri fragilis freundii fumigatus gallolyticus
    glabrata gondii gonorrhoeae granulosus haematobium henselae histolytica immitis influenzae israelii japonicum
    jejuni jirovecii kansasii knowlesi krusei lamblia leprae lugdunensis lumbricoides malariae maltophilia mansoni
    marcescens marinum medinensis melitensis meningitidis mirabilis monocytogenes morganii multilocularis mutans
    neoformans ovale pallidum parahaemolyticus parvum perfringens pertussis pestis pneumoniae pneumophila psittaci
    pylori pyogenes quintana rickettsii saginata sanguinis saprophyticus scabiei solium sonnei spiralis stercoralis
    subtilis tetani trachomatis trichiura tropicalis tuberculosis tularensis typhi vaginalis vermicularis vivax
    volvulus vulgaris vulnificus
    """.split()
)


_ARTICLE = re.compile(r"(?:the|an?) (?=\w)")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[a-z]+")

# Where an option's text begins and ends.
_TEXT_END = re.compile(r"[\"')\]}]*\s*(?:$|\n|[,;:!)\]}。、(]|\.(?!\w)| -)", re.MULTILINE)
_JOINT = re.compile(
    r"\s*(?:(?:and|or|und|oder|et|ou|y|o|e|и|или)(?=\s)|[和或与及とやか]|または|와|과|또는|أو|و)\s*", re.IGNORECASE
)
_INSIDE_WORD = re.compile(r"[a-z0-9°/]\Z|[a-z0-9]['.-]\Z")
_SIGNED = re.compile(r"[-+<>≤≥±] ?\Z")
_GOES_ON = re.compile(r"[a-z0-9°²³]|[-./'%][a-z0-9]|%|\+(?!\w)")

# Where a letter begins and ends.
_TOKEN = re.compile(r"[A-Za-z]+(?![A-Za-z0-9°²³%])")
_INSIDE_NAME = re.compile(r"[A-Za-z0-9°/&]\Z|[A-Za-z0-9]['.-]\Z")
_NAMED_BY_LETTER = re.compile(
    r"(?:hepatitis|h[eé]patite|vitamin[aes]?|vitamine|groups?|grupo|groupe|gruppe|type|typ|tipo|protein|factor|table|figure|fig\."
    r"|patients?|influenza|immunoglobulin|complement|lipoprotein|child-pugh|class|grade|stage|гепатит|витамин|维生素|ビタミン|비타민)[\s-]*\Z",
    re.IGNORECASE,
)
_GLUED = re.compile(r"'(?=[A-Za-z])|[-.](?=\d)|-(?=[A-Za-z])|\.[A-Za-z]\.")
_LETTER_END = re.compile(r"\s*(?:$|[.,;:!?()\[\]}\"'、。✓✗]|-(?:\s|$))", re.MULTILINE)
_CLOSED = re.compile(r"[\"')\]}]*\s*(?:$|[.,;:!)\]}、。])", re.MULTILINE)
_MORE_LETTERS = re.compile(r"(?:(?:\s*[/&+]\s*| )[A-Z](?![A-Za-z0-9'-])){1,9}")
_LINK = re.compile(r"\s*[/&+]")
_ABBREVIATED = re.compile(r"\. ?([a-z]{4,})")
_AFTER_ARTICLE = re.compile(
    r"\s+(?:most|best|rather|only|correctly|accurately|so|not(?!\s+(?-i:[A-Z])\b))\b", re.IGNORECASE
)
_ALSO_WORDS = frozenset("AEIO")
"""Letters that are words as well: articles, conjunctions, pronouns."""

_AFTER_PRONOUN = re.compile(r"\s*,|\s+(?!(?:is|and|or)\b)[A-Za-z]")


@dataclass(frozen=True, slots=True)
class OptionText:
    """The text of an option in the form it is searched for, and the letters that carry it.

    Attributes:
        text: The folded text.
        letters: Several if options repeat a text.
        telling: Long enough to name the option anywhere; a number, "yes" or "no" counts only as a phrase of its own.
    """

    text: str
    letters: tuple[str, ...]
    telling: bool


@dataclass(frozen=True, slots=True)
class OptionMatch:
    """The text of an option in an answer, from ``start`` to ``end``."""

    option: OptionText
    start: int
    end: int


def ends_phrase(page: PlainText, end: int) -> bool:
    """Return True if a phrase or sentence ends at ``end``."""
    return bool(_TEXT_END.match(page.text, end))


def search_key(text: str) -> str:
    """Return an option's text as answers are searched for it: plain, on one line, without article and full stop."""
    folded = re.sub(r"\s+", " ", to_plain(text).folded).strip().rstrip(".。;,")
    return _ARTICLE.sub("", folded, count=1) if _ARTICLE.match(folded) else folded


def _is_telling(text: str) -> bool:
    return len(_CJK.findall(text)) >= 2 or (sum(char.isalpha() for char in text) >= 5)


class OfferedOptions:
    """The options as shown to the model.

    Args:
        options: Text by letter; letters are single capitals.
        multiple: True if the answer may be several letters.
    """

    def __init__(self, options: Mapping[str, str], *, multiple: bool) -> None:
        self.multiple = multiple
        self.keys = {letter: search_key(text) for letter, text in options.items()}
        self.letters = frozenset(options)
        letters_by_text: dict[str, list[str]] = {}
        for letter, text in self.keys.items():
            letters_by_text.setdefault(text, []).append(letter)
        self.texts = tuple(
            OptionText(text, tuple(letters), _is_telling(text))
            for text, letters in sorted(letters_by_text.items(), key=lambda pair: (-len(pair[0]), pair[0]))
            if text and not self._looks_like_letters(text)
        )

    def _looks_like_letters(self, text: str) -> bool:
        """Return True for texts like the blood groups "A" or "AB", which would hide the letters of that name."""
        return set(text.upper()) <= self.letters and (self.multiple or len(text) == 1)

    def is_told_by(self, letter: str, word: str) -> bool:
        """Return True if a lower-case word begins the option's text, or occurs in it and in no other."""
        if not self.keys.get(letter):
            return False
        holders = [holder for holder, text in self.keys.items() if word in _WORD.findall(text)]
        return holders == [letter] or _WORD.findall(self.keys[letter])[:1] == [word]

    def text_at(self, page: PlainText, start: int) -> OptionMatch | None:
        """Return the longest option text that begins at ``start`` and is not part of a longer word."""
        before, first = page.folded[max(0, start - 2) : start], page.folded[start : start + 1]
        if (first.isascii() and _INSIDE_WORD.search(before)) or (first.isdigit() and _SIGNED.search(before)):
            return None
        for option in self.texts:
            end = start + len(option.text)
            if not page.folded.startswith(option.text, start):
                continue
            if option.text[-1].isascii() and option.text[-1].isalnum() and _GOES_ON.match(page.folded, end):
                continue
            if option.telling or ends_phrase(page, end) or self._is_listed(page, end):
                return OptionMatch(option, start, end)
        return None

    def _is_listed(self, page: PlainText, end: int) -> bool:
        """Return True if "and" or "or" and another option's text follow."""
        joint = _JOINT.match(page.text, end)
        if not joint:
            return False
        rest = page.folded[joint.end() : joint.end() + len(self.texts[0].text) + 1]
        return any(
            rest.startswith(option.text) and not rest[len(option.text) : len(option.text) + 1].isalnum()
            for option in self.texts
        )

    def texts_in(self, page: PlainText) -> Iterator[OptionMatch]:
        """Yield all option texts in the answer from left to right, without those inside longer ones."""
        start = 0
        while start < len(page.text):
            match = self.text_at(page, start) if page.text[start].strip() else None
            if match:
                yield match
            start = match.end if match else start + 1

    def letters_at(self, page: PlainText, words: Wording, at: int, *, in_list: bool = False) -> tuple[str, int] | None:
        """Return the letter or run of letters ("AC") at ``at`` as capitals, and its end.

        A small letter counts only if it is closed ("b)", "b."), a run only if each of its letters is offered once.

        Args:
            page: The answer.
            words: The wordings it is read with.
            at: Where the letter begins.
            in_list: True after "A/" and the like, where the letter may touch what stands before it.
        """
        token = _TOKEN.match(page.text, at)
        if not token or (not in_list and _INSIDE_NAME.search(page.text[max(0, at - 2) : at])):
            return None
        if _NAMED_BY_LETTER.search(page.text[max(0, at - 16) : at]):
            return None
        name, end = token[0], token.end()
        if _GLUED.match(page.text, end) or page.folded.startswith("n/a", at):
            return None
        small = name.islower()
        if small and not _CLOSED.match(page.text, end):
            return None
        if len(name) == 1:
            return (name.upper(), end) if small or self._is_letter(page, words, name, end) else None
        run = name.upper() if small and self.multiple else name
        in_order = not small or list(run) == sorted(run)
        if len(set(run)) < len(run) or not set(run) <= self.letters or not in_order:
            return None
        return (run, end) if _LETTER_END.match(page.text, end) or words.follows.match(page.text, end) else None

    def _is_letter(self, page: PlainText, words: Wording, name: str, end: int) -> bool:
        """Return True if what follows a single capital shows that it is a letter, not an article, pronoun or name."""
        text = page.text
        abbreviated = _ABBREVIATED.match(text, end)
        if abbreviated:  # "E. coli" is not the letter E, "B. reduced preload" is the letter B
            return abbreviated[1] not in SPECIES or self.is_told_by(name, abbreviated[1])
        if name == "I" and _AFTER_PRONOUN.match(text, end):
            return False
        more = _MORE_LETTERS.match(text, end)
        if more or _LINK.match(text, end):  # "A+C" and "A C" go on with letters, "A&E" and "A T cell" do not
            return bool(
                more and any(pattern.match(text, more.end()) for pattern in (_LETTER_END, words.follows, _MORE_LETTERS))
            )
        if _LETTER_END.match(text, end):
            return True
        if name == "A" and _AFTER_ARTICLE.match(text, end):
            return False
        if words.follows.match(text, end):
            return True
        if _HAN.match(text, end):
            return self.text_at(page, end) is not None
        if not text[end].isspace():
            return False
        beside = self.text_at(page, end + 1)
        if not beside:
            return False
        # "A heart attack" is not the letter A, unless that is its option and all that is said.
        if name in _ALSO_WORDS and not text[beside.start].isupper():
            return name in beside.option.letters and ends_phrase(page, beside.end)
        return True
