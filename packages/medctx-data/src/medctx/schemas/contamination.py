"""Overlaps between training data and exam items: written by medctx_data, read by medctx_eval's report.

``overlaps.jsonl`` holds one ``Overlap`` per line. ``contamination.json`` says what was compared, so that an exam
without an overlap is known to be clean.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.schemas.records import Record

OVERLAPS = "overlaps.jsonl"
SUMMARY = "contamination.json"
ITEMS = "items.jsonl.gz"
"""In an exam plan's folder: one ExamItem per line."""
PASSAGES = "passages.jsonl.gz"
"""Beside it: one Passage per line, those that the items' evidence names."""

Kind = Literal["exact", "13-gram", "minhash"]
"""``exact``: the whole question, with its options where the row has options, in any order; or a whole Passage.
``13-gram``: thirteen consecutive words (characters in Chinese). ``minhash``: similar sets of shingles."""

Where = Literal["question", "book"]
"""Whether the question or one of the item's Passages of evidence was found."""

TAUGHT = "taught"
"""Name of the overlap of an item whose fact a Dialogue teaches on purpose: see ``Overlap``."""


class Overlap(Record):
    """An overlap between a training Dialogue and an exam item.

    Attributes:
        exam: The exam.
        item: The item, ``""`` where the Passage found is the evidence of no item.
        kind: How they overlap.
        where: Whether the question or a Passage of the evidence was found.
        source: Source of the Dialogue.
        row: Id of the Dialogue.
        score: In (0, 1]: 1 for ``exact``, for ``13-gram`` the fraction of the question's or Passage's grams that the
            Dialogue contains, for ``minhash`` the Jaccard similarity.
        text: The common text as the Dialogue writes it; long texts are cut.
        passage: The Passage found, ``""`` for a question.
        taught: Whether the item is asked without evidence, the Dialogue names its fact (the item's ``cluster``) among
            its own, and they share grams but neither the whole question nor a similar one. An exam of taught facts is
            made that way, and a definition can be quoted in no other words.
    """

    exam: str
    item: str
    kind: Kind
    where: Where
    source: str
    row: str
    score: float = Field(gt=0, le=1)
    text: str = ""
    passage: str = ""
    taught: bool = False

    @property
    def category(self) -> str:
        """Kind and where, as in "exact question", or ``TAUGHT``."""
        return TAUGHT if self.taught else f"{self.kind} {self.where}"


class CheckedExam(Record):
    """One exam that was compared with a mix.

    Attributes:
        exam: Its name.
        digest: Digest of its files.
        items: Number of its items.
        passages: Number of its Passages.
        overlapping: Items with an overlap that is not taught.
        by_kind: Items by the category of their overlaps, taught ones included.
    """

    exam: str
    digest: str
    items: int
    passages: int
    overlapping: int
    by_kind: dict[str, int]


class ContaminationReport(Record):
    """What was compared and how.

    Attributes:
        medctx: Version of medctx.
        request: Digest of mix, exams and settings.
        mix_digest: Digest of the mix.
        rows: Number of its Dialogues.
        overlapping: Dialogues with an overlap.
        overlaps: Number of overlaps.
        gram: Units of a gram.
        similarity: Jaccard similarity from which texts are similar.
        exams: The exams compared.
    """

    medctx: str
    request: str
    mix_digest: str
    rows: int
    overlapping: int
    overlaps: int
    gram: int
    similarity: float
    exams: tuple[CheckedExam, ...]
