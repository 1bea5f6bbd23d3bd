"""What training at a maximum length would lose: tokens, and the evidence and answers that lie beyond the cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from medctx.schemas.records import Record
from medctx_data.truncation.measure import Measured, Span

MAXIMUMS = (512, 1_024, 2_048, 4_096)


class Cut(Record):
    """What cutting Dialogues at one maximum loses on one side.

    ``answer_tokens`` are those of the tokens lost that are trained on; ``evidence`` counts the Dialogues in which the
    evidence of an answer is cut, if only in part, ``answers`` those in which an answer is.
    """

    answer_tokens: int = 0
    evidence: int = 0
    answers: int = 0


class AtMost(Record):
    """One source at one maximum length in tokens.

    ``over``: Dialogues longer than it; ``tokens_over``: their tokens, lost where they are dropped; ``tokens_cut``: lost
    where they are cut at the end or at the start; ``unlocated``: those of them whose turns could not be found.
    """

    maximum: int
    over: int
    tokens_over: int
    tokens_cut: int
    end: Cut
    start: Cut
    unlocated: int = 0


class SourceAccount(Record):
    """One source of a mix: its Dialogues, their tokens, the longest of them, and what each maximum loses."""

    source: str
    dialogues: int
    tokens: int
    longest: int
    at_most: tuple[AtMost, ...]


class TruncationReport(Record):
    """The account of a mix, source by source. ``digest`` is that of the mix."""

    digest: str
    tokenizer: str
    sources: tuple[SourceAccount, ...]


def _outside(spans: Iterable[Span], kept: Span) -> int:
    """How many tokens of ``spans`` are not among those kept."""
    return sum(span.end - span.begin - max(0, min(span.end, kept.end) - max(span.begin, kept.begin)) for span in spans)


def _lost(one: Measured, kept: Span) -> Counter[str]:
    """What of one Dialogue lies outside the tokens kept, by the fields of :class:`Cut`."""
    answers, evidence = one.answers or (), one.evidence or ()
    beyond = _outside(answers, kept)
    return Counter(answer_tokens=beyond, answers=int(beyond > 0), evidence=int(_outside(evidence, kept) > 0))


class _Tally:
    """One source at one maximum while Dialogues are counted."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.whole: Counter[str] = Counter()
        self.end: Counter[str] = Counter()
        self.start: Counter[str] = Counter()

    def add(self, one: Measured) -> None:
        """Count a Dialogue."""
        cut = one.tokens - self.maximum
        if cut <= 0:
            return
        self.whole.update(over=1, tokens_over=one.tokens, tokens_cut=cut, unlocated=int(one.answers is None))
        self.end.update(_lost(one, Span(0, self.maximum)))
        self.start.update(_lost(one, Span(cut, one.tokens)))

    def record(self) -> AtMost:
        """As it is written."""
        sides = {"end": Cut.model_validate(self.end), "start": Cut.model_validate(self.start)}
        counts = {name: self.whole[name] for name in ("over", "tokens_over", "tokens_cut", "unlocated")}
        return AtMost(maximum=self.maximum, **counts, **sides)


class _Source:
    """One source while its Dialogues are counted."""

    def __init__(self, maximums: Iterable[int]) -> None:
        self.dialogues = self.tokens = self.longest = 0
        self.tallies = [_Tally(maximum) for maximum in maximums]

    def add(self, one: Measured) -> None:
        """Count a Dialogue at every maximum."""
        self.dialogues += 1
        self.tokens += one.tokens
        self.longest = max(self.longest, one.tokens)
        for tally in self.tallies:
            tally.add(one)


def account(measured: Iterable[Measured], maximums: Sequence[int]) -> tuple[SourceAccount, ...]:
    """The account of every source at every maximum, sources by name, maximums ascending. Nothing is kept in memory."""
    sources: dict[str, _Source] = {}
    for one in measured:
        sources.setdefault(one.source, _Source(sorted(set(maximums)))).add(one)
    return tuple(
        SourceAccount(
            source=name,
            dialogues=one.dialogues,
            tokens=one.tokens,
            longest=one.longest,
            at_most=tuple(tally.record() for tally in one.tallies),
        )
        for name, one in sorted(sources.items())
    )
