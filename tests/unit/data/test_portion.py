"""The arithmetic of a mix: budgets add up, prefixes nest, orders are fair. Properties, no files, no tokenizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.schemas.mix import By
from medctx.schemas.ratio import parse_ratio
from medctx_data.mixture.budget import Filled, Sized, allocate, divide, fill_budget, interleave, shuffled_epochs

weights = st.lists(st.floats(0.01, 1000, allow_nan=False), min_size=1, max_size=6)
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=80)
units = st.sampled_from(["tokens", "examples"])


def rows_of(sizes: list[int], epoch: int = 1) -> list[Sized[int]]:
    return [Sized(number, epoch, size, size // 2) for number, size in enumerate(sizes)]


def tokens_of(row: Sized[int]) -> int:
    return row.tokens


def cost_of(by: By) -> Callable[[Sized[int]], int]:
    return tokens_of if by == "tokens" else lambda row: 1


def prefix(sizes: list[int], budget: int, by: By, longest: int) -> Filled[int]:
    return fill_budget(rows_of(sizes), budget, cost=cost_of(by), longest=longest, repeat=True)


@given(weights, st.integers(0, 10**9))
def test_budgets_never_exceed_the_total_and_miss_less_than_one_each(shares: list[float], total: int) -> None:
    exact = divide(Fraction(1), shares)
    budgets = [allocate(total, share) for share in exact]
    assert sum(exact) == 1
    assert total - len(shares) < sum(budgets) <= total


@given(st.fractions(0, 1), st.fractions(0, 1), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_budget_grows_with_the_total_and_with_the_share(
    fraction: Fraction, second: Fraction, some: int, more: int
) -> None:
    assert allocate(min(some, more), min(fraction, second)) <= allocate(max(some, more), max(fraction, second))


@given(lengths, st.integers(0, 2000), units, st.integers(1, 60))
def test_a_portion_is_the_longest_prefix_within_the_budget(sizes: list[int], budget: int, by: By, longest: int) -> None:
    filled = prefix(sizes, budget, by, longest)
    fitting = [row for row in rows_of(sizes) if row.tokens <= longest]
    taken = len(filled.taken)
    assert list(filled.taken) == fitting[:taken]
    prices = [row.tokens if by == "tokens" else 1 for row in fitting]
    assert filled.spent == sum(prices[:taken]) <= budget
    assert taken == len(fitting) or sum(prices[: taken + 1]) > budget


@given(lengths, st.integers(0, 2000), st.integers(0, 2000), units)
def test_less_is_the_beginning_of_more(sizes: list[int], first: int, second: int, by: By) -> None:
    less = prefix(sizes, min(first, second), by, 50).taken
    more = prefix(sizes, max(first, second), by, 50).taken
    assert more[: len(less)] == less


@given(lengths, st.integers(1, 60))
def test_long_rows_are_counted_once_and_never_taken(sizes: list[int], longest: int) -> None:
    twice = rows_of(sizes) + rows_of(sizes, epoch=2)
    filled = fill_budget(twice, 10**9, cost=tokens_of, longest=longest, repeat=True)
    assert [row.row for row in filled.too_long] == [number for number, size in enumerate(sizes) if size > longest]
    assert all(row.tokens <= longest for row in filled.taken)


@given(lengths)
def test_without_repeat_a_source_that_is_too_small_is_told(sizes: list[int]) -> None:
    twice = rows_of(sizes) + rows_of(sizes, epoch=2)
    assert fill_budget(twice, sum(sizes) * 2, cost=tokens_of, longest=60, repeat=False).short
    exact = fill_budget(twice, sum(sizes), cost=tokens_of, longest=60, repeat=False)
    assert not exact.short
    assert exact.spent == sum(sizes)


def test_a_source_with_nothing_short_enough_ends() -> None:
    endless = (Sized(number, 1, 99, 9) for number in iter(int, 1))
    filled = fill_budget(endless, 1000, cost=tokens_of, longest=10, repeat=True)
    assert not filled.taken
    assert len(filled.too_long) == filled.reached > 0


@given(st.integers(1, 40), st.text(max_size=5))
def test_every_pass_has_every_row_once(size: int, seed: str) -> None:
    draws = list(islice(shuffled_epochs(range(size), seed), 3 * size))
    assert draws == list(islice(shuffled_epochs(range(size), seed), 3 * size))
    for epoch in (1, 2, 3):
        assert sorted(draw.row for draw in draws if draw.epoch == epoch) == list(range(size))


def test_no_rows_make_no_passes() -> None:
    assert list(shuffled_epochs([], "seed")) == []


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.text(max_size=5))
def test_interleaving_keeps_rows_orders_and_shares(sizes: list[int], seed: str) -> None:
    parts = [[(part, place) for place in range(size)] for part, size in enumerate(sizes)]
    mixed = interleave(parts, seed)
    assert mixed == interleave(parts, seed)
    for part, rows in enumerate(parts):
        assert [row for row in mixed if row[0] == part] == rows
    seen: Counter[int] = Counter()
    for position, (part, _) in enumerate(mixed, start=1):
        seen[part] += 1
        for other, size in enumerate(sizes):
            assert abs(seen[other] - position * size / len(mixed)) <= max(1, len(sizes) - 1) + 1e-9


@given(st.integers(0, 99), st.integers(0, 99))
def test_ratios_sum_to_one(general: int, medical: int) -> None:
    if general + medical:
        shares = parse_ratio(f"{general}:{medical}")
        assert sum(shares) == 1
        assert shares[0] * medical == shares[1] * general


@pytest.mark.parametrize("text", ["", "1", "1:", "1:2:3", "a:b", "-1:2", "0:0", "0.0:0", "1/2:1", "nan:1"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ratio"):
        parse_ratio(text)
