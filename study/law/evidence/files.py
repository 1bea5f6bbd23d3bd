"""The files of finished studies as far as a law needs them: reports and configs. Other keys are let be."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import describe
from study.workflow import manifests
from study.workflow.manifests import REPORT, FilePart

STUDY = "study.yaml"


class AccuracyPart(manifests.AccuracyPart):
    """An accuracy in [0, 1] with its interval; ``n`` items."""

    n: int


class ScorePart(manifests.ScorePart):
    """A cell's accuracy on a part of the exam, and each run's own."""

    accuracy: AccuracyPart
    seeds: tuple[float, ...] = ()


class DifferencePart(FilePart):
    """A paired difference; ``error``: the standard error that items bring."""

    value: float
    low: float
    high: float
    error: float


class ComparisonPart(FilePart):
    """``cell`` minus ``other`` on a part."""

    cell: str
    other: str
    part: str
    mode: str
    difference: DifferencePart


class ManifestPart(FilePart):
    """Which repetition of its cell a run is."""

    training_seed: int | None = None


class RunPart(FilePart):
    """One examined model."""

    name: str
    manifest: ManifestPart


class RecipePart(FilePart):
    """How a cell was made: general share in [0, 1], trained tokens, the untouched cell it comes from, and whatever else
    it was done with in words.
    """

    general_share: float | None = None
    amount: int | None = None
    base: str = ""
    method: str = ""


class CellPart(FilePart):
    """A cell of the report; ``base``: whether it is an untouched model."""

    name: str
    base: bool
    recipe: RecipePart = RecipePart()
    runs: tuple[RunPart, ...]

    @property
    def share(self) -> float:
        """The general share of a trained cell; 0 where none is known."""
        return self.recipe.general_share or 0.0


class ReportFile(manifests.ReportFile):
    """``report.json`` of ``medctx-eval report``, with what a law needs of it."""

    title: str
    margin: float
    cells: tuple[CellPart, ...]
    scores: tuple[ScorePart, ...]
    comparisons: tuple[ComparisonPart, ...]

    @property
    def bases(self) -> tuple[str, ...]:
        """The names of the untouched cells."""
        return tuple(cell.name for cell in self.cells if cell.base)

    def score(self, cell: str, part: str) -> ScorePart | None:
        """One score in the headline mode."""
        wanted = (cell, part, self.mode)
        return next((one for one in self.scores if (one.cell, one.part, one.mode) == wanted), None)


class ModelPart(FilePart):
    """A base model of a study config."""

    parameters: int | None = None


class StudyFile(FilePart):
    """``study.yaml``: the resolved config of a study that has run."""

    name: str = ""
    base: str = ""
    tokens: int | None = None
    models: dict[str, ModelPart] = Field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)


PartT = TypeVar("PartT", bound=FilePart)


def _read(path: Path, kind: type[PartT]) -> PartT:
    text = _text(path)
    try:
        if path.suffix == ".json":
            return kind.model_validate_json(text)
        return kind.model_validate(configs.parse_yaml(text, str(path)))
    except ValidationError as error:
        raise MedctxError(f"{path} is not what its name says ({describe(error)}); make it anew.") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MedctxError(f"The file {path} cannot be read ({error}); give a readable file.") from None


def report_path(given: Path) -> Path:
    """The report of a study's folder, or the file itself."""
    path = given / REPORT if given.is_dir() else given
    if not path.is_file():
        raise MedctxError(
            f"There is no report at {path}; give the folder of a finished study (work/studies/NAME), its report.json, "
            "or a .csv table."
        )
    return path


def read_report(path: Path) -> ReportFile:
    """A report."""
    return _read(path, ReportFile)


def read_study(folder: Path) -> StudyFile:
    """The study config beside a report; empty where there is none."""
    path = folder / STUDY
    return _read(path, StudyFile) if path.is_file() else StudyFile()
