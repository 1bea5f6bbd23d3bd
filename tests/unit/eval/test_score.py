"""From scores and texts to verdicts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from medctx.schemas.records import AnswerScore, ExamItem, Mode, Reply, Verdict
from medctx_eval.exams.condition import parse
from medctx_eval.exams.counterfactual import offer_cannot
from medctx_eval.planning.plan import PlannedItem
from medctx_eval.prompting.prompt import letter_request, possible_answers, text_request
from medctx_eval.run import score

OPTIONS = {"A": "red", "B": "dark blue", "C": "green"}
ITEM = ExamItem(id="i", exam="e", question="Which?", options=OPTIONS, gold=("B",), cluster="c")
SEVERAL = ITEM.model_copy(update={"multiple": True, "gold": ("A", "C")})


def entry(item: ExamItem = ITEM, condition: str = "gold") -> PlannedItem:
    return PlannedItem(item=item, condition=parse(condition))


def scored(*logprobs: float, tokens: tuple[int, ...] = (1, 2, 1), form: str = "text") -> Reply:
    scores = [
        AnswerScore(letters=letters, logprob=logprob, tokens=size)
        for letters, logprob, size in zip(possible_answers(ITEM), logprobs, tokens, strict=True)
    ]
    return Reply.model_validate(
        {"key": "k", "item": "i", "condition": "gold", "book": "b", "form": form, "scores": scores}
    )


def written(text: str, *, order: int = 0, cut: bool = False, form: str = "generate") -> Reply:
    common = {"key": "k", "item": "i", "condition": "gold", "book": "b"}
    return Reply.model_validate({**common, "form": form, "order": order, "text": text, "cut": cut})


@pytest.mark.parametrize(("mode", "chosen"), [("text-raw", "A"), ("text", "B"), ("text-prior", "C")])
def test_the_three_readings_of_a_text_can_disagree(mode: Mode, chosen: str) -> None:
    prior = scored(-1.0, -2.0, -9.0, form="prior")
    result = score.judge(entry(), mode, 0, scored(-2.0, -3.0, -5.0), prior)
    assert result.chosen == (chosen,)
    assert result.verdict is (Verdict.CORRECT if chosen == "B" else Verdict.WRONG)


@pytest.mark.parametrize(
    ("text", "cut", "verdict", "chosen"),
    [
        ("B", False, Verdict.CORRECT, ("B",)),
        ("The answer is A.", False, Verdict.WRONG, ("A",)),
        ("Hmm, let me think about", True, Verdict.TRUNCATED, ()),
        ("Hmm.", False, Verdict.UNPARSABLE, ()),
        ("I'm sorry, but I cannot answer this question.", False, Verdict.ABSTAINED, ()),
    ],
)
def test_what_is_written_ends_in_one_verdict(text: str, cut: bool, verdict: Verdict, chosen: tuple[str, ...]) -> None:
    result = score.judge(entry(), "generate", 0, written(text, cut=cut))
    assert (result.verdict, result.chosen) == (verdict, chosen)


def test_shown_letters_are_turned_back() -> None:
    # In the order 1 the option shown as A is B.
    result = score.judge(entry(), "generate", 1, written("A", order=1))
    assert (result.chosen, result.verdict) == (("B",), Verdict.CORRECT)


def test_refusing_in_words_is_right_where_nothing_can_be_answered() -> None:
    offering = offer_cannot(ITEM)
    silent = offering.model_copy(update={"gold": (offering.cannot,)})
    refusal = written("I'm sorry, but this cannot be determined from the text.")
    assert score.judge(entry(silent, "distractor"), "generate", 0, refusal).verdict is Verdict.CORRECT
    assert score.judge(entry(offering), "generate", 0, refusal).verdict is Verdict.ABSTAINED
    assert score.judge(entry(offering), "letter", 0, _sure_of(offering, "D")).verdict is Verdict.ABSTAINED


def _sure_of(item: ExamItem, letter: str) -> Reply:
    scores = [
        AnswerScore(letters=answer, logprob=0.0 if answer == (letter,) else -9.0, tokens=1)
        for answer in possible_answers(item)
    ]
    return Reply(key="k", item="i", condition="gold", book="b", form="letter", scores=tuple(scores))


def test_several_right_options_are_one_answer() -> None:
    assert len(possible_answers(SEVERAL)) == 7
    result = score.judge(entry(SEVERAL), "generate", 0, written("A and C"))
    assert (result.chosen, result.verdict) == (("A", "C"), Verdict.CORRECT)
    assert score.judge(entry(SEVERAL), "generate", 0, written("A")).verdict is Verdict.WRONG


def test_sets_of_letters_end_so_that_they_can_be_compared(alphabet: Path) -> None:
    from medctx.text import tokenizer
    from medctx.text.book import EMPTY

    tokens = tokenizer.load_tokenizer(alphabet)
    for ask in (letter_request(tokens, EMPTY, SEVERAL), text_request(tokens, EMPTY, SEVERAL)):
        assert len(ask.continuations) == len(set(ask.continuations)) == 7
        for continuation in ask.continuations:
            assert not any(
                other != continuation and other[: len(continuation)] == continuation for other in ask.continuations
            )


def test_problems_are_verdicts_of_their_own() -> None:
    for problem in ("failed", "does_not_fit", "unparsable"):
        reply = Reply.model_validate(
            {"key": "", "item": "i", "condition": "gold", "book": "", "form": "letter", "problem": problem}
        )
        assert score.judge(entry(), "letter", 0, reply).verdict == problem
    assert math.isfinite(score.ranking_values(scored(-1.0, -2.0, -3.0).scores, "text")[0])
