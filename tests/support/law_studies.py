"""Finished studies as the law meets them: files with the keys that a report has, scores from a known truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import special
from statsmodels.stats.proportion import proportion_confint

from bench.support.law_simulate import RATIOS, READING, Design, Exam, Shape, error_of, study, verdicts
from medctx.schemas.ratio import general_share
from study.law.evidence.evidence import Evidence
from study.law.evidence.points import DesignPoint, FloatArray, Measured, MeasuredRun

SEVEN = tuple(RATIOS.values())


def knowing(shares: FloatArray) -> FloatArray:
    """From 0.3 with general data alone to 0.7 with medical alone."""
    return np.asarray(special.expit(-0.85 + 1.7 * (1 - shares) ** 0.8))


def evidence(
    seed: int = 0, shares: tuple[float, ...] = SEVEN, seeds: int = 2, reading: Shape = READING["law"], base: float = 0.6
) -> Evidence:
    """Both parts of a simulated study, without files."""
    rng = np.random.default_rng(seed)
    exam = Exam(items=400, clusters=100)
    parts = [
        study(shape, level, Design(shares, seeds, 0.06, exam), rng, part).measured
        for part, shape, level in (("knowledge", knowing, 0.3), ("reading", reading, base))
    ]
    return Evidence(name="made", measured=tuple(parts), intervals={}, base="base", seeds=seeds)


def points(scores: Mapping[DesignPoint, float], **options: object) -> Measured:
    """One run at every place."""
    runs = tuple(MeasuredRun(f"cell {number}", place, score) for number, (place, score) in enumerate(scores.items()))
    return Measured("reading", runs, **options)  # type: ignore[arg-type]


def _score(cell: str, part: str, values: FloatArray) -> dict[str, object]:
    n = values.shape[1]
    low, high = proportion_confint(values.mean() * n, n, method="wilson")
    accuracy = {"n": n, "clusters": n // 4, "value": float(values.mean()), "low": float(low), "high": float(high)}
    return {
        "cell": cell, "part": part, "mode": "text", "n": values.size, "accuracy": accuracy,
        "verdicts": {"correct": round(float(values.sum())), "wrong": values.size - round(float(values.sum()))},
        "seeds": values.mean(axis=1).tolist(), "validity": 1.0, "upper_bound": float(values.mean()),
    }  # fmt: skip


def _comparison(cell: str, other: str, part: str, difference: FloatArray, clusters: FloatArray) -> dict[str, object]:
    value, error = float(difference.mean()), error_of(difference, clusters)
    low, high = max(-1.0, value - 2 * error), min(1.0, value + 2 * error)
    results = {
        "n": len(difference), "clusters": len(clusters), "value": value, "low": low, "high": high, "error": error,
        "bootstrap": [low, high], "only_first": 0, "only_second": 0, "p": 1, "p_mcnemar": 1, "p_permutation": 1,
        "detectable": 1, "df": len(clusters) - 1,
    }  # fmt: skip
    return {
        "cell": cell, "other": other, "part": part, "mode": "text", "family": "pairs", "difference": results,
        "outcome": "not told apart", "dropped": 0, "p_holm": 1, "p_mcnemar_holm": 1,
    }  # fmt: skip


def _manifest(name: str, seed: int | None) -> dict[str, object]:
    return {
        "model": name, "training_seed": seed, "weights_digest": "", "engine": "transformers", "mode": "text",
        "exams": [], "conditions": [], "n": 0,
    }  # fmt: skip


def write(
    folder: Path, ratios: tuple[str, ...] = tuple(RATIOS), seeds: int = 2, luck: int = 0, amount: int | None = None
) -> Path:
    """A study's folder with ``report.json`` and ``study.yaml``; scores come from real simulated verdicts."""
    cells = ["base", *ratios]
    shares = {name: general_share(name) for name in ratios}
    scores, comparisons = [], []
    for part, shape, base in (("knowledge", knowing, 0.3), ("reading", READING["law"], 0.6)):
        # A cell's verdicts do not depend on which other cells there are.
        clusters, right = np.empty(0), {}
        for name in cells:
            rng = np.random.default_rng([luck, len(part), *map(ord, name)])
            share = None if name == "base" else shares[name]
            truth = np.full(
                1 if share is None else seeds, base if share is None else float(shape(np.array([share]))[0])
            )
            right[name], clusters = verdicts(truth, [share] * len(truth), Exam(), rng, np.random.default_rng(luck))
        scores += [_score(name, part, right[name]) for name in cells]
        means = {name: values.mean(axis=0) for name, values in right.items()}
        comparisons += [
            _comparison(later, first, part, means[later] - means[first], clusters)
            for first, later in combinations(cells, 2)
        ]
    report = {
        "title": "A made study", "headline": "", "base": "base", "mode": "text", "margin": 0.05, "draws": 100,
        "cells": [
            {
                "name": name, "base": name == "base",
                "recipe": {
                    "general_share": shares.get(name), "amount": None if name == "base" else amount,
                    "base": "" if name == "base" else "base", "method": "",
                },
                "runs": [
                    {"name": f"{name} {seed}", "manifest": _manifest(name, None if name == "base" else seed)}
                    for seed in range(1 if name == "base" else seeds)
                ],
            }
            for name in cells
        ],
        "scores": scores, "comparisons": comparisons,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "study.yaml").write_text("name: made\nbase: tiny-135m\ntokens: 40000\n")
    return folder
