"""Training curves from the steps that a training run logged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from medctx.errors import MedctxError
from medctx.io.jsonl import read_records
from medctx_eval.report.model import Curve

POINTS = 160
"""Of a curve that is drawn: more are averaged."""
LAST = 0.1
"""The share of the steps, at the end, over which the loss by source is averaged."""


class Step(BaseModel):
    """One optimizer step as it was logged; what else was logged is not needed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    loss: float
    tokens: int
    by_source: dict[str, float] = Field(default_factory=dict)
    tokens_per_second: float = 0.0


def _curve(name: str, steps: list[Step]) -> Curve:
    groups = np.array_split(np.arange(len(steps)), min(POINTS, len(steps)))
    end = steps[-max(1, round(LAST * len(steps))) :]
    sources = sorted({source for step in end for source in step.by_source})
    return Curve(
        name=name,
        tokens=tuple(steps[group[-1]].tokens for group in groups),
        loss=tuple(math.fsum(steps[one].loss for one in group) / len(group) for group in groups),
        sources={
            source: float(np.mean([step.by_source[source] for step in end if source in step.by_source]))
            for source in sources
        },
        steps=len(steps),
        tokens_per_second=float(np.median([step.tokens_per_second for step in steps])),
    )


def curves(files: dict[str, Path]) -> Iterator[Curve]:
    """One curve per named file, in the order given."""
    for name, path in files.items():
        steps = list(read_records(path, Step))
        if not steps:
            raise MedctxError(
                f"The file {path} of the key training.{name} holds no steps; give one that does, or none."
            )
        yield _curve(name, steps)
