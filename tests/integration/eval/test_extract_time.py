"""The time that reading an answer takes grows at most with its length, whatever a model repeats."""

from __future__ import annotations

import time

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from medctx_eval.extract import extract
from tests.support.free_answers import DRUGS, PIECES

LOOPS = [
    "A ",
    "A\n",
    "A. Aspirin\n",
    "A/",
    "Aspirin ",
    "the answer is ",
    "most likely ",
    "答案",
    "选",
    "最可能",
    "正解は",
    "정답은 ",
    "la respuesta correcta es ",
    "die Antwort ist ",
    "Если ответ ",
    "الإجابة ",
    "<think>",
    "</think>",
    "<unused94>thought",
    "<|channel|>analysis<|message|>",
    "if A would be ",
    "not A, ",
    "A, B, C, D, E\n",
    "\\boxed{",
    "{",
    "(((",
    "**",
    "    |",
    "_",
    "'",
    "a",
    "\n\n",
    "the text does not ",
    "best best ",
    "right ",
]


LONG = 200_000


@pytest.mark.parametrize("loop", LOOPS)
def test_time_grows_at_most_with_the_length_of_an_answer(loop: str) -> None:
    started = time.process_time()
    result = extract(loop * (LONG // len(loop)), DRUGS, multiple=True)
    assert set(result.letters) <= set("ABCDE")
    assert time.process_time() - started < 4  # 1.4 s at most on one core; two cores under load


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map(" ".join), st.sampled_from([" ", "\n", ""]))
@example("。 : :", "\n")
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_any_repeated_text_is_read_without_delay(piece: str, gap: str) -> None:
    started = time.process_time()
    extract((piece + gap) * (LONG // len(piece + gap)), DRUGS, multiple=False)
    assert time.process_time() - started < 4
