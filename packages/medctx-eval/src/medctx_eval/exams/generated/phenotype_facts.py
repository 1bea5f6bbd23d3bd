"""``phenotypes-facts``: the facts that medical Dialogues teach, and untaught ones, each with evidence that states it.

A sheet has four diseases with one finding each, every one in a Passage of its own
(``medctx_eval.exams.generated.sheets``). Every disease is asked about in both directions: for its finding, and for
the disease of the finding, in wordings that no Dialogue has. The options are the sheet's four findings, or its four
diseases: answers of other facts of the same kind, as often taught as the right one. None of the other three findings is
annotated to the disease asked about.

The same items are asked closed, with their sheet (gold), with a sheet on which the findings have moved on to other
diseases of the sheet (counterfactual) and with one that does not hold what is asked about (distractor): the findings
offered are stated of other diseases that have them, the diseases offered with other findings of theirs. So what a model
knows, reads, trusts and invents is seen on the same items. As many taught facts are asked about as untaught ones:
knowledge is the accuracy on taught facts less that on untaught ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from pydantic import Field

from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.facts import phenotypes
from medctx.facts.curriculum import Curriculum, Fact
from medctx.facts.phenotypes import Ontology
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import Record
from medctx_eval.exams.exam import Exam, seal_exam
from medctx_eval.exams.generated import sheets
from medctx_eval.exams.generated.phrasing import Phrasing
from medctx_eval.exams.generated.sheets import ENTITIES, Sheet

NAME = "phenotypes-facts"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z \-]{3,29}")
_READABLE = re.compile(r"[A-Za-z][A-Za-z0-9 \-]{5,35}")

STATEMENT = "A finding described in {entity} is {value}."
FORWARD = "Which finding is described in {entity}?"
REVERSE = "In which condition is {value} described?"


class FactsConfig(Config):
    """Form of the exam ``phenotypes-facts``."""

    options: Literal["sentence", "answer"] = Field(
        "sentence", description="Options as the page's whole sentence, or as the finding or disease alone."
    )
    directions: tuple[Literal["forward", "reverse"], ...] = Field(
        ("forward", "reverse"),
        min_length=1,
        description="Questions: forward asks a disease's finding, reverse a finding's disease.",
    )


def phrasing(config: FactsConfig) -> Phrasing:
    """Statement, questions and options in the form asked for."""
    bare = config.options == "answer"
    return Phrasing(
        statement=STATEMENT,
        forward=FORWARD if "forward" in config.directions else "",
        reverse=REVERSE if "reverse" in config.directions else "",
        forward_option="{value}." if bare else "",
        reverse_option="{entity}." if bare else "",
    )


class _Stated(Record):
    """A fact as a sheet states it, and other diseases of which it is true."""

    fact: Fact
    value: str
    others: tuple[str, ...]


def _inner(finding: str) -> str:
    """A finding within a sentence: its first letter small, unless a capital or a single letter follows."""
    return finding[:1].lower() + finding[1:] if finding[1:2].islower() else finding


def _family(name: str) -> str:
    """Types of one disease begin with the same word."""
    return name.lower().split()[0].rstrip(",")


def _holders(ontology: Ontology, curriculum: Curriculum) -> dict[str, list[str]]:
    """By finding, readable names of diseases that have it, of families that no fact and no dossier is about."""
    used = {_family(fact.subject) for fact in curriculum.facts if fact.kind == "finding"}
    used |= {_family(dossier.name) for dossier in curriculum.dossiers}
    holders: dict[str, list[str]] = defaultdict(list)
    for disease in ontology.diseases:
        if _family(disease.name) not in used and _READABLE.fullmatch(disease.name) and not disease.name.isupper():
            for finding in disease.findings:
                holders[finding].append(disease.name)
    return holders


def _stated(facts: Sequence[Fact], holders: Mapping[str, Sequence[str]]) -> list[_Stated]:
    """The facts whose finding other diseases have, too: the others cannot stand on a page about strangers."""
    return [
        _Stated(fact=fact, value=_inner(fact.answer), others=tuple(holders.get(fact.answer, ())))
        for fact in facts
        if holders.get(fact.answer)
    ]


def _true_of(first: _Stated, second: _Stated, annotated: Mapping[str, Sequence[str]]) -> bool:
    """Whether the finding of one of two facts is annotated to the disease of the other."""
    return first.fact.answer in annotated.get(second.fact.id, ()) or second.fact.answer in annotated.get(
        first.fact.id, ()
    )


def _fours(stated: Sequence[_Stated], annotated: Mapping[str, Sequence[str]]) -> Iterator[list[_Stated]]:
    """Groups of four facts in order, no finding of which is true of another's disease."""
    waiting = list(stated)
    while waiting:
        group: list[_Stated] = []
        passed: list[_Stated] = []
        for candidate in waiting:
            fits = len(group) < ENTITIES and not any(_true_of(candidate, member, annotated) for member in group)
            (group if fits else passed).append(candidate)
        if len(group) < ENTITIES:
            return
        yield group
        waiting = passed


def _draw_different(choices: Sequence[Sequence[str]], rng: Random) -> tuple[str, ...] | None:
    """One of each of the ``choices``, all different; nothing where one has none left."""
    chosen: list[str] = []
    for names in choices:
        left = [name for name in names if name not in chosen]
        if not left:
            return None
        chosen.append(rng.choice(left))
    return tuple(chosen)


def _other_findings(
    group: Sequence[_Stated], annotated: Mapping[str, Sequence[str]], answers: Collection[str]
) -> list[list[str]]:
    """For each fact of the group, further findings of its disease that are the answer of no fact."""
    return [
        [_inner(name) for name in annotated[stated.fact.id] if name not in answers and _PLAIN.fullmatch(name)]
        for stated in group
    ]


@dataclass(frozen=True, slots=True)
class _Known:
    """Findings by disease id, diseases by finding, and the answers of all facts."""

    annotated: Mapping[str, Sequence[str]]
    holders: Mapping[str, Sequence[str]]
    answers: Collection[str]


def _sheets(facts: Sequence[Fact], known: _Known, form: Phrasing, seed: int) -> Iterator[Sheet]:
    for group in _fours(_stated(facts, known.holders), known.annotated):
        # Drawn by its facts: the pages of a fact do not change with how many others are asked about.
        ids = tuple(stated.fact.id for stated in group)
        rng = Random(f"phenotype-facts-{seed}-{ids}")
        strangers = _draw_different([stated.others for stated in group], rng)
        others = _draw_different(_other_findings(group, known.annotated, known.answers), rng)
        if strangers is None or others is None:
            continue
        yield Sheet(
            id=f"{NAME}/{ids[0]}",
            phrasing=form,
            entities=tuple(stated.fact.subject for stated in group),
            values=tuple(stated.value for stated in group),
            strangers=strangers,
            other_values=others,
            order=sheets.draw_order(rng),
            turn=rng.randrange(1, ENTITIES),
            facts=ids,
        )


def build(config: FactsConfig, curriculum: Curriculum, seed: int) -> Exam:
    """The exam of a curriculum, deterministic by ``seed``.

    Raises:
        MedctxError: The curriculum has too few facts for one sheet of taught and one of untaught facts.
    """
    ontology = phenotypes.load_phenotypes()
    known = _Known(
        annotated={disease.id: disease.findings for disease in ontology.diseases},
        holders=_holders(ontology, curriculum),
        answers={fact.answer for fact in curriculum.facts},
    )
    form = phrasing(config)
    taught = list(_sheets(curriculum.taught("finding"), known, form, seed))
    untaught = list(_sheets(curriculum.untaught("finding"), known, form, seed))
    count = min(len(taught), len(untaught))
    if not count:
        raise MedctxError(
            f"The curriculum gives {len(taught)} sheets of taught and {len(untaught)} of untaught findings, but the "
            f"exam {NAME} needs one of each; raise curriculum.taught_findings or curriculum.untaught_findings."
        )
    card = ExamCard(
        name=NAME,
        source=f"generated by medctx from the Human Phenotype Ontology, release {curriculum.version}",
        licence=phenotypes.LICENCE,
        citation=curriculum.citation,
        generated=True,
    )
    # In turns, so that a limit keeps as many of either.
    turns = [
        (sheet, tag)
        for pair in zip(taught, untaught, strict=False)
        for sheet, tag in zip(pair, ("yes", "no"), strict=True)
    ]
    items_of_sheets = [(sheet, sheets.items(card, sheet, taught=tag)) for sheet, tag in turns]
    return seal_exam(
        card,
        [item for _, several in items_of_sheets for item in several],
        [record for sheet, _ in items_of_sheets for record in sheets.records(sheet)],
        [altered for sheet, several in items_of_sheets for altered in sheets.alterations(sheet, several)],
        [omitted for sheet, several in items_of_sheets for omitted in sheets.omissions(sheet, several)],
    )
