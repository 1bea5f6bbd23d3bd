"""Everyday prose from a grammar, which surrounds the needles. It contains no medical word and no digit.

A paragraph follows one person through one morning, afternoon or evening in one village. A sentence is one of
``SENTENCES`` with words filled in, each used at most once per paragraph.
"""

from __future__ import annotations

import re
from random import Random

WORDS: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split("|"))
    for kind, words in {
        "person": (
            "Agnes|Albin|Beata|Bruno|Cecily|Conrad|Delia|Edgar|Elspeth|Ernest|Fiona|Gerald|Gilbert|"
            "Harriet|Hector|Ida|Ingrid|Jasper|Josephine|Kasimir|Lavinia|Leopold|Lydia|Magnus|Mabel|"
            "Norbert|Odette|Osbert|Phoebe|Quentin|Ramona|Rupert|Sabine|Silas|Thekla|Tobias|Ursula|"
            "Vincent|Winifred|Zora"
        ),
        "family": (
            "Arkwright|Bellamy|Birchall|Cartwright|Cobbold|Dunstan|Eversley|Fairbank|Gladwin|Hathaway|"
            "Hollins|Ingram|Jessop|Kettering|Lockhart|Marlowe|Nettleton|Oakshott|Pemberton|Quiller|"
            "Ravenhill|Sedgwick|Tillotson|Underhill|Vickers|Wainwright|Yardley|Ashdown|Blackmore|"
            "Crossley"
        ),
        "village": (
            "Appleford|Barrowmere|Coldbrook|Dovecote Hill|Elmsgate|Fennimore|Goosewater|Hazelden|"
            "Inglebrook|Juniper Cross|Kelmscote|Larkfield|Millbeck|Nutwell|Otterstone|Pebble Bay|"
            "Quarry End|Rushmere|Swanholme|Thistledown|Upper Wick|Vale Priors|Wharfside|Yewbridge|"
            "Amberley Moor|Bracken Ford|Chalk Common|Drovers Rest"
        ),
        "time": (
            "early in the morning|after breakfast|shortly before noon|right after lunch|"
            "in the early afternoon|around tea time|before supper|late in the evening|at first light|"
            "once the shops had opened"
        ),
        "weather": (
            "a thin fog lay over the fields|the wind had turned to the north|a light rain was falling|"
            "the sun stood low over the roofs|clouds were drifting in from the coast|"
            "the puddles had begun to freeze|the air smelled of cut grass|snow still covered the hedges|"
            "it was too warm for a coat|the sky was clear at last"
        ),
        "spot": (
            "the harbour|the post office|the old mill|the market square|the village hall|the railway bridge|"
            "the library|the orchard|the boathouse|the bakery|the bus shelter|the allotments|the sawmill|"
            "the duck pond|the town museum|the cricket ground|the tea room|the lighthouse|the chapel yard|"
            "the cattle market|the toll house|the ferry landing|the schoolhouse|the brick works|"
            "the vineyard|the walled garden"
        ),
        "thing": (
            "a crate of pears|two loaves of rye bread|a ball of green twine|a tin of varnish|"
            "a parcel of old maps|a basket of plums|a roll of canvas|three jars of honey|"
            "a pair of garden shears|a bundle of kindling|a sack of oats|a bag of roasted chestnuts|"
            "a wheel of hard cheese|a dozen brown eggs|a stack of flower pots|a coil of rope|"
            "a box of candles|a jug of cider|some sheets of blotting paper|a length of oak board|a second-"
            "hand radio|a bucket of mussels|a tray of seedlings|a wool rug|a bicycle chain|"
            "a packet of sunflower seeds|a kite with a torn tail|a set of enamel plates|an armful of rhubarb|"
            "a book about bridges"
        ),
        "act": (
            "mended the gate|swept the yard|painted the window frames|stacked the firewood|"
            "sharpened the spades|watered the tomatoes|polished the brass bell|sorted the buttons|"
            "wound up the clocks|folded the tablecloths|oiled the hinges|pruned the roses|"
            "cleaned the lanterns|shelled the peas|patched the tent|tuned the piano|sanded the bench|"
            "aired the blankets|labelled the jam jars|raked the gravel|untangled the nets|waxed the skis"
        ),
        "helper": (
            "a neighbour|the ferryman|two cousins|the new teacher|the baker's son|an old friend|"
            "the stationmaster|the gardener|the twins from next door|a visiting aunt|the librarian|"
            "the shepherd|a student from the city|the choir leader|the carpenter|the beekeeper|the postman|"
            "a retired captain"
        ),
        "talk": (
            "the price of firewood|the winter timetable|a lost umbrella|the choir's next concert|"
            "a film from long ago|the best way to bake scones|the width of the new road|the harvest supper|"
            "a chess game by letter|the swallows under the roof|a leaking boat|the colour of the town hall|"
            "a recipe for leek soup|the noise of the sawmill|the village football team|"
            "a dispute about a hedge|the history of the canal|a painting nobody liked"
        ),
        "mood": (
            "cheerfully|without haste|in good spirits|with great care|half asleep|as always|rather quickly|"
            "humming a tune|for the second time that week|in spite of the mud|to everyone's surprise|"
            "with both hands full"
        ),
        "animal": (
            "a grey cat|an old sheepdog|two geese|a lame pony|a blackbird|a family of hedgehogs|"
            "the neighbour's goat|a barn owl|a flock of starlings|a hare|three brown hens|a robin"
        ),
        "place": (
            "on the garden wall|under the kitchen table|beside the cart|between the flower beds|"
            "near the pump|on the back step|behind the greenhouse|at the end of the lane|by the stove|"
            "in the wheelbarrow|under the walnut tree|in front of the shed"
        ),
        "dish": (
            "barley soup|a plum tart|potato pancakes|a leek pie|mushroom stew|cheese dumplings|"
            "a cold omelette|lentils with onions|baked apples|a bowl of porridge|smoked mackerel|bean salad|"
            "carrot bread|pea soup with mint"
        ),
        "plan": (
            "take the slow train to the coast|plant a row of currant bushes|build a shelf for the pantry|"
            "write to a cousin abroad|learn the accordion|lend the ladder to the school|"
            "walk to the next village and back|paint the rowing boat blue|clear out the attic|"
            "join the evening class in pottery|visit the spring fair|count the coins in the biscuit tin|"
            "knit a scarf for the scarecrow|read the old newspapers once more"
        ),
    }.items()
}
OPENINGS = (
    "In {village}, {weather} when {person} {family} left the house {time}.",
    "{person} {family} had lived in {village} for years and knew {spot} well.",
    "It was market week in {village}, and {person} {family} walked to {spot} {time}.",
    "{time_} {person} {family} set out for {spot} at the edge of {village}.",
    "Nobody in {village} was surprised to see {person} {family} at {spot} {time}.",
)
SENTENCES = (
    "On the way home {who} bought {thing} and then {act}.",
    "{helper_} stopped at {spot} to talk about {talk}, {mood}.",
    "{who_} made {dish} for supper, and {helper} stayed for a second plate.",
    "{animal_} sat {place} and watched while {who} {act}.",
    "{who_} {act} {mood} and then went on to {spot}.",
    "At {spot} somebody had left {thing} {place}.",
    "The talk with {helper} turned to {talk}, and {weather}.",
    "{who_} promised {helper} to {plan}.",
    "Before dark {helper} came by with {thing} and asked about {talk}.",
    "For a while {who} watched {animal} {place}.",
    "{who_} had meant to {plan}, but {helper} needed help at {spot}.",
    "Over {dish} {who} and {helper} remembered {talk}.",
    "{helper_} {act} {mood}, although {who} had not asked for it.",
    "In the end {who} exchanged {thing} for {thing2} at {spot}.",
    "{who_} wrote a note about {talk} and pinned it up at {spot}.",
    "Later {who} {act}, and {helper} {act2}.",
    "{animal_} had spoiled {dish}, so {who} {act} instead.",
    "On the way to {spot} {who} met {helper} with {thing}.",
    "If the weather held, {who} wanted to {plan} with {helper}.",
    "{thing_} had been standing {place} since {helper} called.",
    "{who_} laughed {mood} and shared {dish} with {helper}.",
    "The door of {spot} stood open, and {animal} slept {place}.",
    "Nothing was said about {talk}, so {who} {act} {mood}.",
    "{helper_} had heard at {spot} that somebody wished to {plan}.",
)
_SLOT = re.compile(r"\{(\w+)\}")


def _word(slot: str, rng: Random, used: set[str], who: str) -> str:
    """A word for a slot: a trailing underscore capitalises it, a digit asks for a second word of the same kind."""
    kind = slot.rstrip("_2")
    word = who
    if kind != "who":
        word = rng.choice([candidate for candidate in WORDS[kind] if candidate not in used] or WORDS[kind])
        used.add(word)
    return word[0].upper() + word[1:] if slot.endswith("_") else word


def _filled(pattern: str, rng: Random, used: set[str], who: str) -> str:
    return _SLOT.sub(lambda slot: _word(slot[1], rng, used, who), pattern)


def paragraph(rng: Random, sentences: int) -> list[str]:
    """Generate the sentences of one paragraph, beginning with an opening; at most ``len(SENTENCES) + 1``."""
    used: set[str] = set()
    person = rng.choice(WORDS["person"])
    opening = rng.choice(OPENINGS).replace("{person}", person)
    chosen = rng.sample(SENTENCES, sentences - 1)
    return [_filled(pattern, rng, used, person) for pattern in (opening, *chosen)]
