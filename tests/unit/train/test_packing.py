from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx_train.data.packing import IGNORED, PackedRow, fill_rate, pack, row_tensors
from medctx_train.data.tokenize import EncodedSample


def sample(name: str, size: int) -> EncodedSample:
    return EncodedSample(id=name, source="s", ids=tuple(range(size)), carries_loss=(True,) * size)


lengths = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@given(lengths, st.integers(1, 300))
def test_every_sample_is_packed_once_and_whole(sizes: list[int], window: int) -> None:
    samples = [sample(str(n), size) for n, size in enumerate(sizes)]
    rows = pack(samples, 50, window)
    assert sorted(member.id for row in rows for member in row.members) == sorted(sample.id for sample in samples)
    assert all(row.tokens <= 50 for row in rows)


@given(lengths, st.integers(1, 60))
def test_no_sample_leaves_its_window(sizes: list[int], window: int) -> None:
    rows = pack([sample(str(n), size) for n, size in enumerate(sizes)], 50, window)
    windows = [[int(member.id) // window for member in row.members] for row in rows]
    assert all(len(set(lengths)) == 1 for lengths in windows)
    assert [lengths[0] for lengths in windows] == sorted(lengths[0] for lengths in windows)


@given(lengths)
def test_no_two_rows_would_have_fitted_into_one(sizes: list[int]) -> None:
    rows = pack([sample(str(n), size) for n, size in enumerate(sizes)], 50, len(sizes))
    assert all(first.tokens + other.tokens > 50 for first, other in itertools.combinations(rows, 2))


@given(lengths)
def test_packing_hangs_on_the_samples_alone(sizes: list[int]) -> None:
    samples = [sample(str(n), size) for n, size in enumerate(sizes)]
    assert pack(samples, 50) == pack(list(samples), 50)


@pytest.mark.parametrize("row_tokens", [512, 1024, 2048])
def test_short_samples_fill_rows_well(row_tokens: int) -> None:
    sizes = [7 + n * 131 % 491 for n in range(2000)]
    assert fill_rate(pack([sample(str(n), size) for n, size in enumerate(sizes)], row_tokens), row_tokens) > 0.97


@given(st.lists(st.tuples(st.sampled_from(["long", "short", "other"]), st.integers(1, 50)), min_size=1, max_size=200))
def test_no_source_falls_behind_its_share_by_more_than_some_rows(parts: list[tuple[str, int]]) -> None:
    """However long the samples of a source are: at every row its tokens so far are near its share of all."""
    samples = [replace(sample(str(n), size), source=source) for n, (source, size) in enumerate(parts)]
    rows = pack(samples, 50)
    total = sum(size for _, size in parts)
    for source in {source for source, _ in parts}:
        share = sum(size for name, size in parts if name == source) / total
        ahead, most = 0.0, 0.0
        for row in rows:
            ahead += sum(len(member.ids) for member in row.members if member.source == source) - share * row.tokens
            most = max(most, abs(ahead))
        assert most <= 3 * 50


def test_labels_stay_inside_a_member() -> None:
    batch = row_tensors(PackedRow((sample("a", 3), sample("b", 2))))
    assert batch.labels.tolist() == [[1, 2, IGNORED, 1, IGNORED]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1]]
