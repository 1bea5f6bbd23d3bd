"""General Dialogues the project generates: reading and instruction following on non-medical text.

A text is put before the questions and every answer stands in it, or follows from it: who bought what, who
travels where, what a store holds, when a train leaves, small sums, and a given output format. Contexts grow
from one record to :data:`MOST_RECORDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from medctx.schemas.records import Dialogue, Turn

MOST_RECORDS = 12

FIRST = (
    "Anna Boris Clara David Elena Felix Greta Hugo Irene Jonas Karla Leon Maria Nils Olga Paul Rosa Stefan Tina Victor "
    "Wanda Xavier Yara Zeno Amir Bella Carlos Dora Emil Fatima Goran Hanna Ivan Julia Kofi Lena Marco Nadia Oscar Petra"
).split()
LAST = (
    "Abel Berg Costa Dahl Engel Fuchs Grant Hale Ibsen Jung Klein Lund Meyer Novak Olsen Prinz Quist Reyes Stone "
    "Torres Ude Vogel Weber Young Ziegler Adler Brook Clarke Duarte Evans Frost Gomez Hart Ivers Jansen Keller"
).split()
GOODS = (
    "blue ribbon|copper kettle|garden hose|leather belt|paper lantern|wool blanket|silver spoon|desk lamp|clay pot|"
    "straw hat|bicycle pump|chess board|rain coat|picture frame|bread knife|alarm clock|oak chair|glass bowl|tool box|"
    "sun umbrella|tea cup|hand mirror|travel bag|candle holder|floor mat|wall map|coffee grinder|fishing rod|door bell|"
    "paint brush|sewing kit|snow shovel|water bottle|yellow scarf|music box|stone vase|kitchen scale|rubber boots|"
    "folding table|camping stove|post card|wooden spoon|magnifying glass|steel ladder|velvet curtain|tin whistle"
).split("|")
TOWNS = (
    "Aldenham Brookfield Carrow Dunmore Eastleigh Farnham Grayton Hollis Ingleby Jarrow Kingsford Langley Merton "
    "Norwood Oakdale Penrith Quarley Redcar Selby Thornton Upton Verwood Walden Yarm Ashby Belford Corby Denton"
).split()
STORES = ("north shed", "blue cabinet", "cellar", "attic", "front office", "workshop", "garage", "loading bay")

Question = tuple[str, str]
Scene = tuple[list[str], list[Question]]


def _people(rng: Random, size: int) -> list[str]:
    lasts = rng.sample(LAST, size)
    return [f"{rng.choice(FIRST)} {last}" for last in lasts]


def _purchases(rng: Random, size: int) -> Scene:
    records, questions = [], []
    for person in _people(rng, size):
        bought = rng.sample(GOODS, rng.randint(3, 6))
        line = rng.choice(("Customer {p}. Purchases: {g}.", "{p} bought: {g}.", "Receipt for {p}: {g}."))
        records.append(line.format(p=person, g=", ".join(bought)))
        asked = rng.choice(
            ("Which article did {p} buy?", "What is on the list of {p}?", "Name one thing that {p} purchased.")
        )
        questions.append((asked.format(p=person), rng.choice(bought).capitalize()))
    return records, questions


def _owners(rng: Random, size: int) -> Scene:
    goods = rng.sample(GOODS, size * 3)
    records, questions = [], []
    for number, person in enumerate(_people(rng, size)):
        own = goods[number * 3 : number * 3 + 3]
        records.append(f"Locker of {person}. Contents: {', '.join(own)}.")
        questions.append((f"In whose locker is the {rng.choice(own)}?", person))
    return records, questions


def _passengers(rng: Random, size: int) -> Scene:
    records, questions = [], []
    for person, town in zip(_people(rng, size), rng.sample(TOWNS, size), strict=True):
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


def _sums(rng: Random, size: int) -> Scene:
    records, questions = [], []
    for person in _people(rng, min(size, 4)):
        first, second = rng.randint(2, 30), rng.randint(2, 30)
        records.append(f"{person} has {first} red marbles and {second} green marbles.")
        questions.append((f"How many marbles has {person} altogether?", f"{first} + {second} = {first + second}"))
    return records, questions


def _formats(rng: Random, size: int) -> Scene:
    words = rng.sample(GOODS, min(max(size, 3), 6))
    shouted = ", ".join(word.upper() for word in words[:3])
    return [f"Items: {', '.join(words)}."], [
        ("Write the first three items in capital letters, separated by commas.", shouted),
        ("How many items are listed?", str(len(words))),
        ("Give the last item.", words[-1].capitalize()),
    ]


SCENES: tuple[tuple[Callable[[Random, int], Scene], int], ...] = (
    (_purchases, 6),
    (_owners, 4),
    (_passengers, 2),
    (_inventory, 2),
    (_timetable, 2),
    (_sums, 1),
    (_formats, 1),
)
OPENINGS = (
    "{text}\n\n{question}",
    "Read this list.\n\n{text}\n\n{question}",
    "{text}\n\nAnswer from the text above: {question}",
    "Use only these notes.\n\n{text}\n\nQuestion: {question}",
)


def dialogues(seed: int) -> Iterator[Dialogue]:
    """Endless general Dialogues, deterministic by seed."""
    rng = Random(f"everyday-{seed}")
    makers, weights = zip(*SCENES, strict=True)
    for number in count():
        size = rng.choice((1, 1, 2, 2, 3, 3, 4, 4, 6, 8, MOST_RECORDS))
        records, questions = rng.choices(makers, weights)[0](rng, size)
        chosen = rng.sample(questions, min(len(questions), rng.randint(2, 4)))
        turns = []
        for position, (question, answer) in enumerate(chosen):
            opening = rng.choice(OPENINGS).format(text="\n".join(records), question=question)
            turns.append(Turn(role="user", content=opening if position == 0 else question))
            turns.append(Turn(role="assistant", content=f"{answer}."))
        yield Dialogue(
            id=f"everyday-{seed}-{number}",
            domain="general",
            source="everyday",
            turns=tuple(turns),
            licence="Apache-2.0 (generated by medctx)",
        )
