"""Reads the predictions of olmo-eval: ``predictions/MODEL/TASK-predictions.jsonl`` beside ``metrics.json``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.records import Mode, Verdict
from medctx_eval.interchange.foreign import (
    LETTERS,
    NO_OPTIONS,
    ForeignAnswer,
    ForeignRun,
    letter_of,
    option_texts,
    passage_of,
    question_of,
)
from medctx_eval.interchange.json_lines import mapping, read_object, read_objects, sequence

_SUFFIX = "-predictions.jsonl"


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
    return [
        ForeignRun(
            folder.name, "olmo-eval", folder, tuple(answer for file in files for answer in _answers(file, folder))
        )
        for folder, files in folders.items()
    ]


def _answers(file: Path, folder: Path) -> Iterator[ForeignAnswer]:
    task = file.name.removesuffix(_SUFFIX)
    root = folder.parent.parent
    metrics = read_object(root / "metrics.json") if (root / "metrics.json").is_file() else {}
    primary = next(
        (
            str(entry.get("primary_metric") or "")
            for entry in map(mapping, sequence(metrics.get("tasks")))
            if task.startswith(str(entry.get("task")).replace(":", "_").replace("/", "_"))
        ),
        "",
    )
    requests_file = root / "requests" / folder.name / f"{task}-requests.jsonl"
    documents = (
        {row.get("native_id"): mapping(row.get("doc")) for row in read_objects(requests_file)}
        if requests_file.is_file()
        else {}
    )
    for number, row in enumerate(read_objects(file), 1):
        yield _answer(task, row, documents.get(row.get("native_id"), {}), primary, f"{file}:{number}")


def _answer(
    task: str, row: Mapping[str, object], document: Mapping[str, object], primary: str, place: str
) -> ForeignAnswer:
    outputs = [mapping(output) for output in sequence(row.get("model_output"))]
    options = option_texts(document)
    label = row.get("label")
    gold = LETTERS[label] if isinstance(label, int) and 0 <= label < 26 else letter_of(str(label), options)
    metric, score = _score(row, primary, place)
    logits = [output.get("sum_logits") for output in outputs]
    if len(outputs) > 1 and all(isinstance(value, int | float) for value in logits):
        chosen, mode = _likeliest(outputs, metric)
        options = options or tuple(str(output.get("text")) for output in outputs)
        letter = LETTERS[chosen]
    else:
        answer = str(outputs[0].get("extracted_answer") or "") if outputs else ""
        letter, mode = letter_of(answer, options), "generate"
    silent = mode == "generate" and not (outputs and outputs[0].get("extracted_answer"))
    verdict = Verdict.CORRECT if score else Verdict.UNPARSABLE if silent else Verdict.WRONG
    golds = (gold,) if gold else NO_OPTIONS
    return ForeignAnswer(
        exam=task,
        item=str(row.get("native_id")),
        question=question_of(document),
        options=options,
        gold=golds,
        chosen=() if verdict == Verdict.UNPARSABLE else (letter,) if letter else golds if score else (),
        verdict=verdict,
        mode=mode,
        passage=passage_of(document),
    )


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


def _likeliest(outputs: Sequence[Mapping[str, object]], metric: str) -> tuple[int, Mode]:
    def value(output: Mapping[str, object], divisor: str) -> float:
        count = output.get(divisor)
        return float(str(output["sum_logits"])) / (max(float(count), 1.0) if isinstance(count, int | float) else 1.0)

    divisor = "num_chars" if "char" in metric else "num_tokens" if "token" in metric else ""
    values = [value(output, divisor) for output in outputs]
    return values.index(max(values)), "text" if divisor else "text-raw"
