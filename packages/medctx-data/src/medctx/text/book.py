"""Books: evidence among distractor Passages, within a length and at chosen depths."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medctx.io import digest
from medctx.schemas.records import Book, Passage

SEPARATOR = "\n\n"
EMPTY = Book(id="none", text="", tokens=0)

TokenCount = Callable[[str], int]


def make_book(passages: Sequence[Passage], count: TokenCount) -> Book:
    """Join Passages in this order into a Book; its id is the digest of its text."""
    text = SEPARATOR.join(passage.text for passage in passages)
    return Book(
        id=digest.of_text(text)[: digest.SHORT],
        text=text,
        passages=tuple(passage.id for passage in passages),
        tokens=count(text),
    )


def place_evidence(
    evidence: Sequence[tuple[float, Passage]], distractors: Sequence[Passage], sizes: Sequence[int]
) -> list[Passage]:
    """Place each evidence Passage at its depth: the fraction of the distractors' tokens that comes before it.

    Args:
        evidence: Pairs of depth in [0, 1] and Passage; Passages of equal place keep the order given.
        distractors: Passages in their order.
        sizes: Tokens of each distractor.
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


REFILLS = 8
"""Attempts to fill the tokens left free after joining; each one counts the whole Book."""


def _least_loss(sizes: Sequence[int], over: int) -> int:
    """The place of the smallest size of at least ``over``, of equal ones the last; else that of the largest."""
    enough = [(size, -place) for place, size in enumerate(sizes) if size >= over]
    _, place = min(enough) if enough else max((size, -place) for place, size in enumerate(sizes))
    return -place


def _best_fit(sizes: Sequence[int], unused: Sequence[int], room: int) -> int | None:
    """The largest of the ``unused`` distractors that fits into ``room``, of equal ones the first."""
    fitting = [(sizes[number], -number) for number in unused if sizes[number] <= room]
    return -max(fitting)[1] if fitting else None


def assemble_book(
    evidence: Sequence[tuple[float, Passage]], distractors: Sequence[Passage], limit: int, count: TokenCount
) -> Book | None:
    """Assemble the longest Book of whole Passages within ``limit`` tokens.

    Args:
        evidence: Pairs of depth in [0, 1] and Passage, all of which must be in the Book.
        distractors: Passages to fill up with, taken in the order given; one that is too long for the rest is skipped.
        limit: Longest Book in tokens.
        count: Number of tokens of a text.

    Returns:
        The Book, or None if the evidence alone is longer than ``limit``: Passages are never cut.
    """
    gap = count(SEPARATOR)
    used = sum(count(passage.text) + gap for _, passage in evidence) - gap
    if make_book([passage for _, passage in evidence], count).tokens > limit:
        return None
    sizes = [count(passage.text) + gap for passage in distractors]
    chosen: list[int] = []
    for number, size in enumerate(sizes):
        if used + size <= limit:
            chosen.append(number)
            used += size

    def joined() -> Book:
        texts = [distractors[number] for number in chosen]
        return make_book(place_evidence(evidence, texts, [sizes[number] for number in chosen]), count)

    # Joined Passages can have a few tokens more than their parts. Counting a long Book takes a second, so all excess is
    # dropped at once, and the tokens that this leaves free are filled in few steps.
    book = joined()
    while book.tokens > limit:
        over = book.tokens - limit
        while over > 0:
            over -= sizes[chosen.pop(_least_loss([sizes[number] for number in chosen], over))]
        book = joined()
    unused = sorted(set(range(len(distractors))) - set(chosen))
    room = limit - book.tokens
    for _ in range(REFILLS):
        added = _best_fit(sizes, unused, room)
        if added is None:
            break
        chosen.append(added)
        fuller = joined()
        if fuller.tokens > limit:
            chosen.pop()
            room = sizes[added] - 1
            continue
        unused.remove(added)
        book, room = fuller, limit - fuller.tokens
    return book
