"""A study that ends with the composition it recommends: trained and examined as a cell of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from medctx.config import loading as configs
from medctx.io import digest
from medctx.io.jsonl import read_record
from medctx.process.progress import say
from medctx.tracking import mlflow_run as tracking
from study.config.cells import general_share
from study.config.study import StudyConfig
from study.law.output import publish
from study.law.recommend.recommend import Options, Recommendation
from study.law.validate.forecast_check import Check
from study.pipeline import Outcome, run
from study.recommendable import require_recommendable
from study.tracking import study_run as parent


@dataclass(frozen=True, slots=True)
class Recommended:
    """A study with its recommendation; ``check`` is nothing where the composition was measured already."""

    outcome: Outcome
    recommendation: Recommendation
    check: Check | None


def _known(folder: Path, told: str) -> Recommendation | None:
    """The recommendation that the same study made before: a forecast is made once."""
    file = folder / publish.RECOMMENDATION
    found = read_record(file, Recommendation) if file.is_file() else None
    return found if found is not None and found.config == told else None


def _log(outcome: Outcome, found: Recommendation, checked: Check | None) -> None:
    """Bring the law's files and the forecast's numbers to the study's run, which has ended by now."""
    if not outcome.summary.run_id:
        return
    before = os.environ.get(parent.RUN)
    os.environ[parent.RUN] = outcome.summary.run_id
    try:
        with tracking.run("recommend", outcome.summary.study) as tracked:
            tracked.artifact(outcome.folder, "report")
            tracked.metrics({"share": found.share, "holds": found.holds, "improvement": found.improvement.value})
            for part in checked.parts if checked else ():
                tracked.metrics(
                    {f"{part.part}.predicted": part.predicted.value, f"{part.part}.measured": part.measured.value}
                )
            tracked.tags({"recommended": found.ratio})
    finally:
        if before is None:
            os.environ.pop(parent.RUN, None)
        else:
            os.environ[parent.RUN] = before


def run_recommended(config: StudyConfig) -> Recommended:
    """Run a study, recommend a composition from it, run that with every seed, and hold the forecast against it.

    Killed anywhere, the same call continues: a forecast that was made is not made again from what it foretold.
    """
    require_recommendable(config)
    folder = config.work / "studies" / config.name
    told = digest.of_text(configs.dump(config))
    found, outcome = _known(folder, told), None
    if found is None:
        outcome = run(config)
        evidence = publish.read([folder])
        options = Options(margin=evidence.margin, seeds=len(config.seeds))
        found = publish.recommend(evidence, options, folder, anew=True, config=told)
    say(found.sentence)
    checked = None
    # At another amount or by another method it may be a cell that the law was not fitted to; it is not added twice.
    if general_share(found.ratio) in {general_share(ratio) for ratio in config.ratios}:
        say(f"The study has the composition {found.ratio} already; law.md tells how well its cells were foretold.")
        outcome = outcome or run(config)
    else:
        outcome = run(config.model_copy(update={"ratios": (*config.ratios, found.ratio)}))
        checked = publish.check([folder], folder)
    _log(outcome, found, checked)
    return Recommended(outcome, found, checked)
