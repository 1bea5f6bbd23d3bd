"""What training at a maximum length loses: tokens, and the evidence and answers that lie beyond the cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from medctx.schemas.records import Record
from medctx_data.truncation.measure import DialogueSpans, Span

MAXIMUMS = (512, 1_024, 2_048, 4_096)


class CutLoss(Record):
    """What cutting Dialogues at one maximum loses on one side.

    Attributes:
        answer_tokens: Lost tokens that are trained on.
        evidence: Dialogues in which the evidence of an answer is cut, wholly or in part.
        answers: Dialogues in which an answer is cut.
    """

    answer_tokens: int = 0
    evidence: int = 0
    answers: int = 0


class MaximumLoss(Record):
    """What one maximum length loses of one source.

    Attributes:
        maximum: Maximum length in tokens.
        over: Dialogues that are longer.
        tokens_over: Their tokens, lost where they are dropped.
        tokens_cut: Tokens lost where they are cut.
        end: Losses where the end is cut off.
        start: Losses where the start is cut off.
    """

    maximum: int
    over: int
    tokens_over: int
    tokens_cut: int
    end: CutLoss
    start: CutLoss


class SourceTruncation(Record):
    """One source of a mix: its Dialogues, their tokens, the longest in tokens, and the loss at each maximum."""

    source: str
    dialogues: int
    tokens: int
    longest: int
    maximums: tuple[MaximumLoss, ...]


class TruncationReport(Record):
    """The losses of a mix by source. ``digest`` is that of the mix."""

    digest: str
    tokenizer: str
    sources: tuple[SourceTruncation, ...]


def _outside(spans: Iterable[Span], kept: Span) -> int:
    """The number of tokens of ``spans`` outside of those kept."""
    return sum(span.end - span.begin - max(0, min(span.end, kept.end) - max(span.begin, kept.begin)) for span in spans)


def _lost(dialogue: DialogueSpans, kept: Span) -> Counter[str]:
    """What of a Dialogue is outside the tokens kept, by the fields of ``CutLoss``."""
    answers, evidence = dialogue.answers or (), dialogue.evidence or ()
    beyond = _outside(answers, kept)
    return Counter(answer_tokens=beyond, answers=int(beyond > 0), evidence=int(_outside(evidence, kept) > 0))


class _Tally:
    """Counts of one source at one maximum."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.whole: Counter[str] = Counter()
        self.end: Counter[str] = Counter()
        self.start: Counter[str] = Counter()

    def add(self, dialogue: DialogueSpans) -> None:
        """Count a Dialogue."""
        cut = dialogue.tokens - self.maximum
        if cut <= 0:
            return
        self.whole.update(over=1, tokens_over=dialogue.tokens, tokens_cut=cut)
        self.end.update(_lost(dialogue, Span(0, self.maximum)))
        self.start.update(_lost(dialogue, Span(cut, dialogue.tokens)))

    def record(self) -> MaximumLoss:
        """The counts as a record."""
        sides = {"end": CutLoss.model_validate(self.end), "start": CutLoss.model_validate(self.start)}
        counts = {name: self.whole[name] for name in ("over", "tokens_over", "tokens_cut")}
        return MaximumLoss(maximum=self.maximum, **counts, **sides)


class _Source:
    """Counts of one source."""

    def __init__(self, maximums: Iterable[int]) -> None:
        self.dialogues = self.tokens = self.longest = 0
        self.tallies = [_Tally(maximum) for maximum in maximums]

    def add(self, dialogue: DialogueSpans) -> None:
        """Count a Dialogue at every maximum."""
        self.dialogues += 1
        self.tokens += dialogue.tokens
        self.longest = max(self.longest, dialogue.tokens)
        for tally in self.tallies:
            tally.add(dialogue)


def truncation_by_source(dialogues: Iterable[DialogueSpans], maximums: Sequence[int]) -> tuple[SourceTruncation, ...]:
    """Return the losses of every source at every maximum, sources by name, maximums ascending.

    Dialogues are consumed as a stream.
    """
    sources: dict[str, _Source] = {}
    for dialogue in dialogues:
        sources.setdefault(dialogue.source, _Source(sorted(set(maximums)))).add(dialogue)
    return tuple(
        SourceTruncation(
            source=name,
            dialogues=counts.dialogues,
            tokens=counts.tokens,
            longest=counts.longest,
            maximums=tuple(tally.record() for tally in counts.tallies),
        )
        for name, counts in sorted(sources.items())
    )
