"""Cyclic orders of an item's options, with options that speak of others kept where they are."""

from __future__ import annotations

import re

from medctx.schemas.records import ExamItem, Record

# "All of the above", "none of these", "both of the above" mean what they mean by their place; so do options that name
# others by letter, and then no option of the item may move.
_ANCHORED = re.compile(
    r"\b(all|none|any|both|neither|either)\s+(of\s+)?(the\s+)?(above|these|those|following|options?|choices|other)\b"
    r"|\b(all|none)\s+(are|is)\s+(correct|true|right|incorrect|false|wrong)\b"
    r"|以上|上述|均(正确|错误|不正确|是|不是|可)|都(正确|错误|不正确|是|不是|对|不对)$",
    re.IGNORECASE,
)
_NAMING = re.compile(
    r"\b[A-H]\s*(?:,|and|or|&|\+|/)\s*[A-H]\b|\b(?:both|options?|answers?|choices?)\s+\(?[A-H]\)?\b|[A-H]\s*[和与及、+]\s*[A-H]"
    r"|^[A-H]{2,}$"
)


class Shown(Record):
    """Options as they are listed: ``options`` maps shown letters to texts, ``own`` shown letters to the item's own."""

    options: dict[str, str]
    own: dict[str, str]

    def back(self, letters: tuple[str, ...]) -> tuple[str, ...]:
        """Shown letters as the item's own, sorted."""
        return tuple(sorted(self.own[letter] for letter in letters))

    def forth(self, letters: tuple[str, ...]) -> tuple[str, ...]:
        """The item's own letters as shown, sorted."""
        shown = {own: letter for letter, own in self.own.items()}
        return tuple(sorted(shown[letter] for letter in letters))


def anchored(text: str) -> bool:
    """Whether an option speaks of the others by their place."""
    return bool(_ANCHORED.search(text))


def movable(item: ExamItem) -> list[str]:
    """Letters whose options may change places; none where an option names others by letter."""
    if any(_NAMING.search(text) for text in item.options.values()):
        return []
    return [letter for letter, text in item.options.items() if letter != item.cannot and not anchored(text)]


def orders(item: ExamItem, wanted: int) -> list[int]:
    """By how many places the movable options are turned: the order given, then up to ``wanted`` - 1 others."""
    return list(range(max(1, min(wanted, len(movable(item))))))


def show(item: ExamItem, order: int) -> Shown:
    """The item's options with the movable ones turned by ``order`` places."""
    moving = movable(item)
    turned = moving[order % len(moving) :] + moving[: order % len(moving)] if moving else []
    own = dict(zip(moving, turned, strict=True))
    places = {letter: own.get(letter, letter) for letter in item.options}
    return Shown(options={letter: item.options[mine] for letter, mine in places.items()}, own=places)
