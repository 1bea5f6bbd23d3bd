"""What is left out of sources: every row under one reason, named, and the same rows whatever the ratio."""

# ruff: noqa: RUF001 - Chinese is written with full-width marks.
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.io.jsonl import read_records
from medctx.schemas.records import Dialogue, Domain
from medctx_data.cleaning.exclusions import Exclusion
from medctx_data.mix_folder import write as folder
from medctx_data.mixture.config import MixConfig
from medctx_data.sources.card import Row, SkippedRow, Supply
from medctx_data.sources.cards import domain_of
from medctx_data.sources.config import SourceConfig
from tests.support.made_dialogues import Made, made_of, qa_dialogue, supplied

ANSWER = (
    "Gout is caused by crystals of uric acid in the joints. It is treated with rest, ice and medicines that lower "
    "the pain; later with medicines that lower the uric acid. Drinking water and losing weight help as well."
)
BROKEN = SkippedRow("ward.jsonl:7", "malformed", "has no answer", "{}")
HELD_OUT = SkippedRow("ward.jsonl:9", "held_out", "belongs to an exam", "{}")


def cleaned(rows: dict[str, Sequence[Row]], ratio: str = "1:1", **clean: object) -> Made:
    """A mix of everything in memory: names of general sources begin with g, of medical ones with m."""

    def open_one(source: SourceConfig) -> Supply:
        domain: Domain = domain_of(source)
        subset = [
            row.model_copy(update={"domain": domain, "source": source.label}) if isinstance(row, Dialogue) else row
            for row in rows[source.label]
        ]
        return supplied(source, subset)

    sources = [
        {"source": "file", "name": name, "domain": "general" if name.startswith("g") else "medical"} for name in rows
    ]
    keys = {"by": "examples", "examples": 4, "ratio": ratio, "sources": sources, "clean": clean}
    return made_of(MixConfig.model_validate(keys), open_one)


def left_out(made: Made) -> list[tuple[str, str, str]]:
    return [(exclusion.row, exclusion.reason, exclusion.of) for exclusion in made.draft.exclusions]


def row(name: str, question: str = "", answer: str = "") -> Dialogue:
    return qa_dialogue(name, question or f"Question {name}?", answer or f"An answer about {name} and nothing else.")


def test_every_row_left_out_is_named_under_its_reason() -> None:
    rows = {
        "g": [row("one"), row("two")],
        "m": [
            row("a", "What is gout?", ANSWER),
            BROKEN,
            row("b", " ", "nothing was asked"),
            row("c", "What is gout?", ANSWER),
            row("d", "What is gout?", ANSWER.replace("rest, ice", "rest, cold")),
            row("e", "痛风是什么？", "痛风是由于尿酸盐结晶沉积在关节引起的疾病。"),
            HELD_OUT,
            row("g"),
        ],
    }
    made = cleaned(rows, malformed="drop", language=True, near_duplicates=0.8)
    assert left_out(made) == [
        ("ward.jsonl:7", "malformed", ""),
        ("ward.jsonl:9", "held_out", ""),
        ("b", "empty", ""),
        ("c", "duplicate", "a"),
        ("d", "near_duplicate", "a"),
        ("e", "language", ""),
    ]
    medical = made.manifest.sources[1]
    assert medical.dropped == {
        "duplicate": 1, "empty": 1, "held_out": 1, "language": 1, "malformed": 1, "near_duplicate": 1,
    }  # fmt: skip
    assert medical.rows == 2
    details = {exclusion.row: exclusion.detail for exclusion in made.draft.exclusions}
    assert details["ward.jsonl:7"] == "has no answer"
    assert details["d"].startswith("similarity 0.8")


def test_nothing_new_is_left_out_unless_asked() -> None:
    rows = {"g": [row("one"), row("two")], "m": [row("a", answer=ANSWER), row("b", answer=f"{ANSWER} Indeed.")]}
    assert left_out(cleaned(rows)) == []


def test_a_malformed_row_stops_the_mix_unless_it_may_be_dropped() -> None:
    rows: dict[str, Sequence[Row]] = {"g": [row("one"), row("two")], "m": [row("a"), BROKEN, row("b")]}
    with pytest.raises(MedctxError, match=r"ward\.jsonl:7 has no answer .*clean\.malformed=drop"):
        cleaned(rows)
    assert cleaned(rows, malformed="drop").manifest.sources[1].dropped == {"malformed": 1}


def test_duplicates_are_looked_for_across_sources_where_asked() -> None:
    rows = {
        "g": [row("one", "What is gout?", ANSWER), row("two")],
        "m": [row("a", "What is gout?", ANSWER), row("b", "What is gout?", f"{ANSWER} Indeed."), row("c"), row("d")],
    }
    apart = cleaned(rows, near_duplicates=0.8)
    assert left_out(apart) == [("b", "near_duplicate", "a")]
    across = cleaned(rows, near_duplicates=0.8, duplicates="mix")
    assert left_out(across) == [("a", "duplicate", "one"), ("b", "near_duplicate", "one")]
    assert {exclusion.of_source for exclusion in across.draft.exclusions} == {"g"}


def test_answers_of_one_template_about_two_diseases_are_two_facts() -> None:
    answer = "This condition is inherited in an autosomal recessive pattern: both copies of the gene have a mutation."
    named = [
        row(name, f"Is {name} inherited?", f"{answer} Parents carry one copy each.") for name in ("gout", "scurvy")
    ]
    rows = {"g": [row("one"), row("two")], "m": named}
    assert left_out(cleaned(rows, near_duplicates=0.8)) == []
    assert left_out(cleaned(rows, near_duplicates=0.8, same_question=False)) == [("scurvy", "near_duplicate", "gout")]


def test_what_is_left_out_does_not_depend_on_the_ratio() -> None:
    rows = {"g": [row("one"), row("two")], "m": [row("two"), *(row(name) for name in "abcdef")]}
    # The general source has no share at 0:1, yet its row is found again.
    for ratio in ("1:1", "0:1"):
        assert ("two", "duplicate", "two") in left_out(cleaned(rows, ratio=ratio, duplicates="mix"))


def test_only_rows_of_the_language_asked_for_are_used() -> None:
    rows = [
        row("a"),
        qa_dialogue("b", "痛风？", "痛风是关节疾病。", language="zh"),
        qa_dialogue("c", "头痛？", "请休息。", language="zh"),
    ]
    config = MixConfig.model_validate(
        {
            "by": "examples",
            "examples": 2,
            "ratio": "0:1",
            "sources": [{"source": "file", "name": "m", "domain": "medical", "language": "zh"}],
        }
    )
    made = made_of(config, lambda source: supplied(source, rows))
    assert {dialogue.id for dialogue in made.dialogues} == {"b", "c"}
    assert left_out(made) == [("a", "language", "")]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_every_row_is_either_usable_or_named_once(seed: int, across: bool) -> None:
    rng = Random(seed)
    texts = [
        " ".join(rng.choices("gout pain joint acid water rest ice".split(), k=rng.randint(1, 12))) for _ in range(20)
    ]
    rows = {
        name: [row(f"{name}{number}", "What?", rng.choice([*texts, " "])) for number in range(15)]
        for name in ("g", "m")
    }
    for of_source in rows.values():
        of_source.append(row(f"{of_source[0].id}-last", "Surely", f"unlike any other {of_source[0].id}"))
    made = cleaned(rows, near_duplicates=0.7, duplicates="mix" if across else "source")
    named = [exclusion.row for exclusion in made.draft.exclusions]
    assert len(named) == len(set(named))
    usable = sum(source.rows or 0 for source in made.manifest.sources)
    assert usable + len(named) == sum(map(len, rows.values()))
    kept = {row.id for of_source in rows.values() for row in of_source} - set(named)
    for exclusion in made.draft.exclusions:
        assert (exclusion.of in kept) == (exclusion.reason in {"duplicate", "near_duplicate"})


def test_exclusions_lie_beside_the_mix(tmp_path: Path) -> None:
    made = cleaned({"g": [row("one"), row("two")], "m": [row("a"), row("a"), row("b")]})
    folder.write_mix(tmp_path, made.draft)
    lines = list(read_records(tmp_path / folder.EXCLUSIONS, Exclusion))
    assert lines == list(made.draft.exclusions)
    assert [(line.source, line.row, line.of, line.of_source) for line in lines] == [("m", "a", "a", "m")]
