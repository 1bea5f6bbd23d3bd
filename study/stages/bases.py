"""The models that cells start from, made ready before anything is planned on them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record
from medctx.process.progress import say
from medctx.schemas.records import Record
from study.config.study import StudyConfig
from study.workflow import manifests
from study.workflow.commands import SILENT, call


class Base(Record):
    """A base model at hand: its folder and the digest of its weights. A model behind a server has neither."""

    label: str
    id: str
    folder: Path | None = None
    weights_digest: str = ""


class _Known(Record):
    """The digest of a folder's weights, as long as its files are these (name, bytes, time of change in ns)."""

    files: tuple[tuple[str, int, int], ...]
    weights_digest: str


def _weights_digest(folder: Path, work: Path) -> str:
    """Digest of a model's weights, computed once: reading tens of gigabytes takes minutes."""
    if (folder / manifests.BASE).is_file():
        return manifests.read(folder / manifests.BASE, manifests.BaseFile).weights_digest
    stats = [(file, file.stat()) for file in sorted(folder.rglob("*.safetensors"))]
    files = tuple((file.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns) for file, stat in stats)
    card = work / "bases" / f"{digest.of_text(str(folder.resolve()))[: digest.SHORT]}.json"
    if card.is_file():
        known = read_record(card, _Known)
        if known.files == files:
            return known.weights_digest
    found = digest.of_weights(folder)
    write_record(card, _Known(files=files, weights_digest=found))
    return found


def _prepared(label: str, name: str, work: Path) -> Base:
    folder = Path(call(["medctx-train", "base", name], SILENT).strip().splitlines()[-1])
    return Base(label=label, id=name, folder=folder, weights_digest=_weights_digest(folder, work))


def prepare(config: StudyConfig) -> tuple[dict[str, Base], dict[str, str]]:
    """The bases at hand by label, and why others are not. Raises MedctxError where there is none at all."""
    found: dict[str, Base] = {}
    failed: dict[str, str] = {}
    ready: dict[str, Base] = {}
    for label in config.labels:
        model = config.model(label)
        if model.urls:
            found[label] = Base(label=label, id=model.id)
            continue
        try:
            if model.id not in ready:
                ready[model.id] = _prepared(label, model.id, config.work)
        except MedctxError as error:
            say(f"The base {label} ({model.id}) is not to be had; the study goes on without it.")
            failed[label] = str(error)
            continue
        found[label] = ready[model.id].model_copy(update={"label": label})
    if not found:
        raise MedctxError(f"No base of the study {config.name} is to be had: {next(iter(failed.values()))}")
    return found, failed


def groups(bases: Iterable[Base]) -> list[list[Base]]:
    """Bases that one engine serves: those of the same weights together, each model behind a server by itself."""
    found: dict[str, list[Base]] = {}
    for base in bases:
        found.setdefault(base.weights_digest or f"server {base.label}", []).append(base)
    return list(found.values())
