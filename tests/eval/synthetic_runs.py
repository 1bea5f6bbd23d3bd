"""Run folders whose truth is written down: a base, 1:0, 1:1 and 0:1 on about 350 items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from medctx.digest import of_text
from medctx.records import Axis, Judged, Mode, Verdict
from medctx_eval import run_folder
from medctx_eval.exams.exam import ExamCard
from medctx_eval.run_folder import Cost, Manifest

LETTERS = "ABCD"
CONDITIONS = ("closed", "gold", "open:200:0", "open:200:0.5", "open:200:1", "open:400:0", "open:400:0.5", "open:400:1")

ABILITY: dict[str, tuple[float, float]] = {
    "base": (0.27, 0.62),
    "1:0": (0.27, 0.64),
    "1:1": (0.44, 0.63),
    "0:1": (0.47, 0.44),
}
"""True chance of a right answer: taught knowledge, reading."""


def _verdict(rng: Random, chance: float) -> Verdict:
    if rng.random() < chance:
        return Verdict.CORRECT
    drawn = rng.random()
    return Verdict.UNPARSABLE if drawn < 0.02 else Verdict.ABSTAINED if drawn < 0.04 else Verdict.WRONG


def _judge(
    name: str, item: str, condition: str, axis: Axis, cluster: str, mode: Mode, tags: Mapping[str, str]
) -> Judged:
    """Items of a cluster share half of their luck, and so do models on an item."""
    knows, reads = ABILITY[name]
    chance = knows if axis == "knowledge" else reads
    if tags.get("taught") == "no":
        chance = 0.26
    shared = Random(f"{cluster}").uniform(-0.12, 0.12) + Random(f"{item}-{condition}").uniform(-0.12, 0.12)
    shift = 0.0 if mode == "text" else -0.08
    rng = Random(f"{name}-{item}-{condition}-{mode}")
    verdict = _verdict(rng, chance + shared + shift)
    gold = Random(item).choice(LETTERS)
    if verdict is Verdict.CORRECT:
        chosen: tuple[str, ...] = (gold,)
    elif verdict is Verdict.WRONG:
        lean = "A" if mode == "letter" and rng.random() < 0.6 else ""
        others = [letter for letter in LETTERS if letter != gold]
        chosen = (lean if lean and lean != gold else rng.choice(others),)
    else:
        chosen = ()
    return Judged(
        item=item,
        exam="synthetic",
        condition=condition,
        axis=axis,
        cluster=cluster,
        mode=mode,
        verdict=verdict,
        chosen=chosen,
        gold=(gold,),
        tags=dict(tags),
    )


def judged(name: str, facts: int = 60, dossiers: int = 30) -> Iterator[Judged]:
    """Two closed items per fact (half the facts again are untaught), and four per dossier under gold and at one
    depth of either length.
    """
    for mode in ("text", "letter"):
        for fact in range(facts + facts // 2):
            tags = {"kind": "finding", "taught": "yes" if fact < facts else "no"}
            for wording in range(2):
                yield _judge(name, f"k/{fact}/{wording}", "closed", "knowledge", f"fact-{fact}", mode, tags)
        for dossier in range(dossiers):
            depth = ("0", "0.5", "1")[dossier % 3]
            for question in range(4):
                for condition in ("gold", f"open:200:{depth}", f"open:400:{depth}"):
                    yield _judge(
                        name, f"r/{dossier}/{question}", condition, "reading", f"dossier-{dossier}", mode,
                        {"kind": "finding"},
                    )  # fmt: skip


def manifest(name: str, items: int) -> Manifest:
    """What the exam would have written."""
    card = ExamCard(
        name="synthetic",
        source="drawn by tests/eval/synthetic_runs.py",
        licence="Apache-2.0",
        citation="none",
        generated=True,
        items=items,
        digest=of_text("synthetic"),
    )
    return Manifest(
        model="SmolLM2-135M-Instruct",
        weights_digest=of_text("weights"),
        adapter_digest="" if name == "base" else of_text(name),
        engine="transformers",
        mode="text",
        exams=(card,),
        conditions=CONDITIONS,
        n=items,
        cost=Cost(
            requests=items,
            prompt_tokens=items * 400,
            computed_tokens=items * 90,
            books=90,
            book_prefills=91,
            seconds=74.5,
        ),
        versions={"medctx-eval": "0.1.0", "transformers": "5.19"},
        seed=7,
    )


def write(root: Path, names: tuple[str, ...] = tuple(ABILITY)) -> list[Path]:
    """One folder per name under ``root``."""
    folders = []
    for name in names:
        records = list(judged(name))
        run_folder.write(root / name, manifest(name, len(records)), records)
        folders.append(root / name)
    return folders
