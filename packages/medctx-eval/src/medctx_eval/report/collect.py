"""Run folders lined up: the same items under the same Conditions, one row per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medctx.errors import MedctxError
from medctx.records import Judged, Mode, Verdict
from medctx_eval import run_folder
from medctx_eval.run_folder import Manifest, RunFolder
from medctx_eval.stats.clusters import BoolArray

Key = tuple[str, str, Mode]
REPEAT = "examine both again with the same exams, conditions, limits and seed"


@dataclass(frozen=True)
class Aligned:
    """R runs on K (item, condition, mode) keys.

    ``verdicts`` (R, K) of object dtype holds Verdicts; ``asked[k]`` is the first run's record of key k, whose item,
    Condition, mode, axis, cluster, gold and tags are those of every run; ``chosen[r][k]`` are letters.
    """

    names: tuple[str, ...]
    manifests: tuple[Manifest, ...]
    asked: tuple[Judged, ...]
    verdicts: NDArray[np.object_]
    chosen: tuple[tuple[tuple[str, ...], ...], ...]

    @property
    def correct(self) -> BoolArray:
        """(R, K)."""
        return np.asarray(self.verdicts == Verdict.CORRECT, dtype=np.bool_)

    @property
    def misfit(self) -> BoolArray:
        """(R, K): the Book was longer than the model's window."""
        return np.asarray(self.verdicts == Verdict.DOES_NOT_FIT, dtype=np.bool_)

    @property
    def clusters(self) -> NDArray[np.str_]:
        """(K,)."""
        return np.array([one.cluster for one in self.asked])


def names_of(folders: Sequence[Path]) -> tuple[str, ...]:
    """Short names: the path parts in which the folders differ (a single folder: its own name)."""
    parts = [folder.resolve().parts for folder in folders]
    if len(set(parts)) < len(parts):
        twice = next(folder for folder, own in zip(folders, parts, strict=True) if parts.count(own) > 1)
        raise MedctxError(f"The run folder {twice} is given twice; give each run once.")
    if len(parts) > 1:
        while len({one[-1] for one in parts}) == 1:
            parts = [one[:-1] for one in parts]
    length = 1
    while len({one[-length:] for one in parts}) < len(parts):
        length += 1
    return tuple("/".join(one[-length:]) for one in parts)


def _key(judged: Judged) -> Key:
    return judged.item, judged.condition, judged.mode


def _show(key: Key) -> str:
    item, condition, mode = key
    return f"the item {item!r} under {condition} (mode {mode})"


def _by_key(name: str, run: RunFolder) -> dict[Key, Judged]:
    found: dict[Key, Judged] = {}
    for judged in run.judged:
        key = _key(judged)
        if key in found:
            raise MedctxError(f"The run {name} judges {_show(key)} twice; remove its folder and examine it again.")
        found[key] = judged
    if not found:
        raise MedctxError(f"The run {name} has judged no items; examine it again or leave it out.")
    return found


def _check_exams(names: Sequence[str], runs: Sequence[RunFolder]) -> None:
    """One headline mode, and exams of the same content under the same name."""
    first = runs[0].manifest
    digests = {card.name: card.digest for card in first.exams}
    for name, run in zip(names[1:], runs[1:], strict=True):
        if run.manifest.mode != first.mode:
            raise MedctxError(
                f"The run {name} has headline mode {run.manifest.mode!r} but {names[0]} has {first.mode!r}, and modes "
                "are never ranked across; examine both in one mode."
            )
        for card in run.manifest.exams:
            if digests.get(card.name, card.digest) != card.digest:
                raise MedctxError(
                    f"The exam {card.name} of run {name} has digest {card.digest[:12]} but "
                    f"{digests[card.name][:12]} in {names[0]}, so their questions differ; {REPEAT}."
                )


def _check_items(names: Sequence[str], judged: Sequence[dict[Key, Judged]]) -> None:
    """The same keys in every run, meaning the same."""
    first = judged[0]
    for name, own in zip(names[1:], judged[1:], strict=True):
        gaps = ((name, names[0], first.keys() - own.keys()), (names[0], name, own.keys() - first.keys()))
        for lacking, having, missing in gaps:
            if missing:
                raise MedctxError(
                    f"The run {lacking} lacks {len(missing)} that {having} has, first {_show(min(missing))}; {REPEAT}, "
                    "or leave one out."
                )
        for key, one in own.items():
            other = first[key]
            if (one.axis, one.cluster, one.gold) != (other.axis, other.cluster, other.gold):
                raise MedctxError(
                    f"The runs {names[0]} and {name} disagree about {_show(key)} (axis, cluster or gold letters); "
                    f"{REPEAT}."
                )


def align(names: Sequence[str], runs: Sequence[RunFolder]) -> Aligned:
    """Line runs up; raises MedctxError where they were not examined on exactly the same."""
    _check_exams(names, runs)
    judged = [_by_key(name, run) for name, run in zip(names, runs, strict=True)]
    _check_items(names, judged)
    keys = sorted(judged[0])
    verdicts = np.empty((len(runs), len(keys)), dtype=object)
    for row, own in enumerate(judged):
        verdicts[row] = [own[key].verdict for key in keys]
    return Aligned(
        names=tuple(names),
        manifests=tuple(run.manifest for run in runs),
        asked=tuple(judged[0][key] for key in keys),
        verdicts=verdicts,
        chosen=tuple(tuple(own[key].chosen for key in keys) for own in judged),
    )


def collect(folders: Sequence[Path]) -> Aligned:
    """Read and line up run folders."""
    if not folders:
        raise MedctxError("No run folder was given; name at least one folder that an exam wrote.")
    by_place = names_of(folders)
    runs = [run_folder.read(folder) for folder in folders]
    by_model = tuple(run.manifest.model for run in runs)
    # What the models are called, unless two are called the same: then where the runs lie tells them apart.
    return align(by_model if len(set(by_model)) == len(by_model) else by_place, runs)
