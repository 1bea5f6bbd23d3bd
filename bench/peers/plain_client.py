"""What a short script does: one chat request for each question, one after the other, in the order of the file.

    python plain_client.py URL MODEL QUESTIONS

Prints one JSON line: seconds, requests, log-probabilities of letters by question.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen


def ask(url: str, model: str, message: str) -> dict[str, float]:
    """Log-probabilities of the likeliest first tokens of the answer."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": message}],
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": 20,
    }
    request = Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urlopen(request) as response:
        answer = json.load(response)
    return {top["token"]: top["logprob"] for top in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}


def main() -> None:
    url, model, questions = sys.argv[1:]
    rows = [json.loads(line) for line in Path(questions).read_text(encoding="utf-8").splitlines()]
    begun = time.perf_counter()
    answers = {}
    for row in rows:
        values = ask(url, model, row["message"])
        answers[row["id"]] = {letter: values[letter] for letter in row["letters"] if letter in values}
    numbers = {"seconds": time.perf_counter() - begun, "start_seconds": 0.0, "requests": len(rows)}
    print(json.dumps({"numbers": numbers, "answers": answers}), flush=True)


if __name__ == "__main__":
    main()
