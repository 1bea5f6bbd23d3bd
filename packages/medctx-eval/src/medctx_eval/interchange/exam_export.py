"""Writes an exam as a task of lm-evaluation-harness, or as a data set and task of inspect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from medctx.errors import MedctxError
from medctx.io.jsonl import write_text
from medctx.schemas.records import ExamItem, Passage

_INSPECT_TASK = '''"""{name}: {count} items, written by medctx-eval export inspect."""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice


@task
def {function}() -> Task:
    """Answers by letter, scored by inspect's own reading."""
    dataset = json_dataset(str(Path(__file__).with_name("{file}")))
    return Task(dataset=dataset, solver=multiple_choice(multiple_correct={multiple}), scorer=choice())
'''


def _evidence(item: ExamItem, passages: Mapping[str, Passage]) -> str:
    return "\n\n".join(passages[name].text for name in item.evidence if name in passages)


def _identifier(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name).strip("_").lower()


def export_lm_eval(name: str, items: Sequence[ExamItem], passages: Mapping[str, Passage], out: Path) -> list[Path]:
    """Write ``NAME.yaml`` (log-likelihood of the letters), ``NAME_generate.yaml`` and their rows as JSON lines.

    Args:
        name: Name of the task.
        items: Items with one right letter.
        passages: Passages put before a question that names them as evidence; empty for the closed-book task.
        out: Folder for ``--include_path``.

    Returns:
        The files written.

    Raises:
        MedctxError: If an item has several right letters, which lm-eval's multiple choice does not take.
    """
    several = next((item for item in items if item.multiple), None)
    if several:
        raise MedctxError(
            f"The item {several.id} of {name} may have several right letters, which lm-eval's multiple_choice does not "
            "take; export it for inspect."
        )
    task = _identifier(name)
    rows = out / f"{task}.jsonl"
    _write_rows(rows, (_lm_eval_row(item, passages) for item in items))
    common = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(rows.resolve())}},
        "test_split": "test",
        "doc_to_text": "{% if passage %}{{passage}}\n\n{% endif %}{{question}}\n{% for letter in letters %}"
        "{{letter}}. {{options[loop.index0]}}\n{% endfor %}Answer:",
        "metadata": {"version": 1.0},
    }
    letters = {
        "task": task,
        **common,
        "output_type": "multiple_choice",
        "doc_to_choice": "letters",
        "doc_to_target": "gold",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    written = {
        "task": f"{task}_generate",
        **common,
        "output_type": "generate_until",
        "doc_to_target": "{{letters[gold]}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 16, "do_sample": False},
        "filter_list": [
            {
                "name": "letter",
                "filter": [{"function": "regex", "regex_pattern": r"\b([A-Z])\b"}, {"function": "take_first"}],
            }
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    files = [rows]
    for config in (letters, written):
        file = out / f"{config['task']}.yaml"
        write_text(file, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        files.append(file)
    return files


def _lm_eval_row(item: ExamItem, passages: Mapping[str, Passage]) -> dict[str, object]:
    letters = list(item.options)
    return {
        "id": item.id,
        "question": item.question,
        "options": list(item.options.values()),
        "letters": letters,
        "gold": letters.index(item.gold[0]),
        "passage": _evidence(item, passages),
        "cluster": item.cluster,
    }


def export_inspect(name: str, items: Sequence[ExamItem], passages: Mapping[str, Passage], out: Path) -> list[Path]:
    """Write ``NAME.jsonl`` with inspect's sample fields, and ``NAME.py`` with a task that reads it.

    Args:
        name: Name of the task.
        items: The items.
        passages: Passages put before a question that names them as evidence; empty for the closed-book task.
        out: The folder.

    Returns:
        The files written.
    """
    task = _identifier(name)
    rows = out / f"{task}.jsonl"
    _write_rows(rows, (_inspect_row(item, passages) for item in items))
    multiple = any(item.multiple for item in items)
    text = _INSPECT_TASK.format(name=name, count=len(items), function=task, file=rows.name, multiple=multiple)
    file = out / f"{task}.py"
    write_text(file, text)
    return [rows, file]


def _inspect_row(item: ExamItem, passages: Mapping[str, Passage]) -> dict[str, object]:
    evidence = _evidence(item, passages)
    notes = {"passage": evidence, "question": item.question} if evidence else {}
    place = {letter: chr(ord("A") + number) for number, letter in enumerate(item.options)}
    return {
        "id": item.id,
        "input": f"{evidence}\n\n{item.question}" if evidence else item.question,
        "choices": list(item.options.values()),
        "target": [place[letter] for letter in item.gold],
        "metadata": {"exam": item.exam, "cluster": item.cluster, **notes},
    }


def _write_rows(file: Path, rows: Iterator[dict[str, object]]) -> None:
    write_text(file, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
