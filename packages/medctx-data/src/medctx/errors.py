"""The exceptions a user is meant to read."""

from __future__ import annotations

from typing import ClassVar


class MedctxError(Exception):
    """Something the user can put right: one sentence with the value, the place and the remedy.

    Console commands print the sentence and exit with ``exit_code``; every other exception is a defect of medctx and
    keeps its traceback.
    """

    exit_code: ClassVar[int] = 2


class UnfinishedError(MedctxError):
    """Work that is done in part and continued by the same command."""

    exit_code: ClassVar[int] = 1
