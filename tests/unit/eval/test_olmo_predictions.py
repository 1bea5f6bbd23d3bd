"""Predictions of olmo-eval in the forms its runners write: rankings, letters, samples, failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medctx.io.jsonl import write_text
from medctx.schemas.records import Mode, Verdict
from medctx_eval.interchange import olmo_predictions
from medctx_eval.interchange.foreign import ForeignAnswer

Output = dict[str, object]


def continuation(text: str, logits: float) -> Output:
    return {
        "text": text, "extracted_answer": None, "is_greedy": False, "sum_logits": logits, "num_tokens": 1,
        "num_tokens_all": 9, "logits_per_token": logits, "logits_per_char": logits / len(text),
        "bits_per_byte": 1.0, "num_chars": len(text),
    }  # fmt: skip


def sample(answer: str | None, score: float) -> Output:
    return {
        "text": f"It is {answer}.", "extracted_answer": answer, "sum_logits": -3.0, "num_tokens": 4,
        "finish_reason": "stop", "num_chars": 9, "sample_metrics": {"exact_match": {"exact_match": score}},
    }  # fmt: skip


def read(
    folder: Path,
    outputs: list[Output],
    metrics: dict[str, dict[str, float]],
    primary: str,
    *,
    kind: str = "loglikelihood",
    label: object = 1,
    requests: bool = True,
) -> tuple[str, tuple[ForeignAnswer, ...]]:
    row = {"doc_id": 0, "native_id": "doc_0", "model_output": outputs, "instance_metrics": metrics, "label": label}
    document = {"query": "Which?", "gold_idx": 1, "choices": ["red", "blue", "green"]}
    request = {"request_type": kind, "doc": document, "request": {}, "doc_id": 0, "native_id": "doc_0", "label": label}
    tasks = [
        {"task": "colours", "primary_metric": "f1:f1"},
        {"task": "colours:mc", "primary_metric": primary, "task_hash": "0123456789abcdef"},
    ]
    write_text(folder / "metrics.json", json.dumps({"model_name": "acme/tiny", "tasks": tasks}))
    name = "colours_mc_abcdef"
    write_text(folder / "predictions" / "acme_tiny" / f"{name}-predictions.jsonl", json.dumps(row) + "\n")
    if requests:
        write_text(folder / "requests" / "acme_tiny" / f"{name}-requests.jsonl", json.dumps(request) + "\n")
    (run,) = olmo_predictions.read(folder)
    return run.model, run.answers


RANKED = [continuation("red", -1.0), continuation("blue", -3.0), continuation("green", -6.0)]


@pytest.mark.parametrize(
    ("outputs", "metric", "score", "chosen", "mode"),
    [
        (RANKED, "acc_raw", 0.0, "A", "text-raw"),
        ([continuation("red", -3.0), continuation("bluebird", -4.0)], "acc_per_char", 1.0, "B", "text"),
        ([continuation(" A", -3.0), continuation(" B", -1.0), continuation(" C", -2.0)], "acc_raw", 1.0, "B", "letter"),
        (
            [*RANKED, continuation("red", -0.5), continuation("blue", -9.0), continuation("green", -1.0)],
            "acc_uncond", 1.0, "B", "text-raw",
        ),
    ],
)  # fmt: skip
def test_a_ranking_is_read_as_its_metric_ranks(
    outputs: list[Output], metric: str, score: float, chosen: str, mode: Mode, tmp_path: Path
) -> None:
    metrics = {"logprob": {"logprob": -3.0}, metric: {"logprob_mc": score}}
    model, (answer,) = read(tmp_path, outputs, metrics, f"{metric}:logprob_mc")
    assert model == "acme/tiny"
    assert (answer.chosen, answer.mode, answer.verdict == Verdict.CORRECT) == ((chosen,), mode, bool(score))
    assert (answer.exam, answer.question, answer.gold) == ("colours_mc_abcdef", "Which?", ("B",))
    assert answer.options == (("red", "blue", "green"))


def test_options_of_the_same_text_are_options_of_their_own(tmp_path: Path) -> None:
    outputs = [
        continuation("red", -3.0),
        continuation("blue", -4.0),
        continuation("red", -3.0),
        continuation("tan", -1.0),
    ]
    _, (answer,) = read(tmp_path, outputs, {"acc_raw": {"logprob_mc": 0.0}}, "acc_raw:logprob_mc", requests=False)
    assert (answer.options, answer.chosen) == (("red", "blue", "red", "tan"), ("D",))


def test_several_generated_samples_are_repetitions_and_not_options(tmp_path: Path) -> None:
    outputs = [sample("blue", 1.0), sample("red", 0.0), sample(None, 0.0)]
    metrics = {"exact_match": {"exact_match": 1.0}, "pass_at_1": {"exact_match": 1 / 3}}
    for requests in (True, False):
        _, found = read(
            tmp_path / str(requests), outputs, metrics, "pass_at_1:exact_match", kind="generate_until", label="blue",
            requests=requests,
        )  # fmt: skip
        assert [answer.mode for answer in found] == ["generate"] * 3
        assert [answer.order for answer in found] == [0, 1, 2]
        assert [answer.verdict for answer in found] == [Verdict.CORRECT, Verdict.WRONG, Verdict.UNPARSABLE]


def test_an_answer_that_could_not_be_scored_failed(tmp_path: Path) -> None:
    broken = {**sample("blue", 0.0), "scoring_errors": {"__response__": {"phase": "response", "type": "TimeoutError"}}}
    _, (answer,) = read(
        tmp_path, [broken], {"exact_match": {"exact_match": 0.0}}, "accuracy:exact_match", kind="generate_until"
    )
    assert (answer.verdict, answer.chosen) == (Verdict.FAILED, ())


def test_a_metric_between_right_and_wrong_is_not_used_if_another_decides(tmp_path: Path) -> None:
    metrics = {"f1": {"f1": 0.4}, "accuracy": {"exact_match": 1.0}}
    _, (answer,) = read(tmp_path, [sample("blue", 1.0)], metrics, "f1:f1", kind="generate_until", label="blue")
    assert (answer.verdict, answer.chosen) == (Verdict.CORRECT, ("B",))
