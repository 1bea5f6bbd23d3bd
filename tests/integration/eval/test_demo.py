"""Built-in models through the whole exam over HTTP: what is known of them must be found."""

from __future__ import annotations

from collections import Counter

import pytest

from medctx.schemas.records import Judged, Mode, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.demo.server import DemoConfig, serve_models
from medctx_eval.run import examine as examination

ITEMS = 24
ORDERS = 2
CONFIG = DemoConfig(items=ITEMS, orders=ORDERS)
Judgements = dict[str, list[Judged]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Judgements:
    with pytest.MonkeyPatch.context() as patch, serve_models(CONFIG) as config:
        patch.setenv("MEDCTX_TRACKING", "off")
        folders = examination.run(config, tmp_path_factory.mktemp("demo"))
    return {run_folder.read(folder).manifest.model: list(run_folder.read(folder).judged) for folder in folders}


def share(judged: list[Judged], verdict: Verdict, *modes: Mode) -> float:
    asked = [one for one in judged if not modes or one.mode in modes]
    return sum(one.verdict is verdict for one in asked) / len(asked)


def test_there_is_one_verdict_for_every_item_condition_mode_and_order(found: Judgements) -> None:
    for judged in found.values():
        keys = Counter((one.item, one.condition.rsplit(":", 1)[0], one.mode, one.order) for one in judged)
        assert set(keys.values()) == {1}
        for mode, orders in (("text", 1), ("letter", ORDERS), ("generate", ORDERS), ("choice", ORDERS)):
            assert sum(one.mode == mode for one in judged) == ITEMS * len(CONFIG.conditions) * orders


def test_the_oracle_has_everything_right_in_every_mode(found: Judgements) -> None:
    assert share(found["oracle"], Verdict.CORRECT) == 1


def test_the_contrary_has_nothing_right_in_any_mode(found: Judgements) -> None:
    assert share(found["contrary"], Verdict.CORRECT) == 0


def test_the_mumbling_has_nothing_right_and_nothing_readable(found: Judgements) -> None:
    assert share(found["mumbling"], Verdict.UNPARSABLE, "generate") == 1


def test_always_a_gets_the_share_of_a(found: Judgements) -> None:
    for mode in ("letter", "generate", "choice"):
        judged = [one for one in found["always-a"] if one.mode == mode]
        for order in range(ORDERS):
            own = [one for one in judged if one.order == order]
            shown_first = [one for one in own if one.verdict is Verdict.CORRECT]
            assert [one.chosen for one in shown_first] == [one.gold for one in shown_first]
        plain = [one for one in judged if one.order == 0]
        assert {one.chosen for one in plain} == {("A",)}
        assert sum(one.verdict is Verdict.CORRECT for one in plain) == sum(one.gold == ("A",) for one in plain)


def test_the_forgetful_falls_with_length_only(found: Judgements) -> None:
    def right(kind: str) -> float:
        return share([one for one in found["forgetful"] if one.condition.startswith(kind)], Verdict.CORRECT)

    for short in ("closed", "gold", "counterfactual", "distractor"):
        assert right(short) == 1
    assert 1 > right("open:1536") > right("open:4096") > 0


def test_what_is_believed_is_the_page(found: Judgements) -> None:
    altered = [one for one in found["oracle"] if one.condition == "counterfactual"]
    assert all(one.memory and one.chosen != one.memory for one in altered)
