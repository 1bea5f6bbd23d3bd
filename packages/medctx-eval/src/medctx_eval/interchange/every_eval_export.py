"""Writes a run in the format of Every Eval Ever, schema 0.3.0: an aggregate JSON and its samples per exam.

Files lie where the data store keeps them: ``data/EXAM/DEVELOPER/MODEL/UUID.json`` and ``UUID_samples.jsonl``.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from itertools import groupby
from pathlib import Path

import numpy as np

from medctx.errors import MedctxError
from medctx.io.jsonl import read_records, write_text
from medctx.schemas.exam_run import ExamCard, ExamManifest
from medctx.schemas.records import ExamItem, Judged, Reply, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.stats.accuracy import accuracy

SCHEMA = "0.3.0"
_UNSAFE = re.compile(r'[<>:"\\|?*\s/\x00-\x1f]+')
_ERRORS = (Verdict.FAILED, Verdict.DOES_NOT_FIT)

Object = dict[str, object]


def export_run(folder: Path, out: Path, *, developer: str = "", time: str = "0") -> list[Path]:
    """Write a run folder as Every Eval Ever records.

    Args:
        folder: A run folder.
        out: Folder below which ``data/`` is written.
        developer: Who made the model; by default what stands before the slash of its name, else "local".
        time: When the records are made, in seconds since 1970.

    Returns:
        The aggregate files, one per exam.

    Raises:
        MedctxError: If the run or its items are not there.
    """
    run = run_folder.read_run(folder)
    items = run_folder.read_items(folder, run.manifest)
    if not items:
        raise MedctxError(f"The items of {folder} were not found beside it; export the run from where it was made.")
    replies_file = folder / run_folder.REPLIES
    replies = {
        (reply.item, reply.condition, reply.order): reply.text
        for reply in (read_records(replies_file, Reply) if replies_file.is_file() else ())
        if reply.text
    }
    writer = _RunWriter(run.manifest, items, replies, developer, time)
    judged = sorted(run.judged, key=lambda record: record.exam)
    cards = {card.name: card for card in run.manifest.exams}
    return [
        writer.write(out, exam, cards.get(exam), list(records))
        for exam, records in groupby(judged, key=lambda record: record.exam)
    ]


class _RunWriter:
    """Writes the records of one run."""

    def __init__(
        self,
        manifest: ExamManifest,
        items: Mapping[str, ExamItem],
        replies: Mapping[tuple[str, str, int], str],
        developer: str,
        time: str,
    ) -> None:
        named, _, model = manifest.model.rpartition("/")
        self._developer = _part(developer or named or "local")
        self._model = _part(model)
        self._manifest, self._items, self._replies, self._time = manifest, items, replies, time

    def write(self, out: Path, exam: str, card: ExamCard | None, judged: Sequence[Judged]) -> Path:
        """Write the aggregate and the samples of one exam; returns the aggregate."""
        key = f"{exam}/{self._developer}/{self._model}"
        content = f"{key}/{self._manifest.key}/{self._manifest.n}".encode()
        name = str(uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=4))
        folder = Path("data") / _part(exam) / self._developer / self._model
        evaluation_id = f"{exam}/{self._developer}/{self._model}/{self._time}"
        samples = folder / f"{name}_samples.jsonl"
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in self._samples(evaluation_id, exam, judged))
        aggregate: Object = {
            "schema_version": SCHEMA,
            "evaluation_id": evaluation_id,
            "retrieved_timestamp": self._time,
            "source_metadata": {
                "source_name": "medctx",
                "source_type": "evaluation_run",
                "source_organization_name": "medctx user",
                "evaluator_relationship": "other",
            },
            "eval_library": {"name": "medctx-eval", "version": metadata.version("medctx-eval")},
            "model_info": self._model_info(),
            "evaluation_results": list(_results(exam, card, judged)),
            "detailed_evaluation_results": {
                "format": "jsonl",
                "file_path": samples.as_posix(),
                "hash_algorithm": "sha256",
                "checksum": hashlib.sha256(text.encode()).hexdigest(),
                "total_rows": len(judged),
            },
        }
        write_text(out / samples, text)
        file = out / folder / f"{name}.json"
        write_text(file, json.dumps(aggregate, indent=2, ensure_ascii=False) + "\n")
        return file

    def _model_info(self) -> Object:
        known = {"weights_digest": self._manifest.weights_digest, "adapter_digest": self._manifest.adapter_digest}
        deployment = "unknown" if self._manifest.engine == "endpoint" else "self_deployed"
        return {
            "name": self._manifest.model,
            "id": f"{self._developer}/{self._model}",
            "developer": self._developer,
            "inference_engine": {"name": self._manifest.engine},
            "additional_details": {
                "deployment_type": deployment,
                "model_availability": "unknown",
                **{name: value for name, value in known.items() if value},
            },
        }

    def _samples(self, evaluation_id: str, exam: str, judged: Sequence[Judged]) -> Iterator[Object]:
        for record in judged:
            item = self._items.get(record.item)
            question = item.question if item else record.item
            right = record.verdict == Verdict.CORRECT
            chosen = ",".join(record.chosen)
            reply = self._replies.get((record.item, record.condition, record.order), chosen)
            yield {
                "schema_version": SCHEMA,
                "evaluation_id": evaluation_id,
                "model_id": f"{self._developer}/{self._model}",
                "evaluation_name": _name(exam, record),
                "evaluation_result_id": _result_id(record),
                "sample_id": f"{record.item}#{record.order}" if record.order else record.item,
                "sample_hash": hashlib.sha256(f"{question}{','.join(record.gold)}".encode()).hexdigest(),
                "interaction_type": "single_turn",
                "input": {
                    "raw": question,
                    "reference": list(record.gold),
                    "choices": list(item.options.values()) if item else None,
                },
                "output": {"raw": [reply]},
                "answer_attribution": [
                    {
                        "turn_idx": 0,
                        "source": "output.raw",
                        "extracted_value": chosen,
                        "extraction_method": record.detail or record.mode,
                        "is_terminal": True,
                    }
                ],
                "evaluation": {"score": float(right), "is_correct": right},
                "error": record.detail or record.verdict.value if record.verdict in _ERRORS else None,
                "metadata": {
                    "medctx_verdict": record.verdict.value,
                    "medctx_mode": record.mode,
                    "medctx_condition": record.condition,
                    "medctx_axis": record.axis,
                    "medctx_cluster": record.cluster,
                },
            }


def _part(name: str) -> str:
    """A name as one component of a path."""
    return _UNSAFE.sub("-", name).strip(".-") or "unnamed"


def _name(exam: str, record: Judged) -> str:
    return f"{exam}/{record.condition}/{record.mode}"


def _result_id(record: Judged) -> str:
    return f"{record.condition}:{record.mode}:accuracy"


def _results(exam: str, card: ExamCard | None, judged: Sequence[Judged]) -> Iterator[Object]:
    """One result per condition and mode: accuracy with its clustered interval."""
    groups: dict[str, list[Judged]] = {}
    for record in judged:
        groups.setdefault(_result_id(record), []).append(record)
    for result_id, records in groups.items():
        values = [float(record.verdict == Verdict.CORRECT) for record in records]
        estimate = accuracy(np.array(values), [record.cluster for record in records])
        source: Object = {"dataset_name": exam, "source_type": "other"}
        if card:
            source["additional_details"] = {"digest": card.digest, "licence": card.licence, "source": card.source}
        yield {
            "evaluation_result_id": result_id,
            "evaluation_name": _name(exam, records[0]),
            "source_data": source,
            "metric_config": {
                "metric_id": "accuracy",
                "metric_name": "Accuracy",
                "metric_kind": "accuracy",
                "metric_unit": "proportion",
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0.0,
                "max_score": 1.0,
            },
            "score_details": {
                "score": sum(values) / len(values),
                "uncertainty": {
                    "confidence_interval": {
                        "lower": estimate.low,
                        "upper": estimate.high,
                        "confidence_level": 0.95,
                        "method": "Wilson interval at the effective sample size, clustered by document",
                    },
                    "num_samples": len(values),
                },
                "details": {"clusters": str(len({record.cluster for record in records}))},
            },
        }
