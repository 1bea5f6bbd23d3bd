"""Reads the table of free answers with medctx and with lighteval's extractor, and prints both side by side.

    python -m venv PEER && PEER/bin/pip install lighteval
    python -m bench.engines.extraction_peers PEER/bin/python [--cases FILE]

lighteval reads one letter by ``IndicesExtractionConfig`` after removing ``<think>`` blocks, as its tasks do: with an
anchor ("answer is") or without ("any letter"). It has no word for a refusal and takes no set of letters, so cases with
several right letters are left out, and where no letter is right, none read is right. A letter read where another or
none is right is wrong. Exit code 1 if medctx reads more than 1 % wrong.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

TESTS = Path(__file__).resolve().parents[2] / "tests"
LANGUAGES = {
    "en": "ENGLISH",
    "zh": "CHINESE",
    "de": "GERMAN",
    "es": "SPANISH",
    "fr": "FRENCH",
    "pt": "PORTUGUESE",
    "it": "ITALIAN",
    "ru": "RUSSIAN",
    "ja": "JAPANESE",
    "ko": "ENGLISH",  # lighteval has no Korean word for an answer
    "ar": "ARABIC",
}
"""Names of languages in lighteval."""


class Row(TypedDict):
    """One answer, what it offers, and the letters that it states."""

    language: str
    text: str
    options: dict[str, str]
    letters: str


def read_table(cases: Path) -> list[Row]:
    """The cases in which at most one letter is right."""
    options = json.loads((TESTS / "support" / "answer_options.json").read_text(encoding="utf-8"))
    rows = []
    for line in cases.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if not case.get("multiple"):
            offered = dict(zip("ABCDEFGHIJ", options[case["options"]], strict=False))
            rows.append(
                Row(language=case["language"], text=case["text"], options=offered, letters=case.get("letters", ""))
            )
    return rows


def by_lighteval(rows: Sequence[Row], *, anchored: bool) -> list[str]:
    """The letter that lighteval reads in each answer, "" for none; needs lighteval."""
    from lighteval.metrics.utils import extractive_match_utils as lighteval
    from lighteval.utils.language import Language
    from lighteval.utils.utils import remove_reasoning_tags

    config = lighteval.IndicesExtractionConfig("Letters", try_extract_without_anchor=not anchored)
    letters = []
    for row in rows:
        language = Language[LANGUAGES[row["language"]]]
        patterns = [(lighteval.lazy_indices_regex(config, len(row["options"]), language), config)]
        text = remove_reasoning_tags(row["text"], [("<think>", "</think>")])
        read = lighteval.extract_target_from_pred(text, patterns, "first_match", "any_match")
        letters.append(str(read[0]) if read else "")
    return letters


def by_medctx(rows: Sequence[Row]) -> list[str]:
    """The letter that medctx reads in each answer, "" for none."""
    from medctx_eval.extract import extract

    return ["".join(extract(row["text"], row["options"], multiple=False).letters) for row in rows]


def outcome(row: Row, letter: str) -> str:
    """Whether a reading is right, none, or wrong."""
    if letter == row["letters"]:
        return "right"
    return "wrong" if letter else "none"


def _peer(python: str, cases: Path, reader: str) -> list[str]:
    command = [python, __file__, "--cases", str(cases), "--reader", reader]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return list(json.loads(done.stdout.splitlines()[-1]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; with ``--reader`` only what lighteval reads, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="?", help="a Python that has lighteval")
    parser.add_argument("--cases", type=Path, default=TESTS / "unit" / "eval" / "extract_cases.jsonl")
    parser.add_argument("--reader", choices=["anchored", "any letter"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    rows = read_table(options.cases)
    if options.reader:
        print(json.dumps(by_lighteval(rows, anchored=options.reader == "anchored")))
        return 0
    readings = {"medctx": by_medctx(rows)}
    if options.python:
        for reader in ("anchored", "any letter"):
            readings[f"lighteval, {reader}"] = _peer(options.python, options.cases, reader)
    results = {
        name: [outcome(row, letter) for row, letter in zip(rows, letters, strict=True)]
        for name, letters in readings.items()
    }
    groups = ["all", *LANGUAGES]
    for name, outcomes in results.items():
        print(f"\n{name}\n  language  cases  right   none  wrong")
        for group in groups:
            counts = Counter(
                result for row, result in zip(rows, outcomes, strict=True) if group in {"all", row["language"]}
            )
            total = sum(counts.values())
            shares = "  ".join(f"{counts[kind] / total:5.1%}" for kind in ("right", "none", "wrong") if total)
            print(f"  {group:8}  {total:5}  {shares}")
    return int(results["medctx"].count("wrong") > len(rows) / 100)


if __name__ == "__main__":
    sys.exit(main())
