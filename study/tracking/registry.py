"""Adapters as registered MLflow models: one version each, described in words, aliases moved by the gate's rule.

A version holds the adapter and the digest of its base, never the base's weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medctx.io import digest
from medctx.process.progress import say
from medctx.schemas.decision import Decision
from medctx.schemas.report import Registration, ReportCore
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.cell_metrics import CARD_TAG, DECISION_TAG, DESCRIPTION_TAG
from medctx.tracking.evaluation import gate_of
from medctx.tracking.logged_adapter import DIGEST_TAG, log_card
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.exam_runs import ExamRun
from study.stages.records import CellResult, Registered
from study.tracking.cell_runs import NOTE_TAG
from study.tracking.model_card import card_folder, description_of, study_card, write_card
from study.tracking.scores import VERSION, TrackedCell
from study.workflow.lineage import Lineage

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXAM_RUN_TAG, EXAM_FOLDER_TAG = "medctx.exam_run", "medctx.exam_folder"
ALIASES = ("champion", "best-knowledge", "best-reading", "balanced")


def _known(client: MlflowClient, name: str) -> dict[str, str]:
    """Versions registered before, by adapter digest: a rerun registers none twice."""
    versions = client.search_model_versions(f"name = '{name}'")
    return {version.tags[DIGEST_TAG]: str(version.version) for version in versions if DIGEST_TAG in version.tags}


@dataclass(frozen=True)
class StudyTracking:
    """What the registry needs of a finished study: its report and decision, its cards, and where its parts were logged.

    ``moves_aliases``: it ran as registered; a trial, and a study that was reported otherwise, move no alias.
    """

    report: ReportCore
    decision: Decision
    bases: Mapping[str, Base]
    exams: Mapping[str, ExamRun]
    cells: Mapping[str, TrackedCell]
    cards: Mapping[str, str]
    moves_aliases: bool


def adapters(results: Sequence[CellResult]) -> list[CellResult]:
    """The cells that are registered: finished, with an adapter."""
    return [result for result in results if result.status == "done" and result.weights_kind == "adapter"]


def _tags(
    config: StudyConfig, base: Base, result: CellResult, decision: Decision, registration: Registration | None
) -> dict[str, str]:
    """Short tags to search versions by."""
    return {
        "study": config.name,
        "cell": result.cell.group,
        "ratio": result.cell.ratio,
        "seed": "" if result.cell.seed is None else str(result.cell.seed),
        "base": base.id,
        "licence": base.licence,
        "gate": gate_of(decision, result.cell.group),
        "registered_plan": registration.digest if registration else "",
    }


def _new_version(client: MlflowClient, name: str, cell: TrackedCell, weights_digest: str) -> str:
    """Register the logged model of a cell under the cell's run: pages that compare versions show its numbers."""
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    source, tags = f"models:/{cell.model_id}", {DIGEST_TAG: weights_digest}
    return str(client.create_model_version(name, source, cell.run_id, tags, model_id=cell.model_id).version)


def register_adapters(
    config: StudyConfig, lineage: Lineage, results: Sequence[CellResult], study: StudyTracking
) -> list[Registered]:
    """Register one version per examined adapter, then move the aliases.

    Nothing is done without MLflow or without ``registered_model``. Versions that are known by the digest of their
    weights get new descriptions and tags, not new versions. Only a study that ran as registered moves aliases.
    ``champion`` is removed where no cell passes the gate: an alias always points at what the last study showed.
    """
    name, decision = config.registry_name, study.decision
    if not lineage.on or not name:
        return []
    client = tracking.client().MlflowClient()
    known = _known(client, name)
    versions: dict[str, str] = {}
    made: list[tuple[str, str, str]] = []
    for result in adapters(results):
        version = known.get(result.weights_digest)
        if version is None:
            version = _new_version(client, name, study.cells[result.cell.name], result.weights_digest)
            known[result.weights_digest] = version
        base, exam = study.bases[result.cell.base], study.exams[result.cell.name]
        card = study.cards[result.cell.name].replace(f"{name}/{VERSION}", f"{name}/{version}")
        folder = card_folder(config, result)
        write_card(config, folder, card, result.mix)
        log_card(client, study.cells[result.cell.name].model_id, folder)
        description = description_of(card)
        client.update_model_version(name, version, description=description)
        client.set_tag(study.cells[result.cell.name].run_id, NOTE_TAG, description)
        # The exam's tags let `medctx-eval compare models:/...` find what the version answered.
        tags = _tags(config, base, result, decision, study.report.registration) | {
            DECISION_TAG: digest.of_record(decision),
            DESCRIPTION_TAG: digest.of_text(description),
            CARD_TAG: digest.of_text(card),
            EXAM_RUN_TAG: lineage.run_of(exam.step),
            EXAM_FOLDER_TAG: exam.run.name,
        }
        for tag, value in tags.items():
            client.set_model_version_tag(name, version, tag, value)
        # Aliases of a cell with several seeds point at the first of them.
        versions.setdefault(result.cell.group, version)
        made.append((result.cell.name, result.cell.group, version))
    if not made:
        return []
    whole = description_of(study_card(config, results, study.report, decision, {cell: key for cell, _, key in made}))
    client.update_registered_model(name, description=whole)
    client.set_registered_model_tag(name, DESCRIPTION_TAG, digest.of_text(whole))
    aliases = _move_aliases(client, name, decision, versions) if study.moves_aliases else {}
    return [
        Registered(cell, name, version, tuple(alias for alias, target in aliases.items() if target == version))
        for cell, _, version in made
    ]


def _move_aliases(client: MlflowClient, name: str, decision: Decision, versions: Mapping[str, str]) -> dict[str, str]:
    """Set or remove every alias; returns the versions they point at."""
    cells = (decision.champion, decision.best_knowledge, decision.best_reading, decision.balanced)
    current = client.get_registered_model(name).aliases
    moved = {}
    for alias, cell in zip(ALIASES, cells, strict=True):
        if cell in versions:
            client.set_registered_model_alias(name, alias, versions[cell])
            moved[alias] = versions[cell]
        elif alias in current:
            client.delete_registered_model_alias(name, alias)
            say(f"The alias {alias} of {name} was removed: {decision.reason}")
    return moved
