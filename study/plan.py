"""A study's cells and the steps each needs, as pure functions of its config and of what is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from medctx import digest
from study.config import Section, StudyConfig
from study.steps import Step

BASE_CELL = "base"


@dataclass(frozen=True, slots=True)
class Cell:
    """One trained model of a study: a ratio and a seed."""

    ratio: str
    seed: int
    name: str


def cells(config: StudyConfig) -> list[Cell]:
    """The trained cells in the order of the config; the seed is part of the name only where there are several."""
    return [
        Cell(ratio, seed, ratio if len(config.seeds) == 1 else f"{ratio} seed {seed}")
        for ratio in config.ratios
        for seed in config.seeds
    ]


def local_files(section: JsonValue, data: Path | None) -> JsonValue:
    """Replace ``${data}`` in every text of a section by the study's data folder."""
    if isinstance(section, str):
        return section.replace("${data}", str(data)) if data is not None else section
    if isinstance(section, list):
        return [local_files(one, data) for one in section]
    if isinstance(section, dict):
        return {key: local_files(value, data) for key, value in section.items()}
    return section


def section(config: StudyConfig, name: str) -> Section:
    """One of the handed-on sections with its paths, and where facts are used its curriculum, filled in."""
    found = cast("Section", local_files(cast("JsonValue", getattr(config, name)), config.data))
    if name in {"mix", "exam"}:
        found["curriculum"] = config.curriculum.model_dump(mode="json")
    return found


def _file_digests(value: JsonValue) -> list[str]:
    """Digests of the existing files a section names: their contents decide, not their paths."""
    if isinstance(value, str):
        path = Path(value)
        return [digest.of_file(path)] if path.suffix in {".gz", ".jsonl"} and path.is_file() else []
    children = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    return [found for child in children for found in _file_digests(child)]


def mix_step(config: StudyConfig, cell: Cell, base: Path, base_digest: str) -> Step:
    """``medctx-data mix`` of one cell."""
    asked = section(config, "mix")
    content: Section = {
        **asked,
        "ratio": cell.ratio,
        "tokens": config.tokens,
        "seed": cell.seed,
        "tokenizer": str(base),
    }
    return Step(
        kind="mix",
        label=cell.name,
        command=("medctx-data", "mix"),
        config=content,
        inputs=(base_digest, *_file_digests(asked)),
        manifest="mix.json",
        ignored=("tokenizer",),
    )


def train_step(config: StudyConfig, cell: Cell, mix: Path, mix_digest: str, base_digest: str) -> Step:
    """``medctx-train sft`` of one cell."""
    content: Section = {
        **section(config, "train"),
        "base": config.base,
        "mix": str(mix),
        "seed": cell.seed,
        "name": cell.name,
    }
    return Step(
        kind="train",
        label=cell.name,
        command=("medctx-train", "sft"),
        config=content,
        inputs=(mix_digest, base_digest),
        manifest="sft.json",
        ignored=("mix", "name"),
    )


def merge_step(config: StudyConfig, cell: Cell, adapter: Path, adapter_digest: str, base_digest: str) -> Step:
    """``medctx-train merge`` of one cell."""
    return Step(
        kind="merge",
        label=cell.name,
        command=("medctx-train", "merge"),
        config={"base": config.base, "adapter": str(adapter)},
        inputs=(adapter_digest, base_digest),
        manifest="config.json",
        ignored=("adapter",),
    )


def exam_step(config: StudyConfig, models: list[Mapping[str, JsonValue]], base_digest: str) -> Step:
    """``medctx-eval run`` of all cells: its folder is shared by every study that asks the same exam of the same base,
    and the command itself skips models it has examined.
    """
    asked = section(config, "exam")
    return Step(
        kind="exam",
        label="all cells",
        command=("medctx-eval", "run"),
        config={**asked, "models": [dict(model) for model in models]},
        inputs=(base_digest, *_file_digests(asked)),
        manifest=".never",
        ignored=("models",),
    )
