"""The exam records-reading: chance for whoever does not read, minimal pairs, exact lengths, balanced depths."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from medctx.schemas.records import ExamItem
from medctx_eval.exams import floors
from medctx_eval.exams.condition import parse
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.floors import ConditionedItem
from medctx_eval.exams.generated import laboratory, records
from medctx_eval.exams.generated.records import RecordsConfig
from medctx_eval.planning.batches import BookBatch, PlannedItem, batches

CONDITIONS = ("gold", "open:200", "open:600", "counterfactual", "counterfactual:300")
DEPTHS = (0.1, 0.5, 0.9)
SMALL = RecordsConfig(sheets=18, analytes=3, filler=120)


def words(text: str) -> int:
    """Tokens of a made tokenizer: words, marks and paragraph breaks."""
    return len(re.findall(r"\w+|[^\w\s]|\n\n", text))


@lru_cache(maxsize=8)
def built(seed: int = 0, config: RecordsConfig = SMALL) -> Exam:
    return records.generate(config, seed)


def planned(exam: Exam, *conditions: str, limits: dict[str, int] | None = None, seed: int = 0) -> list[BookBatch]:
    requests = [parse(text) for text in conditions]
    return batches(exam, requests, words, depths=DEPTHS, limits=limits or {}, seed=seed)


def rows(batch: BookBatch) -> list[tuple[PlannedItem, str]]:
    assert batch.book is not None
    return [(entry, batch.book.text) for entry in batch.items]


def by_sheet(results: Sequence[BookBatch]) -> dict[tuple[str, str], list[tuple[PlannedItem, str]]]:
    groups: dict[tuple[str, str], list[tuple[PlannedItem, str]]] = defaultdict(list)
    for batch in results:
        for entry, book in rows(batch):
            kind = f"{entry.condition.kind}:{entry.condition.tokens}"
            groups[kind, entry.item.cluster].append((entry, book))
    return groups


Reader = Callable[[str, Sequence[str]], int]
"""Chooses among the options' own parts, knowing the Book and not the question."""
QUESTION_BLIND: dict[str, Reader] = {
    "first option": lambda book, parts: 0,
    "stands first in the Book": lambda book, parts: min(range(len(parts)), key=lambda n: book.find(parts[n])),
    "stands last in the Book": lambda book, parts: max(range(len(parts)), key=lambda n: book.rfind(parts[n])),
    "stands most often": lambda book, parts: max(range(len(parts)), key=lambda n: book.count(parts[n])),
    "largest value": lambda book, parts: max(range(len(parts)), key=lambda n: parts[n]),
    "deepest half": lambda book, parts: max(range(len(parts)), key=lambda n: -abs(book.find(parts[n]) - len(book) / 2)),
}


def own_parts(item: ExamItem) -> list[str]:
    return [part.rstrip(".") for part in floors.own_parts(item.options).values()]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), reader=st.sampled_from(sorted(QUESTION_BLIND)))
def test_a_reader_without_the_question_is_right_once_on_every_sheet(seed: int, reader: str) -> None:
    """In every Condition and whatever its rule, gold included: exactly a quarter."""
    for sheet in by_sheet(planned(built(seed % 7), *CONDITIONS, seed=seed)).values():
        right = 0
        for entry, book in sheet:
            item = entry.item
            choice = QUESTION_BLIND[reader](book, own_parts(item))
            right += item.gold == (sorted(item.options)[choice],)
        assert (right, len(sheet)) == (1, 4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_reader_without_the_book_is_at_chance(seed: int) -> None:
    """A rule on question and options alone: a rule that knows the names but not the values gains nothing."""
    exam = built(seed % 7)
    rng = random.Random(seed)
    liking = [rng.random() for _ in range(1000)]
    for sheet in by_sheet(planned(exam, "gold", "counterfactual")).values():
        # Options of a sheet share their values, so liking values is right once on every sheet.
        right = 0
        for entry, _ in sheet:
            item = entry.item
            letters = sorted(item.options)
            scores = [liking[int(re.findall(r"\d+", item.options[letter])[-1])] for letter in letters]
            right += item.gold == (letters[scores.index(max(scores))],)
        assert right == 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_floors_are_a_quarter_in_every_condition(seed: int) -> None:
    exam = built(seed % 7)
    requests = [
        ConditionedItem(exam.card.name, p.condition.kind, p.item.options, p.item.gold, book, p.item.cannot)
        for batch in planned(exam, *CONDITIONS, seed=seed)
        for p, book in rows(batch)
    ]
    for floor in floors.floors(requests):
        assert (floor.question_blind, floor.book_blind, floor.commonest_letter, floor.stated) == (0.25, 0.25, 0.25, 1)


def test_all_options_stand_in_the_silent_book_and_none_is_right() -> None:
    for batch in planned(built(), "distractor", "distractor:300"):
        for entry, book in rows(batch):
            item = entry.item
            question = ConditionedItem("records", "distractor", item.options, item.gold, book, item.cannot)
            assert floors.stated(question) == tuple("ABCD")
            assert item.gold == (item.cannot,) == ("E",)
            assert not any(text in book for text in item.options.values())


def test_in_a_book_the_right_sentence_stands_once_and_no_wrong_one_does() -> None:
    for batch in planned(built(), *CONDITIONS):
        for entry, book in rows(batch):
            item = entry.item
            counts = {letter: book.count(text) for letter, text in item.options.items()}
            assert counts == {letter: int(letter in item.gold) for letter in item.options}


def test_versions_of_a_sheet_hold_the_same_sentences_but_for_names_and_values() -> None:
    exam = built()
    for item in exam.items:
        plain, altered, silent = (
            "\n\n".join(passage.text for passage in passages)
            for passages in (
                [exam.by_id[name] for name in item.shown],
                exam.alteration_of[item.id].passages,
                exam.omission_of[item.id].passages,
            )
        )
        assert Counter(re.findall(r"\d+", altered)) == Counter(re.findall(r"\d+", plain))
        assert re.sub(r"\d+", "", altered) == re.sub(r"\d+", "", plain)
        assert re.findall(r"\d+", silent) == re.findall(r"\d+", plain)
        assert not set(re.findall(r"[A-Z]\w+ [A-Z]\w+", silent)) & set(re.findall(r"[A-Z]\w+ [A-Z]\w+", plain))
        asides = [text.partition(". ")[2] for text in (plain, silent)]
        assert re.sub(r"[A-Z]\w+ [A-Z]\w+", "", asides[0]) == re.sub(r"[A-Z]\w+ [A-Z]\w+", "", asides[1])


def test_all_items_of_a_sheet_share_one_book_under_every_condition() -> None:
    for sheet in by_sheet(planned(built(), *CONDITIONS, "distractor")).values():
        assert len(sheet) == 4
        assert len({book for _, book in sheet}) == 1
        assert len({entry.item.options["A"][-12:] for entry, _ in sheet}) == 1


def test_lengths_are_exact() -> None:
    exam = records.generate(RecordsConfig(), 0)
    for batch in planned(exam, "open:256", "open:1024", "open:4096", limits={"open:4096": 96}):
        assert batch.book is not None
        length = batch.items[0].condition.tokens
        assert length is not None
        assert length - 4 <= batch.book.tokens == words(batch.book.text) <= length


def test_every_sheet_has_a_record_at_each_of_four_depths_and_each_record_lies_there() -> None:
    exam = records.generate(RecordsConfig(), 0)
    for length in ("open:1024", "open:4096"):
        depths: dict[str, Counter[float | None]] = defaultdict(Counter)
        for batch in planned(exam, length, limits={length: 144}):
            assert batch.book is not None
            for entry in batch.items:
                depth = entry.condition.depth
                assert depth is not None
                place = batch.book.text.index(exam.by_id[entry.item.evidence[0]].text) / len(batch.book.text)
                assert abs(place - depth) < 0.12
                depths[entry.item.cluster][depth] += 1
        assert len(depths) == 36
        assert all(counts == Counter((0.1, 0.367, 0.633, 0.9)) for counts in depths.values())


def test_no_two_records_of_a_sheet_stand_side_by_side_in_a_longer_book() -> None:
    exam = records.generate(RecordsConfig(), 0)
    for batch in planned(exam, "open:600", "open:1024", limits={"open:600": 72, "open:1024": 72}):
        assert batch.book is not None
        order = {name: place for place, name in enumerate(batch.book.passages)}
        for entry in batch.items:
            places = sorted(order[name] for name in entry.item.shown)
            assert min(after - before for before, after in pairwise(places)) > 1


def test_all_records_of_a_book_are_of_one_analyte() -> None:
    exam = records.generate(RecordsConfig(), 0)
    names = [analyte.name for analyte in laboratory.WORDS["en"].analytes]
    seen = set()
    for batch in planned(exam, "open:256", "open:1024", "open:3072", limits={"open:3072": 144}):
        assert batch.book is not None
        (analyte,) = {name for name in names if name in batch.book.text}
        seen.add(analyte)
    assert len(seen) == 3


def test_there_are_sixty_clusters_and_lengths_share_none() -> None:
    exam = records.generate(RecordsConfig(), 0)
    conditions = ("open:256", "open:1024", "open:4096")
    clusters: dict[str, set[str]] = defaultdict(set)
    for batch in planned(exam, *conditions, limits=dict.fromkeys(conditions, 144)):
        for entry in batch.items:
            clusters[f"open:{entry.condition.tokens}"].add(entry.item.cluster)
    assert [len(clusters[name]) for name in conditions] == [36, 36, 36]
    assert len(set().union(*clusters.values())) == 108 >= 60


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), sheets=st.integers(3, 60), analytes=st.integers(1, 12))
def test_names_and_values_are_never_repeated_within_what_must_be_told_apart(
    seed: int, sheets: int, analytes: int
) -> None:
    exam = records.generate(RecordsConfig(sheets=sheets, analytes=analytes, filler=5), seed)
    assert len({item.question for item in exam.items}) == len(exam.items) == 4 * sheets
    assert len({item.options[item.gold[0]] for item in exam.items}) == len(exam.items)
    for golds in ([item.gold for item in exam.items], [altered.gold for altered in exam.alterations]):
        assert set(Counter(golds).values()) == {sheets}
    for item in exam.items:
        assert len({len(text) for text in item.options.values()}) == 1
        assert exam.alteration_of[item.id].gold != item.gold


def test_values_lie_in_the_range_of_their_analyte() -> None:
    ranges = {
        (analyte.name, analyte.unit): (analyte.lowest, analyte.highest) for analyte in laboratory.WORDS["en"].analytes
    }
    for item in records.generate(RecordsConfig(), 3).items:
        text = item.options[item.gold[0]]
        (lowest, highest) = next(span for (name, unit), span in ranges.items() if name in text and f" {unit}." in text)
        assert lowest <= int(re.findall(r"\d+", text)[-1]) <= highest


def test_sentences_between_records_tell_nothing() -> None:
    english = laboratory.WORDS["en"]
    rng = random.Random(0)
    asides = [laboratory.aside(english, rng) for _ in range(2000)]
    assert not any(re.search(r"[\d{}]|\s\s", text) for text in asides)
    assert not any(analyte.name in text for analyte in english.analytes for text in asides)
    names = {*english.first_names, *english.last_names}
    assert not names & set(re.findall(r"\w+", " ".join((*asides, *english.short_asides))))
    assert len(set(asides)) > 1500


def test_same_seed_same_exam_other_seed_other_values() -> None:
    assert records.generate(SMALL, 4) == records.generate(SMALL, 4)
    assert records.generate(SMALL, 4).card.digest != records.generate(SMALL, 5).card.digest


@pytest.mark.parametrize(
    ("sizes", "words_of_the_error"),
    [
        ({"sheets": 400}, "need 3200 names"),
        ({"analytes": 40}, "more than the 12 known"),
        ({"language": "xx"}, "language 'xx' has no records; known are: en"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: dict[str, object], words_of_the_error: str) -> None:
    with pytest.raises(ValidationError, match=words_of_the_error):
        RecordsConfig.model_validate(sizes)
