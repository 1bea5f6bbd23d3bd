"""The cards of a study in Markdown: one per adapter, and one of all its cells for the registered model and the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copyfile

import yaml
from pydantic import JsonValue

from medctx.io import digest
from medctx.io.jsonl import read_record, write_text
from medctx.schemas.decision import Decision
from medctx.schemas.exam_run import ExamManifest
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
from study.config.study import Section, StudyConfig
from study.stages.bases import Base
from study.stages.records import CellResult, file_name
from study.tracking.sample_question import sample_question
from study.tracking.scores import VERSION, exam_manifest

MAX_DESCRIPTION_CHARS = 4_900
"""MLflow stores at most 5,000 characters of a description."""
REST = "The rest of this card is README.md in the adapter's folder."
SHARE_CHARS = 10
NOT_OF_AN_EXAM = frozenset({"models", "urls", "api_key_variable", "tokenizer", "positions", "chat_template", "vllm"})
"""Keys of an exam's config that another machine answers by itself, or that the adapter states."""

EXAM_FILE_KEYS = ("items", "path", "passages")
"""Keys of an exam that name the user's files."""


def _mix(result: CellResult) -> MixManifest | None:
    file = result.mix / MIX_FILE if result.mix else None
    return read_record(file, MixManifest) if file is not None and file.is_file() else None


def _title(config: StudyConfig, base: Base, result: CellResult) -> str:
    """What the adapter is in a line: a name such as 1:1-0 says nothing outside of its study."""
    data = f"general : medical {result.cell.ratio}" if result.cell.ratio else result.cell.name
    cell = f", cell {result.cell.name}" if data != f"general : medical {result.cell.name}" and result.cell.ratio else ""
    return f"{base.portable_name or base.id}, LoRA on {data} (study {config.name}{cell})"


def _exams_by_axis(report: ReportCore, manifest: ExamManifest | None) -> dict[str, tuple[str, ...]]:
    """The exams whose questions are in the number of an axis; all, where the report does not say which."""
    asked = tuple(exam.name for exam in manifest.exams) if manifest else ()
    parts = {estimand.axis: tuple(part.exam for part in estimand.parts) for estimand in report.estimands}
    return {axis: tuple(dict.fromkeys(parts.get(axis, asked))) for axis in AXES}


def _origin(config: StudyConfig, base: Base, result: CellResult) -> CardOrigin:
    trained = result.trained / SFT_FILE if result.trained else None
    return CardOrigin(
        title=_title(config, base, result),
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
    base_run: Path | None = None,
) -> str:
    """The card of one adapter; its version in the registry is written as ``VERSION``.

    Args:
        config: The study.
        base: The adapter's base.
        result: What was made of the cell.
        report: The study's report.
        decision: What the gate decided.
        registered: Whether it will have a version in the registry.
        base_run: The run folder of the base, whose answer is shown beside the cell's.
    """
    group, manifest = result.cell.group, exam_manifest(result, report)
    scores = {axis: report.score(group, axis) for axis in AXES}
    evaluation = CardEvaluation(
        lines=evaluation_lines(report, decision, group, result.cell.name),
        answer=answer_sentence(report, group),
        results={axis: score.accuracy.value for axis, score in scores.items() if score is not None},
        exams=_exams_by_axis(report, manifest),
        sample=sample_question(report, manifest, result.exam, base_run) if manifest and result.exam else (),
        model=f"models:/{config.registry_name}/{VERSION}" if registered and config.registry_name else "",
        figure=result.mix is not None and (result.mix / FIGURE).is_file(),
    )
    return adapter_card(_origin(config, base, result), evaluation)


def base_note(config: StudyConfig, base: Base) -> str:
    """The note of the run of an untouched base."""
    licence = f", licence: {base.licence}" if base.licence else ""
    return (
        f"The untouched base `{base.portable_name or base.id}` (digest `{base.weights_digest[:12]}`{licence}), with "
        f"which the cells of the study {config.name} are compared.\n\n{DISCLAIMER}\n"
    )


def card_folder(config: StudyConfig, result: CellResult) -> Path:
    """Where the card of an adapter is written: beside its weights; of one from elsewhere, in the study's own folder."""
    if result.cell.origin or result.weights is None:
        return config.folder / "cards" / file_name(result.cell.name)
    return result.weights


def _portable_exam(exam: JsonValue) -> JsonValue:
    """An exam with the digests of its files, and without the folders of this machine in their paths."""
    portable = {"exam": exam} if isinstance(exam, str) else exam
    if not isinstance(portable, dict):
        return exam
    name = portable.get("exam")
    if isinstance(name, str) and ("/" in name or Path(name).suffix) and Path(name).is_file():
        portable = portable | {"exam": "file", "path": name}
    files = {
        key: Path(value)
        for key in EXAM_FILE_KEYS
        if isinstance(value := portable.get(key), str) and Path(value).exists()
    }
    if not files:
        return exam
    paths: Section = {key: path.name if path.is_absolute() else path.as_posix() for key, path in files.items()}
    digests: Section = {
        key: digest.of_folder(path) if path.is_dir() else digest.of_file(path) for key, path in files.items()
    }
    return {**portable, **paths, "digests": digests}


def exam_settings(config: StudyConfig) -> str:
    """The study's exam as a config of ``medctx-eval run``, without keys that a machine or an adapter sets.

    Files of questions are not copied, since their licences are not known here: they are named with their digests.
    """
    settings = {key: value for key, value in section(config, "exam").items() if key not in NOT_OF_AN_EXAM}
    exams = settings.get("exams")
    if isinstance(exams, list):
        settings["exams"] = [_portable_exam(exam) for exam in exams]
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
