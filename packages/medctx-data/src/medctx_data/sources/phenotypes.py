"""Medical Dialogues that teach the embedded facts: short questions and answers, several wordings of each fact.

Every session asks a few different facts, as a clinician quizzing a colleague would; the wordings here never
appear in the exam (``medctx_eval.exams.generated.phenotypes`` has its own).
"""

from __future__ import annotations

from collections import Counter
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
BLOCK = 20
"""Facts taught together where each is to be named a given number of times."""


Rounds = Iterator[tuple[Fact, str]]


def _rounds(facts: list[Fact], rng: Random) -> Rounds:
    """Endless (fact, question) pairs: each round asks every fact once, in a new order and its next wording."""
    starts = {fact.id: rng.randrange(len(WORDINGS[fact.kind])) for fact in facts}
    turn = 0
    while True:
        for fact in rng.sample(facts, len(facts)):
            wordings = WORDINGS[fact.kind]
            yield fact, wordings[(starts[fact.id] + turn) % len(wordings)].format(subject=fact.subject)
        turn += 1


def _spread(facts: list[Fact]) -> list[Fact]:
    """Order the facts so that those of each kind are evenly spaced."""
    sizes = Counter(fact.kind for fact in facts)
    seen: Counter[str] = Counter()
    places: list[tuple[float, int]] = []
    for number, fact in enumerate(facts):
        seen[fact.kind] += 1
        places.append(((seen[fact.kind] - 0.5) / sizes[fact.kind], number))
    return [facts[number] for _, number in sorted(places)]


def _blocks(facts: list[Fact], exposures: int, rng: Random) -> Rounds:
    """Endless pairs: the facts of one block ``exposures`` times each, then those of the next, and so around."""
    spread = _spread(facts)
    while True:
        for begin in range(0, len(spread), BLOCK):
            block = spread[begin : begin + BLOCK]
            yield from islice(_rounds(block, rng), exposures * len(block))


def dialogues(curriculum: Curriculum, seed: int) -> Iterator[Dialogue]:
    """Endless medical Dialogues over the taught facts, deterministic by seed."""
    rng = Random(f"hpo-dialogues-{seed}")
    taught = [fact for fact in curriculum.facts if fact.taught]
    exposures = curriculum.exposures
    questions = _rounds(taught, rng) if exposures is None else _blocks(taught, exposures, rng)
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
