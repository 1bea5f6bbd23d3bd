"""Runs in the environment of inspect_ai: the letters of an exam, asked of an OpenAI-compatible server.

    python inspect_exam.py URL MODEL QUESTIONS LOGS CONNECTIONS

Prints one JSON line: seconds of the evaluation, requests, log-probabilities of letters by question.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    url, name, questions, logs, connections = sys.argv[1:]
    os.environ |= {"BENCH_BASE_URL": f"{url}/v1", "BENCH_API_KEY": "none"}
    begun = time.perf_counter()
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    rows = [json.loads(line) for line in Path(questions).read_text(encoding="utf-8").splitlines()]
    letters = {row["id"]: row["letters"] for row in rows}
    task = Task(
        dataset=[Sample(id=row["id"], input=row["message"], target=row["letters"][row["gold"]]) for row in rows],
        solver=generate(max_tokens=1, temperature=0.0, logprobs=True, top_logprobs=20),
        scorer=includes(),
        name="bench",
    )
    started = time.perf_counter()
    (log,) = eval(
        task,
        model=f"openai-api/bench/{name}",
        log_dir=logs,
        display="none",
        max_connections=int(connections),
        score=True,
    )
    ended = time.perf_counter()
    if log.status != "success" or not log.samples:
        raise SystemExit(f"inspect_ai ended with {log.status}: {log.error}")
    answers = {}
    for sample in log.samples:
        listed = sample.output.choices[0].logprobs
        first = listed.content[0].top_logprobs or [] if listed and listed.content else []
        values = {top.token: top.logprob for top in reversed(first)}
        answers[str(sample.id)] = {letter: values[letter] for letter in letters[sample.id] if letter in values}
    numbers = {"seconds": ended - started, "start_seconds": started - begun, "requests": len(answers)}
    print(json.dumps({"numbers": numbers, "answers": answers}), flush=True)


if __name__ == "__main__":
    main()
