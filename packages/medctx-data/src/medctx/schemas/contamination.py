"""Overlaps between training data and exam items: written by medctx_data, read by medctx_eval's report.

``overlaps.jsonl`` holds one :class:`Overlap` per line. ``contamination.json`` says what was compared, so that an exam
without an overlap is known to be clean.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.schemas.records import Record

OVERLAPS = "overlaps.jsonl"
SUMMARY = "contamination.json"
ITEMS = "items.jsonl.gz"
"""In a folder given as an exam: ExamItem records, a line each."""
PASSAGES = "passages.jsonl.gz"
"""Beside them: the Passage records that their evidence names."""

Kind = Literal["exact", "13-gram", "minhash"]
"""``exact``: the whole question, with its options where the row has options, in any order; or a whole Passage.
``13-gram``: thirteen words (characters in Chinese) in a row. ``minhash``: sets of shingles that are alike."""

Where = Literal["question", "book"]
"""Whether the question or one of the item's Passages of evidence was found."""

TAUGHT = "taught"
"""Name of the overlap of an item whose fact a Dialogue teaches on purpose: see :class:`Overlap`."""


class Overlap(Record):
    """An overlap between a training Dialogue and an exam item.

    ``source`` and ``row`` are the Dialogue's source and id; ``text`` is what both have, as the Dialogue writes it (long
    texts cut). ``score`` is in (0, 1]: 1 of ``exact``, of ``13-gram`` the share of the question's or Passage's grams
    that the Dialogue has, of ``minhash`` the Jaccard similarity. ``passage``: the Passage found, "" for a question;
    ``item`` is empty where that Passage is the evidence of no item.

    ``taught``: the item is asked without evidence, for what was learned; the Dialogue names its fact (the item's
    ``cluster``) among its own; and they have grams in common but neither the whole question nor a like one. An exam of
    taught facts is made so, and a definition can be quoted in no other words.
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
    def way(self) -> str:
        """Kind and where, as in "exact question"; :data:`TAUGHT` where that is what it is."""
        return TAUGHT if self.taught else f"{self.kind} {self.where}"


class CheckedExam(Record):
    """One exam that was held against a mix.

    ``digest``: of its files. ``touched``: items with an overlap that is not taught; ``by_kind``: items by the way of
    their overlaps, taught ones included.
    """

    exam: str
    digest: str
    items: int
    passages: int
    touched: int
    by_kind: dict[str, int]


class ContaminationReport(Record):
    """What was compared and how.

    ``mix_digest`` is the digest of the mix, ``rows`` its Dialogues, ``overlapping`` those with an overlap.

    ``similarity``: the Jaccard similarity from which texts are alike; ``gram``: units of a gram. ``request``: the
    digest of mix, exams and settings.
    """

    medctx: str
    request: str
    mix_digest: str
    rows: int
    overlapping: int
    touches: int
    gram: int
    similarity: float
    exams: tuple[CheckedExam, ...]
