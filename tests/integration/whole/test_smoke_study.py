"""The whole path on a tiny model through the transformers engine: mix, train, exam, report, registry, twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medctx.schemas.exam_run import VERDICTS_FILE
from tests.support import forked
from tests.support.paths import ROOT

for needed in ("torch", "peft", "mlflow", "medctx_train", "medctx_eval", "medctx_data"):
    pytest.importorskip(needed)


def environment_of(folder: Path) -> dict[str, str]:
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MEDCTX_CACHE": str(folder / "cache"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    environment.pop("MLFLOW_RUN_ID", None)
    return environment


def called(folder: Path, command: list[str], steps_at: str = "") -> subprocess.CompletedProcess[str]:
    return forked.called(command, ROOT, environment_of(folder), steps_at)


def smoke_arguments(folder: Path) -> list[str]:
    settings = (f"work={folder / 'work'}", "exam.engine=transformers", "tokens=2000")
    return ["run", "smoke", *(part for setting in settings for part in ("--set", setting))]


@pytest.fixture(scope="module")
def steps_at() -> Iterator[str]:
    """Where the commands of studies are forked; a slow test starts those that are installed."""
    with forked.steps() as address:
        yield address


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, steps_at: str) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("smoke")
    result = called(folder, ["study", *smoke_arguments(folder)], steps_at)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, result.stdout


def contents(folder: Path, name: str) -> dict[str, bytes]:
    """The files of a name in the steps of a study, by their place."""
    steps = folder / "work/steps"
    return {str(path.relative_to(steps)): path.read_bytes() for path in steps.rglob(name)}


@pytest.mark.slow
def test_the_installed_commands_give_the_same_adapters_and_verdicts(done: tuple[Path, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "study", *smoke_arguments(tmp_path)]
    result = subprocess.run(
        command, cwd=ROOT, env=environment_of(tmp_path), text=True, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    folder, _ = done
    adapters = contents(tmp_path, "adapter_model.safetensors")
    assert len(adapters) == 2
    assert adapters == contents(folder, "adapter_model.safetensors")
    verdicts = contents(tmp_path, VERDICTS_FILE)
    assert len(verdicts) >= 4
    assert verdicts == contents(folder, VERDICTS_FILE)


def test_it_ends_in_a_table_a_report_and_registered_versions(done: tuple[Path, str]) -> None:
    folder, shown = done
    assert "knowledge" in shown
    assert "registered  medctx-smoke-trial version 2" in shown
    report = json.loads((folder / "work/studies/smoke-trial/report.json").read_text())
    assert [cell["name"] for cell in report["cells"]] == ["base", "1:0", "0:1"]
    for score in report["scores"]:
        assert sum(score["verdicts"].values()) == score["accuracy"]["n"]
    page = (folder / "work/studies/smoke-trial/report.html").read_text()
    assert "generated" in page
    assert "Human Phenotype Ontology" in page


def test_the_base_examined_twice_is_the_noise_floor_and_no_cell(done: tuple[Path, str]) -> None:
    folder, _ = done
    report = json.loads((folder / "work/studies/smoke-trial/report.json").read_text())
    floors = {noise["part"]: noise for noise in report["noise_floor"]}
    assert {"knowledge", "reading"} <= set(floors)
    for floor in floors.values():
        assert (floor["cell"], floor["runs"]) == ("base", ["base", "base again"])
        assert floor["noise"]["verdicts"]["n"] > 0


def compared(folder: Path, *sources: str) -> dict[str, object]:
    result = called(folder, ["medctx-eval", "compare", *sources, "--draws", "200", "--json"])
    assert result.returncode == 0, result.stderr
    data: dict[str, object] = json.loads(result.stdout)["details"]
    return data


def test_runs_are_compared_by_folder_by_run_and_by_registered_version_alike(done: tuple[Path, str]) -> None:
    folder, _ = done
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    versions = {
        str(version.version): version.tags for version in client.search_model_versions("name = 'medctx-smoke-trial'")
    }
    tags = versions["1"]
    by_version = compared(folder, "models:/medctx-smoke-trial/1", "models:/medctx-smoke-trial/2")
    by_run = compared(
        folder, *(f"runs:/{versions[n]['medctx.exam_run']}/{versions[n]['medctx.exam_folder']}" for n in "12")
    )
    (place,) = (folder / "work/steps").glob(f"exam-*/{tags['medctx.exam_folder']}")
    (other,) = (folder / "work/steps").glob(f"exam-*/{versions['2']['medctx.exam_folder']}")
    by_folder = compared(folder, str(place), str(other))
    assert by_version["differences"] == by_run["differences"] == by_folder["differences"] != []
    everything = compared(folder, f"runs:/{tags['medctx.exam_run']}", "--base", "base")
    assert everything["noise_floor"]


def test_mlflow_holds_the_tree_and_nothing_is_left_running(done: tuple[Path, str]) -> None:
    folder, _ = done
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'medctx'")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    kinds = sorted(run.data.tags["medctx.step"] for run in children)
    assert kinds == ["cell"] * 3 + ["contamination"] * 2 + ["exam"] + ["mix"] * 2 + ["train"] * 2
    by_name = {run.info.run_name: run for run in children if run.data.tags["medctx.step"] == "cell"}
    assert by_name["cell 0:1"].data.params == {"cell.base": "tiny-random-llama", "cell.ratio": "0:1"} | {
        "cell.amount": "2000",
        "cell.seed": "0",
    }
    assert {"knowledge", "reading_low"} <= set(by_name["cell base"].data.metrics)
    trained = next(run for run in children if run.data.tags["medctx.step"] == "train")
    losses = client.get_metric_history(trained.info.run_id, "train.loss")
    assert len(losses) == len({metric.step for metric in losses}) >= 2
    (dataset,) = trained.inputs.dataset_inputs
    assert dataset.dataset.digest
    versions = client.search_model_versions("name = 'medctx-smoke-trial'")
    assert len(versions) == 2
    models = client.search_logged_models([experiment.experiment_id])
    by_run = {run.info.run_id: run.data.tags.get("medctx.step") for run in runs}
    adapters = [model for model in models if by_run[model.source_run_id] == "train"]
    assert {f"models:/{model.model_id}" for model in adapters} == {version.source for version in versions}
    assert [model.name for model in models if model not in adapters] == ["base-base"], "the base is a model too"
    assert all(
        {"knowledge_gain_low", "last_train_loss"} <= {metric.key for metric in model.metrics} for model in adapters
    )
    assert all(not version.aliases for version in versions), "keys were overridden: a trial moves no alias"


def test_every_cell_has_its_own_numbers_and_the_study_those_of_the_base(done: tuple[Path, str]) -> None:
    folder, _ = done
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'medctx'")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    report = json.loads((folder / "work/studies/smoke-trial/report.json").read_text())
    models = client.search_logged_models([experiment.experiment_id])
    by_digest = {model.tags.get("medctx.adapter_digest"): model for model in models}
    for cell in ("base", "1:0", "0:1"):
        run = runs[f"cell {cell}"]
        scores = {
            score["part"]: score["accuracy"]
            for score in report["scores"]
            if (score["cell"], score["mode"]) == (cell, "text")
        }
        for part in ("knowledge", "reading"):
            interval = [run.data.metrics[f"{part}{end}"] for end in ("", "_low", "_high")]
            assert interval == [scores[part][key] for key in ("value", "low", "high")]
        exams = {dataset.dataset.name: dataset.dataset.digest for dataset in run.inputs.dataset_inputs}
        (plan,) = set(exams) - {"phenotypes-knowledge", "phenotypes-reading"}
        assert len(exams) == 3 and exams[plan] == plan.removeprefix("exam-plan-")
        assert run.data.tags["mlflow.note.content"].startswith(
            "The untouched base" if cell == "base" else "A LoRA adapter"
        )
        (linked,) = [model.model_id for model in client.get_run(run.info.run_id).inputs.model_inputs]
        assert linked in {model.model_id for model in models}
        assert run.data.tags["medctx.weights_digest"]
        if cell != "base":
            model = by_digest[run.data.tags["medctx.weights_digest"]]
            (reading,) = [metric for metric in model.metrics if metric.key == "reading"]
            assert (reading.value, reading.dataset_name) == (scores["reading"]["value"], plan), (
                "one exam for all models"
            )
    study = runs["smoke"].data.metrics
    assert study["base.reading"] == runs["cell base"].data.metrics["reading"]
    assert not [key for key in study if key.split(".")[0] not in {"base", "champion", "study", "system"}]


def test_every_adapter_has_one_card_that_the_hub_would_take(done: tuple[Path, str]) -> None:
    folder, _ = done
    import mlflow
    from huggingface_hub import ModelCard

    from study.tracking.model_card import REST

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    data = json.loads((folder / "work/studies/smoke-trial/summary.json").read_text())
    versions = {
        version.tags["cell"]: version for version in client.search_model_versions("name = 'medctx-smoke-trial'")
    }
    for cell in data["cells"][1:]:
        card = ModelCard.load(ROOT / cell["weights"] / "README.md")
        assert card.data.library_name == "peft" and "medical" in card.data.tags
        version = versions[cell["cell"]["name"]]
        assert set(version.description.splitlines()) - {REST} <= set(card.content.splitlines())
        logged = client.get_logged_model(version.source.removeprefix("models:/"))
        kept = Path(logged.artifact_location) / "artifacts" / "adapter"
        assert (kept / "README.md").read_text() == (ROOT / cell["weights"] / "README.md").read_text()
        assert (kept / "exam.yaml").read_text() == (ROOT / cell["weights"] / "exam.yaml").read_text()
        assert (kept / "composition.png").read_bytes() == (ROOT / cell["weights"] / "composition.png").read_bytes()
        assert "![" in card.content and "![" not in version.description, "a page has no file beside the description"
        assert {result.metric_name for result in card.data.eval_results} == {"knowledge", "reading"}
        for text in (
            "general  ",
            "## A question of the exam",
            "; its base answered ",
            "Contamination: ",
            "Blind: ",
            "Gate: ",
            "Pareto front",
            "Not a medical device",
            "**Knowledge ",
        ):
            assert text in version.description
        assert all(len(value) <= 100 for value in version.tags.values())
        verified = called(folder, ["medctx-eval", "verify", f"models:/medctx-smoke-trial/{version.version}"])
        assert verified.returncode == 0, verified.stderr
        assert f"models:/medctx-smoke-trial/{version.version}" in version.description
        assert "<" not in version.description, "a page would swallow it as HTML"
        assert {"study", "cell", "ratio", "seed", "base", "licence", "gate"} <= set(version.tags)


def commands_of(card: str, language: str) -> list[str]:
    """The code blocks of a card in one language."""
    return [block.partition("\n```")[0] for block in card.split(f"```{language}\n")[1:]]


def test_the_commands_of_a_card_run_in_another_folder_with_another_home(done: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = done
    import mlflow

    version = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").get_model_version("medctx-smoke-trial", "2")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "MEDCTX_"))}
    environment = {**kept, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "HF_HUB_OFFLINE": "1"}
    environment |= {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    loads = commands_of(version.description, "python")
    (block,) = commands_of(version.description, "bash")
    serve, *lines = block.splitlines()
    # It serves until it is stopped; tests/integration/train/test_served_adapter.py does this with another version.
    assert serve.startswith("medctx-eval serve models:/medctx-smoke-trial/2 ")
    assert len(loads) == 2 and "locate(" in loads[1] and len(lines) == 2
    for code in loads:
        loaded = forked.called(["python", "-c", code], tmp_path, environment)
        assert loaded.returncode == 0, loaded.stderr[-2000:]
    for line in lines:
        run = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
        )
        assert run.returncode == 0, run.stderr[-2000:]
    (first,) = (folder / "work/steps").glob(f"exam-*/{version.tags['medctx.exam_folder']}")
    (again,) = (file.parent for file in (tmp_path / "runs").glob("*/exam.json"))
    before, after = (json.loads((run / "exam.json").read_text()) for run in (first, again))
    for key in ("verdicts_digest", "exam_plan", "adapter_digest", "n", "mode"):
        assert after[key] == before[key], key


def test_the_summary_says_what_was_made_of_every_cell(done: tuple[Path, str]) -> None:
    folder, _ = done
    data = json.loads((folder / "work/studies/smoke-trial/summary.json").read_text())
    assert [cell["cell"]["name"] for cell in data["cells"]] == ["base", "1:0", "0:1"]
    assert {cell["status"] for cell in data["cells"]} == {"done"}
    general, medical = data["cells"][1:]
    assert (general["general_share"], medical["general_share"]) == (1.0, 0.0)
    assert 0 < medical["tokens"] <= 2000
    assert Path(ROOT / medical["exam"], "exam.json").is_file()


def test_running_again_does_nothing_twice(done: tuple[Path, str], steps_at: str) -> None:
    folder, _ = done
    steps = {path: path.stat().st_mtime_ns for path in (folder / "work/steps").rglob("*.safetensors")}
    journals = {path: path.stat().st_mtime_ns for path in (folder / "work/steps").rglob("replies.jsonl")}
    again = called(folder, ["study", *smoke_arguments(folder)], steps_at)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "examined already" in again.stderr
    assert "train 0:1: done before" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in steps} == steps
    assert {path: path.stat().st_mtime_ns for path in journals} == journals
    assert "version 3" not in again.stdout
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'medctx'")
    runs = client.search_runs([experiment.experiment_id])
    # An exam of a registered version, asked by its card's command, has a run of its own beside the study's.
    studies = [run for run in runs if {"mlflow.parentRunId", "medctx.study"} & set(run.data.tags) == {"medctx.study"}]
    assert len(studies) == 1, "it went on in its own run"
    assert {run.info.status for run in runs} == {"FINISHED"}


CONFIRMED = """
from study.config.study import load_study
from study.pipeline import run_pipeline
import sys
records = "{exam: records-reading, half: %s, records: {sheets: 24}, conditions: [gold], limits: {gold: 16}}"
facts = "{exam: phenotypes-facts, half: %s, conditions: [closed], limits: {closed: 32}}"
exams = {half: f"[{records % half}, {facts % half}]" for half in ("selection", "confirmation")}
overrides = [f"work={sys.argv[1]}", "tokens=2000", "repeat_base_exam=false"]
overrides += [f"exam.exams={exams['selection']}", f"confirmation={{exams: {exams['confirmation']}}}"]
run_pipeline(load_study("smoke", overrides=overrides), confirm=["0:1"])
"""


def test_selected_cells_are_measured_again_on_items_that_selected_none(done: tuple[Path, str], steps_at: str) -> None:
    folder, _ = done
    result = called(folder, ["python", "-c", CONFIRMED, str(folder / "work")], steps_at)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "is replaced; it differs in" in result.stderr, "a trial's plan gives way to another, and a message says so"
    assert "train 0:1: done before" in result.stderr
    out = folder / "work/studies/smoke-trial"
    plan, report = (json.loads((out / name).read_text()) for name in ("plan.json", "report.json"))
    assert [part["condition"] for estimand in plan["confirmed"] for part in estimand["parts"]] == ["closed", "gold"]
    early = "trained before it was registered: 1:0, 0:1"
    assert report["registration"]["deviations"] == [early], "its steps are those of the study before it"
    assert {(row["cell"], row["other"]) for row in report["confirmations"]} == {("0:1", "base")}
    compared = [row["contaminated"] for row in report["confirmations"]]
    assert None not in compared, "the mix of 0:1 is compared with the confirmation items as well"
