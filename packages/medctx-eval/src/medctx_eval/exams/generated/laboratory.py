"""Words for records of invented patients: analytes with ranges, names, phrasings, and sentences between the records.

Ranges are those in which a value may be seen in hospital patients, healthy or ill, cut to one number of digits. Names
are made of a first and an invented last name. The sentences between the records contain no digit, no name and no
analyte.
"""

from __future__ import annotations

import re
from random import Random

from medctx.schemas.records import Record
from medctx_eval.exams.generated.phrasing import Phrasing


class Analyte(Record):
    """A quantity that laboratories report as a whole number, with its unit and the values drawn from."""

    name: str
    unit: str
    lowest: int
    highest: int


class RecordWords(Record):
    """What records are written with in one language."""

    analytes: tuple[Analyte, ...]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    phrasings: tuple[Phrasing, ...]
    asides: tuple[str, ...]
    slots: dict[str, tuple[str, ...]]
    short_asides: tuple[str, ...]


def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split("|"))


_ENGLISH = RecordWords(
    analytes=tuple(
        Analyte(name=name, unit=unit, lowest=lowest, highest=highest)
        for name, unit, lowest, highest in (
            ("serum ferritin", "µg/L", 100, 999),
            ("creatine kinase", "U/L", 100, 999),
            ("platelet count", "per nL", 100, 690),
            ("alkaline phosphatase", "U/L", 100, 940),
            ("lactate dehydrogenase", "U/L", 120, 980),
            ("serum triglyceride", "mg/dL", 100, 890),
            ("vitamin B12 level", "ng/L", 110, 990),
            ("serum lipase", "U/L", 100, 960),
            ("blood glucose", "mg/dL", 100, 480),
            ("plasma D-dimer", "µg/L", 150, 990),
            ("serum cortisol", "nmol/L", 100, 890),
            ("serum urate", "µmol/L", 120, 790),
        )
    ),
    first_names=_split(
        "Norbert|Ida|Walter|Agnes|Hugo|Clara|Edwin|Rosa|Felix|Martha|Oscar|Greta|Victor|Helen|Arthur|Nina|Simon|Paula|"
        "Leon|Vera|Bruno|Alma|Conrad|Edith|Julian|Louisa|Martin|Sylvia|Gregor|Theresa|Roland|Marian|Eric|Nora|Adrian|"
        "Judith|Bernard|Flora|Lucas|Irene|Gerald|Emma|Philip|Laura|Ralph|Celia|Stephen|Ruth"
    ),
    last_names=_split(
        "Ashgrove|Barlowe|Brackenby|Calderstone|Copperfeld|Dunmarsh|Elderwick|Fallowby|Fennimoor|Glenhart|Goldfinch|"
        "Hawksworthy|Hazelmoor|Hollowell|Ironbridge|Juniperley|Kestrelman|Kingsmarsh|Larkspurre|Lindenfell|Marlbrook|"
        "Merrywether|Nettlecombe|Nightshire|Oakhollow|Orchardson|Pebbleton|Pinecroft|Quillfeather|Quarryman|Ravenscar|"
        "Rushwater|Sandiford|Silverdale|Stonegate|Tallowfield|Thistlewood|Thornberry|Umberleigh|Underfell|Valewright|"
        "Vinterby|Wetherspun|Whitmarsh|Willowbank|Winterbourn|Woodlark|Yarrowby|Yewdell|Zimmerfield"
    ),
    phrasings=(
        Phrasing(statement="The {analyte} of {entity} is {value}.", forward="What is the {analyte} of {entity}?"),
    ),
    asides=(
        "{who_} {did} {when}.",
        "{when_} {who} {did}.",
        "{who_} {did} and {did2} {when}.",
        "{thing_} stood {spot} until {who} {did}.",
        "Nobody knew why {thing} was {spot} {when}.",
        "{who_} found {thing} {spot} and {did}.",
        "{air_}, so {who} {did}.",
        "{who_} {did}, because {air}.",
    ),
    slots={
        "who": _split(
            "the night nurse|the ward clerk|a medical student|the porter|the charge nurse|the physiotherapist|"
            "the pharmacist|the dietitian|the cleaner|a visiting aunt|the courier|the receptionist|the technician|"
            "a volunteer|the interpreter|the chaplain|the gardener|the cook"
        ),
        "did": _split(
            "closed the blinds|refilled the paper tray|moved the chairs to the other wall|"
            "asked for the key of the store room|"
            "wiped the whiteboard|brought a fresh jug of water|looked for a wheelchair|folded the spare blankets|"
            "answered the telephone|signed for a parcel|dusted the shelves|changed the battery of the clock|"
            "watered the plants|pushed the linen cart aside|switched off the radio|sorted the magazines|"
            "counted the clean towels|opened the window of the waiting room"
        ),
        "when": _split(
            "before the round|after lunch|shortly before noon|early in the morning|late in the evening|"
            "during visiting hours|between two calls|at the end of the shift|while the lift was out of order|"
            "as soon as the corridor was quiet|for the second time that week|without being asked"
        ),
        "thing": _split(
            "an empty trolley|a vase of tulips|a broken umbrella|a pile of folders|a forgotten scarf|a box of gloves|"
            "a spare mattress|a wet coat|an old radio|a basket of fruit|a pair of slippers|a jigsaw puzzle"
        ),
        "spot": _split(
            "by the lift|in the corridor|under the notice board|beside the sink|behind the door|"
            "near the reception desk|"
            "on the window sill|in the day room|at the foot of the stairs|next to the linen cupboard"
        ),
        "air": _split(
            "the heating was too warm|it rained until the evening|the sun came through the windows|"
            "the ward was quiet that day|the corridor smelled of fresh paint|a storm had been forecast|"
            "the new floor was slippery|the kitchen was late again"
        ),
    },
    short_asides=_split(
        "It rained.|Lunch was late.|The ward was quiet.|A door closed.|The telephone rang.|Nobody answered.|"
        "The lift was slow.|A window stood open.|The radio played softly.|Visitors came and went.|"
        "The heating was too warm that day.|Fresh towels lay on the shelf."
    ),
)
WORDS: dict[str, RecordWords] = {"en": _ENGLISH}
"""By language. Another language needs its own phrasings, asides and names, and nothing else."""

_SLOT = re.compile(r"\{(\w+)\}")


def aside(words: RecordWords, rng: Random) -> str:
    """One sentence between records."""
    used: set[str] = set()

    def word(match: re.Match[str]) -> str:
        slot = match[1]
        chosen = rng.choice([text for text in words.slots[slot.rstrip("_2")] if text not in used])
        used.add(chosen)
        return chosen[0].upper() + chosen[1:] if slot.endswith("_") else chosen

    return _SLOT.sub(word, rng.choice(words.asides))
