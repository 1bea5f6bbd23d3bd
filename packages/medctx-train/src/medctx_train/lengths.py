"""Dialogues longer than a row: refused, left out or split at turns, never cut."""

from __future__ import annotations

from typing import Literal

TooLong = Literal["refuse", "drop", "split"]
"""What becomes of a Dialogue with more tokens than a row: the run is refused, the Dialogue is left out, or it is split
between exchanges (a user's turn and the answers to it) into parts that fit, each opened by the system turn if there is
one. A part does not see the exchanges before it; a single exchange that does not fit is refused even then."""
