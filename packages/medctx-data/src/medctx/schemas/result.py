"""What a command reports of itself, ``result.json``: the one thing that other programs read of its outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue

from medctx.schemas.exam_run import ExamCard, PlannedPart
from medctx.schemas.records import Record

RESULT_FILE = "result.json"
Status = Literal["finished", "unfinished", "error", "dry-run"]
"""``unfinished``: part of the work is done and the same command continues it; ``dry-run``: nothing was written."""

OutputKind = Literal[
    "mix", "adapter", "model", "exam-run", "exam-plan", "report", "decision", "contamination", "truncation", "file"
]


class Output(Record):
    """One thing a command made.

    Attributes:
        kind: What it is.
        path: Where it is, relative to ``--out``; absolute where the command has none.
        name: The name it is known by.
        digest: Digest of its content, ``""`` where there is none.
    """

    kind: OutputKind
    path: Path
    name: str = ""
    digest: str = ""


class CommandResult(Record):
    """The outcome of one call of a console command.

    Attributes:
        command: such as ``medctx-data mix``.
        version: of medctx.
        status: see ``Status``.
        message: the sentence of an error, or how to continue unfinished work.
        outputs: what was made, in the command's order.
        numbers: key numbers such as ``tokens`` or ``seconds``.
        labels: key values that are not numbers.
        digests: of what the outputs follow from, by name (``mix``, ``base``).
        exam_parts: what an exam asks, from a dry run of it.
        exam_cards: the exams it asks.
        mlflow_run: the ID of the MLflow run the command logged into, "" without one.
        details: the whole record of a command that shows figures and keeps no file of them (of ``medctx-eval compare``
            an ``ExamComparison``, of ``power`` an ``ExamSize``).
        text: what the command prints without ``--json``; only in what ``--json`` prints.
    """

    command: str = ""
    version: str = ""
    status: Status = "finished"
    message: str = ""
    outputs: tuple[Output, ...] = ()
    numbers: dict[str, float] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    digests: dict[str, str] = Field(default_factory=dict)
    exam_parts: tuple[PlannedPart, ...] = ()
    exam_cards: tuple[ExamCard, ...] = ()
    mlflow_run: str = ""
    details: JsonValue = None
    text: str = ""

    def of_kind(self, kind: OutputKind) -> tuple[Output, ...]:
        """The outputs of one kind, in their order."""
        return tuple(output for output in self.outputs if output.kind == kind)
