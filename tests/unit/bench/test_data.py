"""What counts as a planted repetition that was found."""

from __future__ import annotations

import pytest

from bench.data import share_found

TEXTS = {"a": "one", "b": "one", "c": "one", "d": "two", "e": "two, nearly", "f": "three"}


@pytest.mark.parametrize(
    ("removed", "share"),
    [
        (set(), 0),
        ({"b", "c", "e"}, 1),
        # Another row of the group may stay, and the near repetition instead of its original.
        ({"a", "b", "d"}, 1),
        # One copy of three is left beside the row it repeats.
        ({"c", "e"}, 2 / 3),
        ({"b", "c"}, 2 / 3),
        ({"f"}, 0),
    ],
)
def test_one_row_of_each_group_may_stay(removed: set[str], share: float) -> None:
    assert share_found(TEXTS, removed, {"b", "c"}, {"e": "d"}) == pytest.approx(share)
