from __future__ import annotations

import pytest

from medctx.errors import MedctxError
from medctx_eval.exams.condition import parse
from medctx_eval.exams.config import ExamConfig


@pytest.mark.parametrize(
    ("text", "axis", "name"),
    [
        ("closed", "knowledge", "closed"),
        ("gold", "reading", "gold"),
        ("open:512", "reading", "open:512"),
        ("open:2048:0.5", "reading", "open:2048:0.5"),
        ("open:2048:1", "reading", "open:2048:1"),
        ("distractor", "abstention", "distractor"),
        ("distractor:512", "abstention", "distractor:512"),
        ("counterfactual", "faithfulness", "counterfactual"),
        ("counterfactual:512:0.25", "faithfulness", "counterfactual:512:0.25"),
    ],
)
def test_conditions_read_and_write_themselves(text: str, axis: str, name: str) -> None:
    condition = parse(text)
    assert (condition.axis, condition.name) == (axis, name)
    assert parse(condition.name) == condition


@pytest.mark.parametrize(
    "text", ["", "open", "open:0", "open:512:1.5", "closed:3", "gold:1", "distractor:9:0.5", "counter"]
)
def test_anything_else_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(MedctxError, match=r"is not known; write closed, gold, open"):
        parse(text)


def test_ranges_and_counts_are_written_out() -> None:
    config = ExamConfig.model_validate({"exam": "needle", "conditions": ["closed", "open:512-131072"], "depths": 7})
    assert config.conditions[:3] == ("closed", "open:512", "open:1024")
    assert config.conditions[-1] == "open:131072"
    assert len(config.conditions) == 10
    assert config.depths == (0, 0.167, 0.333, 0.5, 0.667, 0.833, 1)
    for text in config.conditions:
        parse(text)
