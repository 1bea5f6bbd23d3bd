"""From files of studies to files and tables of the law, the recommendation and its check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import yaml
from rich.console import Console
from rich.text import Text

import medctx
from medctx import plotting as figures
from medctx.errors import MedctxError
from medctx.io.jsonl import RecordT, read_record, write_record, write_text
from medctx.process.progress import say
from study.law.evidence import files
from study.law.evidence.evidence import Evidence
from study.law.evidence.sources import read_evidence
from study.law.model.describe import law_part
from study.law.model.saturation import saturations
from study.law.output import plots as picture
from study.law.output import tables
from study.law.output.tables import TextTable
from study.law.recommend import recommend as recommending
from study.law.recommend.records import ForecastCheck, Options, Recommendation
from study.law.records import LawPart, LawRecord, Saturation, Validation
from study.law.validate import forecast_check as checks
from study.law.validate.leave_out import groupings, validate

LAW, PAGE, RECOMMENDATION, CHECK = "law.json", "law.md", "recommendation.json", "recommendation_check.json"
CELL = "recommended_cell.yaml"
PICTURE = "recommendation"
WIDTH = 150


@dataclass(frozen=True)
class FittedLaw:
    """A law and the evidence it was fitted to."""

    evidence: Evidence
    record: LawRecord


def law_of(evidence: Evidence, margin: float, seed: int = 0) -> LawRecord:
    """Fit, validate and test for saturation, part by part; ``margin``: the difference that counts as none."""
    parts: list[LawPart] = []
    validations: list[Validation] = []
    saturated: list[Saturation] = []
    for measured in evidence.measured:
        say(f"Fitting the law of {measured.part} to {len(measured.runs)} runs of {len(measured.cells)} cells.")
        parts.append(law_part(measured, seed))
        validations += [
            validation for left_out in groupings(measured) if (validation := validate(measured, left_out)) is not None
        ]
        saturated += saturations(measured, margin)
    return LawRecord(
        medctx=medctx.__version__,
        study=evidence.name,
        sources=dict(evidence.sources),
        parts=tuple(parts),
        validations=tuple(validations),
        saturations=tuple(saturated),
        notes=evidence.notes,
    )


def folder_of(paths: Sequence[Path], out: Path | None) -> Path:
    """The folder of a recommendation: the one that was given, else that of the single report it is made from."""
    if out is not None:
        return out
    if len(paths) > 1 or paths[0].suffix == ".csv":
        raise MedctxError("There is no one folder to write the recommendation to; give one with --out.")
    return files.report_path(paths[0]).parent


def _print(sheets: Sequence[TextTable], sentences: Sequence[str]) -> None:
    console = Console(width=None if Console().is_terminal else WIDTH)
    for sheet in sheets:
        console.print(Text(sheet.title, style="bold"))
        console.print(sheet.rich())
        console.print()
    for sentence in sentences:
        click.echo(sentence)


def fit_law(paths: Sequence[Path], margin: float | None = None) -> FittedLaw:
    """Fit and validate."""
    evidence = read_evidence(paths)
    return FittedLaw(evidence, law_of(evidence, margin or evidence.margin))


def show_law(record: LawRecord) -> None:
    """Print the tables and then the results in sentences."""
    _print(list(tables.of_law(record)), [*record.sentences, *record.notes])


def _if_there(path: Path, kind: type[RecordT]) -> RecordT | None:
    return read_record(path, kind) if path.is_file() else None


def _write_page(record: LawRecord, out: Path) -> None:
    """The page of everything that is in a folder."""
    names = [PICTURE, "law", *(name for name, _ in picture.saturation_figures(record))]
    recommended, checked = _if_there(out / RECOMMENDATION, Recommendation), _if_there(out / CHECK, ForecastCheck)
    there = [f"{name}.png" for name in names if (out / f"{name}.png").is_file()]
    write_text(out / PAGE, law_page(record, there, recommended, checked))


def write_law(fitted_law: FittedLaw, out: Path) -> None:
    """Pictures, the record, and the page of all that is there."""
    figures.save_figure(picture.law_figure(fitted_law.record, fitted_law.evidence.intervals), out, "law")
    for name, figure in picture.saturation_figures(fitted_law.record):
        figures.save_figure(figure, out, name)
    write_record(out / LAW, fitted_law.record)
    _write_page(fitted_law.record, out)


def _frozen(out: Path, evidence: Evidence, options: Options) -> Recommendation | None:
    """The recommendation that is there already, if it was made from the same data with the same options."""
    path = out / RECOMMENDATION
    if not path.is_file():
        return None
    stored = read_record(path, Recommendation)
    if sorted(stored.sources.values()) == sorted(evidence.sources.values()) and stored.options == options:
        return stored
    raise MedctxError(
        f"{path} was made from other data or with other options, and a forecast is only worth something while it "
        "stands; hold it against the study with --check, give another folder with --out, or replace it with --replace."
    )


def _cell_yaml(advice: Recommendation) -> str:
    """Keys of a study that runs the recommended composition as a cell of its own."""
    keys: dict[str, object] = {"ratios": [advice.ratio], "seeds": list(range(advice.options.seeds))}
    if advice.amount is not None:
        keys["tokens"] = round(advice.amount)
    head = (
        f"# The recommended composition of {advice.study}: lay these keys over the study's own, keeping the other\n"
        "# ratios, or run it with: python -m study run STUDY --recommend\n"
    )
    return head + yaml.safe_dump(keys, sort_keys=False)


def publish_recommendation(
    evidence: Evidence, options: Options, out: Path, *, replace: bool = False, config: str = ""
) -> Recommendation:
    """Recommend from the evidence and freeze it in ``out``; made before from the same data, it is read.

    ``config``: the digest of the study it is made for.
    """
    frozen = None if replace else _frozen(out, evidence, options)
    if frozen is not None:
        return frozen
    recommended = recommending.recommend_composition(evidence, options).model_copy(update={"config": config})
    record = law_of(evidence, options.margin or evidence.margin)
    figures.save_figure(picture.recommendation(recommended, record.parts, evidence.intervals), out, PICTURE)
    write_text(out / CELL, _cell_yaml(recommended))
    (out / CHECK).unlink(missing_ok=True)
    write_record(out / RECOMMENDATION, recommended)
    write_law(FittedLaw(evidence, record), out)
    return recommended


def show_recommendation(recommendation: Recommendation) -> None:
    """Tables, then the sentence, on stdout."""
    _print(list(tables.of_recommendation(recommendation)), [recommendation.sentence, *recommendation.notes])


def check_recommendation(paths: Sequence[Path], out: Path) -> ForecastCheck:
    """Hold the recommendation in ``out`` against the report that has its cell by now; page and picture show both."""
    path = out / RECOMMENDATION
    if not path.is_file():
        raise MedctxError(f"There is no {path} to check; make a recommendation first.")
    if len(paths) != 1:
        raise MedctxError("A recommendation is checked against one study; give its folder or report alone.")
    recommended = read_record(path, Recommendation)
    checked = checks.check_forecast(recommended, files.report_path(paths[0]))
    write_record(out / CHECK, checked)
    record = _if_there(out / LAW, LawRecord)
    if record is not None:
        figures.save_figure(
            picture.recommendation(recommended, record.parts, read_evidence(paths).intervals, checked), out, PICTURE
        )
        _write_page(record, out)
    return checked


def show_check(checked: ForecastCheck) -> None:
    """Print the table and the sentence."""
    _print([tables.of_check(checked)], [checked.sentence])


_FORM = (
    "Logit accuracies follow Ye et al. (arXiv 2403.16952), c + k exp(t s) in the general share s, and in the "
    "logarithms of the amount and of the size where these vary. A smooth deviation from the "
    "form, chance between runs, and chance in the items (correlated, as all runs answer the same ones) are part of "
    "every interval."
)


def _noise(record: LawRecord) -> list[str]:
    return [
        f"- {part.part}: errors by items {part.noise.origin}"
        + (
            f" (correlation {part.noise.far:.2f} between unlike and {part.noise.near:.2f} between like compositions, "
            f"{part.noise.base:.2f} with the base)."
            if part.noise.near
            else "."
        )
        for part in record.parts
    ]


def law_page(
    law: LawRecord,
    pictures: Sequence[str],
    recommendation: Recommendation | None = None,
    checked: ForecastCheck | None = None,
) -> str:
    """The whole page; ``pictures`` are names of files in the same folder."""
    lines = [f"# The mixing law of {law.study}", ""]
    if recommendation is not None:
        lines += [recommendation.sentence, ""]
        lines += [sheet.markdown() + "\n" for sheet in tables.of_recommendation(recommendation)]
    if checked is not None:
        lines += [checked.sentence, "", tables.of_check(checked).markdown(), ""]
    lines += [*(f"- {sentence}" for sentence in law.sentences), ""]
    lines += [f"![{name}]({name})" for name in pictures]
    lines += ["", "## The law", "", _FORM, "", *_noise(law), *(f"- {note}" for note in law.notes), ""]
    lines += [sheet.markdown() + "\n" for sheet in tables.of_law(law)]
    lines += ["Measured runs outside the law's interval are marked with an exclamation mark.", ""]
    return "\n".join(lines)
