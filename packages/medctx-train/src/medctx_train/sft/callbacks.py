"""What happens between optimizer steps: probes, retained weights, and early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.process.progress import say
from medctx.schemas.probe_item import ProbeItem
from medctx.schemas.sft import BaseCard
from medctx_train.checkpoints import export
from medctx_train.config import SftConfig
from medctx_train.distributed import launch
from medctx_train.probe import retention
from medctx_train.probe.early_stopping import cluster_losses, exceeds_margin
from medctx_train.probe.probe import Prober, ProbeResult
from medctx_train.sft.logging import RunLog

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


def reading_losses(items: Sequence[ProbeItem], before: ProbeResult, now: ProbeResult) -> list[float]:
    """Return the loss of accuracy of each cluster of reading items since ``before``, in [-1, 1]."""
    clusters = {probe_item.item.id: probe_item.item.cluster for probe_item in items if probe_item.axis == "reading"}
    return cluster_losses(before.correct("reading"), now.correct("reading"), clusters)


class StepCallbacks:
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
        card: BaseCard,
        steps: int,
    ) -> None:
        self._config, self._accelerator, self._model = config, accelerator, model
        self._prober, self._log, self._out, self._base, self._card = prober, log, out, base, card
        self._planned_probes = max(1, steps // config.probe.every) if config.probe.every else 1
        self.probes: list[ProbeResult] = launch.broadcast(accelerator, log.probes)

    def begin(self, done: int) -> bool:
        """Probe the untrained model if that is not done, and remove weights retained after the last checkpoint.

        Returns:
            True if training should go on; False if the run was killed after a probe that stopped it.
        """
        if self._prober and not self.probes:
            self._probe(self._prober, done)
        self._remove_unretained(done)
        return not self._should_stop()

    def after_step(self, done: int) -> bool:
        """Probe and retain the weights after ``done`` steps if due; return True if training should go on."""
        if self._prober and done % self._config.probe.every == 0:
            self._probe(self._prober, done)
        if done in self._retained_steps(done):
            folder = self._out / retention.FOLDER / retention.state_folder(done)
            config = self._config
            export.save_weights(
                folder, self._accelerator, self._model, config.method, self._base, self._card, config.chat_template
            )
            if self._accelerator.is_main_process:
                retention.write_index(self._out, self._retained_steps(done), self.probes)
        return not self._should_stop()

    def after_checkpoint(self, done: int) -> None:
        """Remove weights that no rule retains any more.

        Not earlier: a killed run continues from its checkpoint and may still need them.
        """
        self._remove_unretained(done)

    def _retained_steps(self, done: int) -> dict[int, tuple[str, ...]]:
        return retention.retained_steps(self._config.retention, done, self._config.checkpoint_every, self.probes)

    def _remove_unretained(self, done: int) -> None:
        if self._accelerator.is_main_process:
            retention.write_index(self._out, self._retained_steps(done), self.probes)
            retention.remove_unlisted(self._out)
        self._accelerator.wait_for_everyone()

    def _probe(self, prober: Prober, done: int) -> None:
        result = prober.run(self._accelerator, self._model, done)
        self.probes.append(result)
        self._log.probe(result, self._mean_reading_loss(prober))
        values = ", ".join(f"{name.removeprefix('probe.')} {value:.3f}" for name, value in result.metrics.items())
        say(f"Probe after {done} steps: {values}.")

    def _mean_reading_loss(self, prober: Prober) -> float | None:
        losses = reading_losses(prober.items, self.probes[0], self.probes[-1])
        return sum(losses) / len(losses) if losses else None

    def _should_stop(self) -> bool:
        stopping = self._config.early_stopping
        if stopping.margin is None or self._prober is None or self.probes[-1].step == 0:
            return False
        losses = reading_losses(self._prober.items, self.probes[0], self.probes[-1])
        return exceeds_margin(losses, stopping.margin, stopping.alpha, self._planned_probes)
