"""Wrapping at scale: time, peak memory, realised shares, and whether every Book holds what it should.

    python -m bench.scale.wrap_scale --size 100000 --tokenizer FOLDER

``--size`` short medical questions and answers are made (``data_made``), half of them are given a Book of at most
1,024 tokens, a quarter of those without their evidence, a quarter of the others answered after a quotation, and all
are mixed and written by the console command. What was written is then read again and checked: ``evidence`` counts the
Books that hold the answer's text word for word, ``absent`` those without evidence that indeed do not hold the answer
the Dialogue had before it was wrapped, ``tokens`` the Dialogues whose length, counted anew by the model's own
tokenizer, adds up to what the mix says.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.scale import data_made
from bench.scale.data_made import Maker, Planted
from bench.scale.data_scale import run
from medctx.io.cache import cache_folder
from medctx.io.jsonl import read_rows
from medctx.io.mix_folder import read_dialogues
from medctx.text import tokenizer as tokenizers
from medctx.text.rendering import render
from medctx_data.long_context.wording import evidence, kind_of, words_of
from medctx_data.mix_folder import write as folder
from medctx_data.tokens.count import by_reference

ASKED = "wrap.share=0.5 wrap.tokens=1024 wrap.unanswerable=0.25 wrap.quote=0.25 max_tokens=4096 format=parquet"
CHUNK = 1_000


def checked(mixed: Path, answers: dict[str, str], tokenizer: Path) -> str:
    """One line for what lies in a mix."""
    lengths = by_reference(tokenizers.load_tokenizer(tokenizer))
    model = tokenizers.load_tokenizer(tokenizer)
    kinds: Counter[str] = Counter()
    right: Counter[str] = Counter()
    tokens = longest = 0
    texts: list[str] = []
    for dialogue in read_dialogues(mixed):
        kind = kind_of(dialogue) or "plain"
        kinds[kind] += 1
        answer = answers[dialogue.id.partition("/")[0]]
        book = dialogue.turns[0].content
        if kind == "none":
            row = dialogue.turns[-1].content
            right["absent"] += answer not in book and row in words_of(dialogue.language).refusals
        elif kind != "plain":
            spans = evidence(dialogue)
            right["evidence"] += len(spans) == 1 and book[slice(*spans[0])] == answer
        texts.append(render(model, dialogue.turns, ask=False))
        if len(texts) == CHUNK:
            counted = lengths(texts)
            tokens, longest, texts = tokens + sum(counted), max(longest, *counted), []
    counted = lengths(texts)
    tokens, longest = tokens + sum(counted), max([longest, *counted])
    wrapped = kinds["gold"] + kinds["quote"] + kinds["none"]
    total = wrapped + kinds["plain"]
    answered = kinds["gold"] + kinds["quote"]
    manifest = folder.manifest_of(mixed)
    return (
        f"{total:,} Dialogues, wrapped {wrapped / total:.4f}, unanswerable {kinds['none'] / wrapped:.4f}, "
        f"quote {kinds['quote'] / answered:.4f}\n"
        f"evidence in its Book {right['evidence']:,} of {answered:,}, absent where it should be "
        f"{right['absent']:,} of {kinds['none']:,}\n"
        f"tokens {tokens:,} counted anew, {manifest.tokens:,} in mix.json; the longest Dialogue has {longest:,}"
    )


def main() -> None:
    """Print what wrapping took and what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--tokenizer", type=Path, default=cache_folder() / "smollm2-135m-instruct")
    chosen = parser.parse_args()
    if not chosen.tokenizer.is_dir():
        print(f"not run: {chosen.tokenizer} is not there (give --tokenizer)")
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        os.environ |= {"MEDCTX_CACHE": str(work / "cache"), "MEDCTX_TRACKING": "off"}
        data_made.write(work / "rows.jsonl", data_made.training_rows(Maker(2), "ward", chosen.size, [], [], Planted()))
        answers = {f"ward-{number}": str(row["output"]) for number, row in read_rows(work / "rows.jsonl")}
        program, log = Path(sys.executable).with_name("medctx-data"), work / "mix.log"
        source = f"sources=[{{source: medquad, name: ward, path: {work / 'rows.jsonl'}, amount: all}}]"
        keys = ["--set", f"tokenizer={chosen.tokenizer}", "--set", ASKED, "--set", source]
        cost = run([program, "mix", *keys, "--out", work / "mix"], log)
        print(
            f"{cost.seconds:.0f} s, {cost.processor:.0f} s of processor, {cost.peak / 2**30:.2f} GiB in all processes"
        )
        print(checked(work / "mix", answers, chosen.tokenizer))


if __name__ == "__main__":
    main()
