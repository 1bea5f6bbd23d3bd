"""A mix that is decided but not written: which rows of which source, in which order, read as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from medctx.io.digest import RecordsDigest
from medctx.schemas.records import Dialogue, Domain
from medctx_data.cleaning.exclusions import Exclusion
from medctx_data.mixture.config import MixConfig
from medctx_data.row_store.rows import Rows
from medctx_data.sources.card import Supply

CHUNK = 5_000
"""Dialogues of a mix that are in memory at the same time."""


class Pick(NamedTuple):
    """A row of a sample: its number, the epoch in which it was drawn (from 1), its tokens and those with loss."""

    row: int
    epoch: int
    tokens: int
    loss_tokens: int


def read_picks(rows: Rows, picks: Sequence[Pick]) -> list[Dialogue]:
    """Read picks as they occur in the mix: repeated ones have an id of their own."""
    dialogues = rows.take([pick.row for pick in picks])
    return [
        dialogue if pick.epoch == 1 else dialogue.model_copy(update={"id": f"{dialogue.id}/pass-{pick.epoch}"})
        for pick, dialogue in zip(picks, dialogues, strict=True)
    ]


@dataclass(frozen=True)
class SourceSample:
    """What one source contributes to a mix.

    Attributes:
        label: Label of the source.
        domain: Its domain.
        subdomain: Its school of medicine, ``""`` where none is named.
        share: Exact fraction of the whole mix that was requested (0 to 1).
        budget: Budget in the unit of the mix.
        supply: The opened source.
        rows: The rows that the picks refer to.
        picks: The rows taken, in their order.
        usable: Number of rows it could be drawn from, None for a generated source.
        epochs: Passes over these rows, None for a generated source.
        exclusions: Rows left out.
        notes: What was not read of its rows or was cut, with the number of rows.
    """

    label: str
    domain: Domain
    subdomain: str
    share: Fraction
    budget: int
    supply: Supply
    rows: Rows
    picks: tuple[Pick, ...]
    usable: int | None
    epochs: float | None
    exclusions: tuple[Exclusion, ...]
    notes: Mapping[str, int]

    @property
    def tokens(self) -> int:
        """Total length of its Dialogues in tokens."""
        return sum(pick.tokens for pick in self.picks)

    @property
    def loss_tokens(self) -> int:
        """Total number of tokens that carry loss."""
        return sum(pick.loss_tokens for pick in self.picks)


class DraftEntry(NamedTuple):
    """A place in a mix: the number of the sample and the pick."""

    sample: int
    pick: Pick


def read_draft(rows: Sequence[Rows], entries: Iterable[DraftEntry]) -> Iterator[tuple[DraftEntry, Dialogue]]:
    """Yield entries with their Dialogues, read as they are needed; ``rows`` are those of each sample, by number."""
    stream = iter(entries)
    while chunk := list(islice(stream, CHUNK)):
        waiting = {
            number: iter(read_picks(sample_rows, [entry.pick for entry in chunk if entry.sample == number]))
            for number, sample_rows in enumerate(rows)
        }
        for entry in chunk:
            yield entry, next(waiting[entry.sample])


@dataclass(frozen=True)
class Draft:
    """A decided mix: its samples and the order of their picks. ``request`` is the digest of all it follows from."""

    config: MixConfig
    request: str
    samples: tuple[SourceSample, ...]
    entries: tuple[DraftEntry, ...]

    @property
    def exclusions(self) -> Iterator[Exclusion]:
        """Every row left out of the sources."""
        return (exclusion for sample in self.samples for exclusion in sample.exclusions)

    @property
    def rows(self) -> tuple[Rows, ...]:
        """The rows of each sample."""
        return tuple(sample.rows for sample in self.samples)

    def dialogues(self) -> Iterator[tuple[DraftEntry, Dialogue]]:
        """The Dialogues in their final order, read as they are needed."""
        return read_draft(self.rows, self.entries)


@dataclass
class Counts:
    """Licences by sample; tokens and Dialogues by sample and language."""

    licences: dict[int, set[str]] = field(default_factory=dict)
    languages: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)

    def add(self, entry: DraftEntry, dialogue: Dialogue) -> None:
        """Count the next Dialogue."""
        self.licences.setdefault(entry.sample, set()).add(dialogue.licence)
        self._add((entry.sample, dialogue.language), entry.pick.tokens, 1)

    def _add(self, key: tuple[int, str], tokens: int, dialogues: int) -> None:
        before = self.languages.get(key, (0, 0))
        self.languages[key] = (before[0] + tokens, before[1] + dialogues)

    def merge(self, other: Counts) -> None:
        """Add counts made elsewhere."""
        for sample, licences in other.licences.items():
            self.licences.setdefault(sample, set()).update(licences)
        for key, (tokens, dialogues) in other.languages.items():
            self._add(key, tokens, dialogues)


@dataclass
class Observed:
    """Digest and counts of the Dialogues of a mix, gathered while they are written."""

    digest: RecordsDigest = field(default_factory=RecordsDigest)
    counts: Counts = field(default_factory=Counts)

    def watch(self, stream: Iterable[tuple[DraftEntry, Dialogue]]) -> Iterator[Dialogue]:
        """Yield the Dialogues of a draft and count each."""
        for entry, dialogue in stream:
            self.digest.add(dialogue)
            self.counts.add(entry, dialogue)
            yield dialogue
