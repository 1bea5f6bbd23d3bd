"""How full rows are, and how well mixed, on equal tokens of two data sets: data in its order, and packed.

    python -m bench.scale.packing_fill MEDICAL.jsonl.gz GENERAL.jsonl.gz [BASE]

Files of instruction, input and output as in Alpaca. "Spread" is the standard deviation of the medical share of the
tokens over groups of eight rows: how far a step of eight rows strays from the mix.
"""

from __future__ import annotations

import gzip
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from medctx.model.base import prepare_base
from medctx.model.embedded import EMBEDDED
from medctx.schemas.records import Turn
from medctx.text import tokenizer
from medctx.text.rendering import render
from medctx_train.data.packing import PackedRow, fill_rate, pack
from medctx_train.data.tokenize import EncodedSample

TOTALS = (40_000, 200_000, 2_000_000, 10**9)
ROWS = (512, 1024, 2048)


def lengths(path: Path, tokens: tokenizer.PreTrainedTokenizerBase) -> list[int]:
    """Tokens of every sample of a file under the model's chat template."""
    texts = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            question = "\n\n".join(part for part in (row["instruction"], row["input"]) if part)
            if row["output"]:
                turns = (Turn(role="user", content=question), Turn(role="assistant", content=row["output"]))
                texts.append(render(tokens, turns, ask=False))
    return [len(ids) for ids in tokens(texts, add_special_tokens=False)["input_ids"]]


def mixed(sizes: dict[str, list[int]], total: int, limit: int) -> list[EncodedSample]:
    """Equal tokens of each source in a shuffled order; what is longer than ``limit`` is left out."""
    rng = random.Random(0)
    parts: list[tuple[str, int]] = []
    room = min(total / len(sizes), *(sum(size for size in some if size <= limit) for some in sizes.values()))
    for source, some in sizes.items():
        left = room
        for size in rng.sample(some, len(some)):
            if size <= min(limit, left):
                parts.append((source, size))
                left -= size
    rng.shuffle(parts)
    return [EncodedSample(str(number), source, (0,) * size, ()) for number, (source, size) in enumerate(parts)]


def in_order(samples: Sequence[EncodedSample], limit: int) -> list[PackedRow]:
    """Each sample into the last row, or into a new one: what is left of a row stays empty."""
    rows: list[list[EncodedSample]] = [[]]
    for sample in samples:
        if sum(len(row.ids) for row in rows[-1]) + len(sample.ids) > limit:
            rows.append([])
        rows[-1].append(sample)
    return [PackedRow(tuple(row)) for row in rows]


def spread(rows: Sequence[PackedRow], source: str) -> float:
    """Standard deviation of a source's share over groups of eight rows."""
    shares = []
    for begin in range(0, len(rows) - 7, 8):
        members = [member for row in rows[begin : begin + 8] for member in row.members]
        some = sum(len(member.ids) for member in members if member.source == source)
        shares.append(some / sum(len(member.ids) for member in members))
    return statistics.pstdev(shares) if len(shares) > 1 else float("nan")


def main() -> None:
    """Measure and print a Markdown table."""
    medical, general, *rest = sys.argv[1:]
    tokens = tokenizer.load_tokenizer(prepare_base(rest[0] if rest else EMBEDDED)[0])
    sizes = {"medical": lengths(Path(medical), tokens), "general": lengths(Path(general), tokens)}
    print("| row | tokens | samples | fill, in order | fill, packed | spread, in order | spread, packed | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for total in TOTALS:
        for limit in ROWS:
            samples = mixed(sizes, total, limit)
            plain = in_order(samples, limit)
            begun = time.perf_counter()
            packed = pack(samples, limit)
            took = time.perf_counter() - begun
            amount = sum(len(sample.ids) for sample in samples)
            fills = f"{fill_rate(plain, limit):.1%} | {fill_rate(packed, limit):.1%}"
            spreads = f"{spread(plain, 'medical'):.3f} | {spread(packed, 'medical'):.3f}"
            print(f"| {limit} | {amount:,} | {len(samples):,} | {fills} | {spreads} | {took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
