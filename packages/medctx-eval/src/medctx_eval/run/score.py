"""From a Reply to its Verdict, gold-blind: an answer is chosen first, and compared with the gold afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from medctx.schemas.records import AnswerScore, Axis, ExamItem, Judged, Mode, Reply, Verdict
from medctx_eval.engines.protocol import Scores
from medctx_eval.extract import extract
from medctx_eval.planning.batches import PlannedItem
from medctx_eval.planning.option_order import show


class Outcome(NamedTuple):
    """What a Reply says: the item's own letters, or nothing and why."""

    letters: tuple[str, ...]
    problem: Verdict | None = None
    detail: str = ""


def answer_scores(answers: Sequence[tuple[str, ...]], scores: Scores) -> tuple[AnswerScore, ...]:
    """Join possible answers with the log-probabilities of their tokens."""
    return tuple(
        AnswerScore(letters=letters, logprob=sum(tokens), tokens=len(tokens))
        for letters, tokens in zip(answers, scores, strict=True)
    )


def values(scores: Sequence[AnswerScore], mode: Mode, prior: Sequence[AnswerScore] = ()) -> list[float]:
    """What answers are ranked by; higher is better.

    ``text``: mean log-likelihood per token; ``text-raw`` and ``letter``: their sum; ``text-prior``: the sum less that
    under the content-free prompt (pointwise mutual information, Holtzman et al. 2021, EMNLP, equation 2).
    """
    if mode == "text":
        return [score.logprob / score.tokens for score in scores]
    if mode == "text-prior":
        return [score.logprob - own.logprob for score, own in zip(scores, prior, strict=True)]
    return [score.logprob for score in scores]


def choose(scores: Sequence[AnswerScore], mode: Mode, prior: Sequence[AnswerScore] = ()) -> tuple[str, ...]:
    """The letters of the best answer; of equal ones the first, which is rare enough not to matter."""
    ranked = values(scores, mode, prior)
    return scores[ranked.index(max(ranked))].letters


def _read(item: ExamItem, reply: Reply) -> Outcome:
    """The answer in a written text."""
    shown = show(item, reply.order)
    found = extract(reply.text, shown.options, multiple=item.multiple)
    if found.outcome == "answered":
        return Outcome(shown.back(found.letters), detail=found.rule)
    if found.outcome == "abstained":
        # In words instead of by the option that says the same.
        return Outcome((item.cannot,) if item.cannot else (), Verdict.ABSTAINED, found.rule)
    return Outcome((), Verdict.TRUNCATED if reply.cut else Verdict.UNPARSABLE, found.rule)


def outcome(item: ExamItem, mode: Mode, reply: Reply, prior: Reply | None = None) -> Outcome:
    """What a Reply says, without a look at the gold."""
    for one in (reply, prior):
        if one is not None and one.problem:
            return Outcome((), Verdict(one.problem), one.detail)
    if mode in {"generate", "choice"}:
        return _read(item, reply)
    return Outcome(choose(reply.scores, mode, prior.scores if prior else ()))


def verdict(item: ExamItem, found: Outcome) -> Verdict:
    """Exactly one."""
    if found.letters:
        if found.letters == item.gold:
            return Verdict.CORRECT
        return Verdict.ABSTAINED if found.letters == (item.cannot,) else Verdict.WRONG
    assert found.problem is not None
    return found.problem


def axis(planned_item: PlannedItem) -> Axis:
    """That of the Condition, and abstention wherever a Book stands before a question that nothing in it answers."""
    item, condition = planned_item.item, planned_item.condition
    silent = condition.kind != "closed" and item.gold == (item.cannot,)
    return "abstention" if silent else condition.axis


def judge(planned_item: PlannedItem, mode: Mode, order: int, reply: Reply, prior: Reply | None = None) -> Judged:
    """The record of one seat under one mode and order."""
    item, condition = planned_item.item, planned_item.condition
    found = outcome(item, mode, reply, prior)
    return Judged(
        item=item.id,
        exam=item.exam,
        condition=condition.name,
        axis=axis(planned_item),
        cluster=item.cluster,
        mode=mode,
        order=order,
        verdict=verdict(item, found),
        chosen=found.letters,
        gold=item.gold,
        memory=planned_item.memory,
        book=reply.book,
        detail=found.detail,
        tags=item.tags,
    )
