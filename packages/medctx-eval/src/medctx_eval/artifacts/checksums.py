"""SHA-256 checksums of the files of a folder, in the format of ``sha256sum``.

``sha256sum --check SHA256SUMS`` inside the folder checks them without medctx.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import write_text

CHECKSUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def write_checksums(folder: Path, files: Iterable[Path]) -> None:
    """Write the checksums of ``files``, which lie in ``folder`` or beside it."""
    names = sorted((os.path.relpath(file, folder), file) for file in files)
    write_text(folder / CHECKSUMS, "".join(f"{digest.of_file(file)}  {name}\n" for name, file in names))


def check_checksums(folder: Path, required: Iterable[str], *, partial: bool = False) -> int:
    """Check every file that ``SHA256SUMS`` lists.

    Args:
        folder: Folder of the checksums.
        required: Names that must be listed.
        partial: Whether other files that are listed may be missing, as in a tracking store.

    Returns:
        Number of files checked.

    Raises:
        MedctxError: If a checksum does not match, or a file or a line is missing.
    """
    path = folder / CHECKSUMS
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        raise MedctxError(f"{path} is missing or unreadable, so nothing in {folder} can be verified.") from None
    expected = {}
    for number, line in enumerate(lines[:-1], start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise MedctxError(f"{path}:{number} is not a checksum; the file was changed after it was written.")
        expected[match[2]] = match[1]
    needed = frozenset(required)
    missing = sorted(needed - expected.keys())
    if missing or lines[-1]:
        what = f"does not list {missing[0]}" if missing else "does not end with a line"
        raise MedctxError(f"{path} {what}; the file was changed after it was written.")
    for name, checksum in expected.items():
        file = folder / name
        if partial and name not in needed and not file.is_file():
            continue
        if not file.is_file():
            raise MedctxError(f"{file} is missing, which {path} lists.")
        if digest.of_file(file) != checksum:
            raise MedctxError(f"{file} does not match its checksum in {path}; it was changed after it was written.")
    return len(expected)
