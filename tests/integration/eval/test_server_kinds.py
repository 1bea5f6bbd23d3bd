"""An exam at servers of many makers with nothing but address, model and exam: what is found out is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx.schemas.records import Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main
from medctx_eval.engines import client as client_module
from medctx_eval.engines.answers import read_answer
from medctx_eval.engines.client import Client
from medctx_eval.engines.probe import TEST_TOKENS
from tests.support import loopback
from tests.support.exam_files import write_exam
from tests.support.scripted_server import Json, Reaction, ScriptedServer, completion, says, serve
from tests.support.server_kinds import KINDS, listed, stream, thinking

ROWS = 4
KEY = "a-secret-key"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serve() as started:
        yield started


def run(server: ScriptedServer, folder: Path, address: str = "", model: str = "m", *more: str) -> Result:
    folder.mkdir(exist_ok=True)
    exam = write_exam(folder / "ward.jsonl", ROWS)
    named = ["--model", model] if model else []
    words = ["run", "--endpoint", server.url + address, *named, "--exam", str(exam), "--out", str(folder / "out")]
    return CliRunner().invoke(main, [*words, *more])


def lines(result: Result, begin: str) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith(begin)]


@pytest.mark.parametrize("name", KINDS)
def test_address_model_and_exam_are_enough(name: str, server: ScriptedServer, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.build(server)
    result = run(server, tmp_path, kind.address, kind.model)
    assert result.exit_code == 0, result.output
    (folder,) = map(Path, result.stdout.split())
    read = run_folder.read_run(folder)
    assert read.manifest.mode == kind.mode
    assert [record.chosen for record in read.judged] == [("B",)] * ROWS
    for setting in ("mode: ", "tokenizer: ", "length: "):
        assert len(lines(result, setting)) == 1, result.stderr
    for words in kind.said:
        assert words in result.stderr
    assert {header for header, _ in server.keys} == {kind.key}, "the key comes in the header that the server reads"


def test_a_run_goes_on_with_what_was_found_and_keeps_it_in_its_config(server: ScriptedServer, tmp_path: Path) -> None:
    KINDS["OpenAI, reasoning"].build(server)
    assert run(server, tmp_path).exit_code == 0
    again = run(server, tmp_path)
    assert again.exit_code == 0 and "m is examined already" in again.stderr
    config = (tmp_path / "out" / "config.yaml").read_text()
    assert "mode: generate" in config and "tokenizer: bytes" in config and "answer_tokens: 8192" in config


def test_the_tokenizer_is_that_of_the_folder_which_the_server_states(
    server: ScriptedServer, alphabet: Path, tmp_path: Path
) -> None:
    server.entry = {"root": str(alphabet), "max_model_len": 2048}
    result = run(server, tmp_path)
    assert result.exit_code == 0, result.output
    assert lines(result, "tokenizer: ") == [f"tokenizer: {alphabet}, stated by the server (root in its list of models)"]


def test_a_stated_tokenizer_that_is_not_the_models_is_not_used(
    server: ScriptedServer, alphabet: Path, tmp_path: Path
) -> None:
    server.entry = {"root": str(alphabet), "max_model_len": 2048}
    server.posts["/tokenize"] = says({"tokens": [1, 2, 3]})
    result = run(server, tmp_path)
    assert result.exit_code == 0, result.output
    assert lines(result, "tokenizer: bytes")


def test_a_stated_tokenizer_that_cannot_be_loaded_is_not_used(server: ScriptedServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "tokenizer.json").write_text('{"model": 7}')
    server.entry = {"root": str(broken), "parent": "n" * 5000, "max_model_len": 2048}
    result = run(server, tmp_path)
    assert result.exit_code == 0, result.output
    assert lines(result, "tokenizer: bytes")


def test_a_stated_tokenizer_without_a_template_is_used_with_the_one_of_the_config(
    server: ScriptedServer, alphabet: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(alphabet, base)
    template = tmp_path / "template.jinja"
    (base / "chat_template.jinja").rename(template)
    server.entry = {"root": str(base), "max_model_len": 2048}
    result = run(server, tmp_path, "", "m", "--set", f"chat_template={template}")
    assert result.exit_code == 0, result.output
    assert lines(result, f"tokenizer: {base}, stated by the server")


def test_one_model_need_not_be_named_and_several_are_listed(server: ScriptedServer, tmp_path: Path) -> None:
    result = run(server, tmp_path, model="")
    assert result.exit_code == 0 and lines(result, "model: m, the only one that the server serves"), result.output
    server.pages["/v1/models"] = listed("m", "n")
    result = run(server, tmp_path, model="")
    assert result.exit_code == 2 and "No model is named (it serves m, n); give --model" in result.stderr
    server.pages["/v1/models"] = listed(*(f"m{n}" for n in range(300)))
    result = run(server, tmp_path, model="")
    assert result.exit_code == 2 and "m114, m115 and 280 more); give --model" in " ".join(result.stderr.split())


def test_a_model_that_is_not_listed_is_asked_if_the_server_knows_it(server: ScriptedServer, tmp_path: Path) -> None:
    server.pages["/v1/models"] = listed("another")

    def known(body: Json) -> Reaction | None:
        return None if body["model"] == "m" else says({"error": f"no model {body['model']}"}, 404)

    server.check_body = known
    assert run(server, tmp_path).exit_code == 0
    server.check_body = lambda body: None  # This one answers to any name, so a mistyped one would pass for a model.
    result = run(server, tmp_path / "other")
    assert result.exit_code == 2 and "does not serve 'm'; it serves another" in result.stderr


def test_all_models_get_room_for_thoughts_if_one_of_them_thinks(server: ScriptedServer, tmp_path: Path) -> None:
    server.pages["/v1/models"] = listed("m", "n")
    server.check_body = lambda body: thinking("The answer is B.") if body["model"] == "n" else None
    settings = ("models=[{name: m}, {name: n}]", "mode=generate", "tokenizer=bytes")
    result = run(server, tmp_path, "", "", *(word for setting in settings for word in ("--set", setting)))
    assert result.exit_code == 0, result.output
    assert "answer_tokens: 8192" in (tmp_path / "out" / "config.yaml").read_text()


@pytest.mark.parametrize(("written", "thinks"), [("", True), (None, True), ("\n\n\n", False), ("Hel", False)])
def test_an_answer_cut_off_without_any_text_may_be_a_hidden_thought(
    written: str | None, thinks: bool, server: ScriptedServer, tmp_path: Path
) -> None:
    cut = completion(message={"role": "assistant", "content": written}, finish_reason="length")
    server.check_body = lambda body: says(cut) if body.get("max_tokens") == TEST_TOKENS else None
    result = run(server, tmp_path, "", "m", "--set", "mode=generate", "--set", "tokenizer=bytes")
    assert result.exit_code == 0, result.output
    assert ("set answer_tokens=256 if it does not" in " ".join(result.stderr.split())) == thinks
    assert f"answer_tokens: {8192 if thinks else 256}\n" in (tmp_path / "out" / "config.yaml").read_text()


def test_a_server_that_is_loading_its_model_is_waited_for(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LOADING_WAIT_S", 0.01)
    server.loads_for = 3
    result = run(server, tmp_path, model="")
    assert result.exit_code == 0 and len(lines(result, f"{server.url}/v1 is loading its model")) == 1, result.output
    server.loads_for = 10**6
    waiting = Client(server.url, give_up_s=0.05)
    assert waiting.models() is None
    waiting.close()


@pytest.mark.parametrize("key", ["", KEY])
def test_a_server_that_fails_without_a_key_is_said_to_want_one(
    key: str, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_wait", lambda state: 0.0)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    server.pages["/v1/models"] = Reaction(b"Internal Server Error", 500)
    server.check_body = lambda body: Reaction(b"Internal Server Error", 500)
    result = run(server, tmp_path)
    assert result.exit_code == 2 and "500 from" in result.stderr
    assert ("set OPENAI_API_KEY" in result.stderr) == (not key)


def test_a_dry_run_asks_the_server_and_goes_on_without_one(server: ScriptedServer, tmp_path: Path) -> None:
    KINDS["OpenAI"].build(server)
    result = run(server, tmp_path, "", "m", "--dry-run")
    assert result.exit_code == 0 and lines(result, "mode: choice"), result.output
    assert not server.questions and json.loads(result.stdout)["questions"] == ROWS
    exam = str(tmp_path / "ward.jsonl")
    nowhere = ["run", "--endpoint", "http://127.0.0.1:9", "--model", "m", "--exam", exam, "--dry-run"]
    result = CliRunner().invoke(main, nowhere)
    assert result.exit_code == 0 and "No server answers" in result.stderr
    assert "The estimate is for mode=generate and tokenizer=bytes" in result.stderr


def test_a_filtered_question_is_final_and_not_unfinished_work(server: ScriptedServer, tmp_path: Path) -> None:
    filtered = says({"error": {"code": "content_filter", "message": "content management policy"}}, 400)
    server.react = lambda question: filtered if "Question 2?" in question.message else None
    result = run(server, tmp_path)
    assert result.exit_code == 0, result.output
    (folder,) = map(Path, result.stdout.split())
    verdicts = {record.item: record.verdict for record in run_folder.read_run(folder).judged}
    assert verdicts["i2"] is Verdict.UNPARSABLE


def test_a_stream_is_one_answer_and_a_torn_one_is_none() -> None:
    content = stream("The answer is B.").content
    assert content is not None
    answer = read_answer(content)
    assert (answer.choices[0].written, answer.choices[0].finish_reason) == ("The answer is B.", "stop")
    with pytest.raises(ValueError, match="choices"):
        read_answer(content[: len(content) // 2].rpartition(b"data:")[0])


def test_llama_cpp_without_a_chat_tokenizer_says_nothing_of_the_tokenizer(
    server: ScriptedServer, alphabet: Path, tmp_path: Path
) -> None:
    server.posts["/tokenize"] = says({"tokens": []})
    result = run(server, tmp_path, "", "m", "--set", f"tokenizer={alphabet}", "--set", "positions=4096")
    assert result.exit_code == 0, result.output


def test_a_list_that_drips_does_not_keep_an_exam_waiting() -> None:
    with serve() as server:
        listing = listed("m").content
        server.pages["/v1/models"] = Reaction(listing, drip_s=0.05)
        client = Client(server.url, timeout_s=0.2)
        assert client.models() is None
        client.close()


def test_no_other_routes_are_tried_below_a_services_own_path() -> None:
    with serve() as server:
        server.base = "/api/paas/v4"
        client = Client(server.url + server.base)
        assert client.models() is not None and not client.is_plain
        client.close()


def test_a_server_that_takes_token_ids_is_asked_for_likelihoods(alphabet: Path, tmp_path: Path) -> None:
    exam = write_exam(tmp_path / "ward.jsonl", ROWS)
    words = ["run", "--exam", str(exam), "--out", str(tmp_path / "out"), "--set", f"tokenizer={alphabet}"]
    with loopback.serve(lambda prompt, token: -1.0 - token / 100) as vllm:
        result = CliRunner().invoke(main, [*words, "--endpoint", vllm.url])
    assert result.exit_code == 0, result.output
    assert lines(result, "mode: ") == ["mode: text, the likelihood of every option's text"]
    assert lines(result, "length: 4,096 tokens, stated by the server (list of models)")
