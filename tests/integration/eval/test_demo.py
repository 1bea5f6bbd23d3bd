"""Built-in models through the whole exam over HTTP: what is known of them must be found."""

from __future__ import annotations

from collections import Counter

import pytest

from medctx.schemas.records import Judged, Mode, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.demo.server import DemoConfig, serve_models
from medctx_eval.run import examine as examination

ITEMS = 12
ORDERS = 2
CONFIG = DemoConfig(items=ITEMS, orders=ORDERS)
MODELS = ("oracle", "contrary", "mumbling", "always-a", "forgetful")
Judgements = dict[str, list[Judged]]


@pytest.fixture(scope="module")
def judgements(tmp_path_factory: pytest.TempPathFactory) -> Judgements:
    with pytest.MonkeyPatch.context() as patch, serve_models(CONFIG) as config:
        patch.setenv("MEDCTX_TRACKING", "off")
        said: list[str] = []
        patch.setattr(examination, "say", said.append)
        folders = examination.examine(config, tmp_path_factory.mktemp("demo"))
        for name in MODELS:
            assert len([line for line in said if line.startswith(f"{name}: knowledge ")]) == 1, "a line per model"
    return {run_folder.read_run(folder).manifest.model: list(run_folder.read_run(folder).judged) for folder in folders}


def share(judged: list[Judged], verdict: Verdict, *modes: Mode) -> float:
    requests = [answered for answered in judged if not modes or answered.mode in modes]
    return sum(answered.verdict is verdict for answered in requests) / len(requests)


def test_there_is_one_verdict_for_every_item_condition_mode_and_order(judgements: Judgements) -> None:
    for judged in judgements.values():
        keys = Counter(
            (verdict.item, verdict.condition.rsplit(":", 1)[0], verdict.mode, verdict.order) for verdict in judged
        )
        assert set(keys.values()) == {1}
        for mode, orders in (("text", 1), ("letter", ORDERS), ("generate", ORDERS), ("choice", ORDERS)):
            assert sum(verdict.mode == mode for verdict in judged) == ITEMS * len(CONFIG.conditions) * orders


def test_the_oracle_has_everything_right_in_every_mode(judgements: Judgements) -> None:
    assert share(judgements["oracle"], Verdict.CORRECT) == 1


def test_the_contrary_has_nothing_right_in_any_mode(judgements: Judgements) -> None:
    assert share(judgements["contrary"], Verdict.CORRECT) == 0


def test_the_mumbling_has_nothing_right_and_nothing_readable(judgements: Judgements) -> None:
    assert share(judgements["mumbling"], Verdict.UNPARSABLE, "generate") == 1


def test_always_a_gets_the_share_of_a(judgements: Judgements) -> None:
    for mode in ("letter", "generate", "choice"):
        judged = [verdict for verdict in judgements["always-a"] if verdict.mode == mode]
        for order in range(ORDERS):
            subset = [verdict for verdict in judged if verdict.order == order]
            shown_first = [answered for answered in subset if answered.verdict is Verdict.CORRECT]
            assert [answered.chosen for answered in shown_first] == [answered.gold for answered in shown_first]
        plain = [verdict for verdict in judged if verdict.order == 0]
        assert {answered.chosen for answered in plain} == {("A",)}
        assert sum(answered.verdict is Verdict.CORRECT for answered in plain) == sum(
            answered.gold == ("A",) for answered in plain
        )


def test_the_forgetful_falls_with_length_only(judgements: Judgements) -> None:
    def right(kind: str) -> float:
        return share(
            [verdict for verdict in judgements["forgetful"] if verdict.condition.startswith(kind)], Verdict.CORRECT
        )

    for short in ("closed", "gold", "counterfactual", "distractor"):
        assert right(short) == 1
    assert 1 > right("open:1536") > right("open:4096") > 0


def test_what_is_believed_is_the_page(judgements: Judgements) -> None:
    altered = [verdict for verdict in judgements["oracle"] if verdict.condition == "counterfactual"]
    assert all(answered.memory and answered.chosen != answered.memory for answered in altered)
