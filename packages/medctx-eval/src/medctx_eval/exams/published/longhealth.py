"""LongHealth: questions on the records of fictional patients, in its three tasks.

``longhealth-1``: the patient's whole record is the evidence, so that all questions on a patient share one Book.
``longhealth-2``: the documents that hold the answer are the evidence, those of other patients the rivals, and one
option says that the question cannot be answered. ``longhealth-3``: the same questions on the record of another patient,
where only that option is right, under every Condition. A question has the same id in all three.

The publisher draws ten documents of other patients for each question of task 3. Here the Book is the whole record of
one other patient, half-way round a drawn order: twenty questions share a Book, the Books are those of task 1, and
questions on neighbours in that order can share a longer Book in which neither record answers the other's questions.

Passages name their patient among their ``facts``, which keeps a document from being a distractor for its own patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.counterfactual import CANNOT
from medctx_eval.exams.exam import Exam, seal_exam
from medctx_eval.exams.published.longhealth_file import (
    GOLD_UNCLEAR,
    LETTERS,
    LongHealthQuestion,
    Patient,
    gold_letter,
    read_patients,
)
from medctx_eval.exams.readers.published_files import obtain_exam

FILE = Remote(url="https://raw.githubusercontent.com/kbressem/LongHealth/{revision}/data/benchmark_v5.json")
TASKS = {
    "longhealth-1": "task 1: questions on a patient's whole record",
    "longhealth-2": "task 2: questions on the documents with the answer, among those of other patients",
    "longhealth-3": "task 3: questions that cannot be answered from the documents of other patients",
}
LICENCE = "Apache-2.0"
CITATION = "Adams et al., LongHealth: A Question Answering Benchmark with Long Clinical Documents, arXiv 2401.14490"
FIFTHS = 5


def task_card(task: str) -> ExamCard:
    """The card of a task, before its file is read."""
    return ExamCard(name=task, source=f"LongHealth, {TASKS[task]}", licence=LICENCE, citation=CITATION)


def _passages(patient: Patient) -> list[Passage]:
    name = f"longhealth/{patient.id}"
    return [Passage(id=f"{name}/{key}", text=text, facts=(name,)) for key, text in patient.texts.items()]


def _answer_place(patient: Patient, question: LongHealthQuestion) -> dict[str, str]:
    """Tags: how many documents hold the answer, and in which fifth of the record it stands first."""
    if not question.spans:
        return {"documents": "unknown"}
    total = sum(map(len, patient.texts.values()))
    before, starts = 0, []
    for key, text in patient.texts.items():
        starts += [(before + start * len(text)) / total for start in question.spans.get(key, ())]
        before += len(text)
    tags = {"documents": str(len(question.spans)) if len(question.spans) < 3 else "3 or more"}
    if starts:
        first = min(*starts, 1.0)
        fifth = min(int(first * FIFTHS), FIFTHS - 1)
        tags |= {"answer_at": f"{first:.3f}", "depth": f"{fifth / FIFTHS:.1f}-{(fifth + 1) / FIFTHS:.1f}"}
    return tags


class _Patients:
    """The patients with their Passages; patients and documents are each in an order drawn by ``seed``."""

    def __init__(self, patients: Sequence[Patient], seed: int) -> None:
        self.ordered = list(patients)
        Random(f"longhealth-patients-{seed}").shuffle(self.ordered)
        self.passages = {patient.id: _passages(patient) for patient in patients}
        self.documents = [passage for patient in patients for passage in self.passages[patient.id]]
        self._shuffled = list(self.documents)
        Random(f"longhealth-documents-{seed}").shuffle(self._shuffled)

    def rivals(self, patient: Patient) -> tuple[str, ...]:
        """The documents of all other patients."""
        same_patient = {passage.id for passage in self.passages[patient.id]}
        return tuple(passage.id for passage in self._shuffled if passage.id not in same_patient)

    def evidence(self, task: str, number: int, question: LongHealthQuestion) -> tuple[str, ...]:
        """Ids of the evidence of a question on the patient at ``number`` in the drawn order."""
        patient = self.ordered[number]
        if task == "longhealth-3":
            patient = self.ordered[(number + len(self.ordered) // 2) % len(self.ordered)]
        passages = self.passages[patient.id]
        if task == "longhealth-2" and question.spans:
            with_answer = {f"longhealth/{patient.id}/{key}" for key in question.spans}
            passages = [passage for passage in passages if passage.id in with_answer]
        return tuple(passage.id for passage in passages)


def _items(patients: _Patients, task: str) -> Iterator[ExamItem | None]:
    """Yield every question of one task; None if its gold is unclear."""
    for number, patient in enumerate(patients.ordered):
        rivals = patients.rivals(patient)
        for question in patient.questions:
            gold = gold_letter(question)
            if gold is None:
                yield None
                continue
            options, cannot = dict(question.options), ""
            if task != "longhealth-1":
                cannot = LETTERS[LETTERS.index(max(options)) + 1]
                options[cannot] = CANNOT["en"]
            evidence = patients.evidence(task, number, question)
            yield ExamItem(
                id=f"longhealth/{patient.id}/{question.number}",
                exam=task,
                question=question.text,
                options=options,
                gold=(cannot if task == "longhealth-3" else gold,),
                evidence=evidence,
                rivals=tuple(name for name in rivals if name not in evidence),
                cluster=f"longhealth/{patient.id}",
                cannot=cannot,
                source="LongHealth",
                licence=LICENCE,
                tags=_answer_place(patient, question),
            )


def build(task: str, path: Path | None, revision: str, seed: int) -> Exam:
    """Build one task from the publisher's file or from ``path``.

    Patients come in an order drawn by ``seed``, so that a limit is a fair sample; so do the rivals of a patient, which
    are the same in all tasks.
    """
    file, resolved = obtain_exam(task, path, FILE, revision)
    patients = _Patients(read_patients(file), seed)
    items = list(_items(patients, task))
    unclear = items.count(None)
    dropped = {GOLD_UNCLEAR: unclear} if unclear else {}
    card = task_card(task).model_copy(update={"revision": resolved, "dropped": dropped})
    return seal_exam(card, [item for item in items if item is not None], patients.documents)
