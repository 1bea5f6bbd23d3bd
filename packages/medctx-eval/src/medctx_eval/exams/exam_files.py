"""The files of an exam that was written down elsewhere: where they are here, and whether they are the same."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx_eval.exams.config import ExamConfig


def _located(stated: Path, expected: str, exam: str) -> Path:
    """The file at the stated path or of the same name in the current folder, with the digest checked."""
    nearby = Path(stated.name)
    file = next((candidate for candidate in (stated, nearby) if candidate.exists()), None)
    if file is None:
        place = (
            f"put it at {stated} or into the current folder" if stated != nearby else "put it into the current folder"
        )
        raise MedctxError(
            f"The exam {exam!r} asks {stated.name} (SHA-256 {expected}), which is not on this machine; {place}, or ask "
            "something else with --exam."
        )
    actual = digest.of_folder(file) if file.is_dir() else digest.of_file(file)
    if actual != expected:
        raise MedctxError(
            f"{file} is not what the exam {exam!r} asked: its SHA-256 is {actual}, not {expected}; bring the file with "
            "that digest, or ask this one as another exam with --exam."
        )
    return file


def locate_files(config: ExamConfig) -> ExamConfig:
    """Return the exam with the places of its files on this machine; files without a digest are not looked for.

    Raises:
        MedctxError: A file with a stated digest is missing or was changed.
    """
    found: dict[str, Path] = {}
    for key, expected in config.digests.items():
        stated: Path | None = getattr(config, key)
        if stated is not None:
            found[key] = _located(stated, expected, config.name or config.exam)
    return config.model_copy(update=found) if found else config
