"""A study that ends with the composition it recommends: trained and examined as a cell of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record
from medctx.process.progress import say
from medctx.schemas.ratio import general_share
from medctx.tracking import mlflow_run
from study.config.grid import cells
from study.config.study import StudyConfig
from study.law.evidence.sources import read_evidence
from study.law.output import publish
from study.law.recommend.records import ForecastCheck, Options, Recommendation
from study.stages.records import Outcome

MIN_COMPOSITIONS = 3
"""Compositions that a recommendation needs."""


class RunStudy(Protocol):
    """Runs a study, such as ``study.pipeline.run_pipeline``."""

    def __call__(self, config: StudyConfig, *, follows: bool = False, confirm: Sequence[str] = ()) -> Outcome:
        """Run it; with ``follows`` under the plan of the study it adds cells to, ``confirm`` measures cells again."""
        ...


@dataclass(frozen=True, slots=True)
class Recommended:
    """A study with its recommendation; ``check`` is None where the composition was measured before."""

    outcome: Outcome
    recommendation: Recommendation
    check: ForecastCheck | None


def require_recommendable(config: StudyConfig) -> None:
    """Refuse a study of too few compositions, or one whose cells would change with one more ratio."""
    shares = {cell.general_share for cell in cells(config) if cell.trained}
    if len(shares) < MIN_COMPOSITIONS:
        raise MedctxError(
            f"The study {config.name} trains {len(shares)} compositions and a recommendation needs "
            f"{MIN_COMPOSITIONS}; give more ratios, for example ratios=['1:0','1:1','0:1']."
        )
    if config.design == "space-filling":
        raise MedctxError(
            "A space-filling design would choose other cells once the recommended ratio is added; take design=grid or "
            "one-at-a-time, or recommend from the finished study with: python -m study recommend."
        )
    if config.design == "listed":
        raise MedctxError(
            "A listed design has no point at the recommended ratio, so it would not be trained; take design=grid or "
            "one-at-a-time, or recommend from the finished study with: python -m study recommend."
        )


def _known(folder: Path, study: str) -> Recommendation | None:
    """The recommendation that the same study made before: a forecast is made once. ``study``: digest of its config."""
    file = folder / publish.RECOMMENDATION
    known = read_record(file, Recommendation) if file.is_file() else None
    return known if known is not None and known.config == study else None


def _log(outcome: Outcome, recommendation: Recommendation, check: ForecastCheck | None) -> None:
    """Log the law's files and the forecast's numbers to the study's run, which has ended by now."""
    if not outcome.summary.run_id:
        return
    study = outcome.summary
    with mlflow_run.run("recommend", study.study, run_id=study.run_id, after_work=True) as tracked:
        tracked.artifact(outcome.folder, "report")
        tracked.metrics(
            {
                "share": recommendation.share,
                "holds": recommendation.holds,
                "improvement": recommendation.improvement.value,
            }
        )
        for part in check.parts if check else ():
            tracked.metrics(
                {f"{part.part}.predicted": part.predicted.value, f"{part.part}.measured": part.measured.value}
            )
        tracked.tags({"recommended": recommendation.ratio})


def run_recommended(config: StudyConfig, run: RunStudy) -> Recommended:
    """Run a study, recommend a composition from it, run that with every seed, and compare it with the forecast.

    Killed at any moment, the same call continues: a forecast that was made is not made again from what it predicted.

    Args:
        config: The study.
        run: Runs a study, such as ``study.pipeline.run_pipeline``.
    """
    require_recommendable(config)
    folder = config.folder
    study = digest.of_text(configs.dump(config))
    recommendation, outcome = _known(folder, study), None
    if recommendation is None:
        outcome = run(config)
        evidence = read_evidence([folder])
        options = Options(margin=evidence.margin, seeds=len(config.seeds))
        recommendation = publish.publish_recommendation(evidence, options, folder, replace=True, config=study)
    say(recommendation.sentence)
    check = None
    # At another amount or by another method it may be a cell that the law was not fitted to; it is not added twice.
    if general_share(recommendation.ratio) in {general_share(ratio) for ratio in config.ratios}:
        say(f"The study has the composition {recommendation.ratio} already; see law.md for how well its cells fit.")
        outcome = outcome or run(config)
    else:
        extended = config.model_copy(update={"ratios": (*config.ratios, recommendation.ratio)})
        added = {cell.group for cell in cells(extended)} - {cell.group for cell in cells(config)}
        outcome = run(extended, follows=True, confirm=sorted(added))
        check = publish.check_recommendation([folder], folder)
    _log(outcome, recommendation, check)
    return Recommended(outcome, recommendation, check)
