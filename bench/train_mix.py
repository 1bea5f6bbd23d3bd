"""MedQuAD and Alpaca, 1:1 by tokens, for the measurements of training."""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random
from typing import Literal

import yaml

from medctx.io.cache import cache_folder
from medctx.io.jsonl import read_rows, write_records
from medctx.schemas.records import Dialogue, Turn
from medctx.text import tokenizer
from medctx.text.rendering import render

SOURCES: tuple[tuple[str, Literal["general", "medical"], str], ...] = (
    ("alpaca", "general", "sft_general_alpaca_en"),
    ("medquad", "medical", "sft_medical_medquad"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the data and the model lie, and how much of the data is taken."""
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--model", type=Path, default=cache_folder() / "smollm2-135m-instruct")
    parser.add_argument("--dialogues", type=int, default=320)
    parser.add_argument("--row-tokens", type=int, default=1024)
    parser.add_argument("--rows-per-step", type=int, default=2)


def missing(args: argparse.Namespace) -> str:
    """Why a measurement cannot be run, "" where it can."""
    result = next((folder for folder in (args.data, args.model) if not folder.is_dir()), None)
    return f"not run: {result} is not there (give --data and --model)" if result else ""


def prepare(args: argparse.Namespace, work: Path) -> tuple[Path, Path]:
    """The config of ``medctx-train sft`` and the Dialogues it trains on, in one file and a shuffled order.

    Dialogues are drawn from the files at random, of whichever source has fewer tokens so far; longer ones than a row
    are passed over.
    """
    tokens = tokenizer.load_tokenizer(args.model)
    random = Random(0)
    files = {(name, domain): list(read_rows(args.data / f"{file}.jsonl.gz")) for name, domain, file in SOURCES}
    counts = dict.fromkeys(files, 0)
    chosen: list[Dialogue] = []
    while len(chosen) < args.dialogues:
        source = min(counts, key=lambda label: counts[label])
        number, row = random.choice(files[source])
        question = f"{row['instruction']}\n\n{row['input']}".strip()
        turns = (Turn(role="user", content=question), Turn(role="assistant", content=str(row["output"])))
        size = len(tokens.encode(render(tokens, turns, ask=False)))
        if row["output"] and size <= args.row_tokens:
            name, domain = source
            chosen.append(Dialogue(id=f"{name}-{number}", domain=domain, source=name, turns=turns))
            counts[source] += size
    random.shuffle(chosen)
    mix = work / "mix"
    write_records(mix / "dialogues.jsonl", chosen)
    config = {
        "base": str(args.model),
        "mix": str(mix),
        "row_tokens": args.row_tokens,
        "rows_per_step": args.rows_per_step,
        "learning_rate": 2e-4,
    }
    (work / "sft.yaml").write_text(yaml.safe_dump(config))
    return work / "sft.yaml", mix / "dialogues.jsonl"
