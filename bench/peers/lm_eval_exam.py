"""Runs in the environment of lm-evaluation-harness: an exam by likelihood, as its multiple-choice tasks ask it.

    python lm_eval_exam.py BACKEND MODEL QUESTIONS POSITIONS

Prints one JSON line: seconds of the evaluation and of the start, requests, log-probabilities by question and option.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    backend, model, questions, positions = sys.argv[1:]
    begun = time.perf_counter()
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    lm: object
    if backend == "vllm":
        from lm_eval.models.vllm_causallms import VLLM

        lm = VLLM(
            model,
            max_model_len=int(positions),
            batch_size="auto",
            add_bos_token=False,
            enforce_eager=True,
            enable_prefix_caching=True,
        )
    else:
        from lm_eval.models.huggingface import HFLM

        lm = HFLM(model, device="cpu", dtype="auto", batch_size=1, max_length=int(positions), add_bos_token=False)
    task = {
        "task": "bench",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": questions}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",
        "doc_to_choice": "options",
        "doc_to_target": "gold",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc"}],
    }
    started = time.perf_counter()
    result = simple_evaluate(
        model=lm, tasks=[task], task_manager=TaskManager(include_defaults=False), bootstrap_iters=0, log_samples=True
    )
    ended = time.perf_counter()
    answers = {
        sample["doc"]["id"]: {
            letter: float(response[0][0])
            for letter, response in zip(sample["doc"]["letters"], sample["resps"], strict=True)
        }
        for sample in result["samples"]["bench"]
    }
    numbers = {
        "seconds": ended - started,
        "start_seconds": started - begun,
        "requests": sum(len(options) for options in answers.values()),
    }
    print(json.dumps({"numbers": numbers, "answers": answers}), flush=True)


if __name__ == "__main__":
    main()
