"""``medctx-eval compare`` and ``plan``: from where exams lie to what people and programs read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from medctx.errors import MedctxError
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.result import CommandResult
from medctx.tracking import mlflow_run as tracking
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.run_source import FOLDER_TAG, RUN_TAG, resolve
from medctx_eval.cli.compare import compare
from medctx_eval.cli.power import power
from medctx_eval.report.compare import compare as compared
from medctx_eval.report.config import ReportConfig
from tests.support import synthetic_runs

CONFIG = ReportConfig(draws=500)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run folder per model, by name."""
    names = ("base", "1:1", "0:1")
    return dict(zip(names, synthetic_runs.write(tmp_path_factory.mktemp("runs"), names), strict=True))


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(compare, [str(argument) for argument in arguments], env={"COLUMNS": "80"})


def test_the_table_fits_eighty_columns_and_says_what_is_shown(runs: dict[str, Path]) -> None:
    result = call(*runs.values(), "--draws", "1000")
    assert result.exit_code == 0, result.output
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    words = " ".join(result.stdout.split())
    assert "0:1 gains over base" in words
    assert "0:1 loses to base" in words
    assert "1:1 and base not" in words and "told apart" in words
    assert "knowledge" in words
    assert result.stdout.count("McNemar") == 2
    assert re.search(r"0:1 gains over base +knowledge +[+]22[.]5 +16[.]7 +<0[.]001 +<0[.]001", result.stdout)
    assert "One training seed per cell" in words
    assert "0:1 may be worse than base by 5.0 points of reading" in words


def details(result: Result) -> dict[str, Any]:
    """The whole record in the result that a command printed, of the schema that all commands share."""
    record = CommandResult.model_validate_json(result.stdout)
    assert record.command.startswith("medctx-eval")
    assert record.status == "finished" and record.text
    assert isinstance(record.details, dict)
    return record.details


def test_json_holds_every_number_of_the_table(runs: dict[str, Path]) -> None:
    result = details(call(runs["base"], runs["0:1"], "--json", "--draws", "1000"))
    assert (result["base"], result["mode"], result["draws"]) == ("base", "text", 1000)
    assert [cell["name"] for cell in result["cells"]] == ["base", "0:1"]
    knowledge = next(difference for difference in result["differences"] if difference["part"] == "knowledge")
    assert knowledge["outcome"] == "gains"
    assert knowledge["p_holm"] >= knowledge["difference"]["p"]
    assert knowledge["difference"]["seeds"] == 1
    assert knowledge["difference"]["seed_error"] is None
    assert knowledge["equivalence"]["not_worse"]
    scores = {
        accuracy["cell"]: accuracy["accuracy"]["value"]
        for accuracy in result["accuracies"]
        if accuracy["part"] == "knowledge"
    }
    assert knowledge["difference"]["value"] == pytest.approx(scores["0:1"] - scores["base"])


def test_all_pairs_and_conditions_are_one_family(runs: dict[str, Path]) -> None:
    few = compared(list(runs.values()), CONFIG)
    many = compared(list(runs.values()), CONFIG, every_pair=True, conditions=True)
    assert {(difference.cell, difference.other) for difference in few.differences} == {("1:1", "base"), ("0:1", "base")}
    assert len({(difference.cell, difference.other) for difference in many.differences}) == 3
    assert {"knowledge", "reading", "gold", "open:200"} <= {difference.part for difference in many.differences}
    for difference in few.differences:
        same = next(
            other
            for other in many.differences
            if (other.cell, other.other, other.part) == (difference.cell, difference.other, difference.part)
        )
        assert same.difference == difference.difference
        assert same.p_holm >= difference.p_holm


def test_the_named_base_is_what_others_are_compared_with(runs: dict[str, Path]) -> None:
    report = compared(list(runs.values()), ReportConfig(draws=500, base="1:1"))
    assert {(difference.cell, difference.other) for difference in report.differences} == {
        ("base", "1:1"),
        ("0:1", "1:1"),
    }


def test_runs_of_one_cell_are_its_training_seeds(tmp_path: Path) -> None:
    folders = synthetic_runs.write(tmp_path / "one", ("base", "1:1"))
    for seed, source in enumerate((synthetic_runs.write(tmp_path / "two", ("0:1",))[0], folders[1])):
        run = run_folder.read_run(source)
        update = {"model": f"tuned s{seed}", "cell": "tuned", "training_seed": seed}
        run_folder.write_run(tmp_path / f"s{seed}", run.manifest.model_copy(update=update), list(run.judged))
    report = compared([folders[0], tmp_path / "s0", tmp_path / "s1"], CONFIG)
    assert [(cell.name, len(cell.runs)) for cell in report.cells] == [("base", 1), ("tuned", 2)]
    reading = next(difference for difference in report.differences if difference.part == "reading")
    assert reading.difference.seeds == 2
    assert reading.difference.seed_error is not None
    assert "training seeds (at least 2" in " ".join(call(folders[0], tmp_path / "s0", tmp_path / "s1").stdout.split())


def test_a_model_examined_twice_shows_the_noise_floor(runs: dict[str, Path], tmp_path: Path) -> None:
    run = run_folder.read_run(runs["base"])
    run_folder.write_run(tmp_path / "again", run.manifest, list(run.judged))
    result = call(runs["base"], tmp_path / "again", "--draws", "500")
    assert result.exit_code == 0, result.output
    assert "0.0 % of the answers of base changed between right and wrong" in " ".join(result.stdout.split())


def test_what_is_no_run_is_one_sentence(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for arguments, sentence in (
        ((tmp_path / "nowhere",), "There is no run"),
        ((runs["base"].parent,), "it contains the run folders 0:1, 1:1, base"),
        ((runs["base"],), "Only base was given"),
        ((*runs.values(), "--base", "2:1"), "no run '2:1' to be the base"),
        (("models:/nothing",), "There is no registered model models:/nothing"),
    ):
        result = call(*arguments)
        assert result.exit_code == 2
        # MLflow may log before it that it makes its tables.
        said = [line for line in result.stderr.splitlines() if " INFO " not in line]
        assert len(said) == 1, result.stderr
        assert sentence in said[0]
        assert result.stdout == ""


def test_without_mlflow_its_sources_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(MedctxError, match="MLflow, which is not installed; install"):
        resolve("runs:/abc", tmp_path)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty MLflow store."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MEDCTX_TRACKING", "on")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_mlflow_runs_and_registered_models_lead_to_their_exam(store: Path, runs: dict[str, Path]) -> None:
    mlflow = tracking.client()
    mlflow.set_tracking_uri(f"sqlite:///{store}/mlflow.db")
    with tracking.run("exam", "exam") as tracked:
        for name in ("base", "0:1"):
            for file in (run_folder.VERDICTS, EXAM_FILE):
                tracked.artifact(runs[name] / file, f"exam/{name.replace(':', '-')}")
        run_id = tracked.id
    client = mlflow.MlflowClient()
    client.create_registered_model("study")
    tags = {RUN_TAG: run_id, FOLDER_TAG: "0-1"}
    version = client.create_model_version("study", str(runs["0:1"]), tags=tags).version
    client.set_registered_model_alias("study", "champion", version)
    client.create_model_version("study", str(runs["0:1"]))

    both = details(call(f"runs:/{run_id}", "--json", "--draws", "500"))
    direct = details(call(runs["base"], runs["0:1"], "--json", "--draws", "500"))
    assert both == direct
    for source in (
        f"runs:/{run_id}/0-1",
        f"runs:/{run_id}/exam/0-1",
        f"models:/study/{version}",
        "models:/study@champion",
    ):
        named = call(runs["base"], source, "--json", "--draws", "500")
        assert named.exit_code == 0, named.stderr
        assert details(named) == direct
        assert "Fetching" in named.stderr
    for source, sentence in (
        ("runs:/0123", "cannot be read from"),
        (f"runs:/{run_id}/1-1", "has no exam '1-1'"),
        ("models:/study/9", "There is no registered model models:/study/9"),
        ("models:/study@best", "There is no registered model models:/study@best"),
        ("models:/study/2", f"does not name its exam (tags {RUN_TAG} and {FOLDER_TAG})"),
    ):
        refused = call(runs["base"], source)
        assert refused.exit_code == 2
        assert sentence in refused.stderr


def planned(*arguments: str | Path) -> Result:
    return CliRunner().invoke(power, [str(argument) for argument in arguments], env={"COLUMNS": "80"})


def test_plan_shows_longhealth_and_states_its_assumptions() -> None:
    result = planned("--delta", "3", "--power", "0.8")
    assert result.exit_code == 0, result.output
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    words = " ".join(result.stdout.split())
    assert "LongHealth 20 20 400 20.0% 0.10 10.7 11%" in words
    assert "1 20.0% 0.00 1,736 1,736" in words
    assert "20 20.0% 0.10 253 5,060" in words
    assert "exactly one of them is right on 20.0% of the items (assumed)" in words
    assert "training seeds" in words


def test_plan_says_what_a_given_exam_sees() -> None:
    result = details(planned("--delta", "5", "--clusters", "169", "--items-per-cluster", "4.2", "--icc", "0.05",
                             "--discordance", "0.3", "--json"))  # fmt: skip
    (sight,) = result["exams"]
    assert sight["design"] == {"clusters": 169, "per_cluster": 4.2, "size_cv": 0.0}
    assert 0.05 < sight["detectable"] < 0.08
    (need,) = result["needed"]
    assert need["items"] == pytest.approx(need["clusters"] * 4.2, abs=1)


def test_plan_measures_what_two_runs_show(runs: dict[str, Path]) -> None:
    result = details(planned("--delta", "5", "--runs", runs["base"], "--runs", runs["0:1"], "--json"))
    exam_comparison = compared([runs["base"], runs["0:1"]], CONFIG)
    for sight in result["exams"]:
        seen = next(
            difference.difference for difference in exam_comparison.differences if difference.part == sight["exam"]
        )
        assert sight["design"]["clusters"] == seen.clusters
        assert sight["detectable"] == pytest.approx(seen.detectable, rel=0.15)
    assert "(measured)" in result["assumptions"][0]


def test_plan_refuses_what_it_cannot_know(runs: dict[str, Path]) -> None:
    for arguments, sentence in (
        (("--delta", "30"), "cannot differ by 30 points"),
        (("--delta", "3", "--clusters", "20"), "pass --items-per-cluster too"),
        (("--delta", "3", "--runs", runs["base"]), "give two"),
        (("--delta", "3", "--runs", runs["base"], "--icc", "0.1"), "pass either --runs or those two"),
    ):
        result = planned(*arguments)
        assert result.exit_code == 2
        assert sentence in result.stderr, result.stderr
    assert planned("--delta", "0").exit_code == 2
    nothing = planned("--delta", "3", "--clusters", "9", "--items-per-cluster", "20", "--icc", "0")
    assert "nothing" in nothing.stdout
