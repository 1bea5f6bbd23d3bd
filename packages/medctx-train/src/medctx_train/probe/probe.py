"""A probe of the model that is being trained: the likeliest option of every item, and the accuracy on each axis.

A probe does not influence training: no gradients, no random draws, and every module's mode is restored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_records
from medctx.process.progress import say
from medctx.schemas.probe_item import ProbeAxis, ProbeItem
from medctx.schemas.records import Record
from medctx_train.distributed import launch
from medctx_train.probe.config import ProbeSettings
from medctx_train.probe.likelihood import answer_groups, mean_logprobs


def read_probe(path: Path) -> list[ProbeItem]:
    """Read the items of a probe file, which must hold at least one."""
    items = list(read_records(path, ProbeItem))
    if not items:
        raise MedctxError(f"The probe file {path} holds no items; write one with medctx-eval exams probe.")
    return items


def probe_digest(items: Iterable[ProbeItem]) -> str:
    """Return the digest of a probe's items in their order."""
    return digest.of_value([item.model_dump(mode="json") for item in items])


if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from medctx.text.json_tokenizer import ChatTokenizer

LOG = "probe.jsonl"
METRIC_NAMES: dict[ProbeAxis, str] = {
    "knowledge": "knowledge",
    "reading": "reading",
    "faithfulness": "trusts_page",
}
"""Name of the accuracy of each axis among the metrics."""


class ProbeAnswer(Record):
    """The answer to one item: the ``chosen`` letter, and the ``share`` of likelihood of the right option, in [0, 1]."""

    item: str
    axis: ProbeAxis
    chosen: str
    right: bool
    share: float


class ProbeResult(Record):
    """The probe after ``step`` optimizer steps (0: before the first); ``items`` is the digest of the probe's items."""

    step: int
    items: str
    answers: tuple[ProbeAnswer, ...]

    def correct(self, axis: ProbeAxis) -> dict[str, bool]:
        """Return whether each item of an axis was answered correctly, by item id."""
        return {answer.item: answer.right for answer in self.answers if answer.axis == axis}

    def accuracy(self, axis: ProbeAxis) -> float | None:
        """Return the accuracy on an axis in [0, 1], or None if it has no items."""
        correct = self.correct(axis)
        return sum(correct.values()) / len(correct) if correct else None

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy and mean likelihood share of each axis; the share changes more smoothly than the accuracy."""
        metrics: dict[str, float] = {}
        for axis, name in METRIC_NAMES.items():
            shares = [answer.share for answer in self.answers if answer.axis == axis]
            accuracy = self.accuracy(axis)
            if accuracy is not None:
                metrics[f"probe.{name}"] = accuracy
                metrics[f"probe.{name}_share"] = math.fsum(shares) / len(shares)
        return metrics


def load_items(settings: ProbeSettings, tokenizer: ChatTokenizer) -> list[ProbeItem]:
    """Read the items of the probe file, or make them from the embedded facts."""
    if settings.items is not None:
        return read_probe(settings.items)
    from medctx_train.probe.embedded import embedded

    def count_tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    return embedded(settings.curriculum, knowledge=settings.knowledge, reading=settings.reading, count=count_tokens)


@contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every module's mode and the random state are restored afterwards."""
    import torch

    modes = {module: module.training for module in model.modules()}
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices), torch.no_grad():
        model.eval()
        try:
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode


def _probe_answer(probe_item: ProbeItem, scores: Mapping[str, float]) -> ProbeAnswer:
    top = max(scores.values())
    weights = {letter: math.exp(score - top) for letter, score in scores.items()}
    chosen = max(scores, key=lambda letter: scores[letter])
    gold = probe_item.item.gold[0]
    return ProbeAnswer(
        item=probe_item.item.id,
        axis=probe_item.axis,
        chosen=chosen,
        right=chosen == gold,
        share=weights[gold] / math.fsum(weights.values()),
    )


class Prober:
    """Runs the same probe whenever it is called, in all processes of a launch."""

    def __init__(self, items: Sequence[ProbeItem], tokenizer: ChatTokenizer) -> None:
        self._items = list(items)
        self._groups = answer_groups(tokenizer, items)
        self._digest = probe_digest(self._items)

    @property
    def items(self) -> list[ProbeItem]:
        """The items of the probe."""
        return self._items

    def run(self, accelerator: Accelerator, model: torch.nn.Module, step: int) -> ProbeResult:
        """Probe the model after ``step`` steps; every process returns the same result."""
        import torch

        # Processes that hold the whole model divide the groups; if it is sharded, all must run the same passes.
        divided = launch.is_replicated(accelerator)
        probed = accelerator.unwrap_model(model) if divided else model
        sizes = [len(group.rows) for group in self._groups]
        scores = torch.zeros(sum(sizes), dtype=torch.float64, device=accelerator.device)
        begin = 0
        with evaluation_mode(probed), accelerator.autocast():
            for number, (group, size) in enumerate(zip(self._groups, sizes, strict=True)):
                if not divided or number % accelerator.num_processes == accelerator.process_index:
                    logprobs = mean_logprobs(probed, group, accelerator.device)
                    scores[begin : begin + size] = torch.tensor(logprobs, dtype=torch.float64)
                begin += size
        if divided:
            scores = accelerator.reduce(scores, "sum")
        values = iter(scores.tolist())
        answers = [
            _probe_answer(probe_item, {letter: next(values) for letter in probe_item.item.options})
            for probe_item in self._items
        ]
        return ProbeResult(step=step, items=self._digest, answers=tuple(answers))


def make_prober(settings: ProbeSettings, tokenizer: ChatTokenizer) -> Prober | None:
    """Return the prober of a run, or None if it is not probed."""
    if not settings.every:
        return None
    items = load_items(settings, tokenizer)
    counts = {name: sum(item.axis == axis for item in items) for axis, name in METRIC_NAMES.items()}
    say(f"Probe every {settings.every} steps: " + ", ".join(f"{size} {name}" for name, size in counts.items()) + ".")
    return Prober(items, tokenizer)
