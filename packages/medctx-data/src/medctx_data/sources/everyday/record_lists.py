"""General Dialogues in the form of the reading exams: facts of many entities, one of which is asked for.

A control, not a default: a list of records is put before the questions, and every answer is the fact of one of them,
as in the exams ``records-reading`` and ``phenotypes-reading``. Training on it rehearses the exam's own form on other
words. Where answers are shuffled they are those of other records: the form is rehearsed, and reading is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from medctx.schemas.records import Dialogue, Turn
from medctx_data.sources.everyday.words import GOODS, LICENCE, STORES, TOWNS, people

MOST_RECORDS = 12
NUMBERS = ("locker number", "house number", "ticket number", "library card number", "account number", "start number")

Question = tuple[str, str]
Scene = tuple[list[str], list[Question]]


def _purchases(rng: Random, size: int) -> Scene:
    records, questions = [], []
    for person in people(rng, size):
        bought = rng.sample(GOODS, rng.randint(3, 6))
        line = rng.choice(("Customer {p}. Purchases: {g}.", "{p} bought: {g}.", "Receipt for {p}: {g}."))
        records.append(line.format(p=person, g=", ".join(bought)))
        question = rng.choice(
            ("Which article did {p} buy?", "What is on the list of {p}?", "Name one thing that {p} purchased.")
        )
        questions.append((question.format(p=person), rng.choice(bought).capitalize()))
    return records, questions


def _owners(rng: Random, size: int) -> Scene:
    goods = rng.sample(GOODS, size * 3)
    records, questions = [], []
    for number, person in enumerate(people(rng, size)):
        contents = goods[number * 3 : number * 3 + 3]
        records.append(f"Locker of {person}. Contents: {', '.join(contents)}.")
        questions.append((f"In whose locker is the {rng.choice(contents)}?", person))
    return records, questions


def _passengers(rng: Random, size: int) -> Scene:
    records, questions = [], []
    for person, town in zip(people(rng, size), rng.sample(TOWNS, size), strict=True):
        seat = rng.randint(1, 90)
        records.append(f"Passenger {person} travels to {town} on seat {seat}.")
        questions.append(
            rng.choice(
                (
                    (f"Where does {person} travel?", town),
                    (f"Who travels to {town}?", person),
                    (f"Which seat has {person}?", f"Seat {seat}"),
                )
            )
        )
    return records, questions


def _inventory(rng: Random, size: int) -> Scene:
    records, questions = [], []
    for number, item in enumerate(rng.sample(GOODS, size)):
        amount, store = rng.randint(2, 60), rng.choice(STORES)
        records.append(f"Entry {number + 1}: {amount} pieces of {item}, kept in the {store}.")
        questions.append(
            rng.choice(
                (
                    (f"How many pieces of {item} are there?", str(amount)),
                    (f"Where is the {item} kept?", f"In the {store}"),
                )
            )
        )
    return records, questions


def _timetable(rng: Random, size: int) -> Scene:
    records, questions = [], []
    for town in rng.sample(TOWNS, size):
        time, platform = f"{rng.randint(5, 22)}:{rng.choice(('05', '15', '20', '35', '40', '50'))}", rng.randint(1, 12)
        records.append(f"The train to {town} leaves at {time} from platform {platform}.")
        questions.append(
            rng.choice(
                (
                    (f"When does the train to {town} leave?", f"At {time}"),
                    (f"From which platform does one travel to {town}?", f"Platform {platform}"),
                )
            )
        )
    return records, questions


def _numbers(rng: Random, size: int) -> Scene:
    kind = rng.choice(NUMBERS)
    values = rng.sample(range(100, 1000), size)
    sentences = [f"The {kind} of {person} is {value}." for person, value in zip(people(rng, size), values, strict=True)]
    return sentences, [
        (f"What is {sentence[0].lower()}{sentence[1:].partition(' is ')[0]}?", sentence.rstrip("."))
        for sentence in sentences
    ]


SCENES: tuple[tuple[Callable[[Random, int], Scene], int], ...] = (
    (_purchases, 6),
    (_owners, 4),
    (_numbers, 4),
    (_passengers, 2),
    (_inventory, 2),
    (_timetable, 2),
)
OPENINGS = (
    "{text}\n\n{question}",
    "Read this list.\n\n{text}\n\n{question}",
    "{text}\n\nAnswer from the text above: {question}",
    "Use only these notes.\n\n{text}\n\nQuestion: {question}",
)


def _shuffle(questions: list[Question], rng: Random) -> list[Question]:
    """Every question with the answer of another one."""
    turn = rng.randrange(1, len(questions))
    answers = [answer for _, answer in questions]
    return [
        (question, answer) for (question, _), answer in zip(questions, answers[turn:] + answers[:turn], strict=True)
    ]


def dialogues(seed: int, *, shuffled: bool = False) -> Iterator[Dialogue]:
    """Endless Dialogues, deterministic by ``seed``; ``shuffled`` changes answers and nothing else."""
    source = "everyday-exam-shuffled" if shuffled else "everyday-exam-shaped"
    rng, order = Random(f"everyday-lists-{seed}"), Random(f"everyday-shuffled-{seed}")
    makers, weights = zip(*SCENES, strict=True)
    for number in count():
        size = rng.choice((2, 2, 3, 3, 4, 4, 6, 8, MOST_RECORDS))
        records, questions = rng.choices(makers, weights)[0](rng, size)
        rng.shuffle(records)
        chosen = rng.sample(range(len(questions)), min(len(questions), rng.randint(2, 4)))
        if shuffled:
            questions = _shuffle(questions, order)
        turns = []
        for position, place in enumerate(chosen):
            question, answer = questions[place]
            opening = rng.choice(OPENINGS).format(text="\n".join(records), question=question)
            turns.append(Turn(role="user", content=opening if position == 0 else question))
            turns.append(Turn(role="assistant", content=f"{answer}."))
        yield Dialogue(
            id=f"{source}-{seed}-{number}", domain="general", source=source, turns=tuple(turns), licence=LICENCE
        )
