"""Free answers: a table in two languages, and what holds for any answer."""
# ruff: noqa: RUF001 - Chinese answers have full-width punctuation

from __future__ import annotations

import json
import random
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx_eval.extract import extract


def lettered(*texts: str) -> dict[str, str]:
    return dict(zip("ABCDEFGHIJ", texts, strict=False))


OPTIONS = {
    "drugs": lettered("Aspirin", "Heparin", "Warfarin", "Alteplase", "Clopidogrel"),
    "dx": lettered("Pulmonary embolism", "Pneumonia", "Pneumothorax", "Acute pericarditis"),
    "organs": lettered("mouth", "salivary glands", "pancreas", "liver"),
    "germs": lettered(
        "Streptococcus pneumoniae", "E. coli", "Klebsiella pneumoniae", "Staphylococcus aureus", "Proteus mirabilis"
    ),
    "cells": lettered("T cells", "B cells", "NK cells", "Plasma cells"),
    "nested": lettered("Hypertension", "Pulmonary hypertension", "Portal hypertension", "Hypotension"),
    "yesno": lettered("yes", "no", "maybe"),
    "counts": lettered("1", "2", "3", "4"),
    "both": lettered("Fever", "Cough", "Both A and B", "None of the above"),
    "blood": lettered("A", "B", "AB", "O"),
    "nine": lettered(
        "Iron", "Folate", "Vitamin B12", "Zinc", "Copper", "Selenium", "Iodine", "Vitamin D", "Calcium"
    ),
    "cannot": lettered(
        "Metformin", "Insulin glargine", "Sitagliptin", "Gliclazide", "The question cannot be answered from the text"
    ),
    "zh_drugs": lettered("阿司匹林", "肝素", "华法林", "阿替普酶", "氯吡格雷"),
    "zh_dx": lettered("肺栓塞", "肺炎", "气胸", "急性心包炎"),
    "zh_tests": lettered("X线检查", "B超检查", "CT检查", "磁共振检查"),
    "zh_years": lettered("1年", "2年", "3年", "4年"),
    "zh_all": lettered("发热", "咳嗽", "以上都是", "以上都不是"),
    "zh_cannot": lettered("二甲双胍", "胰岛素", "格列美脲", "阿卡波糖", "根据文中信息无法回答"),
}  # fmt: skip


class Case(NamedTuple):
    language: str
    options: str
    text: str
    why: str
    multiple: bool = False
    letters: str = ""
    outcome: str = "answered"
    rule: str = ""


CASES = [
    Case(**json.loads(line))
    for line in Path(__file__).with_name("extract_cases.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.language}-{case.text[:24]!r}" for case in CASES])
def test_answers_are_read_as_the_table_says(case: Case) -> None:
    result = extract(case.text, OPTIONS[case.options], multiple=case.multiple)
    assert ("".join(result.letters), result.outcome) == (case.letters, case.outcome), (result.rule, case.why)
    assert not case.rule or result.rule == case.rule, case.why


def test_the_table_covers_both_languages_and_every_outcome() -> None:
    seen = Counter((case.language, case.outcome) for case in CASES)
    assert set(seen) == {(language, outcome) for language in ("en", "zh")
                         for outcome in ("answered", "abstained", "unparsable")}  # fmt: skip
    assert min(seen.values()) >= 5
    assert len({(case.text, case.options, case.multiple) for case in CASES}) == len(CASES) >= 130


LETTERS = "ABCDE"
DRUGS = OPTIONS["drugs"]
ZH_DRUGS = OPTIONS["zh_drugs"]
STATED = (
    "{0}|({0})|{0}. {1}|Answer: {0}|The correct answer is {0}.|I would choose {0}|{0} is correct.|{1}"
    "|The answer is {1}."
    '|Therefore, the answer is {0}) {1}|答案：{0}|故选{0}。|正确选项为{0}|{0}选项正确。|{{"answer": "{0}"}}'
).split("|")


def full_width(text: str) -> str:
    return "".join(
        chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else "\u3000" if char == " " else char for char in text
    )


WRAPS: tuple[Callable[[str], str], ...] = (
    "**{}**".format,
    "*{}*".format,
    "__{}__".format,
    "`{}`".format,
    "# {}".format,
    "> {}".format,
    "- {}".format,
    "<b>{}</b>".format,
    "\n\n{}\n".format,
    "{}<|im_end|>".format,
    "\u200b{}".format,
    full_width,
)

# What answers are made of, put together without sense.
PIECES = (
    "A|B|C|D|E|F|G|I|a|b|i|AC|A and B|A/B|Aspirin|heparin|阿司匹林|yes|1|The answer is|Answer:|is correct|is wrong|not"
    "|or|if|wait,|I cannot tell|I think|答案|故选|不选|正确|无法判断|或|\\boxed{|}|{|<think>|</think>|<answer>|**|(|)|."
    "|,|:|、|。|?|-|\n| "
).split("|")
rambling = st.lists(st.sampled_from(PIECES), max_size=14).flatmap(
    lambda pieces: st.sampled_from([" ", ""]).map(lambda gap: gap.join(pieces))
)
anything = st.one_of(rambling, st.text(max_size=40))
QUIET = (
    "the|patient|has|pain|which|drug|acts|fast|answer|option|choice|correct|best|is|are|it|therefore|so|letter|F|G|H|X|Y"
    "|vitamin K|1|2|(|)|.|,|:|;|-|?|!|\"|'|**|#|\n|答案|是|故选|正确|选项|因此|患者|药物|。|、|，|："
).split("|")


@given(
    st.sampled_from(STATED),
    st.sampled_from(LETTERS),
    st.sampled_from([DRUGS, ZH_DRUGS]),
    st.lists(st.sampled_from(WRAPS), max_size=3),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_dress_does_not_change_a_stated_answer(
    form: str, letter: str, options: dict[str, str], wraps: list[Callable[[str], str]], multiple: bool
) -> None:
    text = form.format(letter, options[letter])
    for wrap in wraps:
        text = wrap(text)
    assert extract(text, options, multiple=multiple).letters == (letter,)


@given(anything, st.integers(2, 5), st.booleans())
@settings(max_examples=300, deadline=None)
def test_only_offered_letters_are_returned(text: str, offered: int, multiple: bool) -> None:
    options = dict(list(DRUGS.items())[:offered])
    result = extract(text, options, multiple=multiple)
    assert set(result.letters) <= set(options)
    assert list(result.letters) == sorted(set(result.letters))
    assert multiple or len(result.letters) <= 1
    assert result == extract(text, dict(reversed(options.items())), multiple=multiple)


@given(st.permutations(list(DRUGS.values())), st.sampled_from(list(DRUGS.values())), st.booleans())
@settings(max_examples=60, deadline=None)
def test_permuting_the_options_permutes_answers_by_text(texts: list[str], meant: str, multiple: bool) -> None:
    options = lettered(*texts)
    for form in ("{}", "The answer is {}.", "The drug of choice is {}.", "答案是{}。"):
        assert [options[letter] for letter in extract(form.format(meant), options, multiple=multiple).letters] == [
            meant
        ]


@given(st.lists(st.sampled_from(QUIET), max_size=25).map(" ".join), st.booleans())
@settings(max_examples=200, deadline=None)
def test_without_an_offered_letter_or_text_nothing_is_answered(text: str, multiple: bool) -> None:
    assert not extract(text, DRUGS, multiple=multiple).letters
    assert not extract(text, ZH_DRUGS, multiple=multiple).letters


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_free_of_the_letters_is_unanswered(text: str) -> None:
    plain = unicodedata.normalize("NFKC", text).casefold()
    result = extract("".join(char for char in plain if char not in "abcde"), DRUGS, multiple=True)
    assert result.outcome != "answered"


@given(rambling.filter(lambda text: "think>" not in text), st.sampled_from(STATED), st.sampled_from(LETTERS))
@settings(max_examples=150, deadline=None)
def test_what_was_thought_does_not_count(thought: str, form: str, letter: str) -> None:
    answer = form.format(letter, DRUGS[letter])
    for text in (f"<think>{thought}</think>{answer}", f"{thought}</think>\n\n{answer}"):
        assert extract(text, DRUGS, multiple=False).letters == (letter,)
    assert not extract(f"<think>{answer} {thought}", DRUGS, multiple=False).letters


@given(
    st.sampled_from(["{}. {}", "{}) {}", "({}) {}", "- {}: {}", "**{}**: {}", "{}、{}", "{} {}"]),
    st.sampled_from(["\n", ", ", "; ", " "]),
    st.sampled_from(LETTERS),
    st.sampled_from([DRUGS, ZH_DRUGS]),
)
@settings(max_examples=120, deadline=None)
def test_options_listed_before_the_answer_do_not_count(
    entry: str, gap: str, letter: str, options: dict[str, str]
) -> None:
    echo = gap.join(entry.format(name, text) for name, text in options.items())
    for multiple in (False, True):
        assert extract(echo, options, multiple=multiple).rule == "echo"
        for answer in (letter, f"Answer: {letter}", f"故选{letter}。", f"{letter}. {options[letter]}"):
            assert extract(f"{echo}\n{answer}", options, multiple=multiple).letters == (letter,)


@given(
    st.sets(st.sampled_from(LETTERS), min_size=2),
    st.sampled_from([", ", ",", "、", " and ", "和", " & ", "", "; ", " "]),
    st.sampled_from(["{}", "Answer: {}", "The correct answers are {}.", "答案：{}", "故选{}。", "({})"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=150, deadline=None)
def test_several_letters_are_a_set_or_no_answer(letters: set[str], joint: str, form: str, order: random.Random) -> None:
    shown = sorted(letters)
    order.shuffle(shown)
    text = form.format(joint.join(shown))
    assert extract(text, DRUGS, multiple=True).letters == tuple(sorted(letters)), text
    assert extract(text, DRUGS, multiple=False).rule == "several", text


@given(st.sampled_from(LETTERS), st.sampled_from(LETTERS), st.sampled_from(["\n", " ", " Wait, no. ", "\n不对，"]))
@settings(max_examples=60, deadline=None)
def test_the_last_statement_counts(first: str, second: str, between: str) -> None:
    for text in (
        f"The answer is {first}.{between}The answer is {second}.",
        f"答案是{first}。{between}答案是{second}。",
    ):
        assert extract(text, DRUGS, multiple=False).letters == (second,)


@given(st.sampled_from(LETTERS), st.sampled_from(LETTERS), st.sampled_from([DRUGS, ZH_DRUGS]))
@settings(max_examples=60, deadline=None)
def test_a_letter_beside_another_options_text_is_a_conflict(letter: str, other: str, options: dict[str, str]) -> None:
    for form in ("{}. {}", "({}) {}", "Answer: {}: {}", "The answer is {} ({}).", "答案：{}、{}"):
        result = extract(form.format(letter, options[other]), options, multiple=False)
        assert (result.rule == "conflict") == (letter != other)
        assert result.letters == ((letter,) if letter == other else ())


@pytest.mark.parametrize(
    "loop",
    [
        "A ",
        "A\n",
        "A. Aspirin\n",
        "A/",
        "Aspirin ",
        "the answer is ",
        "most likely ",
        "答案",
        "选",
        "<think>",
        "if A would be ",
    ],
)
def test_answers_that_loop_are_read_without_delay(loop: str) -> None:
    started = time.process_time()
    result = extract(loop * (8000 // len(loop)), DRUGS, multiple=True)
    assert set(result.letters) <= {"A"}
    assert time.process_time() - started < 5
