"""A probe of the model that is being trained: every item's likeliest option, and what they say on each axis.

It changes nothing of the training: no gradients, no random draws, the mode of every module as it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from medctx.io.probe_file import probe_digest, read_probe
from medctx.process.progress import say
from medctx.schemas.probe_item import ProbeAxis, ProbeItem
from medctx.schemas.records import Record
from medctx_train.distributed import launch
from medctx_train.probe.config import ProbeSettings
from medctx_train.probe.likelihood import groups, per_token

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from transformers import PreTrainedTokenizerBase

LOG = "probe.jsonl"
NAMES: dict[ProbeAxis, str] = {"knowledge": "knowledge", "reading": "reading", "faithfulness": "trusts_page"}
"""The curves, by the axis of the items they are made of."""


class ProbeAnswer(Record):
    """What the model took to be right: ``chosen`` letter, and the ``share`` of likelihood that the right option has."""

    item: str
    axis: ProbeAxis
    chosen: str
    right: bool
    share: float


class ProbeLog(Record):
    """The probe after ``step`` optimizer steps (0: before the first); ``items``: the digest of what was asked."""

    step: int
    items: str
    answers: tuple[ProbeAnswer, ...]

    def right(self, axis: ProbeAxis) -> dict[str, bool]:
        """Whether each item of an axis was answered rightly, by its id."""
        return {one.item: one.right for one in self.answers if one.axis == axis}

    def value(self, axis: ProbeAxis) -> float | None:
        """Share of an axis's items answered rightly, in [0, 1]; nothing where it has none."""
        right = self.right(axis)
        return sum(right.values()) / len(right) if right else None

    @property
    def metrics(self) -> dict[str, float]:
        """The points of the curves: shares answered rightly, and mean likelihood shares, which move more smoothly."""
        found: dict[str, float] = {}
        for axis, name in NAMES.items():
            shares = [one.share for one in self.answers if one.axis == axis]
            value = self.value(axis)
            if value is not None:
                found[f"probe.{name}"] = value
                found[f"probe.{name}_share"] = math.fsum(shares) / len(shares)
        return found


def load_items(settings: ProbeSettings, tokenizer: PreTrainedTokenizerBase) -> list[ProbeItem]:
    """The items of the settings' file, or those made from the embedded facts."""
    if settings.items is not None:
        return read_probe(settings.items)
    from medctx_train.probe.embedded import embedded

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    return embedded(settings.curriculum, knowledge=settings.knowledge, reading=settings.reading, count=count)


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every module's mode and the random state are as before."""
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


def _answers(item: ProbeItem, scores: Mapping[str, float]) -> ProbeAnswer:
    top = max(scores.values())
    weights = {letter: math.exp(score - top) for letter, score in scores.items()}
    chosen = max(scores, key=lambda letter: scores[letter])
    gold = item.item.gold[0]
    return ProbeAnswer(
        item=item.item.id,
        axis=item.axis,
        chosen=chosen,
        right=chosen == gold,
        share=weights[gold] / math.fsum(weights.values()),
    )


class Prober:
    """Asks the same items whenever it is called, in all processes of a launch."""

    def __init__(self, items: Sequence[ProbeItem], tokenizer: PreTrainedTokenizerBase) -> None:
        self._items = list(items)
        self._groups = groups(tokenizer, items)
        self._digest = probe_digest(self._items)

    @property
    def items(self) -> list[ProbeItem]:
        """What is asked."""
        return self._items

    def ask(self, accelerator: Accelerator, model: torch.nn.Module, step: int) -> ProbeLog:
        """The answers of the model after ``step`` steps; every process returns the same."""
        import torch

        # Where each process holds the whole model they share the groups; sharded, all must do the same passes.
        shared = launch.replicated(accelerator)
        asked = accelerator.unwrap_model(model) if shared else model
        sizes = [len(group.rows) for group in self._groups]
        scores = torch.zeros(sum(sizes), dtype=torch.float64, device=accelerator.device)
        begin = 0
        with undisturbed(asked), accelerator.autocast():
            for number, (group, size) in enumerate(zip(self._groups, sizes, strict=True)):
                if not shared or number % accelerator.num_processes == accelerator.process_index:
                    found = per_token(asked, group, accelerator.device)
                    scores[begin : begin + size] = torch.tensor(found, dtype=torch.float64)
                begin += size
        if shared:
            scores = accelerator.reduce(scores, "sum")
        values = iter(scores.tolist())
        answers = [_answers(item, {letter: next(values) for letter in item.item.options}) for item in self._items]
        return ProbeLog(step=step, items=self._digest, answers=tuple(answers))


def prober(settings: ProbeSettings, tokenizer: PreTrainedTokenizerBase) -> Prober | None:
    """The prober of a run, nothing where it is not probed."""
    if not settings.every:
        return None
    items = load_items(settings, tokenizer)
    counts = {name: sum(one.axis == axis for one in items) for axis, name in NAMES.items()}
    say(f"Probe every {settings.every} steps: " + ", ".join(f"{size} {name}" for name, size in counts.items()) + ".")
    return Prober(items, tokenizer)
