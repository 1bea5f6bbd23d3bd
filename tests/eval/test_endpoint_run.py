"""An exam through the endpoint engine against the loopback server: verdicts, journal, troubles."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.jsonl import read_records
from medctx.records import Judged, Reply, Verdict
from medctx_eval import run_folder, session
from medctx_eval.config import ExamConfig, ModelConfig, RunConfig
from medctx_eval.engines import endpoint
from medctx_eval.engines.vllm import VllmConfig, VllmServer, installed
from tests.eval.loopback import Loopback, Rule, serve

ROWS = 12


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setattr(endpoint, "wait_exponential_jitter", lambda **_: lambda _state: 0.0)


@pytest.fixture
def exam_file(tmp_path: Path) -> Path:
    file = tmp_path / "items.jsonl"
    rows = [
        {
            "id": f"i{n}",
            "question": f"Question {n}?",
            "options": {"A": "yes", "B": "no"},
            "answer": "AB"[n % 2],
            "context": f"Text of question {n}. " * 3,
        }
        for n in range(ROWS)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def flat(prompt: list[int], token: int) -> float:
    return -float(1 + token % 7)


def config(server: Loopback, exam_file: Path, alphabet: Path, **changes: object) -> RunConfig:
    exam = ExamConfig(exam="file", items=exam_file, conditions=("closed", "gold"))
    values: dict[str, object] = {
        "models": (ModelConfig(name="m"),),
        "exams": (exam,),
        "engine": "endpoint",
        "url": server.url,
        "tokenizer": alphabet,
        "concurrency": 2,
    }
    return RunConfig.model_validate({**values, **changes})


def run(server: Loopback, exam_file: Path, alphabet: Path, out: Path) -> list[Judged]:
    (folder,) = session.run(config(server, exam_file, alphabet), out)
    return list(run_folder.read(folder).judged)


def test_verdicts_add_up_and_the_likeliest_option_is_chosen(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        judged = run(server, exam_file, alphabet, tmp_path / "out")
    assert len(judged) == ROWS * 2 * 2
    text = [one for one in judged if one.mode == "text"]
    assert len({one.chosen for one in text}) == 1, "a rule that knows no item always chooses the same option"
    right = sum(one.verdict is Verdict.CORRECT for one in text)
    assert right == len(text) / 2


def test_running_again_asks_nothing(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        first = run(server, exam_file, alphabet, tmp_path / "out")
        asked = len(server.requests)
        assert run(server, exam_file, alphabet, tmp_path / "out") == first
        assert len(server.requests) == asked


def test_a_torn_journal_is_continued_with_the_same_result(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        first = run(server, exam_file, alphabet, tmp_path / "out")
        (folder,) = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
        journal = folder / run_folder.REPLIES
        whole = journal.read_bytes()
        before = (folder / run_folder.VERDICTS).read_bytes()
        for cut in (len(whole) // 3, len(whole) // 2 + 7, len(whole) - 1):
            (folder / run_folder.MANIFEST).unlink()
            journal.write_bytes(whole[:cut])
            assert run(server, exam_file, alphabet, tmp_path / "out") == first
            assert (folder / run_folder.VERDICTS).read_bytes() == before
            keys = [reply.key for reply in read_records(journal, Reply)]
            assert len(keys) == len(set(keys)) == ROWS * 2


def test_busy_servers_are_asked_again(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        server.troubles = [429, 503, 500]
        judged = run(server, exam_file, alphabet, tmp_path / "out")
    assert Verdict.FAILED not in {one.verdict for one in judged}


def test_failed_items_stay_in_the_denominator_and_are_retried(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        server.troubles = [500] * 300
        judged = run(server, exam_file, alphabet, tmp_path / "out")
        assert len(judged) == ROWS * 2 * 2
        assert {one.verdict for one in judged} == {Verdict.FAILED}
        server.troubles = []
        (folder,) = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
        (folder / run_folder.MANIFEST).unlink()
        assert Verdict.FAILED not in {one.verdict for one in run(server, exam_file, alphabet, tmp_path / "out")}


def test_what_does_not_fit_is_never_sent(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat, max_model_len=8) as server:
        judged = run(server, exam_file, alphabet, tmp_path / "out")
        assert {one.verdict for one in judged} == {Verdict.DOES_NOT_FIT}
        assert not server.requests


def letter_rule(name: str, alphabet: Path) -> Rule:
    from medctx import tokenizer

    tokens = tokenizer.load(alphabet)
    liked = set(tokens.encode(name, add_special_tokens=False))
    return lambda _prompt, token: 0.0 if token in liked else -9.0


def test_always_a_gets_the_share_of_a(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(letter_rule("A", alphabet)) as server:
        judged = run(server, exam_file, alphabet, tmp_path / "out")
    letters = [one for one in judged if one.mode == "letter"]
    assert {one.chosen for one in letters} == {("A",)}
    assert sum(one.verdict is Verdict.CORRECT for one in letters) == sum("A" in one.gold for one in letters)


def test_no_server_is_one_sentence(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    with serve(flat) as server:
        asked = config(server, exam_file, alphabet)
        wrong = asked.model_copy(update={"models": (ModelConfig(name="other"),)})
        with pytest.raises(MedctxError, match=r"does not serve 'other'; it serves m"):
            session.run(wrong, tmp_path / "out")
    with pytest.raises(MedctxError, match="No server answers at"):
        session.run(asked, tmp_path / "out2")


def test_an_item_without_gold_is_named(exam_file: Path, alphabet: Path, tmp_path: Path) -> None:
    lines = exam_file.read_text().splitlines()
    row = json.loads(lines[2])
    row["answer"] = ""
    exam_file.write_text("\n".join([*lines[:2], json.dumps(row)]))
    with serve(flat) as server, pytest.raises(MedctxError, match=r"items\.jsonl:3 \(item 'i2'\) has no gold"):
        run(server, exam_file, alphabet, tmp_path / "out")


@pytest.mark.skipif(not installed(VllmConfig()), reason="vLLM is not installed here")
def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MedctxError, match=f"Port {port} for the vLLM server is in use"):
            VllmServer(tmp_path, tmp_path / "log", VllmConfig(port=port), lora=False)
