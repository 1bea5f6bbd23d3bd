"""Every command of README and docs/ is run here as it is printed, or stands in a table with the reason why not."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from medctx.config.loading import Config
from medctx_data import MixConfig
from medctx_eval import RunConfig
from medctx_eval.demo import rule_models
from medctx_eval.demo.server import serve
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_train import SftConfig
from study.config.study import StudyConfig
from tests.support.documentation import FENCE, NAMES, PAGES, blocks, command_lines, run_command, run_python
from tests.support.paths import ROOT

INTERCHANGE = ROOT / "tests" / "unit" / "eval" / "interchange_files"
TRAINING = "trains; tests/integration/whole/test_documented_training.py runs it as printed"
STUDY = "takes minutes; tests/integration/whole/test_smoke_study.py runs such a study"
SERVED = "needs a registry; tests/integration/train/test_served_adapter.py runs it on a registered tiny adapter"
NOT_RUN = {
    r"make study\b": STUDY,
    r"make test": "it is what runs this test",
    r"\S*python -m study run quick --dry-run": "tests/integration/study/test_commands.py runs it",
    r"\S*python -m study power": "counts every exam of a study; tests/integration/study/test_commands.py runs it",
    r"\S*python -m study run paper-ratio": "tests/integration/study/test_paper_studies.py runs both",
    r"\S*python -m study run my-study.yaml": "tests/integration/whole/test_own_study.py runs such studies",
    r"pip install ./packages/medctx-eval": "tests/integration/whole/test_packages.py installs it",
    r"pip install '?./packages/medctx-(data|train)\[": "gigabytes; `make install` asks for the same extras",
    r"mlflow run ": "runs a study; tests/integration/whole/test_mlflow_project.py runs a step in each environment",
    r"\S*mlflow ui ": "serves until it is stopped",
    r"accelerate launch": "needs several GPUs; tests/integration/train/test_processes.py runs two processes on a CPU",
    r"medctx-eval demo": "tests/integration/whole/test_notebook.py runs the same exam and report",
    r"medctx-eval compare .*models:/": "needs a registry; see tests/integration/whole/test_smoke_study.py",
    r"medctx-eval (run|serve) .*models:/": SERVED,
    r"medctx-eval verify models:/": "needs a registry; tests/integration/study/test_verified_registration.py runs it",
    r"mlflow models (serve|predict) -m models:/": SERVED,
    r"medctx-eval export lm-eval medqa ": "needs published files; see tests/unit/eval/test_interchange.py",
    r"medctx-data contamination mixes/one --exam": "tests/unit/data/test_contamination_command.py runs it on a plan",
    r"medctx-data mix --config embedded": "minutes; tests/unit/data/test_mix_command.py runs smaller ones",
    r"python -c .*load_dataset": "tests/unit/data/test_shards.py loads a mix with datasets",
    r"medctx-train (sft|merge|repair|base|estimate)\b": TRAINING,
    r"(vllm serve|curl)": "needs a server with weights",
}
"""Commands by their beginning, and why they are not run here."""

REPLACEMENTS = {
    "path/or/hub-name": "bytes",
    "pubmedqa": "needle",
    "runs/base-1a2b3c": "runs/my-model-*",
    "logs/second.eval": "logs/second.json",
}
"""What a reader replaces, and what stands for it: a tokenizer, an exam of the hub, the digest in a name, a log."""


def reason(words: list[str]) -> str:
    """Why a command is not run, or ""."""
    line = " ".join(words)
    return next((why for pattern, why in NOT_RUN.items() if re.match(pattern, line)), "")


def rows(number: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows as the pages on own data describe them."""
    general = [
        {"instruction": f"How do you keep thing {n} dry?", "input": "", "output": f"In a box {n}."}
        for n in range(number)
    ]
    medical = [
        {"title": "Anaemia", "question": f"What shows in patient {n}?", "answer": f"Pallor of degree {n}."}
        for n in range(number)
    ]
    return general, medical


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server with the models that the pages name, which know the exam needle."""
    exam = registry.build_exam(ExamConfig(exam="needle", conditions=("closed", "gold")), RunConfig().curriculum, 0)
    models = rule_models.reader(exam).rule_models
    named = {"my-model": models["oracle"], "NAME": models["oracle"], "other": models["always-a"]}
    with serve(rule_models.RuleReader(exam, named)) as running:
        yield running.url


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, alphabet: Path, server: str) -> Path:
    """A folder with what the pages suppose: the reader's files, a base model, logs and an examined second model."""
    folder = tmp_path_factory.mktemp("reader")
    for name, table in zip(("general", "medical"), rows(300), strict=True):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")
    cells = [",".join(row.values()) for row in rows(50)[1]]
    (folder / "medical.csv").write_text("\n".join(["title,question,answer", *cells]) + "\n", encoding="utf-8")
    (folder / "models").mkdir()
    (folder / "models" / "base").symlink_to(alphabet)
    mix = blocks("docs/how-to/own-data.md", "yaml")[0].replace("tokens: 200000", "tokens: 4000")
    (folder / "mix.yaml").write_text(mix, encoding="utf-8")
    (question,) = blocks("docs/how-to/own-exam.md", "json")
    (folder / "questions.jsonl").write_text(json.dumps(json.loads(question)) + "\n", encoding="utf-8")
    ward = "question,A,B,answer,context\nWhich vitamin cures scurvy?,B12,C,B,Vitamin C cures scurvy.\n"
    (folder / "ward.csv").write_text(ward, encoding="utf-8")
    exam = {"urls": [server], "tokenizer": "bytes", "models": [{"name": "my-model"}], "exams": [{"exam": "needle"}]}
    (folder / "exam.yaml").write_text(yaml.safe_dump(exam), encoding="utf-8")
    for place, log in {
        "results/base": "lm_eval/first",
        "results/tuned": "lm_eval/second",
        "logs": "inspect",
        "data": "every_eval/from_lm_eval",
        "outputs": "lm_eval/first",
    }.items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).symlink_to(INTERCHANGE / log)
    return folder


@pytest.fixture
def there(workspace: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The workspace as current folder; returns what is put in place of the placeholders."""
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    return {**REPLACEMENTS, "http://localhost:8000": server, "http://host:8000": server}


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_page_run_as_printed(name: str, there: dict[str, str]) -> None:
    commands = [words for words in command_lines(ROOT / name) if not reason(words)]
    named = {there.get(word, word) for words in commands for word in words}
    for model in [word.removeprefix("runs/")[:-2] for word in sorted(named) if word.endswith("-*")]:
        exam = "--exam needle --condition closed --condition gold --set tokenizer=bytes --out runs"
        run_command(shlex.split(f"medctx-eval run --endpoint http://host:8000 --model {model} {exam}"), there)
    for words in commands:
        run_command(words, there)


def test_no_reason_is_given_for_a_command_that_no_page_has() -> None:
    lines = [" ".join(words) for page in PAGES for words in command_lines(page)]
    unused = [pattern for pattern in NOT_RUN if not any(re.match(pattern, line) for line in lines)]
    assert unused == [r"(vllm serve|curl)"] or unused == []


def test_a_reason_names_a_test_that_is_there() -> None:
    named = [path for why in NOT_RUN.values() for path in re.findall(r"tests/\S+\.py", why)]
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_a_command_of_no_known_kind_would_be_run() -> None:
    assert not reason(shlex.split("medctx-eval power --delta 3"))
    assert reason(shlex.split("make study STUDY=smoke"))


CONFIGS: dict[str, list[type[Config]]] = {
    "docs/how-to/own-data.md": [MixConfig, MixConfig, MixConfig],
    "docs/how-to/own-exam.md": [RunConfig],
    "docs/how-to/own-model.md": [SftConfig, StudyConfig],
    "docs/how-to/own-study.md": [StudyConfig, StudyConfig],
    "docs/how-to/register-a-plan.md": [StudyConfig],
    "docs/start/exam.md": [RunConfig],
    "docs/start/experiment.md": [StudyConfig],
    "packages/medctx-data/README.md": [MixConfig],
    "packages/medctx-train/README.md": [SftConfig],
}
"""The class of every config that a page prints, in the page's order."""
REQUIRED: dict[type[Config], dict[str, str]] = {SftConfig: {"mix": "mixes/one"}, StudyConfig: {"name": "part"}}
"""Keys that a page which prints a part of a config leaves out."""


def test_every_printed_config_is_one_that_its_command_takes() -> None:
    printed = {name: result for name in NAMES if (result := blocks(name, "yaml"))}
    assert {name: len(value) for name, value in printed.items()} == {
        name: len(kinds) for name, kinds in CONFIGS.items()
    }
    for name, kinds in CONFIGS.items():
        for text, kind in zip(printed[name], kinds, strict=True):
            tree = yaml.safe_load(text)
            if isinstance(tree, list):  # an entry of a list of sources
                tree = {"sources": tree}
            if kind in REQUIRED:
                tree = REQUIRED[kind] | tree
            kind.model_validate(tree)


PYTHON = {
    "docs/how-to/own-data.md": "run below",
    "docs/start/registry.md": "tests/integration/whole/test_smoke_study.py runs these lines of a card",
    "packages/medctx-eval/README.md": "tests/integration/whole/test_documented_training.py runs it",
    "packages/medctx-train/README.md": "tests/integration/whole/test_documented_training.py runs it",
}
"""Pages with Python, and what runs it."""


def test_what_runs_the_python_of_every_page_is_known() -> None:
    assert {name for name in NAMES if blocks(name, "python")} == set(PYTHON)
    named = [path for why in PYTHON.values() for path in re.findall(r"tests/\S+\.py", why)]
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_no_command_hides_in_a_block_that_is_no_list_of_commands() -> None:
    """Blocks with an arrow show a path; commands of other kinds of blocks would be run by nothing."""
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if "->" in block or language not in {"", "bash", "console"}:
                starts = [line for line in block.splitlines() if re.match(r"\s*\$? ?(medctx-\w+|mlflow|make) \S", line)]
                assert not starts or "Usage" in block, (page.name, starts)


def test_the_python_of_own_data_runs_as_printed(there: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("docs/how-to/own-data.md", "python")
    assert 'mix(MixConfig(tokenizer="models/base"' in code
    sources = yaml.safe_load(Path("mix.yaml").read_text(encoding="utf-8"))["sources"]
    replacement = f"MixConfig(sources={sources!r}, tokenizer="
    run_python(code.replace("MixConfig(tokenizer=", replacement).replace("mixes/one", "mixes/python"), "own-data.md")
    assert "What shows in patient" in capsys.readouterr().out
