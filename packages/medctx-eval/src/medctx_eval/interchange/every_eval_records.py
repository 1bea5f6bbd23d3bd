"""Reads records of Every Eval Ever: an aggregate JSON per evaluation and its ``_samples.jsonl``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from medctx.process.progress import say
from medctx.schemas.records import Mode, Verdict
from medctx_eval.interchange.foreign import LETTERS, NO_OPTIONS, ForeignAnswer, ForeignRun, letter_of, split_prompt
from medctx_eval.interchange.json_lines import mapping, read_object, read_objects, sequence

LetterReader = Callable[[str, Mapping[str, str]], Sequence[str]]
"""The letters that a written answer states, given the offered options by letter."""


def record_files(path: Path) -> list[Path]:
    """Return the files of samples at a path: its own, or those below a folder."""
    if path.is_file():
        samples = path.with_name(f"{path.stem}_samples.jsonl")
        files = [path] if path.suffix == ".jsonl" else [samples] if samples.is_file() else []
        return [file for file in files if _is_record(file)]
    return [file for file in sorted(path.rglob("*_samples.jsonl")) if _is_record(file)]


def _is_record(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(400)
    return b'"schema_version"' in head and b'"evaluation_id"' in head


def read(path: Path, letters_in: LetterReader) -> list[ForeignRun]:
    """Read one run per model, of all its evaluations below a path.

    ``letters_in`` reads the answers from which the harness extracted nothing.
    """
    answers: dict[str, list[ForeignAnswer]] = defaultdict(list)
    libraries: dict[str, str] = {}
    with_books = 0
    for file in record_files(path):
        aggregate = file.with_name(file.name.removesuffix("_samples.jsonl") + ".json")
        library = mapping(read_object(aggregate).get("eval_library")) if aggregate.is_file() else {}
        for row in read_objects(file):
            model = str(row.get("model_id"))
            libraries.setdefault(
                model, f"{library.get('name', 'every-eval-ever')} {library.get('version', '')}".strip()
            )
            if mapping(row.get("metadata")).get("medctx_condition", "closed") == "closed":
                answers[model].append(_answer(row, letters_in))
            else:
                with_books += 1
    if with_books:
        say(f"{path}: {with_books:,} records of questions with a Book are not read, for the format keeps no Book.")
    return [ForeignRun(model, libraries[model], path, _first_metrics(rows)) for model, rows in answers.items()]


def _first_metrics(answers: Sequence[ForeignAnswer]) -> tuple[ForeignAnswer, ...]:
    """The answers without further metrics of the same item in the same mode."""
    first: dict[tuple[str, str, Mode, int], ForeignAnswer] = {}
    for answer in answers:
        first.setdefault((answer.exam, answer.item, answer.mode, answer.order), answer)
    return tuple(first.values())


def _answer(row: Mapping[str, object], letters_in: LetterReader) -> ForeignAnswer:
    data, output = mapping(row.get("input")), mapping(row.get("output"))
    question, listed = split_prompt(str(data.get("raw") or ""))
    choices = tuple(str(choice) for choice in sequence(data.get("choices")))
    by_letter = bool(choices) and all(len(choice.strip()) == 1 for choice in choices)
    options = (listed or choices) if by_letter else (choices or listed)
    attributions = [mapping(entry) for entry in sequence(row.get("answer_attribution"))]
    extracted = str(attributions[-1].get("extracted_value") or "") if attributions else ""
    raw = sequence(output.get("raw"))
    written = str(raw[0]) if raw else ""
    ranked = bool(choices) and written.strip() in {choice.strip() for choice in choices}
    if not extracted and options and not ranked:
        offered = dict(zip(LETTERS, options, strict=False))
        extracted = ",".join(letters_in(written, offered))
    references = [str(reference) for reference in sequence(data.get("reference"))]
    gold = tuple(sorted({letter for reference in references if (letter := _letter(reference, options))}))
    letters = tuple(sorted({letter for part in extracted.split(",") if (letter := letter_of(part, options))}))
    right = bool(mapping(row.get("evaluation")).get("is_correct"))
    verdict = Verdict.FAILED if row.get("error") else Verdict.CORRECT if right else Verdict.WRONG
    if verdict == Verdict.WRONG and extracted.strip() in {"", "[invalid]"}:
        verdict = Verdict.UNPARSABLE
    normalised = "norm" in str(row.get("evaluation_result_id"))
    mode: Mode = "generate" if not ranked else "letter" if by_letter else "text" if normalised else "text-raw"
    notes = mapping(row.get("metadata"))
    recorded = notes.get("medctx_mode")
    if notes.get("medctx_verdict") in set(Verdict):
        verdict = Verdict(str(notes["medctx_verdict"]))
    exam, item, order = str(row.get("evaluation_name")), str(row.get("sample_id")), "0"
    if "medctx_condition" in notes:  # our own export names the condition and the option order
        exam = exam.split("/", 1)[0]
        item, _, order = item.partition("#")
    return ForeignAnswer(
        exam=exam,
        item=item,
        question=question,
        options=options,
        gold=gold or NO_OPTIONS,
        chosen=() if verdict not in {Verdict.CORRECT, Verdict.WRONG} else letters or (gold if right else ()),
        verdict=verdict,
        mode=recorded if recorded in ("text", "text-raw", "text-prior", "letter", "choice", "generate") else mode,
        order=int(order or 0),
        detail=extracted[:80],
        cluster=str(notes.get("medctx_cluster") or ""),
    )


def _letter(reference: str, options: tuple[str, ...]) -> str:
    if reference.isdecimal() and int(reference) < len(options) and reference not in options:
        return LETTERS[int(reference)]
    return letter_of(reference, options)
