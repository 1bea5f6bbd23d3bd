"""What a run is told about being watched: how often it is asked what, when it stops, and which checkpoints are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig


class ProbeSettings(Config):
    """Asking a fixed set of items while training, before the first step and after every ``every`` steps (0: never).

    ``items``: a probe file, as ``medctx-eval exams probe`` writes one; without it items are made from the embedded
    facts of ``curriculum``: at most ``knowledge`` taught facts, and ``reading`` questions on dossiers that neither a
    Dialogue nor the embedded exam mentions, each also asked with its dossier altered.
    """

    every: int = Field(0, ge=0)
    items: Path | None = None
    knowledge: int = Field(40, ge=0)
    reading: int = Field(40, ge=0)
    curriculum: CurriculumConfig = CurriculumConfig()


class StopSettings(Config):
    """Ending a run whose reading has fallen by more than ``margin`` (a share, 0.05 is 5 points) since before the first
    step. The chance of stopping a run that never lost more than that, over all probes together, is at most ``alpha``.
    Without a margin no run is stopped.
    """

    margin: float | None = Field(None, ge=0, lt=1)
    alpha: float = Field(0.05, gt=0, lt=1)


class KeepSettings(Config):
    """Which states of the trained weights stay under ``kept/step-N``, to be examined like any adapter or model.

    ``every``: those after every so many steps (0: none); ``best``: the one with the best probe on each of these axes;
    ``last``: those of the last so many checkpoints.
    """

    every: int = Field(0, ge=0)
    best: tuple[Literal["knowledge", "reading"], ...] = ()
    last: int = Field(0, ge=0)
