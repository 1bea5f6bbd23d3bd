"""A config file chooses no key's address and no program unless the user trusts it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from medctx.config.cli import TRUST_VARIABLE
from medctx_eval.artifacts.local_model import LocalModel
from medctx_eval.cli.main import main
from tests.support.exam_files import write_exam

KEY = "sk-planted-0193-secret"
AWAY = "https://elsewhere.example/v1"


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("WARD_SECRET", KEY)


def call(tmp_path: Path, keys: dict[str, object], *more: str) -> Result:
    exam = write_exam(tmp_path / "items.jsonl", 2)
    base = {"models": [{"name": "m"}], "exams": [{"exam": "file", "items": str(exam)}], "tokenizer": "bytes"}
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(base | keys))
    return CliRunner().invoke(main, ["run", "--config", str(file), "--dry-run", *more])


REFUSED: list[tuple[dict[str, object], tuple[str, ...], str]] = [
    ({"urls": [AWAY]}, (), "sends the value of OPENAI_API_KEY to https://elsewhere"),
    ({"urls": ["http://127.0.0.1:1", AWAY]}, (), "sends the value of OPENAI_API_KEY to https://elsewhere"),
    ({"urls": ["http://localhost.elsewhere.example"]}, (), "sends the value of OPENAI_API_KEY"),
    ({"urls": [AWAY], "api_key_variable": "WARD_SECRET"}, (), "sends the value of WARD_SECRET"),
    ({"urls": ["http://127.0.0.1:1"], "api_key_variable": "WARD_SECRET"}, (), "sends the value of WARD_SECRET"),
    ({"api_key_variable": "WARD_SECRET"}, ("--endpoint", AWAY, "--model", "m"), "sends the value of WARD_SECRET"),
    ({"urls": [AWAY]}, ("--set", "api_key_variable=WARD_SECRET"), "sends the value of WARD_SECRET"),
    ({"vllm": {"python": "/tmp/theirs"}}, (), "starts the program /tmp/theirs"),
    ({"vllm": {"python": "/tmp/theirs"}}, ("--set", "vllm.port=1"), "starts the program /tmp/theirs"),
    ({"vllm": {"extra_args": ["--trust-remote-code"]}}, (), "gives vLLM the arguments --trust-remote-code"),
]


@pytest.mark.parametrize(("keys", "more", "words"), REFUSED)
def test_what_only_the_user_may_choose_is_refused_in_a_file(
    keys: dict[str, object], more: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    result = call(tmp_path, keys, *more)
    assert result.exit_code == 2
    assert words in result.stderr and "--trust-config" in result.stderr and KEY not in result.output
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("keys", "more", "_words"), REFUSED)
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_trusted_file_may_choose_it(
    by: str,
    keys: dict[str, object],
    more: tuple[str, ...],
    _words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if by == "variable":
        monkeypatch.setenv(TRUST_VARIABLE, "1")
    result = call(tmp_path, keys, *more, *(["--trust-config"] if by == "option" else []))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("keys", "more"),
    [
        ({"urls": ["http://127.0.0.1:1", "http://localhost:2", "http://[::1]:3"]}, ()),
        ({"urls": [AWAY], "api_key_variable": ""}, ()),
        ({"urls": [AWAY], "api_key_variable": "NOT_SET_HERE"}, ()),
        ({}, ("--endpoint", AWAY, "--model", "m")),
        ({"urls": ["https://other.example"]}, ("--set", f"urls=['{AWAY}']")),
        ({}, ("--set", f"urls=['{AWAY}']", "--set", "api_key_variable=WARD_SECRET")),
        ({}, ("--set", "vllm={python: /opt/mine, extra_args: [--seed=1]}")),
        ({"vllm": {"python": "/tmp/theirs"}}, ("--set", "vllm.python=/opt/mine")),
        ({"vllm": {"port": 8000}}, ()),
    ],
)
def test_ordinary_files_and_what_is_typed_need_no_trust(
    keys: dict[str, object], more: tuple[str, ...], tmp_path: Path
) -> None:
    result = call(tmp_path, keys, *more)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("urls", "more", "here"),
    [
        ([], (), True),
        (["http://127.0.0.1:1"], (), False),
        ([], ("--endpoint", "http://127.0.0.1:1"), False),
        ([], ("--set", "urls=[http://127.0.0.1:1]"), False),
        (["http://127.0.0.1:1"], ("--set", "urls=[]"), True),
    ],
)
def test_without_an_address_the_model_is_a_folder_that_is_loaded_here(
    urls: list[str], more: tuple[str, ...], here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    located: list[str] = []

    def locate(source: str) -> LocalModel:
        located.append(source)
        return LocalModel(name="tiny", folder=tmp_path, weights_digest="")

    monkeypatch.setattr("medctx_eval.artifacts.local_model.locate", locate)
    call(tmp_path, {"urls": urls}, "--model", "folder/tiny", *more)
    assert located == (["folder/tiny"] if here else [])
