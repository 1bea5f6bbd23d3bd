"""Medical Dialogues that teach the embedded facts: short questions and answers, several wordings of each fact.

Every session asks a few different facts, as a clinician quizzing a colleague would; the wordings here never
appear in the exam (``medctx_eval.exams.generated.phenotypes`` has its own).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from random import Random

from medctx.facts import phenotypes
from medctx.facts.curriculum import Curriculum, Fact
from medctx.schemas.records import Dialogue, Turn

WORDINGS: dict[str, tuple[str, ...]] = {
    "finding": (
        "What is a typical finding in {subject}?",
        "Which sign would you expect in a patient with {subject}?",
        "Name a clinical feature of {subject}.",
        "A patient has {subject}. What may the examination show?",
        "Which abnormality is {subject} associated with?",
        "Tell me one manifestation of {subject}.",
    ),
    "term": (
        "What is the medical term for the following? {subject}",
        "Name the phenotype: {subject}",
        "{subject} What is this called?",
        "Give the term that fits this definition: {subject}",
    ),
}
TURNS = 3


def _rounds(facts: list[Fact], rng: Random) -> Iterator[tuple[Fact, str]]:
    """Endless (fact, question) pairs: each round asks every fact once, in a new order and its next wording."""
    starts = {fact.id: rng.randrange(len(WORDINGS[fact.kind])) for fact in facts}
    turn = 0
    while True:
        for fact in rng.sample(facts, len(facts)):
            wordings = WORDINGS[fact.kind]
            yield fact, wordings[(starts[fact.id] + turn) % len(wordings)].format(subject=fact.subject)
        turn += 1


def dialogues(curriculum: Curriculum, seed: int) -> Iterator[Dialogue]:
    """Endless medical Dialogues over the taught facts, deterministic by seed."""
    rng = Random(f"hpo-dialogues-{seed}")
    taught = [fact for fact in curriculum.facts if fact.taught]
    questions = _rounds(taught, rng)
    for number in count():
        session = list(islice(questions, TURNS))
        turns = [
            turn
            for fact, question in session
            for turn in (Turn(role="user", content=question), Turn(role="assistant", content=f"{fact.answer}."))
        ]
        yield Dialogue(
            id=f"phenotypes-{seed}-{number}",
            domain="medical",
            source="phenotypes",
            turns=tuple(turns),
            licence=phenotypes.LICENCE,
            facts=tuple(sorted({fact.id for fact, _ in session})),
        )
