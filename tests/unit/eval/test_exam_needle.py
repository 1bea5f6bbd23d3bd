"""The needle exam: what is in it, that nothing gives a code away, and that it is quick and long enough."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from medctx.facts.curriculum import CurriculumConfig
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.generated import needle, prose
from medctx_eval.exams.generated.needle import NeedleConfig, generate

CODE = re.compile(r"\d+")
KEY = re.compile(r"The access code of the (.+?) is (\d+)\.")


def _sizes(**sizes: int) -> NeedleConfig:
    return NeedleConfig.model_validate(sizes)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return registry.build_exam(ExamConfig(exam="needle"), CurriculumConfig(), 0)


def test_it_is_a_generated_general_exam(exam: Exam) -> None:
    assert (exam.card.name, exam.card.domain, exam.card.generated) == ("needle", "general", True)
    assert all(item.generated and item.exam == "needle" for item in exam.items)


def _told(exam: Exam) -> dict[str, tuple[str, str]]:
    """Key and code by the Passage that tells them."""
    return {passage.id: result[0] for passage in exam.passages if (result := KEY.findall(passage.text))}


@settings(max_examples=25, deadline=None)
@given(families=st.integers(2, 60), rivals=st.integers(0, 7), digits=st.integers(4, 12), seed=st.integers(0, 10**6))
def test_every_question_has_one_answer_and_keys_never_collide(
    families: int, rivals: int, digits: int, seed: int
) -> None:
    keys = max(families, 4) * (rivals + 1)
    exam = generate(_sizes(keys=keys, items=keys, rivals=rivals, digits=digits, filler=2), seed)
    stated = _told(exam)
    names, codes = zip(*stated.values(), strict=True)
    assert len(set(names)) == len(set(codes)) == len(stated) == keys
    assert all(len(code) == digits and code[0] != "0" for code in codes)
    for item in exam.items:
        (evidence,) = item.evidence
        name, code = stated[evidence]
        assert item.question == f"What is the access code of the {name}?"
        assert item.options[item.gold[0]] == code
        assert len(set(item.options.values())) == 4
        assert set(item.options.values()) <= set(codes)
        assert len(item.rivals) == rivals
        assert evidence not in item.rivals


def test_the_codes_offered_are_those_of_the_rivals_which_share_the_noun(exam: Exam) -> None:
    stated = _told(exam)
    for item in exam.items:
        assert {stated[name][1] for name in (*item.evidence, *item.rivals)} == set(item.options.values())
        assert len({stated[name][0].split()[1] for name in (*item.evidence, *item.rivals)}) == 1
        assert item.tags == {"kind": "multi-key"}


def test_without_rivals_no_other_key_of_a_small_exam_shares_the_noun() -> None:
    exam = generate(_sizes(keys=100, items=100, rivals=0, filler=2), 0)
    assert len({name.split()[1] for name, _ in _told(exam).values()}) == 100
    assert {item.tags["kind"] for item in exam.items} == {"single-key"}


def test_a_passage_tells_one_code_or_none(exam: Exam) -> None:
    counts = Counter(len(CODE.findall(passage.text)) for passage in exam.passages)
    sizes = _sizes()
    assert counts == {1: sizes.keys, 0: sizes.filler}
    filler = [passage.text for passage in exam.passages if passage.id.startswith("needle/filler-")]
    assert not any("code" in text.lower() for text in filler)


def test_a_key_stands_at_every_place_of_its_passage_but_the_first(exam: Exam) -> None:
    places = Counter(
        [sentence.startswith("The access code") for sentence in re.split(r"(?<=\.) ", passage.text)].index(True)
        for passage in exam.passages
        if passage.id.startswith("needle/key-")
    )
    assert set(places) == set(range(1, needle.AROUND_NEEDLE + 1))


def test_an_altered_passage_differs_in_the_code_alone_and_tells_a_wrong_option(exam: Exam) -> None:
    assert set(exam.alteration_of) == {item.id for item in exam.items}
    for item in exam.items:
        altered = exam.alteration_of[item.id]
        assert altered.gold != item.gold
        (passage,) = altered.passages
        assert CODE.findall(passage.text) == [item.options[altered.gold[0]]]
        assert CODE.sub("", passage.text) == CODE.sub("", exam.by_id[item.evidence[0]].text)


def test_right_letters_are_spread(exam: Exam) -> None:
    for golds in ([item.gold for item in exam.items], [alteration.gold for alteration in exam.alterations]):
        counts = Counter(letter for (letter,) in golds)
        assert set(counts) == set("ABCD")
        assert max(counts.values()) < 2 * min(counts.values())


def test_the_same_seed_gives_the_same_exam_and_another_seed_other_codes(exam: Exam) -> None:
    assert registry.build_exam(ExamConfig(exam="needle"), CurriculumConfig(), 0) == exam
    other = registry.build_exam(ExamConfig(exam="needle"), CurriculumConfig(), 1)
    assert not {code for _, code in _told(other).values()} & {code for _, code in _told(exam).values()}


def test_the_first_items_are_the_same_however_many_are_asked() -> None:
    few, many = (generate(_sizes(keys=80, items=count, filler=2), 0) for count in (8, 80))
    assert few.items == many.items[:8]
    assert few.passages == many.passages


def test_a_family_is_a_cluster(exam: Exam) -> None:
    sizes = Counter(item.cluster for item in exam.items)
    assert set(sizes.values()) == {4}


def test_the_filler_alone_is_long_enough_for_128k_tokens(exam: Exam) -> None:
    words = sum(len(passage.text.split()) for passage in exam.passages if passage.id.startswith("needle/filler-"))
    assert words > 131_072  # a word is never less than a token


def test_hardly_a_sentence_comes_twice(exam: Exam) -> None:
    counts = Counter(sentence for passage in exam.passages for sentence in re.split(r"(?<=\.) ", passage.text))
    assert 1 - len(counts) / counts.total() < 0.02
    assert max(counts.values()) <= 5


def test_prose_is_written_out() -> None:
    words = {word for several in prose.WORDS.values() for word in several}
    slots = {
        slot.rstrip("_2") for text in (*prose.OPENINGS, *prose.SENTENCES) for slot in re.findall(r"\{(\w+)\}", text)
    }
    assert slots - {"who"} == set(prose.WORDS)
    assert not any(re.search(r"[{}|\d]|^\s|\s$|\s\s", word) for word in words)


def test_a_thousand_items_are_built_in_a_second() -> None:
    began = time.process_time()
    exam = generate(_sizes(keys=1000, items=1000), 0)
    assert exam.card.items == 1000
    assert time.process_time() - began < 3  # CPU time, about 0.2


def test_most_keys_the_words_allow_are_made() -> None:
    most = len(needle.ADJECTIVES) * len(needle.NOUNS)
    exam = generate(_sizes(keys=most, items=4, filler=0), 0)
    assert len({name for name, _ in _told(exam).values()}) == most
    with pytest.raises(ValidationError, match="exceeds the"):
        _sizes(keys=most + 4)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"keys": 8, "items": 9}, "items 9 exceeds keys 8"),
        ({"keys": 10, "items": 4}, "not a multiple of the family size 4"),
        ({"keys": 9000, "items": 4, "digits": 4}, "too few"),
        ({"digits": 3}, "greater than or equal to 4"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NeedleConfig.model_validate(sizes)


def test_it_needs_nothing_but_the_package_itself() -> None:
    heavy = ("torch", "transformers", "pyhpo", "huggingface_hub", "datasets", "pyarrow")
    program = (
        "import sys\nfrom medctx_eval.exams.generated.needle import NeedleConfig, generate\n"
        f"generate(NeedleConfig(), 0)\nprint([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
