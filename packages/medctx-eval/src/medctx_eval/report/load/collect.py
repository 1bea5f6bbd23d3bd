"""Run folders brought together: the same questions in every mode, one row per run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.process.progress import say
from medctx.schemas.exam_run import EXAM_FILE, ExamManifest
from medctx.schemas.records import Judged, Mode
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.load.verdict_matrix import EXAMINE_AGAIN, MatrixBuilder, VerdictMatrix

CellPair = tuple[str, str]
"""Names of two compared cells."""


@dataclass(frozen=True)
class ExaminedRun:
    """One examined model.

    Attributes:
        name: Its name in messages and reports.
        cell: The cell it belongs to; the runs of a cell are its training seeds.
        manifest: Its manifest.
        folder: Its folder; None for a run held in memory.
        repeats: Name of an earlier run of the same model. A repeated run measures noise and belongs to no cell.
    """

    name: str
    cell: str
    manifest: ExamManifest
    folder: Path | None = None
    repeats: str = ""


@dataclass(frozen=True)
class RunSet:
    """All runs and their verdicts by mode; a mode holds the runs that were judged in it."""

    runs: tuple[ExaminedRun, ...]
    modes: dict[Mode, VerdictMatrix]

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells in the order of their first runs."""
        return tuple(dict.fromkeys(run.cell for run in self.runs))

    def runs_of(self, cell: str) -> tuple[ExaminedRun, ...]:
        """The training seeds of a cell."""
        return tuple(run for run in self.runs if run.cell == cell and not run.repeats)


def names_of(folders: Sequence[Path]) -> tuple[str, ...]:
    """Short names of folders: the path parts in which they differ, or the name of a single folder."""
    parts = [folder.resolve().parts for folder in folders]
    if len(set(parts)) < len(parts):
        twice = next(folder for folder, path in zip(folders, parts, strict=True) if parts.count(path) > 1)
        raise MedctxError(f"The run folder {twice} is given twice; give each run once.")
    if len(parts) > 1:
        while len({path[-1] for path in parts}) == 1:
            parts = [path[:-1] for path in parts]
    length = 1
    while len({path[-length:] for path in parts}) < len(parts):
        length += 1
    return tuple("/".join(path[-length:]) for path in parts)


def _identity(manifest: ExamManifest) -> tuple[str, ...] | None:
    """Cell and weights of a run; None if only the name of the model is known."""
    known = (manifest.cell or manifest.model, manifest.weights_digest, manifest.adapter_digest)
    return known if manifest.weights_digest else None


def name_runs(
    places: Sequence[str], manifests: Sequence[ExamManifest], folders: Sequence[Path | None]
) -> tuple[ExaminedRun, ...]:
    """Give runs their names and cells.

    A run has the name of its model, or of its folder if two models have the same name. The same weights under the same
    name are one model examined again. A cell named by several runs holds them all if their training seeds differ;
    otherwise each run is a cell of its own.
    """
    models = [manifest.model for manifest in manifests]
    names = models if len(set(models)) == len(models) else list(places)
    first_names: dict[tuple[str, ...], str] = {}
    repeats = []
    for name, manifest in zip(names, manifests, strict=True):
        identity = _identity(manifest)
        first = name if identity is None else first_names.setdefault(identity, name)
        repeats.append("" if first == name else first)
    counted = [manifest for manifest, first in zip(manifests, repeats, strict=True) if not first]
    repetitions = Counter((manifest.cell, manifest.training_seed) for manifest in counted)
    split = {cell for (cell, _), count in repetitions.items() if not cell or count > 1}
    cells: dict[str, str] = {}
    for name, manifest, first in zip(names, manifests, repeats, strict=True):
        cells[name] = cells[first] if first else name if manifest.cell in split else manifest.cell
    return tuple(
        ExaminedRun(name, cells[name], manifest, folder, first)
        for name, manifest, folder, first in zip(names, manifests, folders, repeats, strict=True)
    )


def _check_exams(runs: Sequence[ExaminedRun]) -> None:
    """Exams of the same name have the same content."""
    digests: dict[str, tuple[str, str]] = {}
    for run in runs:
        for card in run.manifest.exams:
            owner, digest = digests.setdefault(card.name, (run.name, card.digest))
            if card.digest != digest:
                raise MedctxError(
                    f"The exam {card.name} of run {run.name} has digest {card.digest[:12]} but {digest[:12]} in "
                    f"{owner}, so their questions differ; {EXAMINE_AGAIN}."
                )


def _check_count(run: ExaminedRun, count: int) -> None:
    """A run holds as many verdicts as its manifest states."""
    if not count:
        raise MedctxError(f"The run {run.name} has judged no items; examine it again or leave it out.")
    if count != run.manifest.n:
        raise MedctxError(
            f"The run {run.name} holds {count:,} verdicts but its manifest states {run.manifest.n:,}; remove its "
            "folder and examine it again."
        )


def _run_set(runs: Sequence[ExaminedRun], judged: Sequence[Iterable[Judged]]) -> RunSet:
    _check_exams(runs)
    ways = list(dict.fromkeys(run.manifest.computed_by for run in runs))
    if len(ways) > 1:
        say(f"These runs were computed in different ways, which adds to every difference: {'; '.join(ways)}.")
    builders: dict[Mode, MatrixBuilder] = {}
    for row, (run, records) in enumerate(zip(runs, judged, strict=True)):
        count = 0
        for record in records:
            builders.setdefault(record.mode, MatrixBuilder(record.mode)).add(row, run.name, record)
            count += 1
        _check_count(run, count)
        for builder in builders.values():
            builder.close(row, run.name)
    return RunSet(tuple(runs), {mode: builder.build() for mode, builder in builders.items()})


def collect_in_memory(names: Sequence[str], runs: Sequence[RunFolder]) -> RunSet:
    """Bring together runs held in memory; raises MedctxError if they were not asked the same questions."""
    manifests = [run.manifest.model_copy(update={"model": name}) for name, run in zip(names, runs, strict=True)]
    return _run_set(name_runs(names, manifests, [None] * len(runs)), [run.judged for run in runs])


def collect(folders: Sequence[Path]) -> RunSet:
    """Read run folders and bring them together, record by record; only columns stay in memory.

    Raises:
        MedctxError: If a folder is not a finished run, or the runs were not asked the same questions.
    """
    if not folders:
        raise MedctxError("No run folder was given; give at least one folder that `medctx-eval run` wrote.")
    manifests = [read_record(folder / EXAM_FILE, ExamManifest) for folder in folders]
    runs = name_runs(names_of(folders), manifests, list(folders))
    verdicts = [run_folder.read_verdicts(folder, manifest) for folder, manifest in zip(folders, manifests, strict=True)]
    return _run_set(runs, verdicts)
