"""One card per adapter in Markdown: README of its folder, description of its version and model, note of its run.

Its head is the metadata block of a Hugging Face model card.
"""

from __future__ import annotations

import yaml

from medctx.io.jsonl import read_record
from medctx.schemas.decision import Decision
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.report import ReportCore
from medctx.schemas.sft import SFT_FILE, SftManifest
from medctx.tracking.cell_metrics import AXES, score_lines
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.records import CellResult
from study.tracking.scores import VERSION, exam_manifest, gate_of

DISCLAIMER = (
    "A research artefact for comparing mixtures of training data. It is not a medical device and gives no medical "
    "advice; its answers are often wrong. Do not use it for decisions about people."
)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _mix_lines(result: CellResult) -> list[str]:
    if result.mix is None or not (result.mix / MIX_FILE).is_file():
        return ["No training data of its own."]
    mix = read_record(result.mix / MIX_FILE, MixManifest)
    lines = [
        f"{mix.tokens:,} tokens in {mix.dialogues:,} Dialogues, general : medical {mix.ratio} by {mix.by} "
        f"({_percent(mix.general_share)} % general tokens), digest `{mix.digest[:12]}`.",
        "",
        "| source | domain | tokens | Dialogues | licence |",
        "|---|---|---:|---:|---|",
    ]
    lines += [
        f"| {source.label} | {source.domain} | {source.tokens:,} | {source.dialogues:,} | {source.licence} |"
        for source in mix.sources
    ]
    return lines


def _training_lines(result: CellResult) -> list[str]:
    file = result.trained / SFT_FILE if result.trained else None
    if file is None or not file.is_file():
        return [f"Made by the arm `{result.cell.repair}` of `medctx-train repair`."] if result.cell.repair else []
    sft = read_record(file, SftManifest)
    return [
        f"{sft.method}, seed {sft.seed}: {sft.steps} steps over {sft.tokens:,} tokens ({sft.loss_tokens:,} with loss); "
        f"loss {sft.first_loss:.3f} in the first step, {sft.last_loss:.3f} in the last.",
        "Made with " + ", ".join(f"{name} {version}" for name, version in sft.versions.items()) + ".",
    ]


def _evidence_line(report: ReportCore, group: str) -> str:
    score = next((report.score(group, axis) for axis in AXES if report.score(group, axis)), None)
    if score is None:
        return ""
    seeds = score.accuracy.seeds
    pooled = "pooled over them" if seeds > 1 else "the interval does not contain the variance between trainings"
    return (
        f"Mode `{report.mode}`; {seeds} training seed{'s' if seeds > 1 else ''} ({pooled}); items in "
        f"{score.accuracy.clusters} clusters" + (", few" if score.accuracy.few_clusters else "") + "."
    )


def base_command(base: str) -> str:
    """How a shell names the base: a hub ID as it is, an embedded model by the command that prepares it."""
    return base if "/" in base else f"$(medctx-train base {base})"


def _use_lines(config: StudyConfig, base: Base, result: CellResult) -> list[str]:
    model = f"models:/{config.registry_name}/{VERSION}" if config.registry_name else ""
    name = "".join(char if char.isalnum() else "-" for char in result.cell.name)
    lines = ["```python", "import mlflow", f'model = mlflow.pyfunc.load_model("{model}")', "```", ""] if model else []
    lines += [
        "```bash",
        f'vllm serve "{base_command(base.id)}" --enable-lora --lora-modules {name}=ADAPTER_FOLDER',
    ]
    if model:
        lines.append(f"medctx-eval compare {model} ...  # compare its answers with those of other models")
    return [*lines, "```"]


def _metadata(config: StudyConfig, base: Base, result: CellResult) -> str:
    metadata: dict[str, object] = {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["medctx", "lora", "medical", f"study-{config.name}"],
        "license": "other",
        "license_name": "see-base-and-data",
    }
    if base.id.count("/") == 1 and not base.id.startswith("."):
        metadata["base_model"] = base.id
    return yaml.safe_dump(metadata, sort_keys=False)


def model_card(config: StudyConfig, base: Base, result: CellResult, report: ReportCore, decision: Decision) -> str:
    """The card of one adapter; its version in the registry is written as ``VERSION``.

    Args:
        config: The study.
        base: The adapter's base.
        result: What was made of the cell.
        report: The study's report.
        decision: What the gate decided.
    """
    group = result.cell.group
    position = next((position for position in decision.pareto if position.cell == group), None)
    manifest = exam_manifest(result, report)
    exams = manifest.exams if manifest else ()
    lines = [
        "---",
        _metadata(config, base, result).rstrip(),
        "---",
        f"# {result.cell.name} ({config.name})",
        "",
        f"A LoRA adapter on `{base.id}`, without the weights of the base (digest `{base.weights_digest[:12]}`): one "
        f"cell of a study of how general and medical training data change what a model knows and how well it reads.",
        "",
        "## Training data",
        "",
        *_mix_lines(result),
        "",
        "## Training",
        "",
        *_training_lines(result),
        "",
        "## Evaluation",
        "",
        *score_lines(report, group),
        "",
        _evidence_line(report, group),
        f"Gate: {gate_of(decision, group)}. {decision.reason}",
        *([f"Pareto front of knowledge and reading: {position.standing}."] if position else []),
        "",
        *(f"- Exam {exam.name}: {exam.items:,} items, {exam.licence}, digest `{exam.digest[:12]}`" for exam in exams),
        "",
        "## Use",
        "",
        *_use_lines(config, base, result),
        "",
        "## Licence and limits",
        "",
        f"Base: {base.licence or 'see its model card'}. Training data: see the table above. {DISCLAIMER}",
        "",
    ]
    return "\n".join(lines)
