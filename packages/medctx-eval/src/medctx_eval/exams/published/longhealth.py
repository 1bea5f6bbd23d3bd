"""LongHealth: questions on the records of fictional patients, in its three tasks.

``longhealth-1``: the patient's whole record is the evidence, so that all questions on a patient share one Book.
``longhealth-2``: the documents that hold the answer are the evidence, those of other patients the rivals, and one
option says that the question cannot be answered. ``longhealth-3``: the same questions on the record of another patient,
where only that option is right, under every Condition. A question has the same id in all three.

The publisher draws ten documents of other patients for each question of task 3. Here it is the whole record of one
patient, half-way round a drawn order: twenty questions share a Book instead of none, the Books are those of task 1, and
questions on neighbours in that order can share a longer Book without one's record answering the other.

Passages carry their patient among their ``facts``: a document must not be a distractor for its own patient's questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from medctx.fetch.pinned import Remote
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.counterfactual import CANNOT
from medctx_eval.exams.exam import Exam, seal
from medctx_eval.exams.published.longhealth_file import (
    GOLD_UNCLEAR,
    LETTERS,
    ItemRequest,
    Patient,
    gold_letter,
    read_patients,
)
from medctx_eval.exams.readers.published_files import obtain
from medctx_eval.run.config import ExamConfig

FILE = Remote(url="https://raw.githubusercontent.com/kbressem/LongHealth/{revision}/data/benchmark_v5.json")
TASKS = {
    "longhealth-1": "task 1: questions on a patient's whole record",
    "longhealth-2": "task 2: questions on the documents with the answer, among those of other patients",
    "longhealth-3": "task 3: questions that cannot be answered from the documents of other patients",
}
LICENCE = "Apache-2.0"
CITATION = "Adams et al., LongHealth: A Question Answering Benchmark with Long Clinical Documents, arXiv 2401.14490"
FIFTHS = 5


def card_of(task: str) -> ExamCard:
    """The card of a task before its file is read."""
    return ExamCard(name=task, source=f"LongHealth, {TASKS[task]}", licence=LICENCE, citation=CITATION)


def _passages(patient: Patient) -> list[Passage]:
    name = f"longhealth/{patient.id}"
    return [Passage(id=f"{name}/{key}", text=text, facts=(name,)) for key, text in patient.texts.items()]


def _where(patient: Patient, question: ItemRequest) -> dict[str, str]:
    """How many documents hold the answer, and in which fifth of the record it stands first."""
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


class _Ward:
    """The patients with their Passages, the documents and the patients each in an order drawn by ``seed``."""

    def __init__(self, patients: Sequence[Patient], seed: int) -> None:
        self.patients = list(patients)
        Random(f"longhealth-patients-{seed}").shuffle(self.patients)
        self.passages = {patient.id: _passages(patient) for patient in patients}
        self.documents = [passage for patient in patients for passage in self.passages[patient.id]]
        self._drawn = list(self.documents)
        Random(f"longhealth-documents-{seed}").shuffle(self._drawn)

    def rivals(self, patient: Patient) -> tuple[str, ...]:
        """The documents of all other patients."""
        own = {passage.id for passage in self.passages[patient.id]}
        return tuple(passage.id for passage in self._drawn if passage.id not in own)

    def evidence(self, task: str, number: int, question: ItemRequest) -> tuple[str, ...]:
        """What is read for a question on the patient at ``number`` in the drawn order."""
        patient = self.patients[number]
        if task == "longhealth-3":
            patient = self.patients[(number + len(self.patients) // 2) % len(self.patients)]
        passages = self.passages[patient.id]
        if task == "longhealth-2" and question.spans:
            held = {f"longhealth/{patient.id}/{key}" for key in question.spans}
            passages = [passage for passage in passages if passage.id in held]
        return tuple(passage.id for passage in passages)


def _items(ward: _Ward, task: str) -> Iterator[ExamItem | None]:
    """Every question in one task, nothing where its gold is unclear."""
    for number, patient in enumerate(ward.patients):
        rivals = ward.rivals(patient)
        for question in patient.questions:
            gold = gold_letter(question)
            if gold is None:
                yield None
                continue
            options, cannot = dict(question.options), ""
            if task != "longhealth-1":
                cannot = LETTERS[LETTERS.index(max(options)) + 1]
                options[cannot] = CANNOT["en"]
            evidence = ward.evidence(task, number, question)
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
                tags=_where(patient, question),
            )


def build(config: ExamConfig, seed: int) -> Exam:
    """The task named by ``config.exam``, from the publisher's file or from ``config.path``.

    Patients come in an order drawn by ``seed``, so that a limit is a fair sample; so do the rivals of a patient, in
    which the tasks agree.
    """
    path, revision = obtain(config, FILE)
    ward = _Ward(read_patients(path), seed)
    found = list(_items(ward, config.exam))
    unclear = found.count(None)
    dropped = {GOLD_UNCLEAR: unclear} if unclear else {}
    card = card_of(config.exam).model_copy(update={"revision": revision, "dropped": dropped})
    return seal(card, [item for item in found if item is not None], ward.documents)
