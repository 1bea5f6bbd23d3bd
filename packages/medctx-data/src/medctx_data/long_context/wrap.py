"""Wrapping: short questions and answers become long-context Dialogues with a Book before the question.

``wrap`` turns a stream into a stream: order kept, one Dialogue out per Dialogue in, at most ``WINDOW`` of them
read ahead. A smaller amount of a wrapped source is a prefix of a larger one if it is called on the cleaned rows of one
source in the order in which they are drawn, one epoch at a time, before lengths are counted::

    wrapped = wrap(rows, config.wrap, counter.of_text, f"{label}-{seed}-pass-{epoch}")

Dialogues that are not wrapped come out as the same objects. Wrapped ones have new ids
(``medctx_data.long_context.wording.kind_of``) and new lengths.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from random import Random

from medctx.schemas.records import Book, Dialogue, Turn
from medctx.text.book import TokenCount, assemble_book, make_book
from medctx_data.long_context.config import WrapConfig
from medctx_data.long_context.passages import Leaf, distractors_for, exchanges, from_file, leaves
from medctx_data.long_context.wording import Kind, kind_of, quoted, refusal, words_of, wrapped_id

WINDOW = 256
"""Dialogues that are read ahead; they and as many Passages before them give the distractors."""
_SPARE = 8
"""Distractors offered beyond those that fill a Book, for the gap that larger ones leave."""


def _due(done: int, seen: int, share: float) -> bool:
    """Return True if one more of ``seen`` keeps the fraction ``done`` at or below ``share``."""
    return done < Fraction(str(share)) * seen // 1


@dataclass
class Schedule:
    """Running counts by which shares and depths are kept at every point of a stream whose end is not known."""

    config: WrapConfig
    rng: Random
    seen: int = 0
    wrapped: int = 0
    unanswerable: int = 0
    answered: int = 0
    quoted: int = 0
    depths: list[float] = field(default_factory=list)

    @property
    def is_due(self) -> bool:
        """Whether one more of the Dialogues seen is to be wrapped."""
        return _due(self.wrapped, self.seen, self.config.share)

    def kinds(self) -> list[Kind]:
        """Return the kinds the next Dialogue may become, the one that is due first."""
        answered: Kind = "quote" if _due(self.quoted, self.answered + 1, self.config.quote) else "gold"
        if _due(self.unanswerable, self.wrapped + 1, self.config.unanswerable):
            return ["none", answered] if self.config.unanswerable < 1 else ["none"]
        return [answered]

    def next_depth(self) -> float:
        """Return the next depth; every round uses each once, in random order."""
        if not self.depths:
            self.depths = self.rng.sample(self.config.depths, len(self.config.depths))
        return self.depths.pop()

    def count(self, kind: Kind) -> None:
        """Count a wrapped Dialogue."""
        self.wrapped += 1
        self.unanswerable += kind == "none"
        self.answered += kind != "none"
        self.quoted += kind == "quote"


def _shuffled(pool: Sequence[Leaf], rng: Random) -> Iterator[Leaf]:
    """Yield ``pool`` in random order, shuffling no further than needed."""
    moved: dict[int, int] = {}
    for left in range(len(pool) - 1, -1, -1):
        at = rng.randint(0, left)
        yield pool[moved.get(at, at)]
        moved[at] = moved.get(left, left)


def _offered(candidates: Iterable[Leaf], limit: int, count: TokenCount) -> list[Leaf]:
    """Take as many distractors as fill ``limit`` tokens, and ``_SPARE`` more."""
    offered: list[Leaf] = []
    total, spare = 0, 0
    for leaf in candidates:
        size = count(leaf.passage.text)
        if size <= limit:
            offered.append(leaf)
            total += size
            spare += total > limit
        if spare > _SPARE:
            break
    return offered


def _turns(dialogue: Dialogue, kind: Kind, book: Book, rng: Random) -> tuple[Turn, ...]:
    """The turns of a wrapped Dialogue: the Book before the first question, the answers as ``kind`` requires."""
    between = rng.choice(words_of(dialogue.language).between)
    turns = list(dialogue.turns[:1]) if dialogue.turns[0].role == "system" else []
    for number, (question, answer) in enumerate(exchanges(dialogue.turns)):
        user = question if number else f"{book.text}{between}{question}"
        assistant = answer
        if kind == "none":
            assistant = refusal(dialogue.language, rng)
        elif kind == "quote":
            assistant = quoted(dialogue.language, question, answer)
        turns += [Turn(role="user", content=user), Turn(role="assistant", content=assistant)]
    return tuple(turns)


def _wrapped(
    dialogue: Dialogue, kind: Kind, pool: Sequence[Leaf], schedule: Schedule, count: TokenCount
) -> Dialogue | None:
    """Wrap a Dialogue; None where its evidence is too long or no distractor is available."""
    config, rng = schedule.config, schedule.rng
    evidence = leaves(dialogue, config.style)
    if not evidence or make_book([leaf.passage for leaf in evidence], count).tokens > config.tokens:
        return None
    offered = _offered(distractors_for(dialogue, evidence, _shuffled(pool, rng)), config.tokens, count)
    placed = [(schedule.next_depth(), leaf.passage) for leaf in evidence] if kind != "none" else []
    book = assemble_book(placed, [leaf.passage for leaf in offered], config.tokens, count)
    if book is None or not book.passages:
        return None
    used = [leaf for leaf in offered if leaf.passage.id in book.passages]
    return dialogue.model_copy(
        update={
            "id": wrapped_id(dialogue.id, kind),
            "turns": _turns(dialogue, kind, book, rng),
            "facts": tuple(sorted({*dialogue.facts, *(fact for leaf in used for fact in leaf.passage.facts)})),
            "licence": "; ".join(sorted({dialogue.licence, *(leaf.licence for leaf in used if leaf.licence)} - {""})),
        }
    )


def _cached(count: TokenCount) -> Callable[[str], int]:
    """The same count, which counts the Passages of a window once instead of once per Book."""
    known: dict[str, int] = {}

    def cached(text: str) -> int:
        if len(known) > 8 * WINDOW:
            known.clear()
        if text not in known:
            known[text] = count(text)
        return known[text]

    return cached


def wrap(dialogues: Iterable[Dialogue], config: WrapConfig, count: TokenCount, seed: str) -> Iterator[Dialogue]:
    """Yield the Dialogues in their order, a share of them wrapped. Deterministic by ``seed``.

    Args:
        dialogues: Cleaned Dialogues of one source in the order in which they are drawn.
        config: Shares, lengths and wording.
        count: Number of tokens of a bare text.
        seed: Seed of distractors, depths and wording.

    A Dialogue that cannot be wrapped (it is no sequence of questions and answers, or its evidence is longer than a
    Book) stays as it is; the next one that can is wrapped in its place.
    """
    if not config.share:
        yield from dialogues
        return
    schedule = Schedule(config, Random(f"wrap-{seed}"))
    fixed = from_file(config.passages) if config.passages else ()
    cached = _cached(count)
    stream = iter(dialogues)
    before: deque[Leaf] = deque(maxlen=WINDOW)
    while block := list(islice(stream, WINDOW)):
        answers = [leaf for dialogue in block for leaf in leaves(dialogue, config.style)]
        pool = [*fixed, *before, *answers] if config.distractors != "passages" else list(fixed)
        for dialogue in block:
            yield _next(dialogue, pool, schedule, cached)
        before.extend(answers)


def _next(dialogue: Dialogue, pool: Sequence[Leaf], schedule: Schedule, count: TokenCount) -> Dialogue:
    """The Dialogue as it is, or wrapped where one is due and it can be."""
    if dialogue.domain not in schedule.config.domains:
        return dialogue
    schedule.seen += 1
    if not schedule.is_due or kind_of(dialogue):
        return dialogue
    for kind in schedule.kinds():
        wrapped = _wrapped(dialogue, kind, pool, schedule, count)
        if wrapped is not None:
            schedule.count(kind)
            return wrapped
    return dialogue
