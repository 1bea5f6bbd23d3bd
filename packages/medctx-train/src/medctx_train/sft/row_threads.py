"""Rows of an optimizer step side by side, in threads of one process on a CPU.

Most operations on a short row are too small to be split over cores: two threads on one row take 0.8 of the time of one
thread. A thread per row, each with its part of the cores, keeps all of them busy. Gradients are added in the order of
the rows, so the weights are those of one row after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from medctx.model.training_memory import SHORT_ROW

if TYPE_CHECKING:
    import torch

Row = TypeVar("Row")

MOST_ROWS = 2
"""Measured on two cores; each further row takes the memory of its activations."""


def rows_at_a_time(rows_per_step: int, row_tokens: int, *, adapters: bool, gpu: bool) -> int:
    """Return how many rows one process computes side by side.

    Args:
        rows_per_step: Largest number of rows of a step.
        row_tokens: Longest row in tokens.
        adapters: True if adapters are trained, whose gradients are small enough to be held once per row.
        gpu: True if the model is on a GPU.
    """
    import torch

    if gpu or not adapters or row_tokens > SHORT_ROW:
        return 1
    return max(1, min(MOST_ROWS, rows_per_step, torch.get_num_threads()))


class RowThreads:
    """Threads that compute the gradients of rows.

    Args:
        rows: Number of rows at a time; the threads of PyTorch are divided among them.
        parameters: The parameters that are trained.
    """

    def __init__(self, rows: int, parameters: Sequence[torch.nn.Parameter]) -> None:
        import torch

        threads = max(1, torch.get_num_threads() // rows)
        self._pool = ThreadPoolExecutor(rows, initializer=torch.set_num_threads, initargs=(threads,))
        self._parameters = parameters

    def accumulate(
        self, rows: Sequence[Row], forward: Callable[[Row], tuple[torch.Tensor, torch.Tensor]]
    ) -> Iterator[torch.Tensor]:
        """Add the gradients of rows to those of the parameters and yield each row's losses, in order.

        Args:
            rows: The rows.
            forward: Returns the losses of a row and the number whose gradient is taken.
        """
        import torch

        def backward(row: Row) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
            losses, total = forward(row)
            return losses.detach(), torch.autograd.grad(total, self._parameters, allow_unused=True)

        for losses, gradients in self._pool.map(backward, rows):
            for parameter, gradient in zip(self._parameters, gradients, strict=True):
                if gradient is not None and parameter.grad is not None:
                    parameter.grad.add_(gradient)
                elif gradient is not None:
                    parameter.grad = gradient.contiguous()
            yield losses


def draws_random_numbers(forward: Callable[[], object]) -> bool:
    """Return True if a forward pass in training mode draws from PyTorch's generator, which all threads share."""
    import torch

    before = torch.get_rng_state()
    with torch.no_grad():
        forward()
    drawn = not torch.equal(before, torch.get_rng_state())
    torch.set_rng_state(before)
    return drawn
