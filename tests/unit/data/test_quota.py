"""What each source has to give: shares that are exact on every axis, and the part that is fixed stays what it is."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.quota import SourceRequest, source_requests

weights = st.integers(1, 50)
ratios = st.tuples(st.integers(1, 9), st.integers(1, 9)).map(lambda pair: f"{pair[0]}:{pair[1]}")


def source(name: str, domain: str, language: str = "en", subdomain: str = "", **keys: object) -> dict[str, object]:
    return {"source": "file", "name": name, "domain": domain, "language": language, "subdomain": subdomain, **keys}


SOURCES = [
    source("talk", "general"),
    source("chat", "general", "zh"),
    source("herbs", "medical", "zh", "traditional"),
    source("ward", "medical", "zh", "western"),
    source("needles", "medical", "en", "traditional", share=2),
    source("clinic", "medical", "en", "western"),
    source("needles2", "medical", "en", "traditional"),
]


def requests_of(**keys: object) -> list[SourceRequest]:
    return source_requests(MixConfig.model_validate({"sources": SOURCES, **keys}))


def part(of: list[SourceRequest], **names: str) -> Fraction:
    return sum(
        (
            request.quota.share
            for request in of
            if all(getattr(request, key, request.quota.domain) == name for key, name in names.items())
        ),
        Fraction(0),
    )


@given(ratios, weights, weights, weights, weights)
def test_shares_are_exact_on_every_axis(ratio: str, en: int, zh: int, traditional: int, western: int) -> None:
    result = requests_of(
        ratio=ratio, languages={"en": en, "zh": zh}, subdomains={"traditional": traditional, "western": western}
    )
    general, medical = map(int, ratio.split(":"))
    assert sum(request.quota.share for request in result) == 1
    assert part(result, domain="medical") == Fraction(medical, general + medical)
    for domain in ("general", "medical"):
        whole = part(result, domain=domain)
        assert part(result, domain=domain, language="zh") == whole * Fraction(zh, en + zh)
    whole = part(result, domain="medical")
    assert part(result, domain="medical", subdomain="traditional") == whole * Fraction(
        traditional, traditional + western
    )
    shares = {request.quota.label: request.quota.share for request in result}
    assert shares["needles"] == 2 * shares["needles2"]


@given(ratios, st.integers(1, 10**6))
def test_the_fixed_part_is_the_same_at_every_ratio(ratio: str, tokens: int) -> None:
    result = requests_of(ratio=ratio, fixed="medical", tokens=tokens)
    general, medical = map(int, ratio.split(":"))
    budgets = {
        domain: sum(request.quota.budget or 0 for request in result if request.quota.domain == domain)
        for domain in ("general", "medical")
    }
    assert tokens - len(result) < budgets["medical"] <= tokens
    assert abs(budgets["general"] - tokens * general / medical) <= len(result)
    same = requests_of(ratio="1:1", fixed="medical", tokens=tokens)
    assert [request.quota.budget for request in result if request.quota.domain == "medical"] == [
        request.quota.budget for request in same if request.quota.domain == "medical"
    ]


def test_amounts_decide_instead_of_ratio_and_shares() -> None:
    sources = [source("talk", "general", amount=30), source("ward", "medical", amount="all")]
    assert [request.quota.budget for request in requests_of(sources=sources, ratio="1:9")] == [30, None]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"languages": {"en": 1}}, "'chat' has the language 'zh', which the key languages does not weigh"),
        ({"languages": {"en": 1, "zh": 1, "fr": 1}}, "asks for fr Dialogues but no general source"),
        ({"subdomains": {"western": 1}}, "'herbs' has the subdomain 'traditional'"),
        (
            {"sources": [source("talk", "general", language=""), SOURCES[3]], "languages": {"en": 1, "zh": 1}},
            "'talk' has the language 'that its rows state'",
        ),
        ({"ratio": "1:0", "fixed": "medical"}, "medical part is fixed but the ratio 1:0 has none"),
        ({"sources": [source("talk", "general", amount=3), SOURCES[3]]}, "'ward' has no amount but others have"),
    ],
)
def test_what_no_source_can_give_is_told_in_one_sentence(keys: dict[str, object], sentence: str) -> None:
    with pytest.raises(MedctxError, match=sentence):
        requests_of(**keys)
