"""The noise floor: how far two examinations of the same model are apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import Collected
from medctx_eval.report.load.view import Sheet
from medctx_eval.report.model import KNOWLEDGE, READING, Repeated
from medctx_eval.stats import noise


def repeated(collected: Collected, sheet: Sheet, config: ReportConfig) -> Iterator[Repeated]:
    """Every repetition against the run it repeats, on both axes."""
    aligned = sheet.aligned
    places = {run.name: place for place, run in enumerate(collected.runs)}
    for place, run in enumerate(collected.runs):
        first = aligned.rows.get(places.get(run.repeats, -1))
        second = aligned.rows.get(place)
        if not run.repeats or first is None or second is None:
            continue
        changed = np.add.reduceat(aligned.chosen[first] != aligned.chosen[second], aligned.starts) > 0
        for part in (KNOWLEDGE, READING):
            kept = sheet.masks[part] & aligned.fits if part in sheet.masks else np.zeros_like(aligned.fits)
            if kept.any():
                found = noise(
                    aligned.values[first][kept],
                    aligned.values[second][kept],
                    changed[kept],
                    sheet.clusters[kept],
                    draws=config.draws,
                    seed=config.seed,
                )
                yield Repeated(cell=run.cell, runs=(run.repeats, run.name), part=part, mode=sheet.mode, noise=found)
