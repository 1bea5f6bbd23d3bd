"""Which rows of the sources are used, and why the others are not: every row left out is counted and named.

Cleaning knows nothing of ratio, budget or seed: the same sources lose the same rows in every mix of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.process.progress import track
from medctx.schemas.records import Dialogue, Record
from medctx_data.cleaning.duplicates import alike, equal_to, proposals
from medctx_data.cleaning.fingerprints import REASONS, Fingerprints, shingles_of
from medctx_data.mixture.config import CleanConfig
from medctx_data.row_store.features import Columns, measured
from medctx_data.row_store.rows import Gathered
from medctx_data.text.segments import Numbers

MALFORMED = "malformed"
TOO_LONG = "too_long"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near_duplicate"


class Exclusion(Record):
    """A row left out: ``row`` is its Dialogue's id, or its "file:line" where it gave none.

    ``of`` and ``of_source`` name the Dialogue it repeats; ``detail`` says more where there is more to say.
    """

    source: str
    row: str
    reason: str
    of: str = ""
    of_source: str = ""
    detail: str = ""


class Uncleaned(NamedTuple):
    """A source that was read. ``folder`` keeps what is measured of it; ``only`` is the language asked for ("": any)."""

    label: str
    gathered: Gathered
    folder: Path
    only: str = ""


class Cleaned(NamedTuple):
    """The numbers of a source's usable rows, in order, and what became of the others."""

    kept: tuple[int, ...]
    exclusions: tuple[Exclusion, ...]


class _Group:
    """Sources through which duplicates are looked for together: their rows are numbered one after the other."""

    def __init__(self, sources: Sequence[Uncleaned], columns: Sequence[Columns]) -> None:
        self.sources = sources
        self._starts = np.cumsum([0, *(len(source.gathered.rows) for source in sources)])
        self.reasons: NDArray[np.uint8] = np.concatenate([one["reason"] for one in columns]).astype(np.uint8)
        self.fingerprints = np.concatenate([one["fingerprint"] for one in columns]).astype(np.uint64)
        self.keys = np.concatenate([one["keys"] for one in columns]).astype(np.uint64) if "keys" in columns[0] else None

    def place(self, number: int) -> tuple[int, int]:
        """The source a row belongs to and its number there."""
        source = int(np.searchsorted(self._starts, number, side="right")) - 1
        return source, number - int(self._starts[source])

    def names(self, numbers: Iterable[int]) -> dict[int, tuple[str, str]]:
        """The label of the source and the Dialogue's id of rows."""
        places = {number: self.place(number) for number in numbers}
        found: dict[int, tuple[str, str]] = {}
        for position, source in enumerate(self.sources):
            own = [(number, row) for number, (where, row) in places.items() if where == position]
            dialogues = source.gathered.rows.take([row for _, row in own])
            found |= {number: (source.label, one.id) for (number, _), one in zip(own, dialogues, strict=True)}
        return found

    def dialogues(self, numbers: Sequence[int]) -> list[Dialogue]:
        """Rows, whose numbers ascend."""
        edges = np.searchsorted(numbers, self._starts)
        parts = [
            source.gathered.rows.take([number - int(start) for number in numbers[begin:end]])
            for source, start, begin, end in zip(self.sources, self._starts, edges[:-1], edges[1:], strict=False)
        ]
        return [dialogue for part in parts for dialogue in part]

    def dropped(self, config: CleanConfig) -> dict[int, tuple[str, int | None, str]]:
        """For every row left out: the reason, the row it repeats, and a detail."""
        usable = self.reasons == 0
        found: dict[int, tuple[str, int | None, str]] = {
            int(number): (REASONS[self.reasons[number]], None, "") for number in np.flatnonzero(~usable)
        }
        for number, of in equal_to(self.fingerprints, usable).items():
            usable[number] = False
            found[number] = (DUPLICATE, of, "")
        if self.keys is not None and config.near_duplicates is not None:

            def shingles(numbers: Sequence[int]) -> Sequence[Sequence[Numbers]]:
                return shingles_of(self.dialogues(numbers), questions=config.same_question)

            waiting = list(proposals(self.keys, usable))
            with track("comparing rows that may be alike", len(waiting), "rows") as advance:
                near = alike(waiting, shingles, config.near_duplicates, advance)
            for number, (of, much) in near.items():
                found[number] = (NEAR_DUPLICATE, of, f"similarity {much:.3f}")
        return found


def _refuse_malformed(source: Uncleaned, config: CleanConfig) -> None:
    """Stop at the first row that is no Dialogue, unless such rows are to be left out."""
    malformed = [row for row in source.gathered.unread if row.reason == MALFORMED]
    if malformed and config.malformed == "refuse":
        raise MedctxError(
            f"{malformed[0].place} {malformed[0].why} ({len(malformed):,} such rows in the source {source.label!r}); "
            "mend or remove them, or leave them out with clean.malformed=drop."
        )


def marks_of(only: str, config: CleanConfig) -> Fingerprints:
    """What cleaning has to know of the rows of a source; ``only`` as in :class:`Uncleaned`."""
    return Fingerprints(only, config.language, config.near_duplicates, config.same_question)


def _clean_together(sources: Sequence[Uncleaned], config: CleanConfig, processes: int) -> list[Cleaned]:
    columns = [
        measured(one.gathered.rows, marks_of(one.only, config), one.folder, one.label, processes) for one in sources
    ]
    group = _Group(sources, columns)
    dropped = group.dropped(config)
    names = group.names({*dropped, *(of for _, of, _ in dropped.values() if of is not None)})
    excluded: list[list[Exclusion]] = [
        [
            Exclusion(source=source.label, row=row.place, reason=row.reason, detail=row.why)
            for row in source.gathered.unread
        ]
        for source in sources
    ]
    kept = [np.ones(len(source.gathered.rows), np.bool_) for source in sources]
    for number, (reason, of, detail) in sorted(dropped.items()):
        source_number, row = group.place(number)
        kept[source_number][row] = False
        of_source, of_row = names[of] if of is not None else ("", "")
        excluded[source_number].append(
            Exclusion(
                source=names[number][0],
                row=names[number][1],
                reason=reason,
                of=of_row,
                of_source=of_source,
                detail=detail,
            )
        )
    return [
        Cleaned(tuple(np.flatnonzero(flags).tolist()), tuple(own)) for flags, own in zip(kept, excluded, strict=True)
    ]


def clean(sources: Sequence[Uncleaned], config: CleanConfig, processes: int = 1) -> list[Cleaned]:
    """Clean sources, in their order: of rows that repeat each other the first stays.

    Raises MedctxError at rows that are no Dialogue where these are refused.
    """
    for source in sources:
        _refuse_malformed(source, config)
    if config.duplicates == "mix" and sources:
        return _clean_together(sources, config, processes)
    return [one for source in sources for one in _clean_together([source], config, processes)]


def tally(exclusions: Iterable[Exclusion]) -> dict[str, int]:
    """How many rows were left out, by reason."""
    return dict(sorted(Counter(exclusion.reason for exclusion in exclusions).items()))
