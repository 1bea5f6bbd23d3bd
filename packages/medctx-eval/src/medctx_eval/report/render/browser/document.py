"""What the page needs to know of its item browser."""

from __future__ import annotations

from dataclasses import dataclass

from medctx.schemas.records import Mode


@dataclass(frozen=True)
class BrowserContents:
    """The item browser of a page.

    Attributes:
        document: The JSON text, safe inside a script element.
        shown: Number of items in it.
        asked: Number of items in the exam.
        rule: How items were selected, in words.
        flip_mode: The mode that flips are read from; None if no options changed places.
    """

    document: str
    shown: int
    asked: int
    rule: str
    flip_mode: Mode | None
