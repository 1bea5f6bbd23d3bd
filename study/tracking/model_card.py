"""The cards of a study in Markdown: one per adapter, and one of all its cells for the registered model and the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copyfile

import yaml

from medctx.io.jsonl import read_record, write_text
from medctx.schemas.decision import Decision
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.report import ReportCore
from medctx.schemas.sft import SFT_FILE, BaseCard, SftManifest
from medctx.tracking.adapter_card import (
    DISCLAIMER,
    INTENDED,
    LIMITS,
    CardEvaluation,
    CardOrigin,
    adapter_card,
    bar,
)
from medctx.tracking.cell_metrics import AXES
from medctx.tracking.evaluation import answer_sentence, difference_text, evaluation_lines, gate_of, percent
from medctx.tracking.logged_adapter import EXAM_SETTINGS, FIGURE, README
from study.config.sections import section
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.records import CellResult, file_name
from study.tracking.scores import VERSION, exam_manifest

MAX_DESCRIPTION_CHARS = 4_900
"""MLflow stores at most 5,000 characters of a description."""
REST = "The rest of this card is README.md in the adapter's folder."
SHARE_CHARS = 10
NOT_OF_AN_EXAM = frozenset({"models", "urls", "api_key_variable", "tokenizer", "positions", "chat_template", "vllm"})
"""Keys of an exam's config that another machine answers by itself, or that the adapter states."""


def _mix(result: CellResult) -> MixManifest | None:
    file = result.mix / MIX_FILE if result.mix else None
    return read_record(file, MixManifest) if file is not None and file.is_file() else None


def _origin(config: StudyConfig, base: Base, result: CellResult) -> CardOrigin:
    trained = result.trained / SFT_FILE if result.trained else None
    return CardOrigin(
        title=f"{result.cell.name} ({config.name})",
        base=BaseCard(
            name=base.id,
            source=base.id,
            licence=base.licence,
            weights_digest=base.weights_digest,
            id=base.portable_name,
            revision=base.revision,
        ),
        mix=_mix(result),
        sft=read_record(trained, SftManifest) if trained is not None and trained.is_file() else None,
        repair=result.cell.repair,
        tags=(f"study-{config.name}",),
    )


def model_card(
    config: StudyConfig,
    base: Base,
    result: CellResult,
    report: ReportCore,
    decision: Decision,
    *,
    registered: bool = True,
) -> str:
    """The card of one adapter; its version in the registry is written as ``VERSION``.

    Args:
        config: The study.
        base: The adapter's base.
        result: What was made of the cell.
        report: The study's report.
        decision: What the gate decided.
        registered: Whether it will have a version in the registry.
    """
    group, manifest = result.cell.group, exam_manifest(result, report)
    scores = {axis: report.score(group, axis) for axis in AXES}
    evaluation = CardEvaluation(
        lines=evaluation_lines(report, decision, group, result.cell.name),
        answer=answer_sentence(report, group),
        results={axis: score.accuracy.value for axis, score in scores.items() if score is not None},
        exams=tuple(exam.name for exam in manifest.exams) if manifest else (),
        model=f"models:/{config.registry_name}/{VERSION}" if registered and config.registry_name else "",
        figure=result.mix is not None and (result.mix / FIGURE).is_file(),
    )
    return adapter_card(_origin(config, base, result), evaluation)


def card_folder(config: StudyConfig, result: CellResult) -> Path:
    """Where the card of an adapter is written: beside its weights; of one from elsewhere, in the study's own folder."""
    if result.cell.origin or result.weights is None:
        return config.folder / "cards" / file_name(result.cell.name)
    return result.weights


def exam_settings(config: StudyConfig) -> str:
    """The study's exam as a config of ``medctx-eval run``, without keys that a machine or an adapter sets."""
    settings = {key: value for key, value in section(config, "exam").items() if key not in NOT_OF_AN_EXAM}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def write_card(config: StudyConfig, folder: Path, card: str, mix: Path | None) -> None:
    """Write card and exam settings into the adapter's folder, with the figure of its training data if there is one."""
    write_text(folder / README, card)
    write_text(folder / EXAM_SETTINGS, exam_settings(config))
    if mix is not None and (mix / FIGURE).is_file():
        copyfile(mix / FIGURE, folder / FIGURE)


def description_of(card: str) -> str:
    """The card as MLflow shows it: without metadata, heading and picture, whole sections only where it is too long."""
    body = card.split("---\n", 2)[-1].lstrip()
    lines = [line for line in body.split("\n") if not line.startswith(("# ", "!["))]
    text = "\n".join(lines).strip() + "\n"
    while len(text) > MAX_DESCRIPTION_CHARS and "\n## " in text:
        text = text[: text.rindex("\n## ")].rstrip() + f"\n\n{REST}"
    return text if len(text) <= MAX_DESCRIPTION_CHARS else text[:MAX_DESCRIPTION_CHARS].rsplit("\n", 1)[0] + "\n"


def _share(general_share: float | None) -> str:
    if general_share is None:
        return ""
    return f"`{bar(general_share, SHARE_CHARS)}` {percent(general_share)}"


def _cell_row(report: ReportCore, decision: Decision, result: CellResult, version: str) -> str:
    group = result.cell.group
    standing = next((position.standing for position in decision.pareto if position.cell == group), "")
    axes = []
    for axis in AXES:
        score, gain = report.score(group, axis), report.axis_gain(group, axis)
        difference = f", {difference_text(gain)} {gain.outcome}" if gain else ""
        axes.append(f"{percent(score.accuracy.value)}{difference}" if score else "")
    gate = gate_of(decision, group) if result.cell.trained else "base"
    cells = (version, result.cell.name, _share(result.general_share), *axes, gate, standing)
    return f"| {' | '.join(cells)} |"


def study_card(
    config: StudyConfig,
    cells: Sequence[CellResult],
    report: ReportCore,
    decision: Decision,
    versions: Mapping[str, str] | None = None,
) -> str:
    """The card of all cells: description of the registered model, and note of the study's run.

    Args:
        config: The study.
        cells: Its cells.
        report: Its report.
        decision: What the gate decided.
        versions: Version in the registry by the name of the cell.
    """
    known, name = versions or {}, config.registry_name
    trial = " A trial: keys of the study were overridden." if config.trial else ""
    registered = (
        f" {report.registration.statement[0].upper()}{report.registration.statement[1:]}."
        if report.registration is not None
        else ""
    )
    shown = [result for result in cells if result.exam is not None]
    rows = [_cell_row(report, decision, result, known.get(result.cell.name, "")) for result in shown]
    lines = [
        config.title or config.name,
        "",
        f"{decision.reason}{registered}{trial}",
        "",
        "| version | cell | general data % | knowledge %, to base | reading %, to base | gate | Pareto front |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        "Differences in accuracy points with 95 % intervals; seeds of a cell are pooled. A knowledge difference is "
        "that of taught minus untaught facts where the exam has both. Aliases are moved by the gate of the report, "
        "never by a trial.",
        "",
    ]
    models = [f"models:/{name}/{version}" for version in known.values()]
    if models:
        lines += [
            "```bash",
            f"medctx-eval serve {models[0]}  # vLLM behind an OpenAI-compatible URL",
            *([f"medctx-eval compare {' '.join(models[:2])}"] if len(models) > 1 else []),
            f"medctx-eval verify {models[0]}  # recompute what its card states",
            "```",
            "",
        ]
    lines += [DISCLAIMER, "", f"{INTENDED.replace('above', 'of this study')} {LIMITS}", ""]
    return "\n".join(lines)
