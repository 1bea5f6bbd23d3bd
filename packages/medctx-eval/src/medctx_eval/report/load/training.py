"""Training curves from the steps that a training run logged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from medctx.errors import MedctxError
from medctx.io.jsonl import read_records
from medctx_eval.report.sections import TrainingCurve

MAX_POINTS = 160
"""Points of a curve that is drawn; more steps are averaged."""
LAST_SHARE = 0.1
"""Share of the steps, at the end, over which the loss by source is averaged."""


class LoggedStep(BaseModel):
    """One logged optimizer step; other logged values are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    loss: float
    tokens: int
    by_source: dict[str, float] = Field(default_factory=dict)
    tokens_per_second: float = 0.0


def _curve(name: str, steps: list[LoggedStep]) -> TrainingCurve:
    groups = np.array_split(np.arange(len(steps)), min(MAX_POINTS, len(steps)))
    end = steps[-max(1, round(LAST_SHARE * len(steps))) :]
    sources = sorted({source for step in end for source in step.by_source})
    return TrainingCurve(
        name=name,
        tokens=tuple(steps[group[-1]].tokens for group in groups),
        loss=tuple(math.fsum(steps[place].loss for place in group) / len(group) for group in groups),
        sources={
            source: float(np.mean([step.by_source[source] for step in end if source in step.by_source]))
            for source in sources
        },
        steps=len(steps),
        tokens_per_second=float(np.median([step.tokens_per_second for step in steps])),
    )


def training_curves(files: Mapping[str, Path]) -> Iterator[TrainingCurve]:
    """One curve per file, by name; raises MedctxError for a file without steps."""
    for name, path in files.items():
        steps = list(read_records(path, LoggedStep))
        if not steps:
            raise MedctxError(
                f"The file {path} of the key training.{name} holds no steps; give a file with logged steps, or remove "
                "the key."
            )
        yield _curve(name, steps)
