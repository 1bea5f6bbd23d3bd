"""The sections a study hands on: paths filled in, values laid over each other, and the digests of files they name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, cast

from pydantic import JsonValue

from medctx.io import digest
from study.config.study import Section, StudyConfig

Name = Literal["mix", "train", "exam", "report"]
FILE_KEYS = frozenset({"path", "items", "passages"})
"""Keys under which commands are told files of the user's."""


def _local_files(section: JsonValue, data: Path | None) -> JsonValue:
    """Replace ``${data}`` in every text of a section by the study's data folder."""
    if isinstance(section, str):
        return section.replace("${data}", str(data)) if data is not None else section
    if isinstance(section, list):
        return [_local_files(one, data) for one in section]
    if isinstance(section, dict):
        return {key: _local_files(value, data) for key, value in section.items()}
    return section


def section(config: StudyConfig, name: Name) -> Section:
    """One of the handed-on sections with its paths, and where facts are used its curriculum, filled in."""
    found = cast("Section", _local_files(cast("JsonValue", getattr(config, name)), config.data))
    if name in {"mix", "exam"}:
        found["curriculum"] = config.curriculum.model_dump(mode="json")
    return found


def laid_over(below: Section, above: Section) -> Section:
    """``below`` with the keys of ``above``, sections within sections too; a key that is null above is left out."""
    found = {key: value for key, value in below.items() if above.get(key, value) is not None}
    for key, value in above.items():
        if value is None:
            continue
        under = found.get(key)
        found[key] = laid_over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return found


@cache
def _digest_at(path: Path, size: int, changed_ns: int) -> str:
    return digest.of_folder(path) if path.is_dir() else digest.of_file(path)


def file_digests(value: JsonValue) -> list[str]:
    """Digests of the files and folders a section names that exist: their contents decide, not their paths."""
    if isinstance(value, list):
        return [found for one in value for found in file_digests(one)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, one in value.items():
        if key in FILE_KEYS and isinstance(one, str):
            path = Path(one)
            if path.exists():
                stat = path.stat()
                found.append(_digest_at(path, stat.st_size, stat.st_mtime_ns))
        else:
            found += file_digests(one)
    return found
