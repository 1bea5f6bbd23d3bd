"""Short questions and answers turned into long-context Dialogues, so that expertise and reading are trained together.

``wrap`` is a stream in and a stream out: order kept, one Dialogue out for each that goes in, at most :data:`WINDOW`
of them read ahead. Less of a wrapped source is the beginning of more of it, so it is called on the cleaned rows of ONE
source in the order they are drawn in, one pass at a time, before lengths are counted and the source is cut::

    wrapped = wrap(rows, config.wrap, counter.of_text, f"{label}-{seed}-pass-{epoch}")

Lengths that were counted once hold for the Dialogues that come out as they went in (the very same objects); the wrapped
ones have ids of their own (:func:`medctx_data.long_context.wording.kind_of`) and are counted anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from random import Random

from medctx.schemas.records import Book, Dialogue, Turn
from medctx.text.book import TokenCount, assemble, bind
from medctx_data.long_context.config import WrapConfig
from medctx_data.long_context.passages import Leaf, beside, exchanges, from_file, leaves
from medctx_data.long_context.schedule import Dealer
from medctx_data.long_context.wording import Kind, kind_of, named, quoted, refusal, words_of

__all__ = ["WINDOW", "WrapConfig", "wrap"]

WINDOW = 256
"""So many Dialogues are read ahead; those and as many Passages before them give the distractors."""
_SPARE = 8
"""So many distractors more than fill a Book are offered, for the gap that larger ones leave."""


def _drawn(pool: Sequence[Leaf], rng: Random) -> Iterator[Leaf]:
    """All of ``pool`` in a random order, of which no more is made than is asked for."""
    moved: dict[int, int] = {}
    for left in range(len(pool) - 1, -1, -1):
        at = rng.randint(0, left)
        yield pool[moved.get(at, at)]
        moved[at] = moved.get(left, left)


def _offered(candidates: Iterable[Leaf], limit: int, count: TokenCount) -> list[Leaf]:
    """As many distractors as fill ``limit`` tokens, and some more."""
    found: list[Leaf] = []
    total, spare = 0, 0
    for leaf in candidates:
        size = count(leaf.passage.text)
        if size <= limit:
            found.append(leaf)
            total += size
            spare += total > limit
        if spare > _SPARE:
            break
    return found


def _spoken(dialogue: Dialogue, kind: Kind, book: Book, rng: Random) -> tuple[Turn, ...]:
    """The turns of a wrapped Dialogue: the Book before the first question, the answers as ``kind`` has them."""
    between = rng.choice(words_of(dialogue.language).between)
    turns = list(dialogue.turns[:1]) if dialogue.turns[0].role == "system" else []
    for number, (question, answer) in enumerate(exchanges(dialogue.turns)):
        asked = question if number else f"{book.text}{between}{question}"
        told = answer
        if kind == "none":
            told = refusal(dialogue.language, rng)
        elif kind == "quote":
            told = quoted(dialogue.language, question, answer)
        turns += [Turn(role="user", content=asked), Turn(role="assistant", content=told)]
    return tuple(turns)


def _wrapped(
    dialogue: Dialogue, kind: Kind, pool: Sequence[Leaf], dealer: Dealer, count: TokenCount
) -> Dialogue | None:
    """A Dialogue with its Book; nothing where its evidence is too long, or no distractor could stand in its place."""
    config, rng = dealer.config, dealer.rng
    own = leaves(dialogue, config.style)
    if not own or bind([leaf.passage for leaf in own], count).tokens > config.tokens:
        return None
    offered = _offered(beside(dialogue, own, _drawn(pool, rng)), config.tokens, count)
    evidence = [(dealer.depth(), leaf.passage) for leaf in own] if kind != "none" else []
    book = assemble(evidence, [leaf.passage for leaf in offered], config.tokens, count)
    if book is None or not book.passages:
        return None
    held = [leaf for leaf in offered if leaf.passage.id in book.passages]
    return dialogue.model_copy(
        update={
            "id": named(dialogue.id, kind),
            "turns": _spoken(dialogue, kind, book, rng),
            "facts": tuple(sorted({*dialogue.facts, *(fact for leaf in held for fact in leaf.passage.facts)})),
            "licence": "; ".join(sorted({dialogue.licence, *(leaf.licence for leaf in held if leaf.licence)} - {""})),
        }
    )


def _remembered(count: TokenCount) -> Callable[[str], int]:
    """The same count, which counts the Passages of a window once and not for every Book they are offered to."""
    known: dict[str, int] = {}

    def counted(text: str) -> int:
        if len(known) > 8 * WINDOW:
            known.clear()
        if text not in known:
            known[text] = count(text)
        return known[text]

    return counted


def wrap(dialogues: Iterable[Dialogue], config: WrapConfig, count: TokenCount, seed: str) -> Iterator[Dialogue]:
    """The same Dialogues in their order, a share of them wrapped. Deterministic by ``seed``.

    ``count``: tokens of a bare text. A Dialogue that cannot be wrapped (it is no sequence of questions and answers, its
    evidence is longer than a Book) stays as it is; the next one that can is wrapped for it.
    """
    if not config.share:
        yield from dialogues
        return
    dealer = Dealer(config, Random(f"wrap-{seed}"))
    fixed = from_file(config.passages) if config.passages else ()
    counted = _remembered(count)
    stream = iter(dialogues)
    before: deque[Leaf] = deque(maxlen=WINDOW)
    while block := list(islice(stream, WINDOW)):
        answers = [leaf for dialogue in block for leaf in leaves(dialogue, config.style)]
        pool = [*fixed, *before, *answers] if config.distractors != "passages" else list(fixed)
        for dialogue in block:
            yield _next(dialogue, pool, dealer, counted)
        before.extend(answers)


def _next(dialogue: Dialogue, pool: Sequence[Leaf], dealer: Dealer, count: TokenCount) -> Dialogue:
    """The Dialogue as it is, or wrapped where one is owed and it can be."""
    if dialogue.domain not in dealer.config.domains:
        return dialogue
    dealer.seen += 1
    if not dealer.owes or kind_of(dialogue):
        return dialogue
    for kind in dealer.kinds():
        made = _wrapped(dialogue, kind, pool, dealer, count)
        if made is not None:
            dealer.paid(kind)
            return made
    return dialogue
