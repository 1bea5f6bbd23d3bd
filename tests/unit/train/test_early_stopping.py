from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from medctx_train.probe.early_stopping import betting_wealth, cluster_losses, exceeds_margin


def losses(rng: Random, items: int, lost: float, gained: float) -> list[float]:
    """What single items lost: right before and wrong now with chance ``lost``, the other way with ``gained``."""
    return [1.0 if (draw := rng.random()) < lost else -1.0 if draw < lost + gained else 0.0 for _ in range(items)]


def stops(rng: Random, items: int, lost: float, gained: float, margin: float, looks: int) -> bool:
    return any(exceeds_margin(losses(rng, items, lost, gained), margin, 0.05, looks) for _ in range(looks))


def test_a_run_that_lost_just_the_margin_is_stopped_in_at_most_one_of_twenty() -> None:
    """Also where the looks are independent of each other, which is the worst case for their sum."""
    rng = Random(1)
    for margin, lost in ((0.05, 0.10), (0.05, 0.05), (0.20, 0.30)):
        false_alarms = sum(stops(rng, 60, lost, lost - margin, margin, 10) for _ in range(200))
        assert false_alarms <= 0.05 * 200 + 2 * (0.05 * 0.95 * 200) ** 0.5


def test_a_collapse_is_seen_at_the_first_look() -> None:
    rng = Random(2)
    seen = sum(exceeds_margin(losses(rng, 80, 0.45, 0.05), 0.05, 0.05, 10) for _ in range(200))
    assert seen > 190


def test_what_is_not_lost_never_stops() -> None:
    assert not exceeds_margin([0.0] * 1000, 0.0, 0.05, 1)
    assert not exceeds_margin([], 0.0, 0.05, 1)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), max_size=60), st.floats(0, 0.9), st.floats(0.001, 0.1))
def test_wealth_is_never_lost_altogether(values: list[float], margin: float, level: float) -> None:
    assert betting_wealth(values, margin, level) >= 1.0


def test_items_of_a_document_count_once_together() -> None:
    before = {"a": True, "b": True, "c": True, "d": False}
    now = {"a": False, "b": True, "c": True, "d": True}
    assert cluster_losses(before, now, {"a": "one", "b": "one", "c": "two", "d": "three"}) == [0.5, 0.0, -1.0]
