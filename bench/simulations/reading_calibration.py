"""What the untouched base scores on the embedded reading exams, beside readers that leave something out.

    python -m bench.simulations.reading_calibration --model FOLDER [--items 144] [--out FOLDER] [--work FOLDER]

Asks ``records-reading`` at every length and ``phenotypes-facts`` closed and with its pages, on the transformers engine,
and writes reading.json and reading.md. Exits with 1 where the base does not read between 55 and 90 % at every length:
an exam that a base cannot take, or that it cannot fail, measures no change. With the same --work it continues.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

import medctx
from medctx.facts.curriculum import CurriculumConfig
from medctx.io.jsonl import read_records, write_record, write_text
from medctx.schemas.records import ExamItem, Judged, Record, Reply, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.exams import floors
from medctx_eval.exams.condition import parse
from medctx_eval.exams.config import ExamConfig
from medctx_eval.run import examine as examination
from medctx_eval.run.config import ModelConfig, RunConfig
from medctx_eval.stats.accuracy import accuracies

LENGTHS = ("open:256", "open:1024", "open:4096")
WINDOW = (0.55, 0.90)
CURRICULUM = CurriculumConfig(taught_findings=48, taught_terms=12, untaught_findings=48)


class Row(Record):
    """One exam under one Condition, or a part of it. Accuracies, floors and interval in [0, 1]."""

    exam: str
    condition: str
    part: str
    items: int
    clusters: int
    books: int
    book_tokens: tuple[int, int] = Field(description="Shortest and longest Book in tokens.")
    accuracy: float
    low: float
    high: float
    raw: float = Field(description="Accuracy where options are ranked by their sum instead of their mean per token.")
    question_blind: float
    book_blind: float
    stated: float


class Calibration(Record):
    """What was measured, on what, and how."""

    model: str
    weights_digest: str
    engine: str
    arithmetic: str
    medctx: str
    command: str
    exams: dict[str, str] = Field(description="Digest of each exam.")
    window: tuple[float, float]
    inside: bool
    name_blind: float = Field(
        description="Share of silent pages, which do not hold the name asked about, for which the base prefers the "
        "option that its own page would make right: a quarter if nothing but the name points to an option."
    )
    name_blind_items: int
    rows: tuple[Row, ...]


def config(model: Path, items: int) -> RunConfig:
    """The exams asked. The lengths have Books of their own; the other Conditions share the items of the first."""
    others = ("counterfactual", "distractor", "closed")
    limits = {**dict.fromkeys(LENGTHS, items), **dict.fromkeys(others, items // 3)}
    records = ExamConfig(exam="records-reading", conditions=(*LENGTHS, *others), limits=limits)
    facts = ExamConfig(exam="phenotypes-facts", conditions=("closed", "gold", "counterfactual", "distractor"))
    return RunConfig(
        models=(ModelConfig(name="base", folder=model),),
        exams=(records, facts),
        engine="transformers",
        mode="text",
        modes=("text", "text-raw"),
        curriculum=CURRICULUM,
    )


def plain(condition: str) -> str:
    """A Condition without its depth."""
    kind = parse(condition)
    return kind.model_copy(update={"depth": None}).name


def parts(judged: Sequence[Judged]) -> Iterator[tuple[tuple[str, str, str], list[Judged]]]:
    """Every exam and Condition as a whole, then by depth and by tag."""
    results: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for verdict in judged:
        condition, depth = plain(verdict.condition), parse(verdict.condition).depth
        names = ["all", *([f"depth {depth:g}"] if depth is not None else [])]
        names += [f"{key} {value}" for key, value in sorted(verdict.tags.items()) if verdict.exam == "phenotypes-facts"]
        for name in names:
            results[verdict.exam, condition, name].append(verdict)
    yield from results.items()


def right(judged: Iterable[Judged]) -> list[bool]:
    """Whether each was answered rightly."""
    return [verdict.verdict is Verdict.CORRECT for verdict in judged]


def name_blind(items: dict[str, ExamItem], replies: Iterable[Reply]) -> tuple[float, int]:
    """How often the base prefers the former right option on a silent page, and on how many items that was seen."""
    hits = []
    for reply in replies:
        item = items.get(reply.item)
        if item is None or item.exam != "records-reading" or not reply.condition.startswith("distractor"):
            continue
        scores = {
            score.letters: score.logprob / score.tokens for score in reply.scores if score.letters[0] in item.options
        }
        hits.append(max(scores, key=lambda letters: scores[letters]) == item.gold)
    return (sum(hits) / len(hits) if hits else 0.0), len(hits)


def calibrate(model: Path, items: int, work: Path, command: str) -> Calibration:
    """Examine the base and put what it scored beside the floors."""
    (folder,) = examination.examine(config(model, items), work)
    run = run_folder.read_run(folder)
    judged = run_folder.read_items(folder, run.manifest)
    books = run_folder.read_books(folder, run.manifest)
    raw = {
        (verdict.item, verdict.condition): verdict.verdict is Verdict.CORRECT
        for verdict in run.judged
        if verdict.mode == "text-raw"
    }
    rows = []
    for (exam, condition, part), several in parts([verdict for verdict in run.judged if verdict.mode == "text"]):
        (accuracy,) = accuracies(np.array([right(several)], dtype=float), [item.cluster for item in several])
        texts = {item.book: books[item.book] for item in several if item.book in books}
        floor = floors.floor(
            [
                floors.under_condition(
                    verdict, judged[verdict.item], texts[verdict.book].text if verdict.book in texts else ""
                )
                for verdict in several
            ]
        )
        tokens = [book.tokens for book in texts.values()] or [0]
        rows.append(
            Row(
                exam=exam,
                condition=condition,
                part=part,
                items=len(several),
                clusters=accuracy.clusters,
                books=len(texts),
                book_tokens=(min(tokens), max(tokens)),
                accuracy=accuracy.value,
                low=accuracy.low,
                high=accuracy.high,
                raw=sum(raw[verdict.item, verdict.condition] for verdict in several) / len(several),
                question_blind=floor.question_blind,
                book_blind=floor.book_blind,
                stated=floor.stated,
            )
        )
    lengths = [row.accuracy for row in rows if row.condition in LENGTHS and row.part == "all"]
    blind, seen = name_blind(judged, read_records(folder / run_folder.REPLIES, Reply))
    manifest = run.manifest
    return Calibration(
        model=model.name,
        weights_digest=manifest.weights_digest,
        engine=manifest.engine,
        arithmetic=manifest.means.get("arithmetic", ""),
        medctx=medctx.__version__,
        command=command,
        exams={card.name: card.digest for card in manifest.exams},
        window=WINDOW,
        inside=all(WINDOW[0] <= value <= WINDOW[1] for value in lengths),
        name_blind=blind,
        name_blind_items=seen,
        rows=tuple(rows),
    )


def table(rows: Iterable[Row]) -> str:
    """Rows as a Markdown table, in per cent."""
    heads = ["condition", "part", "items / clusters / Books", "tokens of a Book", "base", "95 % interval", "by sums"]
    heads += ["question-blind", "book-blind"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        low, high = row.book_tokens
        tokens = f"{low:,}-{high:,}" if low != high else f"{low:,}"
        values = " | ".join(f"{100 * value:.0f}" for value in (row.raw, row.question_blind, row.book_blind))
        lines.append(
            f"| {row.condition} | {row.part} | {row.items} / {row.clusters} / {row.books} | {tokens} | "
            f"**{100 * row.accuracy:.0f}** | {100 * row.low:.0f}-{100 * row.high:.0f} | {values} |"
        )
    return "\n".join(lines)


def page(calibration: Calibration) -> str:
    """The calibration as people read it."""
    low, high = (f"{100 * edge:.0f}" for edge in calibration.window)
    exams = sorted({row.exam for row in calibration.rows}, reverse=True)
    tables = "\n\n".join(f"## {exam}\n\n{table(row for row in calibration.rows if row.exam == exam)}" for exam in exams)
    return f"""---
description: "What the untouched base scores on the embedded exams, by length, beside the floors."
---
# What the untouched base scores on the embedded exams

`{calibration.model}` on the {calibration.engine} engine ({calibration.arithmetic}), medctx {calibration.medctx}.
No cell was trained for this. An exam can show reading lost or gained where the base reads between {low} and {high} %
and readers that leave out the question or the Book do not. This holds at every length:
**{"yes" if calibration.inside else "NO"}**.

Per cent correct; intervals are clustered by sheet. *Question-blind*: a guess among the options that stand in the Book.
*Book-blind*: a guess among all options. *By sums*: options ranked by their summed log-likelihood instead of its mean.
On {calibration.name_blind_items} silent pages, which hold the values and not the patient, the base prefers the value
that the patient's own page would give in {100 * calibration.name_blind:.0f} % (chance: 25).

{tables}

Repeat with

    {calibration.command}

or read [reading.json](reading.json).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the untouched base")
    parser.add_argument("--items", type=int, default=144, help="items at each length")
    parser.add_argument("--out", type=Path, default=Path("docs/calibration"), help="folder of the two files written")
    parser.add_argument("--work", type=Path, help="folder of the exam's run, to continue an interrupted one")
    args = parser.parse_args()
    command = f"python -m bench.simulations.reading_calibration --model {args.model.name} --items {args.items}"
    with tempfile.TemporaryDirectory() as scratch:
        result = calibrate(args.model, args.items, args.work or Path(scratch), command)
    args.out.mkdir(parents=True, exist_ok=True)
    write_record(args.out / "reading.json", result)
    write_text(args.out / "reading.md", page(result))
    print(page(result))
    sys.exit(0 if result.inside else 1)


if __name__ == "__main__":
    main()
