"""From a Reply to its Verdict, gold-blind: an option is chosen first, and compared with the gold afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from medctx.records import Judged, Mode, OptionScore, Reply, Verdict
from medctx_eval.engines.protocol import Scores
from medctx_eval.plan import Seat


def option_scores(letters: Sequence[str], text: Scores, letter: Scores) -> tuple[OptionScore, ...]:
    """Join the two readings of an item: the likelihood of each option's text, and that of its letter."""
    return tuple(
        OptionScore(letter=name, logprob=sum(tokens), tokens=len(tokens), letter_logprob=sum(own))
        for name, tokens, own in zip(letters, text, letter, strict=True)
    )


def value(score: OptionScore, mode: Mode) -> float:
    """What options are ranked by: mean log-likelihood per token of the text, or the letter's log-likelihood."""
    return score.logprob / score.tokens if mode == "text" else score.letter_logprob


def choose(scores: Sequence[OptionScore], mode: Mode) -> str:
    """The letter of the best option; of equal ones the first, which is rare enough not to matter."""
    return max(scores, key=lambda score: value(score, mode)).letter


def judge(seat: Seat, reply: Reply, mode: Mode) -> Judged:
    """Exactly one Verdict."""
    item, condition = seat.item, seat.condition
    if reply.problem:
        chosen: tuple[str, ...] = ()
        verdict = Verdict(reply.problem)
    else:
        chosen = (choose(reply.scores, mode),)
        verdict = Verdict.CORRECT if chosen == item.gold else Verdict.WRONG
    return Judged(
        item=item.id,
        exam=item.exam,
        condition=condition.name,
        axis=condition.axis,
        cluster=item.cluster,
        mode=mode,
        verdict=verdict,
        chosen=chosen,
        gold=item.gold,
        tags=item.tags,
    )
