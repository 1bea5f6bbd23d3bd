"""Books: evidence among distractor Passages, within a length and at chosen depths."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medctx.io import digest
from medctx.schemas.records import Book, Passage

SEPARATOR = "\n\n"
EMPTY = Book(id="none", text="", tokens=0)

TokenCount = Callable[[str], int]


def bind(passages: Sequence[Passage], count: TokenCount) -> Book:
    """The Passages in this order as a Book; its id is the digest of its text."""
    text = SEPARATOR.join(passage.text for passage in passages)
    return Book(
        id=digest.of_text(text)[: digest.SHORT],
        text=text,
        passages=tuple(passage.id for passage in passages),
        tokens=count(text),
    )


def place(
    evidence: Sequence[tuple[float, Passage]], distractors: Sequence[Passage], sizes: Sequence[int]
) -> list[Passage]:
    """Put each evidence Passage where its depth says: the share of the distractors' tokens that comes before it.

    ``evidence``: (depth in [0, 1], Passage) pairs; ``sizes``: tokens of each distractor. Evidence of equal place
    stays in the order given.
    """
    total = sum(sizes)
    placed: list[Passage] = []
    waiting = sorted(evidence, key=lambda pair: pair[0])
    before = 0
    for passage, size in zip(distractors, sizes, strict=True):
        while waiting and waiting[0][0] * total <= before + size / 2:
            placed.append(waiting.pop(0)[1])
        placed.append(passage)
        before += size
    return placed + [passage for _, passage in waiting]


def assemble(
    evidence: Sequence[tuple[float, Passage]], distractors: Sequence[Passage], limit: int, count: TokenCount
) -> Book | None:
    """The longest Book of whole Passages within ``limit`` tokens, distractors taken in the order given.

    A distractor that is too long for what is left is passed over for a later one, so Books end close to their
    limit. Returns nothing when the evidence alone is longer than ``limit``: Passages are never cut.
    """
    gap = count(SEPARATOR)
    used = sum(count(passage.text) + gap for _, passage in evidence) - gap
    if bind([passage for _, passage in evidence], count).tokens > limit:
        return None
    chosen: list[Passage] = []
    sizes: list[int] = []
    for passage in distractors:
        size = count(passage.text) + gap
        if used + size <= limit:
            chosen.append(passage)
            sizes.append(size)
            used += size
    while True:
        book = bind(place(evidence, chosen, sizes), count)
        over = book.tokens - limit
        if over <= 0:
            return book
        # Joining can cost a little more than the parts did; a long Book takes a second to count, so all at once.
        while over > 0:
            chosen.pop()
            over -= sizes.pop()
