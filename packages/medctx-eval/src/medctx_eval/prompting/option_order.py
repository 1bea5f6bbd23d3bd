"""Cyclic orders of an item's options; options that refer to others by place or letter are not moved."""

from __future__ import annotations

import re

from medctx.schemas.records import ExamItem, Record

# "All of the above", "none of these" and "both of the above" depend on their place. If an option names others by
# letter, no option of the item may move.
_REFERS_BY_PLACE = re.compile(
    r"\b(all|none|any|both|neither|either)\s+(of\s+)?(the\s+)?(above|these|those|following|options?|choices|other)\b"
    r"|\b(all|none)\s+(are|is)\s+(correct|true|right|incorrect|false|wrong)\b"
    r"|以上|上述|均(正确|错误|不正确|是|不是|可)|都(正确|错误|不正确|是|不是|对|不对)$",
    re.IGNORECASE,
)
_REFERS_BY_LETTER = re.compile(
    r"\b[A-H]\s*(?:,|and|or|&|\+|/)\s*[A-H]\b|\b(?:both|options?|answers?|choices?)\s+\(?[A-H]\)?\b|[A-H]\s*[和与及、+]\s*[A-H]"
    r"|^[A-H]{2,}$"
)


class ShownOptions(Record):
    """Options as a prompt lists them.

    Attributes:
        options: Texts by the letter shown.
        item_letters: The item's own letter by the letter shown.
    """

    options: dict[str, str]
    item_letters: dict[str, str]

    def to_item(self, letters: tuple[str, ...]) -> tuple[str, ...]:
        """Translate shown letters into the item's own, sorted."""
        return tuple(sorted(self.item_letters[letter] for letter in letters))

    def to_shown(self, letters: tuple[str, ...]) -> tuple[str, ...]:
        """Translate the item's own letters into the shown ones, sorted."""
        shown = {item_letter: letter for letter, item_letter in self.item_letters.items()}
        return tuple(sorted(shown[letter] for letter in letters))


def refers_by_place(text: str) -> bool:
    """Whether an option refers to the others by their place."""
    return bool(_REFERS_BY_PLACE.search(text))


def movable_letters(item: ExamItem) -> list[str]:
    """Letters of the options that may change places; empty if an option names others by letter."""
    if any(_REFERS_BY_LETTER.search(text) for text in item.options.values()):
        return []
    return [letter for letter, text in item.options.items() if letter != item.cannot and not refers_by_place(text)]


def option_orders(item: ExamItem, count: int) -> list[int]:
    """Up to ``count`` rotations of the movable options, the order as given (0) first."""
    return list(range(max(1, min(count, len(movable_letters(item))))))


def show(item: ExamItem, order: int) -> ShownOptions:
    """List the item's options with the movable ones rotated by ``order`` places."""
    movable = movable_letters(item)
    rotated = movable[order % len(movable) :] + movable[: order % len(movable)] if movable else []
    moved = dict(zip(movable, rotated, strict=True))
    item_letters = {letter: moved.get(letter, letter) for letter in item.options}
    options = {letter: item.options[item_letter] for letter, item_letter in item_letters.items()}
    return ShownOptions(options=options, item_letters=item_letters)
