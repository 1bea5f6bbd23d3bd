"""General Dialogues the project generates: everyday tasks in the style of instruction data, none in that of an exam.

Short stories with questions about reasons and outcomes, word problems, rewriting, sorting, notes and directions. No
Dialogue lists facts of several entities to ask for the fact of one, as the reading exams do; that form is the control
``medctx_data.sources.everyday.record_lists``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from medctx.schemas.records import Dialogue, Turn
from medctx_data.sources.everyday.words import FIRST, GOODS, LICENCE, TOWNS

Exchange = tuple[str, str]
Scene = list[Exchange]

_TRIPS = (
    ("needed flour for a cake", "the mill", "bake the cake before supper"),
    ("had promised to feed the neighbour's hens", "the farm", "collect six warm eggs"),
    ("wanted to return a borrowed ladder", "the school", "mend the gate at last"),
    ("had forgotten an umbrella the day before", "the station", "walk home dry"),
    ("hoped to hear the new choir", "the chapel", "learn two of the songs"),
    ("was looking for a lost dog", "the river", "bring the dog home on a rope"),
    ("had been asked to judge the plum jam", "the fair", "taste eleven jars of it"),
    ("wished to see the first snow on the hill", "the lookout", "build a small snowman"),
    ("had to fetch a parcel from abroad", "the post office", "open the parcel on the way"),
    ("meant to buy seeds for the garden", "the market", "sow a row of peas"),
    ("wanted to practise for the boat race", "the harbour", "row twice around the island"),
    ("had an old clock that no longer struck", "the workshop", "hear the clock strike again"),
)
_OBSTACLES = (
    ("the bridge was closed", "took the longer path through the wood"),
    ("it began to rain", "waited under a chestnut tree"),
    ("the bus did not come", "walked the whole way"),
    ("a goat blocked the lane", "offered it an apple"),
    ("the shoes were too tight", "went on barefoot"),
    ("the map was of another county", "asked a postman for the way"),
    ("a wheel came off the cart", "carried everything by hand"),
    ("the gate was locked", "climbed over the wall"),
)
_MOODS = ("tired but content", "in the best of moods", "a little late", "later than planned", "before anyone noticed")
_MAKERS = (
    ("A baker", "bakes", "rolls"),
    ("A gardener", "plants", "tulips"),
    ("A school", "orders", "pencils"),
    ("A carpenter", "cuts", "boards"),
    ("A potter", "fires", "bowls"),
    ("A printer", "prints", "posters"),
    ("A farmer", "picks", "pears"),
    ("A tailor", "sews", "buttons"),
)
_REQUESTS = (
    ("Close the window", "close the window"),
    ("Send me the address", "send me the address"),
    ("Wait for the others", "wait for the others"),
    ("Turn the music down", "turn the music down"),
    ("Show me the way to the station", "show me the way to the station"),
    ("Keep a seat for my brother", "keep a seat for my brother"),
    ("Read the last page again", "read the last page again"),
    ("Put the boxes in the hall", "put the boxes in the hall"),
    ("Call the plumber today", "call the plumber today"),
    ("Bring two chairs", "bring two chairs"),
)
_PAST = (
    ("walk", "walked"), ("buy", "bought"), ("sing", "sang"), ("write", "wrote"), ("mend", "mended"), ("see", "saw"),
    ("carry", "carried"), ("find", "found"), ("bring", "brought"), ("paint", "painted"), ("sell", "sold"),
    ("hold", "held"),
)  # fmt: skip
_NEWS = (
    "the meeting has moved to Friday",
    "the heating will be repaired on Monday",
    "the library closes an hour earlier this week",
    "the rehearsal takes place in the gym",
    "the parcel is with the neighbours",
    "the train will leave from the old platform",
    "the picnic is put off because of the storm",
    "the spare key hangs behind the door",
    "the garden party begins after sunset",
    "the new timetable starts in June",
)
_TASKS = (
    (
        "make a pot of tea",
        "Boil fresh water and warm the pot.|Put in a spoonful of leaves for each cup.|Pour the water over the leaves "
        "and wait four minutes.|Pour the tea through a strainer.",
    ),
    (
        "plant a tree",
        "Dig a hole twice as wide as the roots.|Set the tree upright into it.|Fill the hole with loose soil and tread "
        "it down gently.|Water it well.",
    ),
    (
        "wrap a present",
        "Lay the box on a sheet of paper.|Fold the long sides over it and fix them with tape.|Fold the ends to "
        "triangles and tape them, too.|Tie a ribbon around it.",
    ),
    (
        "sew on a button",
        "Thread a needle and tie a knot.|Pass the needle through the cloth and a hole of the button several times.|"
        "Wind the thread around the stem.|Fasten it at the back.",
    ),
    (
        "mend a flat bicycle tyre",
        "Take the wheel off and pull out the tube.|Find the hole by listening for air.|Roughen the place and glue a "
        "patch on it.|Put everything back and pump it up.",
    ),
    (
        "write an invitation",
        "Say what is celebrated.|Name the day, the hour and the place.|Ask for an answer.|Sign it with your name.",
    ),
    (
        "clean a window",
        "Dust the frame first.|Wash the glass with soapy water.|Wipe it dry from top to bottom.|Polish the edges with "
        "paper.",
    ),
    (
        "paint a fence",
        "Brush off the dirt and the old paint.|Stir the new paint well.|Paint along the grain, from top to bottom.|Let "
        "it dry before the second coat.",
    ),
)
_OPPOSITES = (
    ("early", "late"), ("narrow", "wide"), ("noisy", "quiet"), ("empty", "full"), ("rough", "smooth"),
    ("cheap", "dear"), ("ancient", "new"), ("shallow", "deep"), ("heavy", "light"), ("clumsy", "skilful"),
    ("distant", "near"), ("generous", "mean"),
)  # fmt: skip


def _story(rng: Random) -> Scene:
    person, companion = rng.sample(FIRST, 2)
    reason, place, outcome = rng.choice(_TRIPS)
    trouble, remedy = rng.choice(_OBSTACLES)
    town, mood = rng.choice(TOWNS), rng.choice(_MOODS)
    text = (
        f"{person} {reason} and set out for {place} in {town}. On the way {trouble}, so {person} {remedy}. In the end "
        f"there was time to {outcome}, and {person} and {companion} came home {mood}."
    )
    questions = [
        (f"Why did {person} set out?", f"{person} {reason}."),
        (
            f"What went wrong on the way, and what did {person} do?",
            f"{trouble[0].upper()}{trouble[1:]}, so {person} {remedy}.",
        ),
        ("How did the story end?", f"There was time to {outcome}, and they came home {mood}."),
        ("Tell the story in one sentence.", f"{person} {reason}, {remedy} because {trouble}, and could {outcome}."),
    ]
    first, *others = rng.sample(questions, 3)
    opening = rng.choice(("{text}\n\n{question}", "Here is a short story. {text} {question}", "{question}\n\n{text}"))
    return [(opening.format(text=text, question=first[0]), first[1]), *others]


def _sum(rng: Random) -> Scene:
    who, does, what = rng.choice(_MAKERS)
    first, second = rng.randint(3, 60), rng.randint(2, 40)
    total = first + second
    left = rng.randint(1, total - 1)
    day, other = rng.sample(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"), 2)
    return [
        (
            f"{who} {does} {first} {what} on {day} and {second} more on {other}. How many is that?",
            f"{first} + {second} = {total}, so it is {total} {what}.",
        ),
        (f"And if {left} of them are given away?", f"{total} - {left} = {total - left}, so {total - left} are left."),
    ]


def _rewriting(rng: Random) -> Scene:
    command, inner = rng.choice(_REQUESTS)
    verb, past = rng.choice(_PAST)
    word, opposite = rng.choice(_OPPOSITES)
    thing, person = rng.choice(GOODS), rng.choice(FIRST)
    tasks = [
        (f'Make this request polite: "{command}."', f"Could you please {inner}?"),
        (f'Put this sentence into the past: "I {verb} the {thing}."', f"I {past} the {thing}."),
        (f'Write in capital letters: "{person} and the {thing}".', f"{person} and the {thing}".upper()),
        (f'Turn this into a question: "{person} likes the {thing}."', f"Does {person} like the {thing}?"),
        (f'Say the opposite: "The {thing} is {word}."', f"The {thing} is {opposite}."),
    ]
    return rng.sample(tasks, 3)


def _sorting(rng: Random) -> Scene:
    words = rng.sample(sorted({good.split()[-1] for good in GOODS}), 4)
    longest = max(words, key=lambda word: (len(word), word))
    return [
        (f"Sort these words by the alphabet: {' '.join(words)}.", f"{', '.join(sorted(words))}."),
        ("Which of them is the longest?", f"The longest word is {longest}."),
    ]


def _note(rng: Random) -> Scene:
    reader, writer = rng.sample(FIRST, 2)
    news = rng.choice(_NEWS)
    request = rng.choice(("Write a short note to {reader}: {news}.", "Let {reader} know in a note that {news}."))
    note = f"Dear {reader}, I write to tell you that {news}. Best wishes, {writer}"
    return [
        (f"{request.format(reader=reader, news=news)} Sign it as {writer}.", note),
        ("Make it shorter, please.", f"{reader}, {news}. {writer}"),
    ]


def _directions(rng: Random) -> Scene:
    task, steps = rng.choice(_TASKS)
    listed = steps.split("|")
    request = rng.choice(("How do I {task}?", "Explain how to {task}.", "What do I have to do to {task}?"))
    person = rng.choice(FIRST)
    return [
        (request.format(task=task), " ".join(listed)),
        (
            rng.choice(("What comes last?", f"{person} has done all but the last step. What is left?")),
            listed[-1],
        ),
    ]


SCENES: tuple[tuple[Callable[[Random], Scene], int], ...] = (
    (_story, 6),
    (_rewriting, 4),
    (_sum, 3),
    (_note, 3),
    (_sorting, 2),
    (_directions, 1),
)


def dialogues(seed: int) -> Iterator[Dialogue]:
    """Endless general Dialogues, deterministic by seed."""
    rng = Random(f"everyday-{seed}")
    makers, weights = zip(*SCENES, strict=True)
    for number in count():
        exchanges = rng.choices(makers, weights)[0](rng)
        yield Dialogue(
            id=f"everyday-{seed}-{number}",
            domain="general",
            source="everyday",
            turns=tuple(
                turn
                for question, answer in exchanges
                for turn in (Turn(role="user", content=question), Turn(role="assistant", content=answer))
            ),
            licence=LICENCE,
        )
