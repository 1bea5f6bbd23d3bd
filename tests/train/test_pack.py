from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx import tokenizer
from medctx_train.attention import packing_gap
from medctx_train.encode import Encoded, encode
from medctx_train.model import load_model
from medctx_train.pack import IGNORED, Row, fill, pack, tensors
from tests.train.conftest import dialogue


def sample(name: str, size: int) -> Encoded:
    return Encoded(id=name, source="s", ids=tuple(range(size)), carries_loss=(True,) * size)


lengths = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@given(lengths)
def test_every_sample_is_packed_once_and_whole(sizes: list[int]) -> None:
    samples = [sample(str(n), size) for n, size in enumerate(sizes)]
    rows = pack(samples, 50)
    assert sorted(member.id for row in rows for member in row.members) == sorted(one.id for one in samples)
    assert all(row.tokens <= 50 for row in rows)


def test_short_samples_fill_rows_well() -> None:
    sizes = [7 + n * 13 % 37 for n in range(500)]
    assert fill(pack([sample(str(n), size) for n, size in enumerate(sizes)], 512), 512) > 0.97


def test_labels_stay_inside_a_member() -> None:
    batch = tensors(Row((sample("a", 3), sample("b", 2))))
    assert batch.labels.tolist() == [[1, 2, IGNORED, 1, IGNORED]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1]]


@pytest.fixture(scope="module")
def row(tiny: Path) -> Row:
    tokens = tokenizer.load(tiny)
    return Row(tuple(encode(tokens, dialogue(n, 2)) for n in range(4)))


def test_packed_loss_is_unpacked_loss(tiny: Path, row: Row) -> None:
    assert packing_gap(load_model(tiny, "fp32"), row) < 1e-4


def test_a_leak_is_seen(tiny: Path, row: Row) -> None:
    """Weights large enough for attention to matter, and positions that hide the boundaries."""
    import torch

    model = load_model(tiny, "fp32")
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)

    class Leaking(torch.nn.Module):
        def forward(self, position_ids: torch.Tensor, **inputs: object) -> object:
            straight = torch.arange(position_ids.shape[1])[None]
            return model(position_ids=straight, **inputs)

    assert packing_gap(model, row) < 1e-3
    assert packing_gap(Leaking(), row) > 0.1
