"""Whether the likelihood that a model gives to its answer is the share of such answers that are right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import special

from medctx.io.jsonl import read_records
from medctx.schemas.records import Mode, Reply
from medctx.schemas.report import KNOWLEDGE, READING
from medctx_eval.artifacts import run_folder
from medctx_eval.prompting.prompt import FORMS
from medctx_eval.report.load.collect import ExaminedRun, RunSet
from medctx_eval.report.load.verdict_matrix import Question
from medctx_eval.report.load.view import ModeView
from medctx_eval.report.sections import Calibration, CalibrationBin

BINS = 10
"""Bins of equal width in which confidence is compared with accuracy."""


def _likeliest(run: ExaminedRun, mode: Mode) -> Mapping[Question, tuple[float, tuple[str, ...]]]:
    """The likeliest answer of each reply and its share of the likelihood of all options."""
    file = run.folder / run_folder.REPLIES if run.folder else None
    if file is None or not file.is_file():
        return {}
    form = FORMS[mode][0]
    likeliest: dict[Question, tuple[float, tuple[str, ...]]] = {}
    for reply in read_records(file, Reply):
        if reply.form == form and reply.scores and not reply.problem:
            shares = special.softmax([score.logprob for score in reply.scores])
            best = int(np.argmax(shares))
            likeliest[reply.item, reply.condition, reply.order] = (float(shares[best]), reply.scores[best].letters)
    return likeliest


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray) -> tuple[float, tuple[CalibrationBin, ...]]:
    """Mean distance of confidence and accuracy over bins of equal width, weighted by their answers.

    Guo et al. (2017), On Calibration of Modern Neural Networks, ICML, equation 3.

    Args:
        confidence: Confidences in (0, 1], shape (N,).
        right: Whether each answer is right, shape (N,).
    """
    # Rounded, so that the last bits of a likelihood do not choose the bin.
    places = np.minimum((confidence * BINS).round(6).astype(int), BINS - 1)
    bins = tuple(
        CalibrationBin(
            n=int(inside.sum()), confidence=float(confidence[inside].mean()), accuracy=float(right[inside].mean())
        )
        for place in range(BINS)
        if (inside := places == place).any()
    )
    return sum(row.n * abs(row.accuracy - row.confidence) for row in bins) / len(confidence), bins


def calibrations(run_set: RunSet, view: ModeView) -> Iterator[Calibration]:
    """Calibration of every cell on both axes, over its answers with likelihoods in the form of the headline mode."""
    matrix = view.matrix
    names = [
        (matrix.items[item], matrix.conditions[condition], order)
        for item, condition, order in zip(
            matrix.item.tolist(), matrix.condition.tolist(), matrix.order.tolist(), strict=True
        )
    ]
    runs = {row: run_set.runs[place] for place, row in matrix.rows.items()}
    for cell, rows in view.rows.items():
        likeliest = [_likeliest(runs[row], view.mode) for row in rows]
        for part in (KNOWLEDGE, READING):
            if part not in view.masks:
                continue
            questions = np.flatnonzero(matrix.questions_of(view.masks[part])).tolist()
            pairs = [
                (answer[0], answer[1] == matrix.answers[matrix.gold[question]])
                for replies in likeliest
                for question in questions
                if (answer := replies.get(names[question])) is not None
            ]
            if not pairs:
                continue
            confidence, right = np.array(pairs, dtype=np.float64).T
            error, bins = expected_calibration_error(confidence, right)
            yield Calibration(
                cell=cell,
                part=part,
                n=len(pairs),
                error=error,
                confidence=float(confidence.mean()),
                accuracy=float(right.mean()),
                bins=bins,
            )
