"""JSON lines with a checksum: the last key of every object is the CRC-32 of the line without it.

A line stays an ordinary JSON object. CRC-32 detects every change of up to 32 consecutive bits.
"""

from __future__ import annotations

import re
from zlib import crc32

_SUFFIX = b',"crc32":"%08x"}'
_LENGTH = len(_SUFFIX % 0)
_PATTERN = re.compile(rb',"crc32":"[0-9a-f]{8}"\}\Z')


class ChecksumError(ValueError):
    """A line has no checksum or was changed: a clause that continues "the line ..."."""


def seal(line: bytes) -> bytes:
    """Add the checksum to a JSON object with at least one key, given and returned without a line break."""
    return line[:-1] + _SUFFIX % crc32(line)


def is_sealed(line: bytes) -> bool:
    """Return whether a line ends with a checksum, right or wrong."""
    return _PATTERN.search(line, max(0, len(line) - _LENGTH)) is not None


def unseal(line: bytes) -> bytes:
    """Remove the checksum of a line and verify it.

    Raises:
        ChecksumError: The line has no checksum, or was changed.
    """
    if not is_sealed(line):
        raise ChecksumError("has no checksum")
    original = line[:-_LENGTH] + b"}"
    if line != seal(original):
        raise ChecksumError("was changed after it was written (its checksum differs)")
    return original
