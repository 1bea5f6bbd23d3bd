"""The sections a study hands to the commands: with its paths filled in, and the digests of the files they name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, cast

from pydantic import JsonValue

from medctx.config.loading import deep_merge
from medctx.io import digest
from study.config.study import Section, StudyConfig

SectionName = Literal["mix", "train", "exam", "report", "confirmation", "source_sets"]
FILE_KEYS = frozenset({"path", "items", "passages"})
"""Keys under which commands are given files of the user's."""


def _local_files(value: JsonValue, data: Path | None) -> JsonValue:
    """Replace ``${data}`` in every text of a section by the study's data folder."""
    if isinstance(value, str):
        return value.replace("${data}", str(data)) if data is not None else value
    if isinstance(value, list):
        return [_local_files(item, data) for item in value]
    if isinstance(value, dict):
        return {key: _local_files(item, data) for key, item in value.items()}
    return value


def section(config: StudyConfig, name: SectionName, entry: str = "") -> Section:
    """A section (or an ``entry`` of it) with its paths and, where facts are used, its curriculum filled in."""
    value = getattr(config, name)
    filled = cast("Section", _local_files(cast("JsonValue", value[entry] if entry else value), config.data))
    if name in {"mix", "exam"}:
        filled["curriculum"] = config.curriculum.model_dump(mode="json")
    return filled


def confirmation_exam(config: StudyConfig) -> Section | None:
    """The exam of selected cells on items that selected none of them; None where there is none."""
    if not config.confirmation:
        return None
    return deep_merge(section(config, "exam"), section(config, "confirmation"))


def recipe(config: StudyConfig, method: str) -> Section:
    """The config of ``medctx-train sft`` for a method: ``train`` with the method's recipe merged into it."""
    train = section(config, "train")
    return deep_merge(train, config.recipes.get(method, {"method": method})) if method else train


def mix_settings(config: StudyConfig, sources: str) -> Section:
    """The config of ``medctx-data mix`` for a set of sources: ``mix`` with the set merged into it."""
    mix = section(config, "mix")
    return deep_merge(mix, section(config, "source_sets", sources)) if sources else mix


@cache
def _digest_at(path: Path, size: int, changed_ns: int) -> str:
    return digest.of_folder(path) if path.is_dir() else digest.of_file(path)


def file_digests(value: JsonValue) -> list[str]:
    """Digests of the files and folders that a section names and that exist: their contents count, not their paths."""
    if isinstance(value, list):
        return [one for item in value for one in file_digests(item)]
    if not isinstance(value, dict):
        return []
    digests = []
    for key, item in value.items():
        if key in FILE_KEYS and isinstance(item, str):
            path = Path(item)
            if path.exists():
                stat = path.stat()
                digests.append(_digest_at(path, stat.st_size, stat.st_mtime_ns))
        else:
            digests += file_digests(item)
    return digests
