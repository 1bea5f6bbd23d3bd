"""Noise floor: how far two exams of the same model are apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx.schemas.report import KNOWLEDGE, READING
from medctx_eval.report.load.collect import RunSet
from medctx_eval.report.load.view import ModeView
from medctx_eval.report.sections import NoiseFloor
from medctx_eval.stats.noise import repeat_noise


def noise_floors(run_set: RunSet, view: ModeView, *, draws: int, seed: int) -> Iterator[NoiseFloor]:
    """Each repeated run against the run it repeats, on both axes."""
    matrix = view.matrix
    places = {run.name: place for place, run in enumerate(run_set.runs)}
    for place, run in enumerate(run_set.runs):
        first = matrix.rows.get(places.get(run.repeats, -1))
        second = matrix.rows.get(place)
        if not run.repeats or first is None or second is None:
            continue
        changed = np.add.reduceat(matrix.chosen[first] != matrix.chosen[second], matrix.starts) > 0
        for part in (KNOWLEDGE, READING):
            kept = view.masks[part] & matrix.fits if part in view.masks else np.zeros_like(matrix.fits)
            if kept.any():
                noise = repeat_noise(
                    matrix.values[first][kept],
                    matrix.values[second][kept],
                    changed[kept],
                    view.clusters[kept],
                    draws=draws,
                    seed=seed,
                    strata=view.strata.codes[kept],
                    weights=view.strata.weights(view.strata.codes[kept]),
                )
                both = (run_set.runs[places[run.repeats]], run)
                yield NoiseFloor(
                    cell=run.cell,
                    runs=(run.repeats, run.name),
                    part=part,
                    mode=view.mode,
                    noise=noise,
                    computed_by=tuple(dict.fromkeys(exam.manifest.computed_by for exam in both)),
                )
