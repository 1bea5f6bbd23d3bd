"""Mixes along every axis: what is asked is what comes out, less of it lies in more of it, and nothing stands twice."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draft import read_picks
from medctx_data.sources.card import Supply
from medctx_data.sources.cards import domain_of
from medctx_data.sources.config import SourceConfig
from tests.support.made_dialogues import Made, made_of, qa_dialogue, supplied, words

SIZE = 50
LONGEST = 34
NAMES = (
    ("talk", "general", "en", ""),
    ("chat", "general", "zh", ""),
    ("clinic", "medical", "en", "western"),
    ("ward", "medical", "zh", "western"),
    ("herbs", "medical", "zh", "traditional"),
    ("needles", "medical", "en", "traditional"),
)
ratios = st.sampled_from(["9:1", "4:1", "1:1", "1:4", "1:9", "0:1", "1:0"])


def config(amounts: dict[str, object] | None = None, **keys: object) -> MixConfig:
    sources = [
        {"source": "file", "name": name, "domain": domain, "language": language, "subdomain": subdomain}
        | ({"amount": amounts[name]} if amounts else {})
        for name, domain, language, subdomain in NAMES
        if not amounts or name in amounts
    ]
    return MixConfig.model_validate({"tokens": 3_000, "sources": sources, **keys})


def supply(source: SourceConfig) -> Supply:
    name, domain = source.label, domain_of(source)
    answers = ["word " * (1 + n * 13 % 29) for n in range(SIZE)]
    return supplied(
        source,
        [
            qa_dialogue(f"{name}-{n}", f"about {name} {n}", answer, domain, source.language)
            for n, answer in enumerate(answers)
        ],
    )


def made(amounts: dict[str, object] | None = None, **keys: object) -> Made:
    return made_of(config(amounts, **keys), supply)


def ids(of: Made, source: str) -> list[str]:
    return [dialogue.id for dialogue in of.dialogues if dialogue.id.startswith(f"{source}-")]


def contained(less: Made, more: Made, domain: str) -> bool:
    return all(ids(more, name)[: len(ids(less, name))] == ids(less, name) for name, of, _, _ in NAMES if of == domain)


@settings(max_examples=15, deadline=None)
@given(ratios, ratios, st.sampled_from(["tokens", "examples"]), st.integers(0, 2))
def test_the_smaller_share_of_a_source_lies_in_the_larger(
    first_ratio: str, second_ratio: str, by: str, seed: int
) -> None:
    first, second = (made(ratio=ratio, by=by, examples=240, seed=seed) for ratio in (first_ratio, second_ratio))
    for domain, place in (("general", 0), ("medical", 1)):
        shares = [of.manifest.domains[place].asked for of in (first, second)]
        less, more = (first, second) if shares[0] <= shares[1] else (second, first)
        assert contained(less, more, domain)


@settings(max_examples=15, deadline=None)
@given(ratios, st.integers(2_000, 9_000), st.integers(0, 2))
def test_no_row_stands_twice_in_a_pass_and_repeats_are_stated(ratio: str, tokens: int, seed: int) -> None:
    mixed = made(ratio=ratio, tokens=tokens, seed=seed)
    assert len({dialogue.id for dialogue in mixed.dialogues}) == len(mixed.dialogues)
    for source in mixed.manifest.sources:
        passes = Counter(name.partition("/")[0] for name in ids(mixed, source.label))
        assert source.epochs is not None
        assert max(passes.values()) == -(-len(ids(mixed, source.label)) // SIZE)
        assert source.epochs == pytest.approx(len(ids(mixed, source.label)) / SIZE)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_languages_and_schools_of_medicine_come_out_as_asked(en: int, zh: int, traditional: int, western: int) -> None:
    mixed = made(languages={"en": en, "zh": zh}, subdomains={"traditional": traditional, "western": western})
    shares = {(language.domain, language.name): language.token_share for language in mixed.manifest.languages}
    slack = LONGEST * len(NAMES) / 1_500
    assert shares["general", "zh"] == pytest.approx(zh / (en + zh), abs=slack)
    assert shares["medical", "en"] == pytest.approx(en / (en + zh), abs=slack)
    schools = {subdomain.name: subdomain.token_share for subdomain in mixed.manifest.subdomains}
    assert schools["traditional"] == pytest.approx(traditional / (traditional + western), abs=slack)
    for source in mixed.manifest.sources:
        assert 0 <= source.asked * 3_000 - source.tokens < LONGEST


def test_the_medical_part_can_be_fixed_while_the_general_part_grows() -> None:
    mixes = [made(ratio=ratio, fixed="medical", tokens=900) for ratio in ("0:1", "1:1", "4:1")]
    parts = [mixed.draft.samples[-1] for mixed in mixes]
    medical = [[dialogue.id for dialogue in read_picks(part.rows, part.picks)] for part in parts]
    assert medical[0] == medical[1] == medical[2]
    general = [mixed.manifest.domains[0].tokens for mixed in mixes]
    assert general == sorted(set(general))
    assert mixes[2].manifest.domains[0].token_share == pytest.approx(0.8, abs=0.02)
    assert mixes[2].manifest.budget == 900


def test_ten_of_a_source_lie_in_twenty_of_it() -> None:
    ten, twenty = (made({"talk": 30, "ward": size}, by="examples") for size in (10, 20))
    assert len(ids(ten, "ward")) == 10
    assert ids(twenty, "ward")[:10] == ids(ten, "ward")
    assert ids(twenty, "talk") == ids(ten, "talk")
    assert ten.manifest.ratio == "30:10"
    assert [source.asked for source in ten.manifest.sources] == [0.75, 0.25]
    assert ten.manifest.budget is None


def test_all_of_a_source_is_every_row_once() -> None:
    mixed = made({"talk": "all", "ward": 500})
    assert sorted(ids(mixed, "talk")) == sorted(f"talk-{n}" for n in range(SIZE))
    assert mixed.manifest.sources[0].budget == mixed.manifest.sources[0].tokens
    assert sum(domain.asked for domain in mixed.manifest.domains) == pytest.approx(1)
    assert sum(words(mixed.dialogues)) == mixed.manifest.tokens


def test_a_generator_has_no_all() -> None:
    sources = [{"source": "everyday", "amount": "all"}, {"source": "file", "domain": "medical", "amount": 10}]
    mix_config = MixConfig.model_validate({"sources": sources})

    def open_one(source: SourceConfig) -> Supply:
        supply = supplied(source, [qa_dialogue("a", "what", "this")])
        return supply if source.source == "jsonl" else Supply(supply.card, "", "", generator=iter(()))

    with pytest.raises(MedctxError, match="'everyday' is generated without an end"):
        made_of(mix_config, open_one)


def test_staged_mixes_hold_the_same_dialogues_as_mixed_ones() -> None:
    mixed, staged = made(), made(order="general-first")
    assert sorted(dialogue.id for dialogue in mixed.dialogues) == sorted(dialogue.id for dialogue in staged.dialogues)
    assert sum(first.domain != other.domain for first, other in pairwise(staged.dialogues)) == 1
