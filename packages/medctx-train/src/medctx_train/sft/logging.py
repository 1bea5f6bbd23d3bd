"""What a run says while it goes: the journal of its steps, its MLflow run and a progress bar. Main process only."""

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
from medctx_train.data.dataset import Data
from medctx_train.probe.probe import LOG as PROBES
from medctx_train.probe.probe import NAMES, ProbeLog

RUN = "mlflow-run"
"""Beside the checkpoints: the id of the MLflow run, with which a continued run goes on."""


class RunLog:
    """The journal first, the tracker second; in the other processes of a launch it does nothing."""

    def __init__(
        self, journal: Journal[StepLog] | None, probes: Journal[ProbeLog] | None, run: tracking.Run, advance: Advance
    ) -> None:
        self._journal, self._probes, self._run, self._advance = journal, probes, run, advance
        # Steps done again after a kill were told before: one point per step, in this MLflow run or another.
        self._told = run.last_step("loss") if journal else -1
        self._asked = max(run.last_step(f"probe.{name}") for name in NAMES.values()) if probes else -1
        for entry in self.records:
            self._tell(entry)

    @property
    def records(self) -> list[StepLog]:
        """The steps so far."""
        return self._journal.records if self._journal else []

    @property
    def probes(self) -> list[ProbeLog]:
        """The probes so far, a copy."""
        return list(self._probes.records) if self._probes else []

    def probe(self, entry: ProbeLog, reading_loss: float | None) -> None:
        """Write one probe down; ``reading_loss``: what reading lost since the first, as a share."""
        if self._probes is None:
            return
        self._probes.append(entry)
        loss = {} if reading_loss is None else {"probe.reading_loss": reading_loss}
        if entry.step > self._asked:
            self._run.metrics({**entry.metrics, **loss}, step=entry.step)

    def step(self, entry: StepLog) -> None:
        """Write one step down."""
        if self._journal is None:
            return
        self._journal.append(entry)
        self._tell(entry)
        self._advance(1)

    def _tell(self, entry: StepLog) -> None:
        if entry.step <= self._told:
            return
        sources = {f"loss.{source}": loss for source, loss in entry.by_source.items()}
        rates = {"lr": entry.learning_rate, "tokens_per_second": entry.tokens_per_second, "fill": entry.fill}
        rates |= {"grad_norm": entry.grad_norm, "peak_memory_gib": entry.peak_memory / 2**30}
        rates |= {} if entry.mfu is None else {"mfu": entry.mfu}
        self._run.metrics({"loss": entry.loss, **rates, **sources}, step=entry.step)

    def finish(self, out: Path, manifest: SftManifest) -> None:
        """Tell the tracker how the run ended."""
        totals = {"fill": manifest.fill, "packing_gap": manifest.packing_gap, "tokens": float(manifest.tokens)}
        shares = {"replay_share": manifest.replay_share}
        self._run.metrics({**totals, **shares, **_source_metrics(manifest.sources)})
        self._run.artifact(out / SFT_FILE, "train")
        self._run.artifact(out / TRAINING_LOG, "train")
        if manifest.method != "full":
            card = AdapterCard(
                base=manifest.base.name,
                base_digest=manifest.base.weights_digest,
                adapter_digest=manifest.weights_digest,
                mix_digest=manifest.mix_digest,
            )
            ends = {"first_loss": manifest.first_loss, "last_loss": manifest.last_loss}
            ends |= {"loss_tokens": float(manifest.loss_tokens), "seconds": manifest.seconds}
            told = {
                "method": manifest.method,
                "seed": manifest.seed,
                "tokens": manifest.tokens,
                "steps": manifest.steps,
            }
            self._run.adapter(f"adapter-{manifest.name}", out / manifest.weights, card, told, ends)


def _parameters(config: SftConfig) -> dict[str, object]:
    """The config as flat parameters: adapters' keys by their own name, those of other sections after the section's."""
    flat: dict[str, object] = {}
    for key, value in config.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat |= {inner if key == "lora" else f"{key}.{inner}": one for inner, one in value.items()}
        else:
            flat[key] = value
    return flat


def _source_metrics(sources: Sequence[SourceCount]) -> dict[str, float]:
    """What became of each source, as metrics named ``tokens.SOURCE``, ``dropped.SOURCE`` and so on."""
    counted = ("dialogues", "dropped", "split", "unrolled", "samples", "tokens", "loss_tokens")
    return {f"{what}.{one.source}": float(getattr(one, what)) for one in sources for what in counted}


@contextmanager
def run_log(
    config: SftConfig, out: Path, name: str, data: Data, *, done: int, steps: int, main: bool
) -> Iterator[RunLog]:
    """Open what a run of ``steps`` steps writes into ``out``, of which the first ``done`` stand."""
    if not main:
        yield RunLog(None, None, tracking.Run(None, "train"), lambda _: None)
        return
    with (
        tracking.run("train", f"train {name}", keep=out / RUN, system_metrics=True) as run,
        Journal(out / TRAINING_LOG, StepLog) as journal,
        Journal(out / PROBES, ProbeLog) if config.probe.every else nullcontext() as probes,
        track(f"Training {name}", steps, "steps") as advance,
    ):
        run.params(_parameters(config))
        run.dataset(files_of(config.mix)[0], config.mix.name, data.digest, "training")
        journal.rewind(done)
        if probes:
            probes.rewind(sum(one.step <= done for one in probes.records))
        if done:
            say(f"Continuing {name} at step {done} of {steps}.")
        advance(done)
        yield RunLog(journal, probes, run, advance)
