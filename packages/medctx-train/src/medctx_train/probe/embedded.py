"""Probe items made from the embedded facts, apart from what the embedded exam asks.

Knowledge: taught facts, in wordings that no Dialogue and no exam item has. Reading: dossiers of diseases beyond those
of the curriculum, which neither a Dialogue nor the exam mentions, two to a Book; the wrong options are a finding of
the other one and two of neither. Faithfulness: the same question with the asked finding replaced by a wrong option.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import cast

from medctx.errors import MedctxError
from medctx.facts import phenotypes
from medctx.facts.curriculum import Curriculum, CurriculumConfig, Dossier, build
from medctx.schemas.probe_item import ProbeAxis, ProbeItem
from medctx.schemas.records import Book, ExamItem, Passage
from medctx.text.book import EMPTY, TokenCount, bind

EXAM = "phenotypes-probe"
WORDINGS = {
    "finding": "{subject}: which of the following would you look for?",
    "term": "Which expression means this? {subject}",
}
READING = "Going by the dossiers, which finding does {name} have?"
_LETTERS = "ABCD"


def _knowledge(curriculum: Curriculum, most: int, rng: Random) -> Iterator[ProbeItem]:
    facts = [fact for fact in curriculum.facts if fact.taught]
    true = {disease.id: set(disease.findings) for disease in phenotypes.load().diseases}
    for fact in rng.sample(facts, min(most, len(facts))):
        false = [
            other.answer
            for other in facts
            if other.kind == fact.kind and other.answer not in {fact.answer, *true.get(fact.id, ())}
        ]
        question = WORDINGS[fact.kind].format(subject=fact.subject)
        options = rng.sample([fact.answer, *rng.sample(false, 3)], 4)
        yield _asked("knowledge", fact.id, question, options, fact.answer, EMPTY, curriculum.version)


def _asked(
    axis: ProbeAxis, about: str, question: str, options: Sequence[str], gold: str, book: Book, version: str
) -> ProbeItem:
    item = ExamItem(
        id=f"{EXAM}/{axis}/{about}",
        exam=EXAM,
        question=question,
        options=dict(zip(_LETTERS, options, strict=True)),
        gold=(_LETTERS[options.index(gold)],),
        cluster=about,
        source=f"Human Phenotype Ontology, release {version}",
        licence=phenotypes.LICENCE,
        generated=True,
    )
    return ProbeItem(axis=axis, item=item, book=book)


def _passage(dossier: Dossier, findings: Sequence[str]) -> Passage:
    text = f"Dossier of {dossier.name}. Findings: {', '.join(finding.lower() for finding in findings)}."
    return Passage(id=dossier.id, text=text, title=dossier.name, facts=(dossier.id,))


def _reading(
    asked: Dossier, other: Dossier, unseen: Sequence[str], count: TokenCount, version: str, rng: Random
) -> Iterator[ProbeItem]:
    """One question, before the Book of both dossiers as they are and before one that lists a wrong option instead.

    ``unseen``: findings that stand in neither dossier.
    """
    gold, near = rng.choice(asked.findings), rng.choice(other.findings)
    third, instead = rng.sample(unseen, 2)
    options = rng.sample([gold, near, third, instead], 4)
    question = READING.format(name=asked.name)
    order = rng.choice((1, -1))
    for axis, right in (("reading", gold), ("faithfulness", instead)):
        findings = [right if finding == gold else finding for finding in asked.findings]
        book = bind([_passage(asked, findings), _passage(other, other.findings)][::order], count)
        yield _asked(cast("ProbeAxis", axis), asked.id, question, options, right, book, version)


def embedded(config: CurriculumConfig, *, knowledge: int, reading: int, count: TokenCount) -> list[ProbeItem]:
    """At most ``knowledge`` and ``reading`` items, the reading ones in two states each; the same at every call."""
    rng = Random(f"{EXAM}-{config.seed}")
    wider = build(config.model_copy(update={"dossiers": config.dossiers + 2 * reading}))
    beyond = wider.dossiers[config.dossiers :]
    items = list(_knowledge(wider, knowledge, rng))
    every = sorted({finding for dossier in beyond for finding in dossier.findings})
    for asked, other in zip(beyond[::2], beyond[1::2], strict=True):
        shared = set(asked.findings) & set(other.findings)
        unseen = [one for one in every if one not in asked.findings and one not in other.findings]
        if not shared and len(unseen) >= 2:
            items += _reading(asked, other, unseen, count, wider.version, rng)
    if not items:
        raise MedctxError("The probe has no items; raise probe.knowledge or probe.reading, or set probe.every=0.")
    return items
