"""Records of the rows that a mix leaves out, with the reason of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from medctx.schemas.records import Record

MALFORMED = "malformed"
TOO_LONG = "too_long"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near_duplicate"


class Exclusion(Record):
    """A row that was left out.

    Attributes:
        source: Label of the source.
        row: Id of the row's Dialogue, or ``file:line`` where the row gave no Dialogue.
        reason: Why it was left out, for example ``duplicate``.
        of: Id of the Dialogue that it repeats, ``""`` where it repeats none.
        of_source: Label of the source of that Dialogue.
        detail: Further explanation, ``""`` where there is none.
    """

    source: str
    row: str
    reason: str
    of: str = ""
    of_source: str = ""
    detail: str = ""


def tally(exclusions: Iterable[Exclusion]) -> dict[str, int]:
    """Count excluded rows by reason."""
    return dict(sorted(Counter(exclusion.reason for exclusion in exclusions).items()))
