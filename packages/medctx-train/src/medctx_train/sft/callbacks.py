"""What happens between steps besides training: probes, kept states, and the decision to stop. It trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.process.progress import say
from medctx.schemas.probe_item import ProbeItem
from medctx_train.checkpoints import export as weights
from medctx_train.config import SftConfig
from medctx_train.distributed import launch
from medctx_train.probe import retention as keep
from medctx_train.probe.early_stopping import exceeds, paired_losses
from medctx_train.probe.probe import ProbeLog, Prober
from medctx_train.sft.logging import RunLog

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


def reading_losses(items: Sequence[ProbeItem], before: ProbeLog, now: ProbeLog) -> list[float]:
    """What each cluster of the reading items lost since ``before``, in [-1, 1]."""
    clusters = {one.item.id: one.item.cluster for one in items if one.axis == "reading"}
    return paired_losses(before.right("reading"), now.right("reading"), clusters)


class Observer:
    """Called by every process of a launch after every step; decides the same in all of them."""

    def __init__(
        self,
        config: SftConfig,
        accelerator: Accelerator,
        model: torch.nn.Module,
        prober: Prober | None,
        log: RunLog,
        *,
        out: Path,
        base: Path,
        steps: int,
    ) -> None:
        self._config, self._accelerator, self._model = config, accelerator, model
        self._prober, self._log, self._out, self._base = prober, log, out, base
        self._looks = max(1, steps // config.probe.every) if config.probe.every else 1
        self.probes: list[ProbeLog] = launch.from_main(accelerator, log.probes)

    def begin(self, done: int) -> bool:
        """Probe the untrained model unless that is done, and drop what a killed run kept after its last checkpoint.

        Returns whether to train on: a run that was killed after its last probe said stop does not.
        """
        if self._prober and not self.probes:
            self._probe(self._prober, done)
        self._tidy(done)
        return not self._stopped()

    def after(self, done: int) -> bool:
        """Probe and keep the weights after ``done`` steps where that is due; returns whether to train on."""
        if self._prober and done % self._config.probe.every == 0:
            self._probe(self._prober, done)
        if done in self._wanted(done):
            folder = self._out / keep.FOLDER / keep.name_of(done)
            weights.save(folder, self._accelerator, self._model, self._config.method, self._base)
            if self._accelerator.is_main_process:
                keep.list_states(self._out, self._wanted(done), self.probes)
        return not self._stopped()

    def checkpointed(self, done: int) -> None:
        """Drop what no rule keeps any more. Not before: a killed run goes on from its checkpoint, and may want it."""
        self._tidy(done)

    def _wanted(self, done: int) -> dict[int, tuple[str, ...]]:
        return keep.wanted(self._config.keep, done, self._config.checkpoint_every, self.probes)

    def _tidy(self, done: int) -> None:
        if self._accelerator.is_main_process:
            keep.list_states(self._out, self._wanted(done), self.probes)
            keep.drop_others(self._out)
        self._accelerator.wait_for_everyone()

    def _probe(self, prober: Prober, done: int) -> None:
        entry = prober.ask(self._accelerator, self._model, done)
        self.probes.append(entry)
        self._log.probe(entry, self._loss(prober))
        values = ", ".join(f"{name.removeprefix('probe.')} {value:.3f}" for name, value in entry.metrics.items())
        say(f"Probe after {done} steps: {values}.")

    def _loss(self, prober: Prober) -> float | None:
        losses = reading_losses(prober.items, self.probes[0], self.probes[-1])
        return sum(losses) / len(losses) if losses else None

    def _stopped(self) -> bool:
        margin = self._config.stop.margin
        if margin is None or self._prober is None or self.probes[-1].step == 0:
            return False
        losses = reading_losses(self._prober.items, self.probes[0], self.probes[-1])
        return exceeds(losses, margin, self._config.stop.alpha, self._looks)
