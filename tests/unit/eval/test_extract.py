"""Free answers: a table in eleven languages, and what holds for any answer."""
# ruff: noqa: RUF001 - Chinese answers have full-width punctuation

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opencc import OpenCC

from medctx_eval.extract import Extracted, extract
from medctx_eval.extract.thoughts import MARKERS, ThoughtMarker, opened_thought
from tests.support.free_answers import DRUGS, OPTIONS, PIECES, ZH_DRUGS, lettered


class Case(NamedTuple):
    language: str
    options: str
    text: str
    why: str
    multiple: bool = False
    letters: str = ""
    outcome: str = "answered"
    rule: str = ""
    unread: bool = False  # the right value is known, and the rules leave it unparsable


CASES = [
    Case(**json.loads(line))
    for line in Path(__file__).with_name("extract_cases.jsonl").read_text(encoding="utf-8").splitlines()
]


def read(case: Case) -> Extracted:
    return extract(case.text, OPTIONS[case.options], multiple=case.multiple)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.language}-{case.text[:24]!r}" for case in CASES])
def test_answers_are_read_as_the_table_says(case: Case) -> None:
    result = read(case)
    expected = ("", "unparsable") if case.unread else (case.letters, case.outcome)
    assert ("".join(result.letters), result.outcome) == expected, (result.rule, case.why)
    assert not case.rule or result.rule == case.rule, case.why


def test_the_table_covers_the_languages_and_every_outcome() -> None:
    seen = Counter((case.language, case.outcome) for case in CASES)
    languages = ("en", "zh", "de", "es", "fr", "pt", "it", "ru", "ja", "ko", "ar")
    assert set(seen) == {(name, outcome) for name in languages for outcome in ("answered", "abstained", "unparsable")}
    assert min(seen.values()) >= 3
    assert min(count for (name, _), count in seen.items() if name in {"en", "zh"}) >= 5
    assert len({(case.text, case.options, case.multiple) for case in CASES}) == len(CASES) >= 900


def test_at_most_one_in_a_hundred_is_left_unread() -> None:
    assert sum(case.unread for case in CASES) <= len(CASES) // 90


@pytest.mark.parametrize("marker", MARKERS, ids=[marker.families for marker in MARKERS])
def test_every_thought_marker_has_cases_finished_and_cut(marker: ThoughtMarker) -> None:
    begin, end = (re.compile(pattern, re.MULTILINE) for pattern in (marker.begin, marker.end))
    texts = {case.text.lower(): case for case in CASES if begin.search(case.text.lower())}
    assert any(end.search(text) for text in texts), "no finished thought"
    cut = [case for text, case in texts.items() if case.rule == "unfinished reasoning" and not end.search(text)]
    assert cut, "no thought that is cut"


@pytest.mark.parametrize(
    ("end_of_prompt", "opening", "end"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>\n", "</think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "", ""),
        ("[/INST][THINK]", "[THINK]\n", "[/THINK]"),
        ("<seed:bos>assistant\n<seed:think>", "<seed:think>\n", "</seed:think>"),
        ("<|start|>assistant", "", ""),
        ("Do not write <think> tags.<end_of_turn>\n<start_of_turn>model\n", "", ""),
    ],
)
def test_a_thought_that_the_prompt_opens_belongs_to_the_answer(end_of_prompt: str, opening: str, end: str) -> None:
    assert opened_thought(f"A question. {end_of_prompt}") == opening
    if opening:
        assert extract(f"{opening}The answer is A, or", DRUGS, multiple=False).rule == "unfinished reasoning"
        assert extract(f"{opening}The answer is A.{end}B", DRUGS, multiple=False).letters == ("B",)


TO_TRADITIONAL = OpenCC("s2tw")


@pytest.mark.parametrize("case", [case for case in CASES if case.language == "zh"], ids=lambda case: case.text[:24])
def test_traditional_and_simplified_chinese_are_read_alike(case: Case) -> None:
    options = {letter: TO_TRADITIONAL.convert(text) for letter, text in OPTIONS[case.options].items()}
    result = extract(TO_TRADITIONAL.convert(case.text), options, multiple=case.multiple)
    assert result == read(case)


@given(st.sampled_from(CASES), st.sampled_from(CASES))
@settings(max_examples=80, deadline=None)
def test_a_finished_thought_of_any_text_changes_nothing(case: Case, thought: Case) -> None:
    """Whatever another case says is no answer once it is thought."""
    if "think" in thought.text.lower() + case.text.lower() or not case.text.strip():
        return
    for begin, end in (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<|START_THINKING|>", "<|END_THINKING|>")):
        text = f"{begin}{thought.text}{end}\n{case.text}"
        if any(re.match(marker.begin, case.text.lower()) and "\\A" in marker.begin for marker in MARKERS):
            return  # a begin that counts at the head of the answer only
        assert extract(text, OPTIONS[case.options], multiple=case.multiple) == read(case)
        cut = extract(f"{begin}{thought.text}", OPTIONS[case.options], multiple=case.multiple)
        assert cut.outcome == "unparsable"


LETTERS = "ABCDE"
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
@settings(max_examples=80, deadline=None)
def test_dress_does_not_change_a_stated_answer(
    form: str, letter: str, options: dict[str, str], wraps: list[Callable[[str], str]], multiple: bool
) -> None:
    text = form.format(letter, options[letter])
    for wrap in wraps:
        text = wrap(text)
    assert extract(text, options, multiple=multiple).letters == (letter,)


@given(anything, st.integers(2, 5), st.booleans())
@settings(max_examples=150, deadline=None)
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
@settings(max_examples=100, deadline=None)
def test_without_an_offered_letter_or_text_nothing_is_answered(text: str, multiple: bool) -> None:
    assert not extract(text, DRUGS, multiple=multiple).letters
    assert not extract(text, ZH_DRUGS, multiple=multiple).letters


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_free_of_the_letters_is_unanswered(text: str) -> None:
    plain = unicodedata.normalize("NFKC", text).casefold()
    result = extract("".join(char for char in plain if char not in "abcdeабсأبجد"), DRUGS, multiple=True)
    assert result.outcome != "answered"


@given(rambling.filter(lambda text: "think>" not in text), st.sampled_from(STATED), st.sampled_from(LETTERS))
@settings(max_examples=80, deadline=None)
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
@settings(max_examples=60, deadline=None)
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
@settings(max_examples=80, deadline=None)
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


@pytest.mark.parametrize("answer", ["Answer: B", "The answer is B.", "答案：B"])
def test_the_ends_of_a_very_long_answer_count(answer: str) -> None:
    filler = "Nothing is said here at all. " * 3000
    assert extract(f"{filler}{answer}", DRUGS, multiple=False).letters == ("B",)
    assert extract(f"B\n\nExplanation: {filler}", DRUGS, multiple=False).letters == ("B",)
