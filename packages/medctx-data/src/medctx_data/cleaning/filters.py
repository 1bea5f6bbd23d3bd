"""Cleaning: which rows of the sources are used; every row left out is counted and named.

Cleaning knows nothing of ratio, budget or seed: the same sources lose the same rows in every mix of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.process.progress import track
from medctx.schemas.records import Dialogue
from medctx_data.cleaning.config import CleanConfig
from medctx_data.cleaning.duplicates import equal_rows, proposals, similar_rows
from medctx_data.cleaning.exclusions import DUPLICATE, MALFORMED, NEAR_DUPLICATE, Exclusion
from medctx_data.cleaning.fingerprints import REASONS, Fingerprints, shingles_of
from medctx_data.row_store.features import measured
from medctx_data.row_store.rows import Columns, Gathered
from medctx_data.text.segments import Numbers


class SourceRows(NamedTuple):
    """A source that was read.

    Attributes:
        label: Label of the source.
        gathered: Its rows.
        folder: Folder of the measurements of its rows.
        only: Language that rows must state, ``""`` for any.
    """

    label: str
    gathered: Gathered
    folder: Path
    only: str = ""


class Cleaned(NamedTuple):
    """The numbers of a source's usable rows, in order, and the rows left out."""

    kept: tuple[int, ...]
    exclusions: tuple[Exclusion, ...]


class _Group:
    """Sources among which duplicates are looked for together: their rows are numbered one after the other."""

    def __init__(self, sources: Sequence[SourceRows], columns: Sequence[Columns]) -> None:
        self.sources = sources
        self._starts = np.cumsum([0, *(len(source.gathered.rows) for source in sources)])

        def joined(name: str) -> NDArray[np.uint64]:
            return np.concatenate([column[name] for column in columns]).astype(np.uint64)

        self.reasons = joined("reason")
        self.fingerprints = joined("fingerprint")
        self.keys = joined("keys") if "keys" in columns[0] else None

    def place(self, number: int) -> tuple[int, int]:
        """The source a row belongs to and its number there."""
        source = int(np.searchsorted(self._starts, number, side="right")) - 1
        return source, number - int(self._starts[source])

    def names(self, numbers: Iterable[int]) -> dict[int, tuple[str, str]]:
        """The label of the source and the Dialogue id of rows."""
        places = {number: self.place(number) for number in numbers}
        names: dict[int, tuple[str, str]] = {}
        for position, source in enumerate(self.sources):
            members = [(number, row) for number, (where, row) in places.items() if where == position]
            dialogues = source.gathered.rows.take([row for _, row in members])
            names |= {
                number: (source.label, dialogue.id) for (number, _), dialogue in zip(members, dialogues, strict=True)
            }
        return names

    def dialogues(self, numbers: Sequence[int]) -> list[Dialogue]:
        """The rows with these numbers, which ascend."""
        edges = np.searchsorted(numbers, self._starts)
        parts = [
            source.gathered.rows.take([number - int(start) for number in numbers[begin:end]])
            for source, start, begin, end in zip(self.sources, self._starts, edges[:-1], edges[1:], strict=False)
        ]
        return [dialogue for part in parts for dialogue in part]

    def dropped(self, config: CleanConfig) -> dict[int, tuple[str, int | None, str]]:
        """For every row left out: the reason, the row it repeats, and a detail."""
        usable = self.reasons == 0
        dropped: dict[int, tuple[str, int | None, str]] = {
            int(number): (REASONS[self.reasons[number]], None, "") for number in np.flatnonzero(~usable)
        }
        for number, of in equal_rows(self.fingerprints, usable).items():
            usable[number] = False
            dropped[number] = (DUPLICATE, of, "")
        if self.keys is not None and config.near_duplicates is not None:

            def shingles(numbers: Sequence[int]) -> Sequence[Sequence[Numbers]]:
                return shingles_of(self.dialogues(numbers), questions=config.same_question)

            candidates = list(proposals(self.keys, usable))
            with track("comparing rows that may be similar", len(candidates), "rows") as advance:
                near = similar_rows(candidates, shingles, config.near_duplicates, advance)
            for number, (of, similarity) in near.items():
                dropped[number] = (NEAR_DUPLICATE, of, f"similarity {similarity:.3f}")
            # What equals a row that is left out resembles the row that stays instead of it.
            dropped |= {number: dropped[of] for number, (_, of, _) in dropped.items() if of in near}
        return dropped


def _refuse_malformed(source: SourceRows, config: CleanConfig) -> None:
    """Stop at the first row that is no Dialogue, unless such rows are to be left out."""
    malformed = [row for row in source.gathered.skipped if row.reason == MALFORMED]
    if malformed and config.malformed == "refuse":
        raise MedctxError(
            f"{malformed[0].place} {malformed[0].detail} ({len(malformed):,} such rows in the source "
            f"{source.label!r}); mend or remove them, or leave them out with clean.malformed=drop."
        )


def fingerprints_for(only: str, config: CleanConfig) -> Fingerprints:
    """Return the measurement that cleaning needs of a source; ``only`` as in ``SourceRows``."""
    return Fingerprints(only, config.language, config.near_duplicates, config.same_question)


def _clean_together(sources: Sequence[SourceRows], config: CleanConfig, processes: int) -> list[Cleaned]:
    columns = [
        measured(source.gathered.rows, fingerprints_for(source.only, config), source.folder, source.label, processes)
        for source in sources
    ]
    group = _Group(sources, columns)
    dropped = group.dropped(config)
    names = group.names({*dropped, *(of for _, of, _ in dropped.values() if of is not None)})
    excluded = [
        [
            Exclusion(source=source.label, row=row.place, reason=row.reason, detail=row.detail)
            for row in source.gathered.skipped
        ]
        for source in sources
    ]
    kept = [np.ones(len(source.gathered.rows), np.bool_) for source in sources]
    for number, (reason, of, detail) in sorted(dropped.items()):
        source_number, row = group.place(number)
        kept[source_number][row] = False
        of_source, of_row = names[of] if of is not None else ("", "")
        label, name = names[number]
        excluded[source_number].append(
            Exclusion(source=label, row=name, reason=reason, of=of_row, of_source=of_source, detail=detail)
        )
    return [
        Cleaned(tuple(np.flatnonzero(flags).tolist()), tuple(exclusions))
        for flags, exclusions in zip(kept, excluded, strict=True)
    ]


def clean(sources: Sequence[SourceRows], config: CleanConfig, processes: int = 1) -> list[Cleaned]:
    """Clean sources, in their order: of rows that repeat each other the first stays.

    Raises:
        MedctxError: A row is no Dialogue and ``config.malformed`` is ``refuse``.
    """
    for source in sources:
        _refuse_malformed(source, config)
    if config.duplicates == "mix" and sources:
        return _clean_together(sources, config, processes)
    return [cleaned for source in sources for cleaned in _clean_together([source], config, processes)]
