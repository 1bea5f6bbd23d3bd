"""Mixing, cleaning and the contamination report at scale: time, peak memory of all processes, and what is found.

    python -m bench.scale.data_scale --sizes 100000 300000 1000000

Rows are made beforehand and not timed (``--keep FOLDER --only-make`` makes them for a later run). ``mix``: read,
cleaned (equal and alike rows within and across both sources), counted in tokens, put in order, written as Parquet.
``again``: another ratio of the same sources. ``contamination_report``: held against 11,171 items and 300 Passages.
``cpu`` is
processor time of all three; GiB is the peak of what is resident in all processes together, files that are mapped
included.

Found of what was planted: equal rows, alike rows (those whose similarity is what is asked for), and of exam items whole
questions with shuffled options, parts of questions, reworded questions, paragraphs of Passages; ``+`` what was found
beside.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.harness.processes import run
from bench.scale import data_made
from bench.scale.data_made import Maker, Planted
from medctx.io.jsonl import read_rows
from medctx_data.text.ngrams import Units, similarity

SIMILARITY = 0.8
PLANTED, TOKENIZER = "planted.json", "tokenizer"


def make(folder: Path, size: int, unspaced_share: float = data_made.UNSPACED_SHARE) -> Planted:
    """Two sources (three rows of five are general), the exam, a tokenizer, and what was planted."""
    if (folder / PLANTED).is_file():
        kept = json.loads((folder / PLANTED).read_text(encoding="utf-8"))
        return Planted(
            set(kept["exact"]), kept["near"], {row: (item, kind) for row, (item, kind) in kept["exam"].items()}
        )
    folder.mkdir(parents=True, exist_ok=True)
    maker = Maker(1)
    items, passages = data_made.exam_rows(maker)
    data_made.write(folder / "items.jsonl", items)
    data_made.write(folder / "passages.jsonl", passages)
    planted = Planted()
    for name, share in (("general", 0.6), ("medical", 0.4)):
        rows = data_made.training_rows(maker, name, round(size * share), items, passages, planted, unspaced_share)
        data_made.write(folder / f"{name}.jsonl", rows)
    make_tokenizer(folder, folder / "general.jsonl")
    kept = {"exact": sorted(planted.exact), "near": planted.near, "exam": planted.exam}
    (folder / PLANTED).write_text(json.dumps(kept), encoding="utf-8")
    return planted


def make_tokenizer(folder: Path, texts: Path) -> None:
    """A byte-level BPE tokenizer learnt on some of the rows, with a plain chat template."""
    import tokenizers
    import transformers

    bpe = tokenizers.ByteLevelBPETokenizer()
    rows = (str(row["output"]) for number, row in read_rows(texts) if number <= 20_000)
    bpe.train_from_iterator(rows, vocab_size=16_000, show_progress=False)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer)
    fast.chat_template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
    fast.save_pretrained(folder / TOKENIZER)


def similar_rows(folder: Path, planted: Planted) -> set[str]:
    """The planted near duplicates that are as similar as is asked for."""
    requested = set(planted.near) | set(planted.near.values())
    texts = {}
    for name in ("general", "medical"):
        for number, row in read_rows(folder / f"{name}.jsonl"):
            if f"{name}-{number}" in requested:
                texts[f"{name}-{number}"] = f"{row['instruction']}\n{row['output']}"
    results = set()
    for row, of in planted.near.items():
        shingles, starts = Units([texts[row], texts[of]]).shingles()
        if similarity(shingles[: starts[1]], shingles[starts[1] :]) >= SIMILARITY:
            results.add(row)
    return results


def sources(folder: Path, amount: str = "") -> str:
    """The key ``sources``."""
    parts = (("general", "alpaca"), ("medical", "medquad"))
    return "sources=[{}]".format(
        ", ".join(
            f"{{source: {source}, name: {name}, path: {folder / f'{name}.jsonl'}{amount}}}" for name, source in parts
        )
    )


def measure(folder: Path, size: int) -> str:
    """One row of the table."""
    planted = make(folder, size)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        return _measured(folder, Path(work), size, planted)


def _measured(folder: Path, work: Path, size: int, planted: Planted) -> str:
    os.environ |= {"MEDCTX_CACHE": str(work / "cache"), "MEDCTX_TRACKING": "off"}
    program, log = Path(sys.executable).with_name("medctx-data"), folder / "mix.log"
    common = [
        "--set",
        f"tokenizer={folder / TOKENIZER}",
        "--set",
        "clean.duplicates=mix clean.near_duplicates=0.8 format=parquet",
    ]
    mixed = run([program, "mix", *common, "--set", sources(folder, ", amount: all"), "--out", work / "mix"], log)
    more = f"ratio=1:4 tokens={size * 40} seed=1"
    again = run([program, "mix", *common, "--set", sources(folder), "--set", more, "--out", work / "again"], log)
    exams = ["--exam", f"made={folder / 'items.jsonl'}", "--exam", f"made={folder / 'passages.jsonl'}"]
    contamination_report = run([program, "contamination", work / "mix", *exams], log)
    reasons: dict[str, set[str]] = {"duplicate": set(), "near_duplicate": set()}
    for _, row in read_rows(work / "mix" / "exclusions.jsonl"):
        reasons[str(row["reason"])].add(str(row["row"]))
    similar = similar_rows(folder, planted)
    extra = (reasons["duplicate"] | reasons["near_duplicate"]) - planted.exact - set(planted.near)
    touched = {(str(row["row"]), str(row["item"])) for _, row in read_rows(work / "mix" / "overlaps.jsonl")}
    hits = Counter(kind for row, (item, kind) in planted.exam.items() if (row, item) in touched)
    kinds = Counter(kind for _, kind in planted.exam.values())
    others = len({row for row, _ in touched} - set(planted.exam))
    cells = " ".join(f"{kind} {hits[kind]}/{kinds[kind]}" for kind in data_made.PLANTINGS)
    equal = reasons["duplicate"] & planted.exact
    near = (reasons["near_duplicate"] | reasons["duplicate"]) & similar
    processor = sum(cost.processor for cost in (mixed, again, contamination_report))
    peak = max(cost.peak for cost in (mixed, again, contamination_report)) / 2**30
    return (
        f"{size:>9,} | {mixed.seconds:6.0f} {again.seconds:6.0f} {contamination_report.seconds:6.0f} | "
        f"{mixed.seconds + contamination_report.seconds:6.0f} {processor:6.0f} | {peak:5.2f} | "
        f"{len(equal)}/{len(planted.exact)} {len(near)}/{len(similar)} +{len(extra)} | {cells} +{others}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000])
    parser.add_argument("--keep", type=Path, help="A folder for the rows that are made; else a temporary one.")
    parser.add_argument("--only-make", action="store_true", help="Make the rows and measure nothing.")
    chosen = parser.parse_args()
    print(
        f"{'rows':>9} | {'mix s':>6} {'again':>6} {'exam':>6} | {'sum s':>6} {'cpu s':>6} | {'GiB':>5} | "
        "equal alike +others | exam +others"
    )
    for size in chosen.sizes:
        if chosen.keep and chosen.only_make:
            make(chosen.keep / str(size), size)
        elif chosen.keep:
            print(measure(chosen.keep / str(size), size), flush=True)
        else:
            with tempfile.TemporaryDirectory() as folder:
                print(measure(Path(folder), size), flush=True)


if __name__ == "__main__":
    main()
