"""Adapters as MLflow models: one version each, described in words, aliases moved by the gate's stated rule.

A version holds the adapter and the digest of its base, never the base's weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.decision import ParetoPosition
from medctx.schemas.records import Record
from medctx.tracking import logged_adapter
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.logged_adapter import DIGEST_TAG, AdapterCard
from study.config.study import StudyConfig
from study.stages.exam_runs import Examined
from study.stages.summary import CellResult
from study.workflow.lineage import Lineage

if TYPE_CHECKING:
    from types import ModuleType

STUDY_TAG = "medctx.study"
EXAM_RUN_TAG, EXAM_FOLDER_TAG = "medctx.exam_run", "medctx.exam_folder"
ALIASES = ("champion", "best-knowledge", "best-reading", "balanced")
MAX_TAG_CHARS = 4_900
"""MLflow keeps 5,000 characters of a version's tag."""


class Card(Record):
    """What a registered version says of itself; written by ``medctx-eval report`` per cell, in words and numbers."""

    cell: str
    summary: str
    metrics: dict[str, float]


class Verdict(Record):
    """The gate's decision as ``medctx-eval report`` writes it: cells by alias, and the reason in words."""

    champion: str
    reason: str
    passed: tuple[str, ...] = ()
    best_knowledge: str = ""
    best_reading: str = ""
    balanced: str = ""
    notes: tuple[str, ...] = ()
    pareto: tuple[ParetoPosition, ...] = ()
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered version."""

    cell: str
    model: str
    version: str
    aliases: tuple[str, ...]


def read_decision(folder: Path) -> Verdict:
    """The decision beside a report."""
    path = folder / "decision.json"
    try:
        return Verdict.model_validate_json(path.read_text())
    except (OSError, ValidationError):
        raise MedctxError(f"{path} is missing or not a decision; run medctx-eval report anew.") from None


def _description(config: StudyConfig, card: Card, one: CellResult) -> str:
    made = f"trained on {one.tokens:,} tokens" if one.tokens else f"made by {one.cell.repair}"
    return (
        f"Cell {card.cell} (general : medical) of the study {config.name} on {config.model(one.cell.base).id}. "
        f"{card.summary}\n\n"
        f"LoRA adapter without base weights, {made}; mix {one.mix.name if one.mix else 'none of its own'}, run "
        f"{one.trained.name if one.trained else ''}. To serve it: vllm serve <base> --enable-lora --lora-modules "
        f"{card.cell.replace(':', '-').replace(' ', '-')}=<adapter folder>"
    )


def _model(mlflow: ModuleType, config: StudyConfig, one: CellResult, card: Card, made_in: str, base_digest: str) -> str:
    """The URI of the adapter as a model, with the cell's metrics tied to it: the one that the step which made it has
    logged in the run ``made_in``, else one logged here (a step that another study ran has its run there).
    """
    model_id = logged_adapter.find(mlflow, made_in, one.weights_digest)
    if not model_id:
        assert one.weights is not None
        told = AdapterCard(
            base=config.model(one.cell.base).id,
            base_digest=base_digest,
            adapter_digest=one.weights_digest,
            mix_digest=one.mix_digest,
        )
        params = {**one.cell.axes, "tokens": one.tokens}
        model_id = logged_adapter.log(mlflow, f"adapter-{card.cell}", one.weights, told, params)
    mlflow.log_metrics(card.metrics, model_id=model_id)
    return f"models:/{model_id}"


def _known(client: object, name: str) -> dict[str, str]:
    """Versions registered before, by adapter digest: a rerun makes none twice."""
    found = client.search_model_versions(f"name = '{name}'")  # type: ignore[attr-defined]
    return {version.tags[DIGEST_TAG]: str(version.version) for version in found if DIGEST_TAG in version.tags}


def decision_of(decision: Verdict, cell: str) -> str:
    """The decision as one JSON text for the version of a cell: its own place on the front, and no other's. Where it is
    longer than a tag may be, the reason is cut, so that it stays JSON.
    """
    told = decision.model_dump(mode="json", exclude={"cards", "pareto", "notes"})
    told["place"] = next((one.model_dump(mode="json") for one in decision.pareto if one.cell == cell), None)
    content = json.dumps(told)
    # Escapes count: the reason is halved until all fits.
    while len(content) > MAX_TAG_CHARS and told["reason"]:
        told["reason"] = told["reason"][: len(told["reason"]) // 2]
        content = json.dumps(told)
    return content if len(content) <= MAX_TAG_CHARS else json.dumps({"champion": decision.champion})


def register(
    config: StudyConfig,
    tracked: tracking.Run,
    out: Path,
    cells: Sequence[CellResult],
    exams: Mapping[str, Examined],
    lineage: Lineage,
    base_digests: Mapping[str, str],
) -> list[Registered]:
    """One version per examined adapter, then the aliases; nothing without MLflow or without ``registered_model``.

    ``champion`` is taken away where no cell passes the gate: an alias always points at what the last study proved.
    """
    decision = read_decision(out)
    if not tracked.id or not config.registered_model:
        return []
    mlflow = tracking.client()
    client = mlflow.MlflowClient()
    known = _known(client, config.registered_model)
    cards = {card.cell: card for card in decision.cards}
    versions: dict[str, str] = {}
    made: list[tuple[str, str, str]] = []
    for one in cells:
        if one.status != "done" or one.weights_kind != "adapter":
            continue
        # Repetitions of a cell are reported as one; its aliases point at the first of them.
        card = cards[one.cell.group]
        version = known.get(one.weights_digest)
        if version is None:
            made_in = lineage.run_of(one.trained) if one.trained else ""
            uri = _model(mlflow, config, one, card, made_in, base_digests.get(one.cell.base, ""))
            tags = {DIGEST_TAG: one.weights_digest, STUDY_TAG: config.name, "medctx.cell": card.cell}
            version = str(mlflow.register_model(uri, config.registered_model, tags=tags).version)
            known[one.weights_digest] = version
        description = _description(config, card, one)
        client.update_model_version(config.registered_model, version, description=description)
        # The exam's tags let `medctx-eval compare models:/...` find what the version answered.
        exam = exams[one.cell.name]
        told = {
            "medctx.decision": decision_of(decision, card.cell),
            EXAM_RUN_TAG: lineage.run_of(exam.step),
            EXAM_FOLDER_TAG: exam.run.name,
        }
        for tag, value in told.items():
            client.set_model_version_tag(config.registered_model, version, tag, value)
        versions.setdefault(card.cell, version)
        made.append((one.cell.name, card.cell, version))
    if not made:
        return []
    wanted = dict(
        zip(
            ALIASES, (decision.champion, decision.best_knowledge, decision.best_reading, decision.balanced), strict=True
        )
    )
    held = client.get_registered_model(config.registered_model).aliases
    for alias, cell in wanted.items():
        if cell in versions:
            client.set_registered_model_alias(config.registered_model, alias, versions[cell])
        elif alias in held:
            client.delete_registered_model_alias(config.registered_model, alias)
            say(f"The alias {alias} of {config.registered_model} was taken away: {decision.reason}")
    return [
        Registered(
            name,
            config.registered_model,
            version,
            tuple(alias for alias, wants in wanted.items() if wants == cell and versions[cell] == version),
        )
        for name, cell, version in made
    ]
