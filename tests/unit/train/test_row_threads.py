"""Rows side by side give the gradients of rows one after another, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

import torch

from medctx.model.training_memory import SHORT_ROW
from medctx_train.sft.row_threads import RowThreads, draws_random_numbers, rows_at_a_time


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_gradients_are_added_in_the_order_of_the_rows(two_threads: None) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(50, 80), torch.nn.Tanh(), torch.nn.Linear(80, 1))
    rows = [torch.randn(30, 50) * 10**number for number in range(7)]

    def forward(row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses = model(row).squeeze(-1)
        return losses, losses.sum()

    expected = []
    for row in rows:
        losses, total = forward(row)
        total.backward()
        expected.append(losses.detach())
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    threads = RowThreads(2, list(model.parameters()))
    for losses, reference in zip(threads.accumulate(rows, forward), expected, strict=True):
        assert torch.equal(losses, reference)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)
    assert torch.get_num_threads() == 2, "the thread that trains keeps its own"


def test_an_error_in_a_row_is_raised() -> None:
    def fail(row: int) -> tuple[torch.Tensor, torch.Tensor]:
        raise ArithmeticError(row)

    with pytest.raises(ArithmeticError):
        list(RowThreads(2, []).accumulate([1, 2], fail))


def test_only_short_rows_of_adapters_on_a_cpu_with_threads_to_share_are_side_by_side(two_threads: None) -> None:
    assert rows_at_a_time(4, 256, adapters=True, gpu=False) == 2
    assert rows_at_a_time(1, 256, adapters=True, gpu=False) == 1
    assert rows_at_a_time(4, SHORT_ROW + 1, adapters=True, gpu=False) == 1
    assert rows_at_a_time(4, 256, adapters=False, gpu=False) == 1
    assert rows_at_a_time(4, 256, adapters=True, gpu=True) == 1
    torch.set_num_threads(1)
    assert rows_at_a_time(4, 256, adapters=True, gpu=False) == 1


def test_dropout_is_noticed_and_its_draws_are_undone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert draws_random_numbers(lambda: torch.nn.functional.dropout(torch.ones(4), 0.5))
    assert not draws_random_numbers(lambda: torch.ones(4) * 2)
    assert torch.equal(torch.rand(2), expected)
