"""Probe items made from the embedded facts, disjoint from the items of the embedded exam.

Knowledge: taught facts, in wordings that no Dialogue and no exam item uses. Reading: dossiers of diseases beyond those
of the curriculum, which neither a Dialogue nor the exam mentions, two to a Book; the wrong options are a finding of the
other dossier and two findings of neither. Faithfulness: the same question, with the right finding replaced in the
dossier by a wrong option.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import cast

from medctx.errors import MedctxError
from medctx.facts import phenotypes
from medctx.facts.curriculum import Curriculum, CurriculumConfig, Dossier, build_curriculum
from medctx.schemas.probe_item import ProbeAxis, ProbeItem
from medctx.schemas.records import Book, ExamItem, Passage
from medctx.text.book import EMPTY, TokenCount, make_book

EXAM = "phenotypes-probe"
WORDINGS = {
    "finding": "{subject}: which of the following would you look for?",
    "term": "Which expression means this? {subject}",
}
READING = "Going by the dossiers, which finding does {name} have?"
_LETTERS = "ABCD"


def _knowledge(curriculum: Curriculum, limit: int, rng: Random) -> Iterator[ProbeItem]:
    facts = [fact for fact in curriculum.facts if fact.taught]
    findings_of = {disease.id: set(disease.findings) for disease in phenotypes.load_phenotypes().diseases}
    for fact in rng.sample(facts, min(limit, len(facts))):
        wrong_answers = [
            other.answer
            for other in facts
            if other.kind == fact.kind and other.answer not in {fact.answer, *findings_of.get(fact.id, ())}
        ]
        question = WORDINGS[fact.kind].format(subject=fact.subject)
        options = rng.sample([fact.answer, *rng.sample(wrong_answers, 3)], 4)
        yield _probe_item("knowledge", fact.id, question, options, fact.answer, EMPTY, curriculum.version)


def _probe_item(
    axis: ProbeAxis, subject: str, question: str, options: Sequence[str], gold: str, book: Book, version: str
) -> ProbeItem:
    item = ExamItem(
        id=f"{EXAM}/{axis}/{subject}",
        exam=EXAM,
        question=question,
        options=dict(zip(_LETTERS, options, strict=True)),
        gold=(_LETTERS[options.index(gold)],),
        cluster=subject,
        source=f"Human Phenotype Ontology, release {version}",
        licence=phenotypes.LICENCE,
        generated=True,
    )
    return ProbeItem(axis=axis, item=item, book=book)


def _passage(dossier: Dossier, findings: Sequence[str]) -> Passage:
    text = f"Dossier of {dossier.name}. Findings: {', '.join(finding.lower() for finding in findings)}."
    return Passage(id=dossier.id, text=text, title=dossier.name, facts=(dossier.id,))


def _reading(
    target: Dossier, other: Dossier, unseen: Sequence[str], count: TokenCount, version: str, rng: Random
) -> Iterator[ProbeItem]:
    """Yield one question on both dossiers as they are, and on a Book that lists a wrong option instead of the gold.

    ``unseen``: findings that are in neither dossier.
    """
    gold, near = rng.choice(target.findings), rng.choice(other.findings)
    third, instead = rng.sample(unseen, 2)
    options = rng.sample([gold, near, third, instead], 4)
    question = READING.format(name=target.name)
    order = rng.choice((1, -1))
    for axis, right in (("reading", gold), ("faithfulness", instead)):
        findings = [right if finding == gold else finding for finding in target.findings]
        book = make_book([_passage(target, findings), _passage(other, other.findings)][::order], count)
        yield _probe_item(cast("ProbeAxis", axis), target.id, question, options, right, book, version)


def embedded(config: CurriculumConfig, *, knowledge: int, reading: int, count: TokenCount) -> list[ProbeItem]:
    """Return at most ``knowledge`` items on taught facts and ``reading`` pairs of reading and faithfulness items.

    The seed of ``config`` fixes the items.
    """
    rng = Random(f"{EXAM}-{config.seed}")
    wider = build_curriculum(config.model_copy(update={"dossiers": config.dossiers + 2 * reading}))
    beyond = wider.dossiers[config.dossiers :]
    items = list(_knowledge(wider, knowledge, rng))
    all_findings = sorted({finding for dossier in beyond for finding in dossier.findings})
    for target, other in zip(beyond[::2], beyond[1::2], strict=True):
        shared = set(target.findings) & set(other.findings)
        unseen = [name for name in all_findings if name not in target.findings and name not in other.findings]
        if not shared and len(unseen) >= 2:
            items += _reading(target, other, unseen, count, wider.version, rng)
    if not items:
        raise MedctxError("The probe has no items; raise probe.knowledge or probe.reading, or set probe.every=0.")
    return items
