"""Run folders lined up: in every mode the same items under the same Conditions, one row per run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, read_records
from medctx.process.progress import say
from medctx.schemas.exam_run import EXAM_FILE, ExamManifest
from medctx.schemas.records import Judged, Mode
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.load.verdict_matrix import REPEAT, Aligned, Aligner


@dataclass(frozen=True)
class Run:
    """One examined model by the name it has in messages, and the ``cell`` it belongs to.

    Runs of one cell are its training seeds. ``repeats`` names an earlier run of the same model, whose second
    examination this is: it measures noise and counts for no cell. ``folder`` is nothing where a run never lay on disk.
    """

    name: str
    cell: str
    manifest: ExamManifest
    folder: Path | None = None
    repeats: str = ""


@dataclass(frozen=True)
class Collected:
    """All runs, and their verdicts by mode; a mode holds the runs that were judged in it."""

    runs: tuple[Run, ...]
    modes: dict[Mode, Aligned]

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells in the order of their first runs."""
        return tuple(dict.fromkeys(run.cell for run in self.runs))

    def runs_of(self, cell: str) -> tuple[Run, ...]:
        """The training seeds of a cell."""
        return tuple(run for run in self.runs if run.cell == cell and not run.repeats)


def names_of(folders: Sequence[Path]) -> tuple[str, ...]:
    """Short names: the path parts in which the folders differ (a single folder: its own name)."""
    parts = [folder.resolve().parts for folder in folders]
    if len(set(parts)) < len(parts):
        twice = next(folder for folder, own in zip(folders, parts, strict=True) if parts.count(own) > 1)
        raise MedctxError(f"The run folder {twice} is given twice; give each run once.")
    if len(parts) > 1:
        while len({one[-1] for one in parts}) == 1:
            parts = [one[:-1] for one in parts]
    length = 1
    while len({one[-length:] for one in parts}) < len(parts):
        length += 1
    return tuple("/".join(one[-length:]) for one in parts)


def _identity(manifest: ExamManifest) -> tuple[str, ...] | None:
    """What answers; nothing where only its name is known."""
    known = (manifest.cell or manifest.model, manifest.weights_digest, manifest.adapter_digest)
    return known if manifest.weights_digest else None


def named(places: Sequence[str], manifests: Sequence[ExamManifest], folders: Sequence[Path | None]) -> tuple[Run, ...]:
    """Runs with their names and cells.

    A run is called what its model is called, and where two are called the same, by where it lies. The same weights
    under the same name are one model examined again. A cell that several runs name is theirs together when their
    training seeds differ; otherwise each run is a cell of its own.
    """
    models = [manifest.model for manifest in manifests]
    names = models if len(set(models)) == len(models) else list(places)
    firsts: dict[tuple[str, ...], str] = {}
    repeats = []
    for name, manifest in zip(names, manifests, strict=True):
        identity = _identity(manifest)
        first = name if identity is None else firsts.setdefault(identity, name)
        repeats.append("" if first == name else first)
    own = [manifest for manifest, first in zip(manifests, repeats, strict=True) if not first]
    repetitions = Counter((manifest.cell, manifest.training_seed) for manifest in own)
    split = {cell for (cell, _), count in repetitions.items() if not cell or count > 1}
    cells: dict[str, str] = {}
    for name, manifest, first in zip(names, manifests, repeats, strict=True):
        cells[name] = cells[first] if first else name if manifest.cell in split else manifest.cell
    return tuple(
        Run(name, cells[name], manifest, folder, first)
        for name, manifest, folder, first in zip(names, manifests, folders, repeats, strict=True)
    )


def _check_exams(runs: Sequence[Run]) -> None:
    """Exams of the same name have the same content."""
    digests: dict[str, tuple[str, str]] = {}
    for run in runs:
        for card in run.manifest.exams:
            owner, digest = digests.setdefault(card.name, (run.name, card.digest))
            if card.digest != digest:
                raise MedctxError(
                    f"The exam {card.name} of run {run.name} has digest {card.digest[:12]} but {digest[:12]} in "
                    f"{owner}, so their questions differ; {REPEAT}."
                )


def _engines(runs: Sequence[Run]) -> list[str]:
    """The different ways in which runs were computed: engine and precision."""

    def way(manifest: ExamManifest) -> str:
        known = {what: manifest.means.get(what) for what in ("arithmetic", "logits")}
        said = [f"{what} {value}" for what, value in known.items() if value]
        return ", ".join([manifest.engine, *said])

    return list(dict.fromkeys(way(run.manifest) for run in runs))


def _check_count(run: Run, found: int) -> None:
    """The verdicts of a run add up to what its exam promised."""
    if not found:
        raise MedctxError(f"The run {run.name} has judged no items; examine it again or leave it out.")
    if found != run.manifest.n:
        raise MedctxError(
            f"The run {run.name} holds {found:,} verdicts where its exam counted {run.manifest.n:,}, so they do not "
            "add up; remove its folder and examine it again."
        )


def _lined_up(runs: Sequence[Run], judged: Sequence[Iterable[Judged]]) -> Collected:
    _check_exams(runs)
    engines = _engines(runs)
    if len(engines) > 1:
        say(f"These runs were computed in different ways, which is part of every difference: {'; '.join(engines)}.")
    aligners: dict[Mode, Aligner] = {}
    for row, (run, records) in enumerate(zip(runs, judged, strict=True)):
        found = 0
        for one in records:
            aligners.setdefault(one.mode, Aligner(one.mode)).add(row, run.name, one)
            found += 1
        _check_count(run, found)
        for aligner in aligners.values():
            aligner.close(row, run.name)
    return Collected(tuple(runs), {mode: aligner.aligned() for mode, aligner in aligners.items()})


def align(names: Sequence[str], runs: Sequence[RunFolder]) -> Collected:
    """Line up runs held in memory; raises MedctxError where they were not examined on exactly the same."""
    manifests = [run.manifest.model_copy(update={"model": name}) for name, run in zip(names, runs, strict=True)]
    return _lined_up(named(names, manifests, [None] * len(runs)), [run.judged for run in runs])


def collect(folders: Sequence[Path]) -> Collected:
    """Read and line up run folders, record by record: only columns stay in memory."""
    if not folders:
        raise MedctxError("No run folder was given; name at least one folder that an exam wrote.")
    manifests = [read_record(folder / EXAM_FILE, ExamManifest) for folder in folders]
    runs = named(names_of(folders), manifests, list(folders))
    return _lined_up(runs, [read_records(folder / run_folder.VERDICTS, Judged) for folder in folders])
