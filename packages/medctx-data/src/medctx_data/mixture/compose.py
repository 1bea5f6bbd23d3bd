"""A controlled mixture: each source's prefix up to its share of the budget, put into one order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import medctx
from medctx.io import digest
from medctx.io.digest import RecordsDigest
from medctx.process.progress import say
from medctx.schemas.records import Dialogue
from medctx_data.cleaning.filters import Exclusion
from medctx_data.mixture.budget import interleave
from medctx_data.mixture.config import DOMAINS, MixConfig
from medctx_data.mixture.draws import Advance, Pick, Ready, Sizing, SourceSample, draw_to_budget, taken
from medctx_data.mixture.quota import SourceRequest
from medctx_data.row_store.rows import Rows
from medctx_data.tokens.count import tokenizer_digests

AT_ONCE = 5_000
"""Dialogues of a mix that are in memory at the same time."""


class Entry(NamedTuple):
    """A place in a mix: the part it belongs to, by number, and what was picked of it."""

    part: int
    pick: Pick


def drawn(rows: Sequence[Rows], entries: Iterable[Entry]) -> Iterator[tuple[Entry, Dialogue]]:
    """Entries with their Dialogues, read as they are needed; ``rows`` are those of each part, by its number."""
    stream = iter(entries)
    while chunk := list(islice(stream, AT_ONCE)):
        waiting = {
            number: iter(taken(own, [entry.pick for entry in chunk if entry.part == number]))
            for number, own in enumerate(rows)
        }
        for entry in chunk:
            yield entry, next(waiting[entry.part])


@dataclass(frozen=True)
class Draft:
    """A mix that is decided but not written: its parts and the order of their picks."""

    config: MixConfig
    request: str
    parts: tuple[SourceSample, ...]
    entries: tuple[Entry, ...]

    @property
    def exclusions(self) -> Iterator[Exclusion]:
        """Every row left out of the sources."""
        return (one for part in self.parts for one in part.exclusions)

    @property
    def rows(self) -> tuple[Rows, ...]:
        """The rows of each part."""
        return tuple(part.rows for part in self.parts)

    def dialogues(self) -> Iterator[tuple[Entry, Dialogue]]:
        """The Dialogues in their final order, read as they are needed."""
        return drawn(self.rows, self.entries)


@dataclass
class Counts:
    """What the Dialogues of each part state: their licences; tokens and Dialogues by part and language."""

    licences: dict[int, set[str]] = field(default_factory=dict)
    languages: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    def see(self, entry: Entry, dialogue: Dialogue) -> None:
        """Take the next Dialogue in."""
        self.licences.setdefault(entry.part, set()).add(dialogue.licence)
        self._add((entry.part, dialogue.language), entry.pick.tokens, 1)

    def _add(self, key: tuple[int, str], tokens: int, dialogues: int) -> None:
        before = self.languages.get(key, (0, 0))
        self.languages[key] = (before[0] + tokens, before[1] + dialogues)

    def take_in(self, other: Counts) -> None:
        """Add what was counted elsewhere."""
        for part, licences in other.licences.items():
            self.licences.setdefault(part, set()).update(licences)
        for key, (tokens, dialogues) in other.languages.items():
            self._add(key, tokens, dialogues)


@dataclass
class Observed:
    """What is learned of a mix while its Dialogues go by: their digest and their counts."""

    digest: RecordsDigest = field(default_factory=RecordsDigest)
    counts: Counts = field(default_factory=Counts)

    def watch(self, stream: Iterable[tuple[Entry, Dialogue]]) -> Iterator[Dialogue]:
        """The Dialogues of a draft, each taken in as it goes by."""
        for entry, dialogue in stream:
            self.digest.add(dialogue)
            self.counts.see(entry, dialogue)
            yield dialogue


def _file_digest(path: Path) -> str:
    return digest.of_folder(path) if path.is_dir() else digest.of_file(path)


def request_digest(config: MixConfig, sources: Iterable[SourceRequest], tokenizer: Path) -> str:
    """A name for everything a mix follows from, so that an existing one can be recognised.

    Keys at their defaults do not count: a mix keeps its name when medctx learns new ones.
    """
    read = config.sources if config.clean.duplicates == "mix" else [one.config for one in sources]
    paths = [*(one.path for one in read), config.wrap.passages]
    files = [_file_digest(path) for path in paths if path and path.exists()]
    asked = config.model_dump(
        mode="json",
        exclude={"tokenizer": True, "processes": True, "wrap": {"passages"}, "sources": {"__all__": {"path"}}},
        exclude_defaults=True,
    )
    return digest.of_value([asked, files, tokenizer_digests(tokenizer), medctx.__version__])


def arrange(parts: Sequence[SourceSample], config: MixConfig) -> list[Entry]:
    """All picks in the order the config asks for."""
    seed = f"order-{config.seed}"
    entries = [[Entry(number, pick) for pick in part.picks] for number, part in enumerate(parts)]
    if config.order == "mixed":
        return interleave(entries, seed)
    first = config.order.removesuffix("-first")
    stages = sorted(DOMAINS, key=lambda domain: domain != first)
    return [
        entry
        for stage in stages
        for entry in interleave(
            [own for part, own in zip(parts, entries, strict=True) if part.quota.domain == stage], f"{seed}-{stage}"
        )
    ]


def _shared(parts: Sequence[SourceSample]) -> list[SourceSample]:
    """Parts of amounts, their shares known now that the whole is."""
    total = sum(part.budget for part in parts)
    shares = [Fraction(part.budget, total) for part in parts]
    return [
        replace(part, requested=part.requested._replace(quota=part.quota._replace(share=share)))
        for part, share in zip(parts, shares, strict=True)
    ]


def _say_repeats(parts: Iterable[SourceSample]) -> None:
    for part in parts:
        if part.epochs is not None and part.epochs > 1:
            say(
                f"The source {part.quota.label!r} is smaller than its share of {part.budget:,} {part.quota.by}: it is "
                f"gone through {part.epochs:.2f} times."
            )


def mix(
    config: MixConfig, ready: Sequence[Ready], request: str, *, sizing: Sizing, advance: Advance = lambda step: None
) -> Draft:
    """Cut every source to its quota and put the parts into one order. Deterministic by ``config`` and the data.

    The total never exceeds the budget and falls short of it by less than one Dialogue per source.
    """
    parts = [draw_to_budget(one, config.seed, sizing, advance) for one in ready]
    if any(source.amount is not None for source in config.sources):
        parts = _shared(parts)
    _say_repeats(parts)
    return Draft(config, request, tuple(parts), tuple(arrange(parts, config)))
