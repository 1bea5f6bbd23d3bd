from __future__ import annotations

import json

import pytest

from medctx.schemas.decision import Decision, ParetoPosition
from study.tracking.registry import MAX_TAG_CHARS, decision_of


def decision(reason: str) -> Decision:
    span = {"knowledge": 0.5, "knowledge_low": 0.4, "knowledge_high": 0.6}
    span |= {"reading": 0.5, "reading_low": 0.4, "reading_high": 0.6}
    places = tuple(ParetoPosition(cell=f"{n}:1", standing="front", **span) for n in range(40))
    return Decision(champion="1:1", reason=reason, balanced="1:1", pareto=places)


@pytest.mark.parametrize("reason", ["short", "word " * 2_000, "−" * 3_000], ids=["short", "long", "escaped"])
def test_the_decision_on_a_version_is_json_and_fits_a_tag(reason: str) -> None:
    content = decision_of(decision(reason), "3:1")
    assert len(content) <= MAX_TAG_CHARS
    data = json.loads(content)
    assert data["champion"] == "1:1"
    assert data["position"]["cell"] == "3:1"
    assert reason.startswith(data["reason"])
