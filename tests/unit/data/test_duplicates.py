"""Repeated rows: equal ones all found, alike ones with the certainty promised, nothing dropped that is not alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx_data.cleaning import fingerprints
from medctx_data.cleaning.duplicates import PROPOSALS, equal_rows, proposals, similar_rows
from medctx_data.cleaning.fingerprints import Fingerprints, shingles_of
from medctx_data.text import minhash
from medctx_data.text.minhash import CERTAINTY, HASHES, bands_for
from medctx_data.text.ngrams import Units, similarity
from medctx_data.text.segments import Numbers
from tests.support.made_dialogues import dialogue, qa_dialogue

pytest.importorskip("rensa")

VOCABULARY = [f"word{number}" for number in range(400)]


def sets_of(texts: Sequence[str]) -> list[Numbers]:
    numbers, starts = Units(texts).shingles()
    return [numbers[begin:end] for begin, end in pairwise(starts)]


def repeats_of(texts: Sequence[str], least: float) -> dict[int, tuple[int, float]]:
    sets = sets_of(texts)
    keys = minhash.keys([Units(texts).shingles()], least)
    waiting = list(proposals(keys, np.ones(len(texts), np.bool_)))
    return similar_rows(waiting, lambda numbers: [[sets[number]] for number in numbers], least)


def text(rng: Random, size: int) -> str:
    return " ".join(rng.choices(VOCABULARY, k=size))


def edited(words: str, rng: Random, share: float) -> str:
    return " ".join(rng.choice(VOCABULARY) if rng.random() < share else word for word in words.split())


@given(st.floats(0.5, 1.0))
def test_texts_as_alike_as_asked_are_proposed_with_certainty(least: float) -> None:
    bands, width = bands_for(least)
    assert bands * width <= HASHES
    assert 1 - (1 - least**width) ** bands >= CERTAINTY


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=30))
def test_equal_fingerprints_are_traced_to_their_first_usable_row(rows: list[tuple[int, int, bool]]) -> None:
    prints = np.array([row[:2] for row in rows], dtype=np.uint64).reshape(-1, 2)
    usable = np.array([row[2] for row in rows], dtype=np.bool_)
    first: dict[tuple[int, int], int] = {}
    expected = {}
    for number, (entry, two, good) in enumerate(rows):
        if good and first.setdefault((entry, two), number) != number:
            expected[number] = first[entry, two]
    assert equal_rows(prints, usable) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.7, 0.8, 0.95]))
def test_what_is_dropped_is_alike_an_earlier_row_that_stays(seed: int, least: float) -> None:
    rng = Random(seed)
    texts = [text(rng, rng.randint(5, 60)) for _ in range(12)]
    texts += [edited(rng.choice(texts), rng, rng.choice([0.0, 0.02, 0.1, 0.3])) for _ in range(20)]
    dropped = repeats_of(texts, least)
    sets = sets_of(texts)
    for row, (of, much) in dropped.items():
        assert of < row
        assert of not in dropped
        assert similarity(sets[row], sets[of]) == pytest.approx(much)
        assert much >= least
    kept = [number for number in range(len(texts)) if number not in dropped]
    plain = [tuple(texts[number].split()) for number in kept]
    assert len(set(plain)) == len(plain)


def test_nearly_all_rows_as_alike_as_asked_are_found() -> None:
    rng = Random(1)
    originals = [text(rng, 80) for _ in range(400)]
    copies = [edited(dialogue, rng, 0.02) for dialogue in originals]
    sets = sets_of([*originals, *copies])
    expected = {400 + number for number in range(400) if similarity(sets[number], sets[400 + number]) >= 0.8}
    dropped = repeats_of([*originals, *copies], 0.8)
    assert len(expected) > 300
    assert set(dropped) <= expected
    assert len(dropped) >= 0.98 * len(expected)


def test_rows_are_as_alike_as_the_least_alike_of_their_sets() -> None:
    answer, other = "word " * 3 + " ".join(VOCABULARY[:40]), " ".join(VOCABULARY[50:90])
    wholes = sets_of(
        [f"is gout inherited {answer}", f"is gout inherited {answer}", f"is scurvy inherited {answer}", other]
    )
    questions = sets_of(["is gout inherited", "is gout inherited", "is scurvy inherited", "is gout inherited"])
    waiting = [(1, [0]), (2, [0]), (3, [0])]
    assert set(similar_rows(waiting, lambda rows: [[wholes[row]] for row in rows], 0.8)) == {1, 2}
    assert set(similar_rows(waiting, lambda rows: [[wholes[row], questions[row]] for row in rows], 0.8)) == {1}


def test_of_a_template_those_with_the_same_question_are_proposed() -> None:
    rng = Random(4)
    template = text(rng, 60)
    subjects = [text(rng, 3) for _ in range(300)]
    rows = [
        qa_dialogue(str(n), f"what is known of {subject} today", f"{subject} {template}")
        for n, subject in enumerate(subjects)
    ]
    again = qa_dialogue("again", f"what is known of {subjects[150]} today", f"{subjects[150]} {template} indeed")
    columns = Fingerprints(similarity=0.8)([*rows, again])
    waiting = dict(proposals(columns["keys"].astype(np.uint64), np.ones(301, np.bool_)))
    assert 150 in waiting[300]
    sets = shingles_of([*rows, again], questions=True)
    assert set(similar_rows(list(waiting.items()), lambda numbers: [sets[number] for number in numbers], 0.8)) == {300}


def test_rows_of_one_template_are_compared_with_few_others() -> None:
    rng = Random(2)
    template = text(rng, 40)
    texts = [f"{template} {text(rng, 14)}" for _ in range(300)]
    keys = minhash.keys([Units(texts).shingles()], 0.8)
    proposed = dict(proposals(keys, np.ones(len(texts), np.bool_)))
    assert proposed
    assert max(len(others) for others in proposed.values()) <= PROPOSALS
    assert not repeats_of(texts, 0.8)


@given(st.lists(st.integers(2, 60), max_size=30))
def test_batches_hold_every_dialogue_once_and_stay_small(lengths: list[int]) -> None:
    rows = [dialogue(str(number), "medical", length) for number, length in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fingerprints, "MAX_DIALOGUES", 5)
        patched.setattr(fingerprints, "MAX_CHARACTERS", 300)
        results = list(fingerprints.dialogue_batches(iter(rows)))
    assert [row for batch in results for row in batch] == rows
    for batch in results:
        assert len(batch) <= 5
        assert len(batch) == 1 or sum(len(turn.content) for row in batch for turn in row.turns) <= 300


def test_rows_without_a_word_are_alike_nothing() -> None:
    assert repeats_of(["?!", "...", "", "gout is a disease of joints"], 0.5) == {}
    assert minhash.keys([Units([]).shingles()], 0.8).shape[0] == 0


def test_characters_are_compared_where_a_script_has_no_spaces() -> None:
    statement = "痛风是由于尿酸盐结晶沉积在关节引起的疾病，常见于大脚趾，表现为红肿热痛，应当低嘌呤饮食并多喝水。"
    assert set(
        repeats_of(
            [statement, statement.replace("红肿热痛", "红肿疼痛"), "高血压患者应当低盐饮食并规律服药，定期测量血压。"],
            0.7,
        )
    ) == {1}
