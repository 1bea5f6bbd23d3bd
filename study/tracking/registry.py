"""Adapters as registered MLflow models: one version each, described in words, aliases moved by the gate's rule.

A version holds the adapter and the digest of its base, never the base's weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.io.jsonl import read_record
from medctx.process.progress import say
from medctx.schemas.decision import DECISION_FILE, Card, Decision
from medctx.tracking import logged_adapter
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.logged_adapter import DIGEST_TAG, AdapterCard
from study.config.study import StudyConfig
from study.stages.exam_runs import ExamRun
from study.stages.results import CellResult, Registered
from study.workflow.lineage import Lineage

if TYPE_CHECKING:
    from types import ModuleType

STUDY_TAG = "medctx.study"
EXAM_RUN_TAG, EXAM_FOLDER_TAG = "medctx.exam_run", "medctx.exam_folder"
ALIASES = ("champion", "best-knowledge", "best-reading", "balanced")
MAX_TAG_CHARS = 4_900
"""MLflow stores at most 5,000 characters of a version's tag."""


def _description(config: StudyConfig, card: Card, result: CellResult) -> str:
    made = f"trained on {result.tokens:,} tokens" if result.tokens else f"made by {result.cell.repair}"
    return (
        f"Cell {card.cell} (general : medical) of the study {config.name} on {config.model(result.cell.base).id}. "
        f"{card.summary}\n\n"
        f"LoRA adapter without base weights, {made}; mix {result.mix.name if result.mix else 'none of its own'}, run "
        f"{result.trained.name if result.trained else ''}. To serve it: vllm serve <base> --enable-lora --lora-modules "
        f"{card.cell.replace(':', '-').replace(' ', '-')}=<adapter folder>"
    )


def _model(
    mlflow: ModuleType, config: StudyConfig, result: CellResult, card: Card, made_in: str, base_digest: str
) -> str:
    """The URI of the adapter as a model, with the cell's metrics tied to it: the one that the step which made it has
    logged in the run ``made_in``, else one logged here (a step that another study ran has its run there).
    """
    model_id = logged_adapter.find(mlflow, made_in, result.weights_digest)
    if not model_id:
        assert result.weights is not None
        adapter = AdapterCard(
            base=config.model(result.cell.base).id,
            base_digest=base_digest,
            adapter_digest=result.weights_digest,
            mix_digest=result.mix_digest,
        )
        params = {**result.cell.axes, "tokens": result.tokens}
        model_id = logged_adapter.log(mlflow, f"adapter-{card.cell}", result.weights, adapter, params)
    mlflow.log_metrics(card.metrics, model_id=model_id)
    return f"models:/{model_id}"


def _known(client: object, name: str) -> dict[str, str]:
    """Versions registered before, by adapter digest: a rerun registers none twice."""
    versions = client.search_model_versions(f"name = '{name}'")  # type: ignore[attr-defined]
    return {version.tags[DIGEST_TAG]: str(version.version) for version in versions if DIGEST_TAG in version.tags}


def decision_of(decision: Decision, cell: str) -> str:
    """The decision as JSON for the tag of a version, with the Pareto position of its own cell alone.

    Where it is longer than a tag may be, the reason is shortened, so that it stays JSON.
    """
    content = decision.model_dump(mode="json", exclude={"cards", "pareto", "notes"})
    position = next((position for position in decision.pareto if position.cell == cell), None)
    content["position"] = position.model_dump(mode="json") if position else None
    text = json.dumps(content)
    # Escapes count: the reason is halved until all fits.
    while len(text) > MAX_TAG_CHARS and content["reason"]:
        content["reason"] = content["reason"][: len(content["reason"]) // 2]
        text = json.dumps(content)
    return text if len(text) <= MAX_TAG_CHARS else json.dumps({"champion": decision.champion})


def register(
    config: StudyConfig,
    tracked: tracking.Run,
    out: Path,
    cells: Sequence[CellResult],
    exams: Mapping[str, ExamRun],
    lineage: Lineage,
    base_digests: Mapping[str, str],
) -> list[Registered]:
    """One version per examined adapter, then the aliases; nothing without MLflow or without ``registered_model``.

    ``champion`` is removed where no cell passes the gate: an alias always points at what the last study showed.
    """
    decision = read_record(out / DECISION_FILE, Decision)
    if not tracked.id or not config.registered_model:
        return []
    mlflow = tracking.client()
    client = mlflow.MlflowClient()
    known = _known(client, config.registered_model)
    cards = {card.cell: card for card in decision.cards}
    versions: dict[str, str] = {}
    made: list[tuple[str, str, str]] = []
    for result in cells:
        if result.status != "done" or result.weights_kind != "adapter":
            continue
        # Repetitions of a cell are reported as one; its aliases point at the first of them.
        card = cards[result.cell.group]
        version = known.get(result.weights_digest)
        if version is None:
            made_in = lineage.run_of(result.trained) if result.trained else ""
            uri = _model(mlflow, config, result, card, made_in, base_digests.get(result.cell.base, ""))
            tags = {DIGEST_TAG: result.weights_digest, STUDY_TAG: config.name, "medctx.cell": card.cell}
            version = str(mlflow.register_model(uri, config.registered_model, tags=tags).version)
            known[result.weights_digest] = version
        description = _description(config, card, result)
        client.update_model_version(config.registered_model, version, description=description)
        # The exam's tags let `medctx-eval compare models:/...` find what the version answered.
        exam = exams[result.cell.name]
        version_tags = {
            "medctx.decision": decision_of(decision, card.cell),
            EXAM_RUN_TAG: lineage.run_of(exam.step),
            EXAM_FOLDER_TAG: exam.run.name,
        }
        for tag, value in version_tags.items():
            client.set_model_version_tag(config.registered_model, version, tag, value)
        versions.setdefault(card.cell, version)
        made.append((result.cell.name, card.cell, version))
    if not made:
        return []
    alias_cells = dict(
        zip(
            ALIASES, (decision.champion, decision.best_knowledge, decision.best_reading, decision.balanced), strict=True
        )
    )
    current = client.get_registered_model(config.registered_model).aliases
    for alias, cell in alias_cells.items():
        if cell in versions:
            client.set_registered_model_alias(config.registered_model, alias, versions[cell])
        elif alias in current:
            client.delete_registered_model_alias(config.registered_model, alias)
            say(f"The alias {alias} of {config.registered_model} was removed: {decision.reason}")
    return [
        Registered(
            name,
            config.registered_model,
            version,
            tuple(alias for alias, own in alias_cells.items() if own == cell and versions[cell] == version),
        )
        for name, cell, version in made
    ]
