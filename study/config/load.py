"""A study as it is told: its file, files laid over it, and single keys."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import yaml

from medctx.config import loading as configs
from medctx.errors import MedctxError
from study.config.sections import laid_over
from study.config.study import Section, StudyConfig

STUDIES = Path(__file__).parents[2] / "studies"
OVERLAYS = STUDIES / "with"


def _keys(path: Path) -> Section:
    found = configs.parse_yaml(path.read_text(encoding="utf-8"), str(path)) or {}
    if not isinstance(found, dict):
        raise MedctxError(f"{path} holds a {type(found).__name__}, not keys with values.")
    return cast("Section", found)


def load(name: str, overlays: Sequence[str] = (), overrides: Sequence[str] = ()) -> StudyConfig:
    """The study of a name (``studies/NAME.yaml``) or path, with the keys of ``overlays`` (``studies/with/NAME.yaml`` or
    paths) laid over its own one after the other, sections within sections too, and ``key=value`` overrides last.
    """
    file = configs.find(name, [STUDIES])
    if not overlays:
        return configs.load(StudyConfig, file, overrides)
    keys = _keys(file)
    for overlay in overlays:
        keys = laid_over(keys, _keys(configs.find(overlay, [OVERLAYS])))
    with tempfile.TemporaryDirectory() as folder:
        # Errors name the file: it is called by what it is made of.
        merged = Path(folder) / f"{file.stem} with {' with '.join(overlays).replace('/', '-')}.yaml"
        merged.write_text(yaml.safe_dump(keys, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return configs.load(StudyConfig, merged, overrides)
