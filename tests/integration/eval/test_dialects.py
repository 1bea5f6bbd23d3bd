"""Servers that want to be asked in their own way are examined, and what they refuse is quoted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.schemas.records import Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.run import examine
from tests.support.exam_files import write_exam
from tests.support.scripted_server import Json, Question, Reaction, completion, says, serve, settings

ROWS = 4


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


def _no_max_tokens(body: Json) -> Reaction | None:
    message = "Unsupported parameter: 'max_tokens' is not supported with this model."
    return says({"error": {"message": message}}, 400) if "max_tokens" in body else None


def _no_temperature_0(body: Json) -> Reaction | None:
    return says({"message": "temperature must be in range (0, +inf)"}, 422) if body.get("temperature") == 0 else None


def _no_temperature(body: Json) -> Reaction | None:
    return says({"error": "temperature is fixed"}, 400) if "temperature" in body else None


@pytest.mark.parametrize(
    ("check", "limit", "temperature"),
    [
        (lambda body: None, "max_tokens", "0"),
        (_no_max_tokens, "max_completion_tokens", "0"),
        (_no_temperature_0, "max_tokens", "0.01"),
        (_no_temperature, "max_tokens", "chosen by the server"),
        (lambda body: _no_max_tokens(body) or _no_temperature(body), "max_completion_tokens", "chosen by the server"),
    ],
)
def test_the_way_a_server_accepts_is_found_and_stated(
    check: Callable[[Json], Reaction | None], limit: str, temperature: str, tmp_path: Path
) -> None:
    with serve() as server:
        server.check_body = check
        (folder,) = examine.examine(settings([server.url], write_exam(tmp_path / "i.jsonl", ROWS)), tmp_path / "out")
    means = run_folder.read_run(folder).manifest.means
    assert (means["limit"], means["temperature"]) == (limit, temperature)


def test_where_no_way_works_the_server_is_quoted(tmp_path: Path) -> None:
    with serve() as server:
        server.check_body = lambda body: says({"error": "this model answers on Tuesdays only"}, 400)
        with pytest.raises(MedctxError, match=r"cannot be asked in any mode there \(.*on Tuesdays only"):
            examine.examine(settings([server.url], write_exam(tmp_path / "i.jsonl", ROWS)), tmp_path / "out")


@pytest.mark.parametrize("base", ["/v1", "/api/paas/v4", "/openai/deployments/m", ""])
@pytest.mark.parametrize("query", ["", "?api-version=2024-10-21"])
def test_an_address_is_the_base_that_it_names(base: str, query: str, tmp_path: Path) -> None:
    with serve() as server:
        server.base = base
        url = server.url + base + query
        (folder,) = examine.examine(settings([url], write_exam(tmp_path / "i.jsonl", ROWS)), tmp_path / "out")
        assert len(server.questions) == ROWS
    assert run_folder.read_run(folder).manifest.urls == (server.url + base,)


def test_thoughts_in_parts_of_an_answer_are_no_answer(tmp_path: Path) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "The answer is A."}]}
    parts = [thought, {"type": "text", "text": "The answer is B."}]
    with serve(
        lambda question: says(completion() | {"choices": [{"index": 0, "message": {"content": parts}}]})
    ) as server:
        (folder,) = examine.examine(settings([server.url], write_exam(tmp_path / "i.jsonl", ROWS)), tmp_path / "out")
    assert {record.chosen for record in run_folder.read_run(folder).judged} == {("B",)}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "This model's maximum context length is 4096 tokens"}}),
        (400, {"error": {"message": "request (1407 tokens) exceeds the available context size (1024 tokens)"}}),
        (500, {"error": {"code": 500, "message": "too long", "type": "exceed_context_size_error"}}),
        (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"}),
        (400, {"message": "Input length (5012 tokens) exceeds the maximum allowed length (4090 tokens)."}),
        (400, [{"error": {"message": "The input token count exceeds the maximum number of tokens allowed"}}]),
        (400, {"error": {"message": "Range of input length should be [1, 30720]"}}),
        (413, {"error": "prompt is too long"}),
    ],
)
def test_a_prompt_that_is_too_long_does_not_fit_in_whatever_words(status: int, body: object, tmp_path: Path) -> None:
    def react(question: Question) -> Reaction | None:
        return says(body, status) if "Question 2?" in question.message else None

    with serve(react) as server:
        (folder,) = examine.examine(settings([server.url], write_exam(tmp_path / "i.jsonl", ROWS)), tmp_path / "out")
        assert len(server.questions) == ROWS, "it is asked once"
    verdicts = {record.item: record.verdict for record in run_folder.read_run(folder).judged}
    assert verdicts.pop("i2") is Verdict.DOES_NOT_FIT
    assert Verdict.DOES_NOT_FIT not in verdicts.values()
