"""Which embedded facts are taught, which are held back, and which are only ever read.

Training (medctx_data) and exam (medctx_eval) must agree on this to the last fact, and must not import each
other: so the split lives on the floor. It depends on the seed and the sizes alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from random import Random

from pydantic import Field

from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.facts import phenotypes
from medctx.schemas.records import Record

FINDINGS_IN_DOSSIER = 6
_NAME_CHARS = range(6, 37)
_FINDING_CHARS = range(4, 31)
_DEFINITION_CHARS = range(30, 141)


class CurriculumConfig(Config):
    """Sizes of the split, and how often a fact is taught.

    Without ``exposures`` medical Dialogues go round all taught facts: half as many tokens name the same facts half as
    often. With it they teach facts in blocks, each fact so many times before the next block begins: half as many tokens
    name half as many facts, as often as before.
    """

    seed: int = Field(0, description="Seed of the split.")
    taught_findings: int = Field(100, ge=4, description="Findings that medical Dialogues teach.")
    taught_terms: int = Field(25, ge=4, description="Terms that medical Dialogues teach.")
    untaught_findings: int = Field(40, ge=4, description="Findings that are asked and never taught.")
    dossiers: int = Field(240, ge=8, description="Diseases kept for reading, seen in no Dialogue.")
    exposures: int | None = Field(
        None, ge=1, description="Times each taught fact is named before further facts are taught; null: no limit."
    )


class Fact(Record):
    """``subject`` (a disease, or a definition) has ``answer`` (a finding, or the term defined)."""

    id: str
    kind: str
    subject: str
    answer: str
    taught: bool


class Dossier(Record):
    """A disease that is only read about, with the findings its dossier lists."""

    id: str
    name: str
    findings: tuple[str, ...]


class Curriculum(Record):
    """The split of the ontology by one seed. No disease, term or answer occurs in two parts."""

    version: str
    citation: str
    facts: tuple[Fact, ...]
    dossiers: tuple[Dossier, ...]
    exposures: int | None = None

    def taught(self, kind: str) -> list[Fact]:
        """The taught facts of a kind."""
        return [fact for fact in self.facts if fact.kind == kind and fact.taught]

    def untaught(self, kind: str) -> list[Fact]:
        """The facts of a kind that exams ask and no mix teaches."""
        return [fact for fact in self.facts if fact.kind == kind and not fact.taught]


@cache  # one finding is annotated to many diseases
def _is_plain(name: str) -> bool:
    return len(name) in _FINDING_CHARS and re.fullmatch(r"[A-Za-z][A-Za-z \-]+", name) is not None


def _is_speaking(disease: str) -> bool:
    return len(disease) in _NAME_CHARS and re.fullmatch(r"[A-Za-z][A-Za-z0-9 \-]+", disease) is not None


def _plain(names: Iterable[str]) -> list[str]:
    return [name for name in names if _is_plain(name)]


def _family(name: str) -> str:
    """Types of one disease share findings: only one of a family is used ("Bethlem myopathy 2" -> "bethlem")."""
    return name.lower().split()[0].rstrip(",")


@cache
def _stems(answer: str) -> tuple[str, ...]:
    return tuple(word[:5] for word in answer.lower().split() if len(word) > 3)


def _echoes(answer: str, subject: str) -> bool:
    """Whether the subject gives its answer away ("Lissencephaly 3": "Lissencephaly")."""
    lowered = subject.lower()
    return any(stem in lowered for stem in _stems(answer))


def _candidates(ontology: phenotypes.Ontology, rng: Random) -> list[tuple[phenotypes.Disease, list[str]]]:
    usable, families = [], set()
    diseases = list(ontology.diseases)
    rng.shuffle(diseases)
    for disease in diseases:
        if not _is_speaking(disease.name) or _family(disease.name) in families:
            continue
        findings = [finding for finding in _plain(disease.findings) if not _echoes(finding, disease.name)]
        if len(findings) >= FINDINGS_IN_DOSSIER:
            families.add(_family(disease.name))
            usable.append((disease, rng.sample(findings, len(findings))))
    return usable


def _terms(ontology: phenotypes.Ontology, rng: Random, used: set[str]) -> list[phenotypes.Term]:
    terms = [
        term
        for term in ontology.terms
        if len(term.definition) in _DEFINITION_CHARS
        and _plain([term.name])
        and term.name not in used
        and not _echoes(term.name, term.definition)
    ]
    rng.shuffle(terms)
    return terms


def build_curriculum(config: CurriculumConfig) -> Curriculum:
    """Split the ontology. Deterministic by ``config``; raises MedctxError where the ontology is too small."""
    ontology = phenotypes.load_phenotypes()
    rng = Random(f"curriculum-{config.seed}")
    candidates = _candidates(ontology, rng)
    facts: list[Fact] = []
    used: set[str] = set()
    requested = config.taught_findings + config.untaught_findings
    position = 0
    while len(facts) < requested and position < len(candidates):
        disease, findings = candidates[position]
        position += 1
        fresh = [finding for finding in findings if finding not in used]
        if fresh:
            used.add(fresh[0])
            taught = len(facts) < config.taught_findings
            facts.append(Fact(id=disease.id, kind="finding", subject=disease.name, answer=fresh[0], taught=taught))
    terms = _terms(ontology, rng, used)[: config.taught_terms]
    facts += [Fact(id=t.id, kind="term", subject=t.definition, answer=t.name, taught=True) for t in terms]
    readable = candidates[position : position + config.dossiers]
    if len(readable) < config.dossiers or len(terms) < config.taught_terms:
        raise MedctxError(
            f"The ontology {ontology.version} has {len(candidates)} usable diseases and {len(terms)} terms, too few "
            f"for {requested} facts, {config.dossiers} dossiers and {config.taught_terms} terms; lower the "
            "curriculum's sizes."
        )
    dossiers = tuple(
        Dossier(id=disease.id, name=disease.name, findings=tuple(findings[:FINDINGS_IN_DOSSIER]))
        for disease, findings in readable
    )
    return Curriculum(
        version=ontology.version,
        citation=ontology.citation,
        facts=tuple(facts),
        dossiers=dossiers,
        exposures=config.exposures,
    )
