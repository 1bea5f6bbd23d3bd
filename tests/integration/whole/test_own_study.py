"""The first study of docs/how-to/own-study.md, as printed: a dry run finds nothing wrong with a reader's own files."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("medctx_train")

from medctx.text.tokenizer import read_tokenizer
from tests.support import forked
from tests.support.decoders import random_decoder
from tests.support.documentation import blocks

PAGE = "docs/how-to/own-study.md"
SIGNS = {"fever": "malaria", "cough": "asthma", "rash": "eczema", "fatigue": "anaemia"}


@pytest.fixture(scope="module")
def folder(alphabet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the page supposes: a model without a chat template, two sources, the exam."""
    place = tmp_path_factory.mktemp("own")
    random_decoder("olmo2").save_pretrained(place / "my-olmo")
    tokenizer = read_tokenizer(alphabet)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(place / "my-olmo")
    turns = [("human", "How do I clean kite {}?"), ("gpt", "Wipe kite {} with a cloth."), ("human", "And then?")]
    with (place / "chats.jsonl").open("w") as stream:
        for number in range(400):
            spoken = [{"from": speaker, "value": text.format(number)} for speaker, text in turns[: 2 + number % 2]]
            closing = [{"from": "gpt", "value": f"Hang kite {number} up."}] if number % 2 else []
            stream.write(json.dumps({"id": number, "conversations": [*spoken, *closing]}) + "\n")
    with (place / "medical.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["question", "answer", "topic"])
        for number in range(400):
            sign = list(SIGNS)[number % 4]
            table.writerow([f"Patient {number} has {sign}: what is it?", f"It is {SIGNS[sign]}, case {number}.", "x"])
    items = [
        {"question": f"What has patient {n} with {sign}?", "options": list(SIGNS.values()), "answer": "ABCD"[n % 4]}
        for n, sign in enumerate(list(SIGNS) * 5)
    ]
    with (place / "exam.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["question", *"ABCD", "answer", "context"])
        for item in items:
            text = f"The ward found {item['options']['ABCD'.index(str(item['answer']))]}."  # type: ignore[index]
            table.writerow([item["question"], *item["options"], item["answer"], text])  # type: ignore[misc]
    text = blocks(PAGE, "yaml")[0].replace("tokens: 200000", "tokens: 4000")
    (place / "my-study.yaml").write_text(text)
    return place


def dry_run(folder: Path, study: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MEDCTX_CACHE": str(folder / "cache"), "HOME": str(folder), **settings}
    with forked.steps() as address:
        return forked.called(["study", "run", study, "--dry-run"], folder, environment, address)


def test_a_dry_run_of_the_page_finds_nothing_wrong(folder: Path) -> None:
    result = dry_run(folder, "my-study.yaml", MEDCTX_TRUST_CONFIG="1")
    assert result.returncode == 0, result.stderr[-3000:]
    assert "User:\n" in result.stdout and "Assistant:\n" in result.stdout, "rows and questions in the chosen template"


def test_a_dry_run_names_everything_that_is_missing_at_once(folder: Path) -> None:
    text = (folder / "my-study.yaml").read_text().replace("chat_template", "# chat_template")
    (folder / "incomplete.yaml").write_text(text.replace(", domain: general", ""))
    result = dry_run(folder, "incomplete.yaml")
    assert result.returncode == 1
    said = result.stdout + result.stderr
    assert "The source 'chats' needs the key domain" in said
    assert "has no chat template; set chat_template" in said
