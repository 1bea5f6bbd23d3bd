"""Reads the samples of lm-evaluation-harness: ``samples_TASK_TIME.jsonl`` beside ``results_TIME.json``."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.records import Mode, Verdict
from medctx_eval.interchange.foreign import (
    LETTERS,
    NO_OPTIONS,
    ForeignAnswer,
    ForeignRun,
    cluster_of,
    id_of,
    letter_of,
    option_texts,
    passage_of,
    question_of,
    split_prompt,
)
from medctx_eval.interchange.json_lines import mapping, read_object, read_objects, sequence

_SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[\d.:+-]+)\.jsonl")
_LETTER_ANSWER = re.compile(r"\s*\(?([A-Z])\)?\s*")
_MEANS = {
    "text": "log-likelihood of the option per byte (acc_norm)",
    "text-raw": "log-likelihood of the option (acc)",
    "letter": "log-likelihood of the letter (acc)",
}


def sample_files(path: Path) -> list[Path]:
    """Return the files of samples at a path: itself, or those below a folder."""
    if path.is_file():
        return [path] if path.name.startswith("samples_") and path.suffix == ".jsonl" else []
    return sorted(path.rglob("samples_*.jsonl"))


def read(path: Path) -> list[ForeignRun]:
    """Read one run per folder with samples; of a task run several times the latest.

    Raises:
        MedctxError: If a sample has neither a score of 0 or 1 nor log-likelihoods.
    """
    folders: dict[Path, dict[str, tuple[str, Path]]] = defaultdict(dict)
    for file in sample_files(path):
        name = _SAMPLES.fullmatch(file.name)
        task, time = (name["task"], name["time"]) if name else (file.stem.removeprefix("samples_"), "")
        folders[file.parent][task] = max(folders[file.parent].get(task, ("", file)), (time, file))
    return [_run(folder, {task: file for task, (_, file) in tasks.items()}) for folder, tasks in folders.items()]


def _run(folder: Path, tasks: Mapping[str, Path]) -> ForeignRun:
    results = sorted(folder.glob("results*.json"))
    header = read_object(results[-1]) if results else {}
    answers = tuple(answer for task, file in tasks.items() for answer in _answers(task, file))
    modes = {answer.mode for answer in answers}
    return ForeignRun(
        model=str(header.get("model_name") or folder.name),
        harness=f"lm-eval {header.get('lm_eval_version') or ''}".strip(),
        source=folder,
        answers=answers,
        means={mode: means for mode, means in _MEANS.items() if mode in modes},
    )


def _answers(task: str, file: Path) -> Iterator[ForeignAnswer]:
    used_filter: object = None
    for number, row in enumerate(read_objects(file), 1):
        used_filter = row.get("filter") if number == 1 else used_filter
        if row.get("filter") == used_filter:  # a sample is repeated for every filter of its answer
            yield from _answer(task, row, f"{file}:{number}")


def _answer(task: str, row: Mapping[str, object], place: str) -> Iterator[ForeignAnswer]:
    requests = [mapping(request) for request in mapping(row.get("arguments")).values()]
    continuations = [request["arg_1"] for request in requests if isinstance(request.get("arg_1"), str)]
    document = mapping(row.get("doc"))
    prompt = str(requests[0].get("arg_0", "")) if requests else ""
    question, listed = split_prompt(prompt)
    options = option_texts(document) or listed
    item = id_of(document) or str(row.get("doc_hash") or row.get("doc_id"))
    base = (task, item, question_of(document) or question)
    if len(continuations) < 2:
        answers = iter([_written(base, row, options, place)])
    else:
        answers = _ranked(base, row, [str(text) for text in continuations], options, place)
    for answer in answers:
        yield replace(answer, passage=passage_of(document), cluster=cluster_of(document))


def _ranked(
    base: tuple[str, str, str],
    row: Mapping[str, object],
    continuations: Sequence[str],
    options: tuple[str, ...],
    place: str,
) -> Iterator[ForeignAnswer]:
    by_letter = all(_LETTER_ANSWER.fullmatch(text) for text in continuations)
    texts = tuple(text.strip() for text in continuations)
    texts = texts[: len(dict.fromkeys(texts))]  # the options may be repeated without their prompt
    offered = (options or texts) if by_letter else texts
    pairs = [sequence(pair) for pair in sequence(row.get("filtered_resps"))]
    try:
        scores = [float(str(pair[0])) for pair in pairs][: len(texts)]
    except (ValueError, IndexError):
        raise MedctxError(f"{place} holds no log-likelihoods; give the samples as lm-eval wrote them.") from None
    gold = _gold(row.get("target"), texts if by_letter else offered)
    modes: list[tuple[Mode, str]] = [("letter" if by_letter else "text-raw", "acc")]
    if not by_letter and "acc_norm" in row:
        modes.append(("text", "acc_norm"))
    for mode, metric in modes:
        values = [score / max(len(text.encode()), 1) for score, text in zip(scores, texts, strict=True)]
        ranked = values if mode == "text" else scores
        failed = any(math.isnan(score) for score in ranked)
        chosen = () if failed else (LETTERS[ranked.index(max(ranked))],)
        score = row.get(metric)
        right = score == 1 if isinstance(score, int | float) else chosen == gold
        verdict = Verdict.FAILED if failed else Verdict.CORRECT if right else Verdict.WRONG
        yield ForeignAnswer(*base, offered, gold or chosen, chosen, verdict, mode)


def _written(
    base: tuple[str, str, str], row: Mapping[str, object], options: tuple[str, ...], place: str
) -> ForeignAnswer:
    metrics = [str(metric) for metric in sequence(row.get("metrics"))]
    score = next((row[metric] for metric in metrics if row.get(metric) in (0, 1)), None)
    if score is None:
        raise MedctxError(
            f"{place} has no metric of 0 or 1 (its metrics: {', '.join(metrics) or 'none'}); runs are compared by "
            "items that are right or wrong."
        )
    replies = sequence(row.get("filtered_resps"))
    reply = replies[0] if replies else ""
    reply = str(reply[0] if isinstance(reply, list) and reply else reply)
    letter = letter_of(reply, options)
    gold = _gold(row.get("target"), options) if options else NO_OPTIONS
    silent = not reply.strip() or reply == "[invalid]"
    verdict = Verdict.CORRECT if score else Verdict.UNPARSABLE if silent else Verdict.WRONG
    chosen = (letter,) if letter else gold if score else ()
    golds = gold or NO_OPTIONS
    return ForeignAnswer(*base, options, golds, chosen, verdict, "generate", detail=reply[:80])


def _gold(target: object, options: Sequence[str]) -> tuple[str, ...]:
    """The right letters of a target: an index, indices, a letter or an option's text."""
    text = str(target).strip()
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    entries = value if isinstance(value, list) else [value]
    letters = [
        LETTERS[entry]
        if isinstance(entry, int) and not isinstance(entry, bool) and 0 <= entry < len(options)
        else letter_of(str(entry), options)
        for entry in entries
    ]
    return tuple(sorted({letter for letter in letters if letter}))
