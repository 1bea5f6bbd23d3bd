"""The cards of adapters and studies: valid for the hub, whole sections in a description, figures of characters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from medctx.io import digest
from medctx.io.jsonl import read_record, read_records
from medctx.schemas.exam_run import EXAM_FILE, VERDICTS_FILE, ExamManifest
from medctx.schemas.mix import DomainShare, MixManifest, SourceShare
from medctx.schemas.records import Judged
from medctx.schemas.report import REPORT_FILE, ReportCore
from medctx.schemas.sft import BaseCard
from medctx.tracking.adapter_card import CardEvaluation, CardOrigin, adapter_card, composition_lines
from medctx_eval.run.config import RunConfig
from study.config.study import StudyConfig
from study.tracking.model_card import MAX_DESCRIPTION_CHARS, REST, description_of, exam_settings
from study.tracking.sample_question import sample_question
from tests.support import journalled_runs
from tests.support.exam_files import write_exam

EMBEDDED = BaseCard(name="smollm2-135m-instruct", source="package", licence="Apache-2.0", weights_digest="b" * 64)
SECTIONS = ["Evaluation", "Training data", "Use", "Intended use and limits", "Licences", "Training"]


def source(label: str, domain: str, share: float) -> SourceShare:
    return SourceShare.model_validate(
        {"label": label, "source": label, "domain": domain, "budget": 100, "epochs": None, "asked": share}
        | {"tokens": round(1000 * share), "dialogues": 1, "token_share": share, "dialogue_share": share}
        | {"licence": "CC-BY-4.0", "restriction": "", "citation": ""}
    )


def mix(general: float) -> MixManifest:
    shares = {"general": general, "medical": 1 - general}
    return MixManifest(
        medctx="0", digest="d" * 64, request="", seed=0, ratio="1:1", by="tokens", order="mixed", budget=1000,
        tokens=1000, dialogues=2, lengths=(),
        domains=tuple(
            DomainShare.model_validate(
                {"domain": domain, "asked": share, "tokens": 1, "dialogues": 1, "token_share": share}
                | {"dialogue_share": share}
            )
            for domain, share in shares.items()
        ),
        sources=(source("talk", "general", general), source("wards", "medical", 1 - general)),
    )  # fmt: skip


@pytest.mark.parametrize(("general", "bars"), [(0.0, (0, 20)), (0.25, (5, 15)), (0.5, (10, 10)), (1.0, (20, 0))])
def test_the_figure_of_characters_has_the_shares_of_the_mix(general: float, bars: tuple[int, int]) -> None:
    lines = composition_lines(mix(general))
    names = ["general", "  talk", "medical", "  wards"]
    assert [line.split("  █")[0].split("  ░")[0].rstrip() for line in lines[1:-1]] == names
    assert [line.count("█") for line in lines[1:-1]] == [bars[0], bars[0], bars[1], bars[1]]
    assert lines[1].endswith(f"{100 * general:.1f} %")


@pytest.mark.parametrize("model", ["", "models:/ward/3"])
def test_the_hub_reads_the_metadata_of_a_card(model: str) -> None:
    evaluation = CardEvaluation(
        lines=["| part |"], results={"knowledge": 0.256}, exams={"knowledge": ["facts"]}, model=model, figure=True
    )
    card = ModelCard(adapter_card(CardOrigin("1:1 (s)", EMBEDDED, mix(0.5), tags=("study-s",)), evaluation))
    assert card.data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert card.data.library_name == "peft" and card.data.pipeline_tag == "text-generation"
    (result,) = card.data.eval_results
    assert (result.metric_name, result.metric_value, result.dataset_name) == ("knowledge", 25.6, "facts")
    assert [line.removeprefix("## ") for line in card.text.splitlines() if line.startswith("## ")] == SECTIONS
    assert ("medctx-eval verify models:/ward/3" in card.text) == bool(model)
    assert "vllm serve" in card.text or "medctx-eval serve" in card.text


@pytest.mark.parametrize("model", ["", "models:/ward/3"])
@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "ward/model", "a-folder"])
def test_the_commands_of_a_card_find_the_base_themselves(name: str, model: str) -> None:
    base = BaseCard(name=name, source=name, licence="", weights_digest="b" * 64)
    card = adapter_card(CardOrigin("LoRA adapter", base), CardEvaluation(model=model))
    _, _, use = card.partition("## Use")
    use, _, _ = use.partition("## ")
    source = model or "ADAPTER_FOLDER"
    assert f"medctx-eval serve {source} " in use and f'locate("{source}")' in use
    assert name not in use and ("MLFLOW_TRACKING_URI" in use) == bool(model)


def test_a_card_answers_its_question_where_it_asks_it() -> None:
    answer = "**Knowledge 40.0 % (against its base +9.0 [+2.0, +16.0] points: gains).**"
    card = adapter_card(CardOrigin("1:1 (s)", EMBEDDED), CardEvaluation(lines=["| part |"], answer=answer))
    assert description_of(card).splitlines()[0].endswith(f"does it still read? {answer}")


def test_a_card_before_the_exam_says_so_and_names_no_figure() -> None:
    card = adapter_card(CardOrigin("LoRA adapter", EMBEDDED))
    assert "Not examined yet" in card and "![" not in card and "model-index" not in card


@pytest.mark.parametrize("rows", [1, 40, 400])
def test_a_description_is_short_enough_and_ends_with_a_whole_section(rows: int) -> None:
    lines = [f"| open:{row} | {'x' * 20} |" for row in range(rows)]
    card = adapter_card(CardOrigin("1:1 (s)", EMBEDDED, mix(0.5)), CardEvaluation(lines=lines, figure=True))
    description = description_of(card)
    assert len(description) <= MAX_DESCRIPTION_CHARS
    assert not description.startswith(("---", "#")) and "![" not in description
    kept = [line.removeprefix("## ") for line in description.splitlines() if line.startswith("## ")]
    assert kept == SECTIONS[: len(kept)]
    assert (REST in description) == (len(kept) < len(SECTIONS))
    assert set(description.splitlines()) - {REST} <= set(card.splitlines())


@pytest.mark.parametrize("form", [str, lambda file: {"exam": file}, lambda file: {"exam": "file", "path": file}])
@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_the_exam_beside_an_adapter_names_files_with_their_digests(
    form: Callable[[str], object], absolute: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    file = write_exam(Path("data/own.jsonl"))
    stated = form(str(file.absolute() if absolute else file))
    study = {"name": "s", "base": "tiny-random-llama", "ratios": ["1:0"], "tokens": 100, "exam": {"exams": [stated]}}
    settings = exam_settings(StudyConfig.model_validate(study))
    assert str(tmp_path) not in settings
    (exam,) = RunConfig.model_validate(yaml.safe_load(settings)).exams
    assert (exam.exam, exam.digests) == ("file", {"path": digest.of_file(file)})
    assert exam.path == (Path("own.jsonl") if absolute else file)


def test_exams_without_files_are_written_as_the_study_states_them() -> None:
    exams = ["phenotypes-knowledge", {"exam": "needle", "conditions": ["gold"]}]
    study = {"name": "s", "base": "tiny-random-llama", "ratios": ["1:0"], "tokens": 100, "exam": {"exams": exams}}
    assert yaml.safe_load(exam_settings(StudyConfig.model_validate(study)))["exams"] == exams


def test_a_card_shows_the_first_question_a_program_made_with_both_answers(tmp_path: Path) -> None:
    report = journalled_runs.write_with_report(tmp_path, ("base", "1:1-0"))
    core = read_record(report / REPORT_FILE, ReportCore)
    runs = {name: tmp_path / "runs" / name for name in ("base", "1:1-0")}
    manifest = read_record(runs["1:1-0"] / EXAM_FILE, ExamManifest)
    published = manifest.model_copy(
        update={"exams": tuple(exam.model_copy(update={"generated": False}) for exam in manifest.exams)}
    )
    assert sample_question(core, published, runs["1:1-0"], runs["base"]) == []
    lines = sample_question(core, manifest, runs["1:1-0"], runs["base"])
    judged = next(row for row in read_records(runs["1:1-0"] / VERDICTS_FILE, Judged) if row.condition == "closed")
    assert f"The adapter answered {judged.chosen[0]} ({judged.verdict.value})" in lines[-1]
    assert "its base answered" in lines[-1] and lines[-1].endswith(f"Right: {judged.gold[0]}.")
    assert "its base" not in sample_question(core, manifest, runs["1:1-0"], None)[-1]
    card = adapter_card(CardOrigin("a", EMBEDDED), CardEvaluation(sample=lines))
    assert "## A question of the exam" in card
