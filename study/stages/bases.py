"""The models that cells start from, prepared before anything is planned on them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.records import Record
from study.config.study import StudyConfig
from study.workflow.commands import call


class Base(Record):
    """A base model on this machine: its folder and the digest of its weights. A model behind a server has neither.

    ``portable_name`` and ``revision`` find it on another machine.
    """

    label: str
    id: str
    folder: Path | None = None
    weights_digest: str = ""
    licence: str = ""
    portable_name: str = ""
    revision: str = ""


def _prepared(label: str, name: str) -> Base:
    result = call(["medctx-train", "base", name])
    (model,) = result.of_kind("model")
    labels = result.labels
    return Base(
        label=label,
        id=name,
        folder=model.path,
        weights_digest=model.digest,
        licence=labels.get("licence", ""),
        portable_name=labels.get("id", ""),
        revision=labels.get("revision", ""),
    )


def prepare_bases(config: StudyConfig) -> tuple[dict[str, Base], dict[str, str]]:
    """Prepare the bases of a study.

    Returns:
        The bases by label, and by label why others are missing.

    Raises:
        MedctxError: Where none could be prepared.
    """
    bases: dict[str, Base] = {}
    failed: dict[str, str] = {}
    prepared: dict[str, Base] = {}
    for label in config.labels:
        model = config.model(label)
        if model.urls:
            bases[label] = Base(label=label, id=model.id)
            continue
        try:
            if model.id not in prepared:
                prepared[model.id] = _prepared(label, model.id)
        except MedctxError as error:
            say(f"The base {label} ({model.id}) could not be prepared; the study continues without it.")
            failed[label] = str(error)
            continue
        bases[label] = prepared[model.id].model_copy(update={"label": label})
    if not bases:
        raise MedctxError(f"No base of the study {config.name} could be prepared: {next(iter(failed.values()))}")
    return bases, failed


def engine_groups(bases: Iterable[Base]) -> list[list[Base]]:
    """Bases that one engine serves: those of the same weights together, each model behind a server by itself."""
    groups: dict[str, list[Base]] = {}
    for base in bases:
        groups.setdefault(base.weights_digest or f"server {base.label}", []).append(base)
    return list(groups.values())
