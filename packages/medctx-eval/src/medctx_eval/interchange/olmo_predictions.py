"""Reads the predictions of olmo-eval: ``predictions/MODEL/TASK-predictions.jsonl`` beside ``metrics.json``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.records import Mode, Verdict
from medctx_eval.interchange.foreign import (
    LETTERS,
    NO_OPTIONS,
    ForeignAnswer,
    ForeignRun,
    cluster_of,
    letter_of,
    option_texts,
    passage_of,
    question_of,
)
from medctx_eval.interchange.json_lines import mapping, read_object, read_objects, sequence

_SUFFIX = "-predictions.jsonl"
_GENERATED = ("finish_reason", "completion_tokens", "sample_metrics", "original_text")
"""Keys of outputs that were generated, not scored as continuations."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked: the row of the data set, and how it was put to the model."""

    document: Mapping[str, object]
    kind: str


_UNKNOWN = _Request({}, "")


def prediction_files(path: Path) -> list[Path]:
    """Return the files of predictions at a path: itself, or those below a folder."""
    if path.is_file():
        return [path] if path.name.endswith(_SUFFIX) else []
    return sorted(path.rglob(f"*{_SUFFIX}"))


def read(path: Path) -> list[ForeignRun]:
    """Read one run per model folder.

    Raises:
        MedctxError: If an instance has no metric of 0 or 1.
    """
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in prediction_files(path):
        folders[file.parent].append(file)
    return [_run(folder, files) for folder, files in folders.items()]


def _run(folder: Path, files: Sequence[Path]) -> ForeignRun:
    root = folder.parent.parent
    metrics = read_object(root / "metrics.json") if (root / "metrics.json").is_file() else {}
    tasks = [mapping(entry) for entry in sequence(metrics.get("tasks"))]
    stated = [str(name) for name in (metrics.get("model_name"), *(task.get("model") for task in tasks)) if name]
    model = next((name for name in stated if _in_file_name(name) == folder.name), folder.name)
    answers = [answer for file in files for answer in _answers(file, folder, tasks)]
    return ForeignRun(model, "olmo-eval", folder, tuple(answers))


def _in_file_name(name: str) -> str:
    """A name of a task or model as olmo-eval writes it into names of files."""
    for mark in (":", "/", "\\", " "):
        name = name.replace(mark, "_")
    return name


def _primary_metric(task: str, tasks: Sequence[Mapping[str, object]]) -> str:
    """The primary metric of a task, whose file may have the end of its hash in its name."""
    for entry in tasks:
        name, checksum = _in_file_name(str(entry.get("task"))), str(entry.get("task_hash") or "")
        if task in (name, f"{name}_{checksum[-6:]}"):
            return str(entry.get("primary_metric") or "")
    matching = [entry for entry in tasks if task.startswith(_in_file_name(str(entry.get("task"))))]
    longest = max(matching, key=lambda entry: len(str(entry.get("task"))), default={})
    return str(longest.get("primary_metric") or "")


def _answers(file: Path, folder: Path, tasks: Sequence[Mapping[str, object]]) -> Iterator[ForeignAnswer]:
    task = file.name.removesuffix(_SUFFIX)
    requests_file = folder.parent.parent / "requests" / folder.name / f"{task}-requests.jsonl"
    rows = read_objects(requests_file) if requests_file.is_file() else ()
    requests = {
        row.get("native_id"): _Request(mapping(row.get("doc")), str(row.get("request_type") or "")) for row in rows
    }
    primary = _primary_metric(task, tasks)
    for number, row in enumerate(read_objects(file), 1):
        yield from _answer(task, row, requests.get(row.get("native_id"), _UNKNOWN), primary, f"{file}:{number}")


def _answer(
    task: str, row: Mapping[str, object], request: _Request, primary: str, place: str
) -> Iterator[ForeignAnswer]:
    outputs = [mapping(output) for output in sequence(row.get("model_output"))]
    options = option_texts(request.document)
    label = row.get("label")
    gold = LETTERS[label] if isinstance(label, int) and 0 <= label < len(LETTERS) else letter_of(str(label), options)
    item = str(row.get("native_id"))

    def answer(
        letter: str, offered: tuple[str, ...], verdict: Verdict, mode: Mode, order: int = 0, detail: str = ""
    ) -> ForeignAnswer:
        golds = (gold,) if gold else NO_OPTIONS
        chosen = (letter,) if letter else golds if verdict == Verdict.CORRECT else ()
        return ForeignAnswer(
            exam=task,
            item=item,
            question=question_of(request.document),
            options=offered,
            gold=golds,
            chosen=chosen if verdict in (Verdict.CORRECT, Verdict.WRONG) else (),
            verdict=verdict,
            mode=mode,
            order=order,
            passage=passage_of(request.document),
            detail=detail[:80],
            cluster=cluster_of(request.document),
        )

    if any(output.get("scoring_errors") for output in outputs) or not outputs:
        mode: Mode = "text-raw" if _is_ranked(outputs, request) else "generate"
        yield answer("", options, Verdict.FAILED, mode)
    elif _is_ranked(outputs, request):
        metric, score = _score(row, primary, place)
        texts = [str(output.get("text") or "").strip() for output in outputs]
        half = len(texts) // 2
        if texts == 2 * texts[:half]:  # the options are repeated without their prompt
            texts = texts[:half]
        by_letter = texts == list(LETTERS[: len(texts)])
        place_of_best, normalised = _likeliest(outputs, len(texts), metric)
        mode = "letter" if by_letter else "text" if normalised else "text-raw"
        offered = options if options or by_letter else tuple(texts)
        yield answer(LETTERS[place_of_best], offered, Verdict.CORRECT if score else Verdict.WRONG, mode)
    else:
        for order, (output, score) in enumerate(_sample_scores(row, outputs, primary, place)):
            written = str(output.get("extracted_answer") or "")
            verdict = Verdict.CORRECT if score else Verdict.WRONG if written else Verdict.UNPARSABLE
            yield answer(letter_of(written, options), options, verdict, "generate", order, written)


def _is_ranked(outputs: Sequence[Mapping[str, object]], request: _Request) -> bool:
    """Return True if the outputs are continuations with their log-likelihoods, not texts that were generated."""
    if len(outputs) < 2 or not all(isinstance(output.get("sum_logits"), int | float) for output in outputs):
        return False
    if request.kind:
        return request.kind == "loglikelihood"
    return not any(output.get(key) is not None for output in outputs for key in _GENERATED)


def _sample_scores(
    row: Mapping[str, object], outputs: Sequence[Mapping[str, object]], primary: str, place: str
) -> list[tuple[Mapping[str, object], bool]]:
    """The generated outputs with whether each is right: several samples of an item are repetitions of it."""
    if len(outputs) > 1:
        scorer = primary.partition(":")[2]
        listed = [mapping(output.get("sample_metrics")) for output in outputs]
        names = [scorer, *(listed[0] if listed else ())]
        name = next((name for name in names if all(name in scores for scores in listed)), None)
        if name is not None:
            return [
                (output, mapping(scores[name]).get(name) == 1) for output, scores in zip(outputs, listed, strict=True)
            ]
    return [(outputs[0], _score(row, primary, place)[1])]


def _score(row: Mapping[str, object], primary: str, place: str) -> tuple[str, bool]:
    """The name and value of the metric that tells right from wrong; the primary one if it does."""
    metric, _, scorer = primary.partition(":")
    nested = {
        (str(name), str(inner)): value
        for name, values in mapping(row.get("instance_metrics")).items()
        for inner, value in (mapping(values) or {str(name): values}).items()
    }
    ranked = sorted(nested.items(), key=lambda entry: (entry[0] != (metric, scorer), entry[0][0] != metric))
    for (name, _), value in ranked:
        if value in (0, 1):
            return name, bool(value)
    raise MedctxError(f"{place} has no metric of 0 or 1; runs are compared by items that are right or wrong.")


def _likeliest(outputs: Sequence[Mapping[str, object]], count: int, metric: str) -> tuple[int, bool]:
    """The place of the option that the metric picks among the first ``count``, and whether it weighs by length."""
    divisor = "num_chars" if "char" in metric else "num_tokens" if "token" in metric else ""

    def value(place: int) -> float:
        length = outputs[place].get(divisor)
        score = float(str(outputs[place]["sum_logits"]))
        if "uncond" in metric and len(outputs) == 2 * count:
            return score - float(str(outputs[place + count]["sum_logits"]))
        return score / (max(float(length), 1.0) if isinstance(length, int | float) else 1.0)

    return max(range(count), key=value), bool(divisor)
