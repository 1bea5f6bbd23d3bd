"""The log of a run in progress: the journal of its steps, its MLflow run and a progress bar. Main process only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from medctx.io.journal import Journal
from medctx.io.mix_folder import files_of
from medctx.process.progress import Advance, say, track
from medctx.schemas.sft import SFT_FILE, TRAINING_LOG, SftManifest, SourceCount, StepLog
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.logged_adapter import AdapterCard
from medctx_train.config import SftConfig
from medctx_train.data.dataset import TrainingData
from medctx_train.probe.probe import LOG as PROBES
from medctx_train.probe.probe import METRIC_NAMES, ProbeResult

MLFLOW_RUN = "mlflow-run"
"""File beside the checkpoints with the id of the MLflow run, which a resumed run continues."""


class RunLog:
    """Writes to the journal first and to the tracker second; does nothing in the other processes of a launch."""

    def __init__(
        self, journal: Journal[StepLog] | None, probes: Journal[ProbeResult] | None, run: tracking.Run, advance: Advance
    ) -> None:
        self._journal, self._probes, self._run, self._advance = journal, probes, run, advance
        # Steps that are repeated after a kill are already tracked: one point per step, in one or several MLflow runs.
        self._last_tracked_step = run.last_step("loss") if journal else -1
        self._last_tracked_probe = (
            max(run.last_step(f"probe.{name}") for name in METRIC_NAMES.values()) if probes else -1
        )
        for entry in self.steps:
            self._track(entry)

    @property
    def steps(self) -> Sequence[StepLog]:
        """The steps so far."""
        return self._journal.records if self._journal else []

    @property
    def probes(self) -> list[ProbeResult]:
        """The probes so far, as a copy."""
        return list(self._probes.records) if self._probes else []

    def probe(self, result: ProbeResult, reading_loss: float | None) -> None:
        """Log one probe; ``reading_loss`` is the loss of reading accuracy since the first probe, in [-1, 1]."""
        if self._probes is None:
            return
        self._probes.append(result)
        loss = {} if reading_loss is None else {"probe.reading_loss": reading_loss}
        if result.step > self._last_tracked_probe:
            self._run.metrics({**result.metrics, **loss}, step=result.step)

    def step(self, entry: StepLog) -> None:
        """Log one step."""
        if self._journal is None:
            return
        self._journal.append(entry)
        self._track(entry)
        self._advance(1)

    def _track(self, entry: StepLog) -> None:
        if entry.step <= self._last_tracked_step:
            return
        metrics = {
            "loss": entry.loss,
            "lr": entry.learning_rate,
            "tokens_per_second": entry.tokens_per_second,
            "fill": entry.fill,
            "grad_norm": entry.grad_norm,
            "peak_memory_gib": entry.peak_memory / 2**30,
            **{f"loss.{source}": loss for source, loss in entry.by_source.items()},
            **({} if entry.mfu is None else {"mfu": entry.mfu}),
        }
        self._run.metrics(metrics, step=entry.step)

    def finish(self, out: Path, manifest: SftManifest) -> None:
        """Log the results of the finished run, and its adapter as a LoggedModel."""
        totals = {
            "fill": manifest.fill,
            "packing_gap": manifest.packing_gap,
            "tokens": float(manifest.tokens),
            "replay_share": manifest.replay_share,
        }
        self._run.metrics({**totals, **_source_metrics(manifest.sources)})
        self._run.artifact(out / SFT_FILE, "train")
        self._run.artifact(out / TRAINING_LOG, "train")
        if manifest.method == "full":
            return
        card = AdapterCard.on_base(manifest.base, manifest.weights_digest, manifest.mix_digest)
        parameters = {
            "method": manifest.method,
            "seed": manifest.seed,
            "tokens": manifest.tokens,
            "steps": manifest.steps,
        }
        metrics = {
            "first_loss": manifest.first_loss,
            "last_loss": manifest.last_loss,
            "loss_tokens": float(manifest.loss_tokens),
            "seconds": manifest.seconds,
        }
        self._run.adapter(
            f"adapter-{manifest.name}", out / manifest.weights, card, parameters, metrics, step=manifest.steps - 1
        )


def _parameters(config: SftConfig) -> dict[str, object]:
    """Return the config as flat parameters: ``section.key``, but the keys of ``lora`` without a prefix."""
    flat: dict[str, object] = {}
    for key, value in config.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat |= {inner if key == "lora" else f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat


def _source_metrics(sources: Sequence[SourceCount]) -> dict[str, float]:
    """Return the counts of each source as metrics named ``tokens.SOURCE``, ``dropped.SOURCE`` and so on."""
    names = ("dialogues", "dropped", "split", "unrolled", "samples", "tokens", "loss_tokens")
    return {f"{name}.{count.source}": float(getattr(count, name)) for count in sources for name in names}


@contextmanager
def open_run_log(
    config: SftConfig, out: Path, name: str, data: TrainingData, *, done: int, steps: int, main: bool
) -> Iterator[RunLog]:
    """Open the log of a run of ``steps`` steps in ``out``, of which the first ``done`` are checkpointed."""
    if not main:
        yield RunLog(None, None, tracking.Run(None, "train"), lambda _: None)
        return
    with (
        tracking.run("train", f"train {name}", run_file=out / MLFLOW_RUN, system_metrics=True) as run,
        Journal(out / TRAINING_LOG, StepLog) as journal,
        Journal(out / PROBES, ProbeResult) if config.probe.every else nullcontext() as probes,
        track(f"Training {name}", steps, "steps") as advance,
    ):
        run.params(_parameters(config))
        run.dataset(files_of(config.mix)[0], config.mix.name, data.digest, "training")
        journal.rewind(done)
        if probes:
            probes.rewind(sum(result.step <= done for result in probes.records))
        if done:
            say(f"Continuing {name} at step {done} of {steps}.")
        advance(done)
        yield RunLog(journal, probes, run, advance)
