"""Whole mixes from sources in memory: equal tokens, nested subsets, one order by seed."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.schemas.mix import Order
from medctx.schemas.records import Dialogue
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.quota import source_requests
from medctx_data.sources.card import Supply
from medctx_data.sources.cards import domain_of
from medctx_data.sources.config import SourceConfig
from tests.support.made_dialogues import Made, dialogue, made_of, supplied, words

LONGEST = 40
SOURCES = (
    SourceConfig(source="alpaca"),
    SourceConfig(source="gsm8k", share=3),
    SourceConfig(source="medquad"),
)
ratios = st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(any).map(lambda pair: f"{pair[0]}:{pair[1]}")


def supply(source: SourceConfig, size: int = 60) -> Supply:
    domain = domain_of(source)
    return supplied(source, [dialogue(f"{source.label}-{n}", domain, 2 + n * 13 % (LONGEST - 1)) for n in range(size)])


def made(size: int = 60, **keys: object) -> Made:
    config = MixConfig.model_validate({"tokens": 2_000, "sources": SOURCES, **keys})
    return made_of(config, lambda source: supply(source, size))


def by_source(mixed: Made) -> dict[str, list[Dialogue]]:
    names = {dialogue.id.partition("-")[0] for dialogue in mixed.dialogues}
    return {name: [dialogue for dialogue in mixed.dialogues if dialogue.id.startswith(f"{name}-")] for name in names}


def nested(less: Made, more: Made) -> bool:
    larger = by_source(more)
    return all(larger.get(name, [])[: len(rows)] == rows for name, rows in by_source(less).items())


@settings(max_examples=25, deadline=None)
@given(ratios, st.integers(2_000, 6_000), st.integers(0, 3))
def test_the_budget_is_kept_to_less_than_one_dialogue_per_source(ratio: str, tokens: int, seed: int) -> None:
    mixed = made(ratio=ratio, tokens=tokens, seed=seed)
    manifest = mixed.manifest
    assert tokens - LONGEST * len(manifest.sources) < manifest.tokens <= tokens
    assert sum(words(mixed.dialogues)) == manifest.tokens == sum(source.tokens for source in manifest.sources)
    assert (
        len(mixed.dialogues)
        == manifest.dialogues
        == sum(length.general + length.medical for length in manifest.lengths)
    )
    assert sum(source.token_share for source in manifest.sources) == pytest.approx(1)
    assert sum(domain.asked for domain in manifest.domains) == pytest.approx(1)
    for source in manifest.sources:
        assert abs(source.tokens - source.asked * tokens) < LONGEST
    assert len({dialogue.id for dialogue in mixed.dialogues}) == len(mixed.dialogues)


@settings(max_examples=25, deadline=None)
@given(ratios, st.integers(2_000, 6_000), st.integers(2_000, 6_000))
def test_less_of_a_ratio_is_contained_in_more(ratio: str, first: int, second: int) -> None:
    assert nested(made(ratio=ratio, tokens=min(first, second)), made(ratio=ratio, tokens=max(first, second)))


def test_the_general_part_of_a_mixture_is_contained_in_general_alone() -> None:
    alone, half = made(ratio="1:0"), made(ratio="1:1")
    general = [dialogue for dialogue in half.dialogues if dialogue.domain == "general"]
    assert general
    ids = {dialogue.id for dialogue in alone.dialogues}
    assert ids.issuperset(row.id for row in general)


def test_a_mix_is_the_same_again_and_another_by_another_seed() -> None:
    assert made().manifest == made().manifest
    assert made().manifest.digest != made(seed=1).manifest.digest


def test_examples_are_counted_where_the_mix_goes_by_examples() -> None:
    manifest = made(by="examples", examples=80, ratio="3:1").manifest
    assert [(source.label, source.dialogues) for source in manifest.sources] == [
        ("alpaca", 15),
        ("gsm8k", 45),
        ("medquad", 20),
    ]


@pytest.mark.parametrize(("order", "first"), [("general-first", "general"), ("medical-first", "medical")])
def test_stages_do_not_mix(order: Order, first: str) -> None:
    domains = [dialogue.domain for dialogue in made(order=order).dialogues]
    assert domains[0] == first
    assert sum(domain != other for domain, other in pairwise(domains)) == 1


def test_the_order_changes_no_dialogue() -> None:
    sets = [
        sorted(dialogue.id for dialogue in made(order=o).dialogues) for o in ("mixed", "general-first", "medical-first")
    ]
    assert sets[0] == sets[1] == sets[2]


def test_a_small_source_is_repeated_and_the_passes_are_stated() -> None:
    mixed = made(size=10)
    medical = next(source for source in mixed.manifest.sources if source.domain == "medical")
    assert medical.epochs is not None
    assert medical.epochs > 2
    rows = by_source(mixed)["medquad"]
    assert len(rows) == round(medical.epochs * 10)
    assert len({row.id for row in rows}) == len(rows)
    assert len({row.id.partition("/")[0] for row in islice(rows, 10)}) == 10


def test_a_small_source_that_may_not_be_repeated_is_refused_with_both_numbers() -> None:
    with pytest.raises(MedctxError, match=r"'alpaca' holds [\d,]+ tokens but its share is 250"):
        made(size=5, repeat=False)


def test_long_dialogues_are_dropped_and_counted() -> None:
    mixed = made(max_tokens=20)
    assert max(words(mixed.dialogues)) <= 20
    assert all(source.dropped["too_long"] > 0 for source in mixed.manifest.sources)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"max_tokens": 1}, "none of 60 Dialogues has at most 1 tokens"),
        ({"tokens": 5}, "raise the key tokens"),
        ({"tokens": 1}, "less than one of tokens"),
        ({"sources": ["alpaca"]}, "no source is medical"),
        ({"sources": ["alpaca", "medqad"]}, "did you mean 'medquad'"),
        ({"sources": ["alpaca", "file"]}, "needs the key domain"),
        ({"sources": [{"source": "alpaca", "domain": "medical"}]}, "is general, not medical"),
    ],
)
def test_what_cannot_be_mixed_is_told_in_one_sentence(keys: dict[str, object], sentence: str) -> None:
    with pytest.raises(MedctxError, match=sentence):
        made(60, **keys)


def test_a_domain_without_a_share_is_not_opened() -> None:
    config = MixConfig.model_validate({"ratio": "0:1", "sources": SOURCES})
    assert [request.quota.label for request in source_requests(config)] == ["medquad"]
