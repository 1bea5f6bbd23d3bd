"""Turns replies into verdicts. The answer is chosen without knowledge of the gold letters and compared afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from medctx.schemas.records import AnswerScore, ExamItem, Judged, Mode, Reply, Verdict
from medctx_eval.extract.rules import extract
from medctx_eval.planning.plan import PlannedItem
from medctx_eval.prompting.option_order import show


class ChosenAnswer(NamedTuple):
    """The answer in a Reply: the item's own letters, or ``problem`` if there is none."""

    letters: tuple[str, ...]
    problem: Verdict | None = None
    detail: str = ""


def ranking_values(scores: Sequence[AnswerScore], mode: Mode, prior: Sequence[AnswerScore] = ()) -> list[float]:
    """The values that answers are ranked by; higher is better.

    ``text``: mean log-likelihood per token; ``text-raw`` and ``letter``: their sum; ``text-prior``: the sum less that
    under the content-free prompt (pointwise mutual information, Holtzman et al. 2021, EMNLP, equation 2).
    """
    if mode == "text":
        return [score.logprob / score.tokens for score in scores]
    if mode == "text-prior":
        return [score.logprob - unconditional.logprob for score, unconditional in zip(scores, prior, strict=True)]
    return [score.logprob for score in scores]


def choose(scores: Sequence[AnswerScore], mode: Mode, prior: Sequence[AnswerScore] = ()) -> tuple[str, ...]:
    """The letters of the best answer; of equal ones the first."""
    ranked = ranking_values(scores, mode, prior)
    return scores[ranked.index(max(ranked))].letters


def _read_text(item: ExamItem, reply: Reply) -> ChosenAnswer:
    """The answer in a generated text."""
    shown = show(item, reply.order)
    extracted = extract(reply.text, shown.options, multiple=item.multiple)
    if extracted.outcome == "answered":
        return ChosenAnswer(shown.to_item(extracted.letters), detail=extracted.rule)
    if extracted.outcome == "abstained":
        # In words, not by the option that says the same.
        return ChosenAnswer((item.cannot,) if item.cannot else (), Verdict.ABSTAINED, extracted.rule)
    return ChosenAnswer((), Verdict.TRUNCATED if reply.cut else Verdict.UNPARSABLE, extracted.rule)


def read_answer(item: ExamItem, mode: Mode, reply: Reply, prior: Reply | None = None) -> ChosenAnswer:
    """Read the answer in a Reply, without using the gold letters."""
    for part in (reply, prior):
        if part is not None and part.problem:
            return ChosenAnswer((), Verdict(part.problem), part.detail)
    if mode in {"generate", "choice"}:
        return _read_text(item, reply)
    return ChosenAnswer(choose(reply.scores, mode, prior.scores if prior else ()))


def verdict(item: ExamItem, answer: ChosenAnswer) -> Verdict:
    """The one Verdict of an answer."""
    if answer.letters:
        if answer.letters == item.gold:
            return Verdict.CORRECT
        return Verdict.ABSTAINED if answer.letters == (item.cannot,) else Verdict.WRONG
    assert answer.problem is not None
    return answer.problem


def judge(planned: PlannedItem, mode: Mode, order: int, reply: Reply, prior: Reply | None = None) -> Judged:
    """The record of one planned item under one mode and option order."""
    item, condition = planned.item, planned.condition
    answer = read_answer(item, mode, reply, prior)
    return Judged(
        item=item.id,
        exam=item.exam,
        condition=condition.name,
        axis=planned.axis,
        cluster=item.cluster,
        mode=mode,
        order=order,
        verdict=verdict(item, answer),
        chosen=answer.letters,
        gold=item.gold,
        memory=planned.memory,
        book=reply.book,
        detail=answer.detail,
        tags=item.tags,
    )
