"""The sections of a training config about measuring the model while it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig


class ProbeSettings(Config):
    """A small fixed exam of the model during training."""

    every: int = Field(
        0, ge=0, description="Optimizer steps between probes; the first is before training. 0 for no probes."
    )
    items: Path | None = Field(
        None,
        description="A probe file, as `medctx-eval exams probe` writes it; without one, items are made from the "
        "embedded facts.",
    )
    knowledge: int = Field(40, ge=0, description="Largest number of items on taught facts, if items are made.")
    reading: int = Field(
        40,
        ge=0,
        description="Number of items on dossiers that neither a Dialogue nor the embedded exam mentions, if items are "
        "made; each is also asked with its dossier altered.",
    )
    curriculum: CurriculumConfig = Field(CurriculumConfig(), description="The embedded facts that items are made from.")


class EarlyStoppingSettings(Config):
    """Stopping a run that loses reading accuracy."""

    margin: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Stop once reading accuracy has fallen by more than this since before training (0.05 is 5 points); "
        "without a margin no run is stopped.",
    )
    alpha: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest probability, over all probes together, of stopping a run that never lost more than the "
        "margin.",
    )


class RetentionSettings(Config):
    """Which intermediate weights are kept under ``retained/step-N``, usable like any adapter or model."""

    every: int = Field(0, ge=0, description="Keep the weights after every so many optimizer steps; 0 for none.")
    best: tuple[Literal["knowledge", "reading"], ...] = Field(
        (), description="Keep the weights with the best probe on each of these axes."
    )
    last: int = Field(0, ge=0, description="Keep the weights of the last so many checkpoints.")
