"""The models that cells start from, prepared before anything is planned on them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.records import Record
from study.config.study import ExternalCellConfig, StudyConfig
from study.workflow.commands import call


class Base(Record):
    """A base model on this machine: its folder and the digest of its weights. A model behind a server has neither.

    ``portable_name`` and ``revision`` find it on another machine. ``adapter``: an adapter from elsewhere on
    it, with its digest.
    """

    label: str
    id: str
    folder: Path | None = None
    weights_digest: str = ""
    licence: str = ""
    portable_name: str = ""
    revision: str = ""
    adapter: Path | None = None
    adapter_digest: str = ""


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


def _from_elsewhere(cell: ExternalCellConfig, base: str) -> Base:
    """The folders of a cell from elsewhere; ``base``: what an adapter is loaded on, "" for what it names."""
    if cell.endpoint:
        return Base(label=cell.cell, id=cell.model)
    result = call(["medctx-eval", "model", cell.source, *(["--base", base] if base and cell.adapter else [])])
    (model,), adapters, labels = result.of_kind("model"), result.of_kind("adapter"), result.labels
    if cell.adapter and not adapters:
        raise MedctxError(f"{cell.adapter} is no adapter; write it as model: {cell.adapter} under cells.")
    return Base(
        label=cell.cell,
        # The name under which commands find the base of an adapter; a model is found by its own.
        id=str(model.path) if adapters else cell.source,
        folder=model.path,
        weights_digest=model.digest,
        licence=labels.get("licence", ""),
        portable_name=labels.get("id", ""),
        revision=labels.get("revision", ""),
        adapter=adapters[0].path if adapters else None,
        adapter_digest=adapters[0].digest if adapters else "",
    )


def _add_external(config: StudyConfig, bases: dict[str, Base], failed: dict[str, str]) -> None:
    for cell in config.cells:
        say(f"The cell {cell.cell} is from elsewhere ({cell.endpoint or cell.source}): it is examined, not trained.")
        try:
            bases[cell.cell] = _from_elsewhere(cell, config.model(cell.base).id if cell.base else "")
        except MedctxError as error:
            say(f"The cell {cell.cell} could not be prepared; the study continues without it.")
            failed[cell.cell] = str(error)


def prepare_bases(config: StudyConfig) -> tuple[dict[str, Base], dict[str, str]]:
    """Prepare the bases of a study and its cells from elsewhere, which are labelled by their names.

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
    _add_external(config, bases, failed)
    return bases, failed


def engine_groups(bases: Iterable[Base]) -> list[list[Base]]:
    """Bases that one engine serves: those of the same weights together, each model behind a server by itself."""
    groups: dict[str, list[Base]] = {}
    for base in bases:
        groups.setdefault(base.weights_digest or f"server {base.label}", []).append(base)
    return list(groups.values())
