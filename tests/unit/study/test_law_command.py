"""``study law`` and ``study recommend`` as their users meet them: tables, files, sentences and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from medctx.io.jsonl import write_record
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import collect
from study.cli import main
from study.law.evidence import files, sources
from study.law.recommend.records import ForecastCheck, Recommendation
from study.law.records import LawRecord
from tests.support import synthetic_runs
from tests.support.law_studies import write

FEW = ("1:0", "1:1", "1:4", "0:1")


def study(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("made"), FEW)


@pytest.fixture(scope="module")
def written(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("law")
    return out, study("law", made, "--out", out)


def test_a_report_as_medctx_eval_writes_it_is_understood(tmp_path: Path) -> None:
    computed = compute(
        collect(synthetic_runs.write(tmp_path / "runs", ("base", "1:1-0", "1:1-1", "0:1-0"), facts=8, dossiers=12)),
        ReportConfig(draws=100),
    )
    path = tmp_path / "report.json"
    write_record(path, computed)
    report = files.read_report(path)
    evidence = sources.read_evidence([path])
    assert {part.part for part in evidence.measured} == {"knowledge", "reading"}
    for measured in evidence.measured:
        for run_cell in measured.cells:
            score = report.score(run_cell, measured.part)
            assert score is not None
            assert measured.score_of(run_cell) == pytest.approx(score.accuracy.value, abs=1e-6)
        assert measured.noise.items > 0 and "paired errors" in measured.noise.origin


def test_the_law_shows_parameters_what_was_left_out_and_what_it_comes_to(written: tuple[Path, Result]) -> None:
    result = written[1]
    assert result.exit_code == 0, result.output
    for text in ("medical only %", "one cell left out at a time", "straight line", "Leaving out one cell at a time"):
        assert text in result.output


def test_the_law_writes_its_record_its_page_and_its_picture(written: tuple[Path, Result]) -> None:
    out = written[0]
    record = LawRecord.model_validate_json((out / "law.json").read_text())
    assert [part.part for part in record.parts] == ["knowledge", "reading"]
    assert {validation.by for validation in record.validations} == {"cell"}
    assert len(record.parts[0].curves[0].at) == 101
    page = (out / "law.md").read_text()
    assert record.sentences[0] in page and "![law.png](law.png)" in page and "2403.16952" in page
    assert (out / "law.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "law.svg").read_text()


def test_cells_that_were_trained_in_another_way_are_left_out_and_named(made: Path, tmp_path: Path) -> None:
    report = json.loads((made / "report.json").read_text())
    report["cells"][-1]["recipe"]["method"] = "full"
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    evidence = sources.read_evidence([path])
    assert evidence.measured[0].cells == FEW[:-1]
    assert evidence.notes == ("The law is of the cells trained plainly, without 0:1.",)


def test_cells_of_two_bases_stand_at_two_sizes(made: Path, tmp_path: Path) -> None:
    report = json.loads((made / "report.json").read_text())
    report["cells"][1]["recipe"]["base"] = "other-1.5B"
    report["cells"].append({"name": "other-1.5B", "base": True, "runs": report["cells"][0]["runs"]})
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    unknown = study("law", path)
    assert unknown.exit_code == 2 and "size of the base 'base'" in unknown.output
    (tmp_path / "study.yaml").write_text("name: two\nmodels: {base: {parameters: 135000000}}\n")
    knowledge = sources.read_evidence([path]).part("knowledge")
    assert knowledge is not None
    assert [knowledge.point_of(cell).size for cell in FEW] == [1.5e9, 135e6, 135e6, 135e6]


def test_the_law_alone_writes_nothing(made: Path) -> None:
    before = sorted(made.rglob("*"))
    assert study("law", made / "report.json").exit_code == 0
    assert sorted(made.rglob("*")) == before


def test_a_recommendation_is_frozen_and_then_held_against_its_cell(tmp_path: Path) -> None:
    folder = write(tmp_path / "study", FEW)
    first = study("recommend", folder)
    assert first.exit_code == 0, first.output
    result = Recommendation.model_validate_json((folder / "recommendation.json").read_text())
    assert result.sentence in first.output
    cell = yaml.safe_load((folder / "recommended_cell.yaml").read_text())
    assert cell == {"ratios": [result.ratio], "seeds": [0, 1], "tokens": 40_000}
    assert {"recommendation.png", "recommendation.svg", "law.json", "law.md"} <= {
        path.name for path in folder.iterdir()
    }

    before = (folder / "recommendation.json").read_bytes()
    assert study("recommend", folder).exit_code == 0
    assert (folder / "recommendation.json").read_bytes() == before

    early = study("recommend", folder, "--check")
    assert early.exit_code == 2 and f"has no cell {result.ratio}" in early.output

    # The study runs the composition, and its report is made again.
    write(folder, (*FEW, result.ratio))
    changed = study("recommend", folder)
    assert changed.exit_code == 2 and "while it stands" in changed.output
    checked = study("recommend", folder, "--check")
    assert checked.exit_code == 0, checked.output
    assert (folder / "recommendation.json").read_bytes() == before
    check = ForecastCheck.model_validate_json((folder / "recommendation_check.json").read_text())
    assert check.cell == result.ratio
    scores = json.loads((folder / "report.json").read_text())["scores"]
    for part in check.parts:
        score = next(score for score in scores if (score["cell"], score["part"]) == (result.ratio, part.part))
        assert part.measured.value == score["accuracy"]["value"]
        assert part.inside == (part.predicted.low <= part.measured.value <= part.predicted.high)
    assert check.sentence in checked.output


def test_a_table_of_published_results_is_a_study_too(tmp_path: Path) -> None:
    table = tmp_path / "amounts.csv"
    lines = [f"0:1,{amount},{score}" for amount, score in ((1e4, 57.6), (2e4, 55.1), (5e4, 53.6), (1e5, 58.7))]
    table.write_text("\n".join(["ratio,amount,reading", *lines]))
    result = study("law", table)
    assert result.exit_code == 0, result.output
    assert "the data cannot tell whether it saturates" in result.output


def test_several_studies_are_taken_together(made: Path, tmp_path: Path) -> None:
    larger = write(tmp_path / "larger", ("1:0", "1:1", "0:1"), luck=1)
    (larger / "study.yaml").write_text("name: larger\nbase: tiny-1.7b\ntokens: 40000\n")
    evidence = sources.read_evidence([made, larger])
    knowledge = evidence.part("knowledge")
    assert knowledge is not None
    assert sorted(set(knowledge.sizes)) == [135e6, 1.7e9]
    assert len(knowledge.cells) == len(FEW) + 3


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("ratio,reading\n9:1,39\n1:x,20\n", "table.csv:3 is no cell"),
        ("ratio,reading\n9:1,390\n", "less than or equal to 100"),
        ("ratio,raeding\n9:1,39\n", "columns are ratio"),
        ("ratio,reading\n", "has no line with a ratio and a score"),
    ],
)
def test_a_bad_table_is_one_sentence(table: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(table)
    result = study("law", path)
    assert result.exit_code == 2 and sentence in result.output and "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("law", "nowhere"), "There is no report at nowhere"),
        (("recommend", "{study}", "--utility", "wisdom"), "which is not understood"),
        (("recommend", "{study}", "--margin", "0.1", "--no-margin"), "exclude each other"),
        (("recommend", "{study}", "--amount", "90000"), "lies outside 40,000 to 40,000"),
        (("recommend", "{study}", "--check"), "make a recommendation first"),
        (("recommend", "{study}", "{study}"), "give one with --out"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], sentence: str, made: Path) -> None:
    result = study(*(argument.replace("{study}", str(made)) for argument in arguments))
    assert result.exit_code == 2 and sentence in result.output, result.output
    assert "Traceback" not in result.output
    assert not (made / "recommendation.json").exists()


def test_a_broken_report_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"title": "x"}')
    result = study("law", tmp_path)
    assert result.exit_code == 2 and "report.json is no ReportCore" in result.output
