"""The card of an adapter in Markdown: one template for its README, its registered version and the note of its run.

Training writes it without an evaluation. A study writes it again with one, and with the commands of the registry.
The head is the metadata block of a Hugging Face model card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from medctx.model.embedded import EMBEDDED
from medctx.schemas.mix import MixManifest
from medctx.schemas.sft import BaseCard, SftManifest
from medctx.tracking.evaluation import percent
from medctx.tracking.logged_adapter import EXAM_SETTINGS, FIGURE, QUESTION

PUBLISHED = {EMBEDDED: "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""The published models that embedded ones are made from."""
DISCLAIMER = (
    "**Not a medical device.** A research artefact: it gives no medical advice, and its answers are often wrong. Do "
    "not use it for decisions about people."
)
INTENDED = (
    "Intended for comparing mixtures of general and medical training data on the exams above, and for teaching how to "
    "do so."
)
LIMITS = (
    "Not intended for diagnosis, treatment, triage, advice to patients or any other clinical use, nor as an assistant. "
    "An exam may ask facts in the words in which they were taught; a score on it is no measure of clinical competence. "
    "What was measured holds for these exams, this base, this amount of data and these seeds."
)
EVALUATION = "## Evaluation"
ADAPTER_FOLDER = "ADAPTER_FOLDER"
"""Stands for the folder of the card on cards of adapters that are not registered."""
BAR_CHARS = 20


@dataclass(frozen=True)
class CardOrigin:
    """What an adapter is called and where it comes from.

    Attributes:
        title: Heading of the card.
        base: The base model.
        mix: Its training data, None where their manifest is not known.
        sft: Its training, None for an adapter that a repair made.
        repair: Name of the repair that made it.
        tags: Further tags of the metadata block.
    """

    title: str
    base: BaseCard
    mix: MixManifest | None = None
    sft: SftManifest | None = None
    repair: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class CardEvaluation:
    """What is known of an adapter after its exam.

    Attributes:
        lines: Lines of ``medctx.tracking.evaluation.evaluation_lines``.
        answer: What it knows and reads beside its base, in one sentence for the head of the card.
        results: Accuracy in [0, 1] by axis, for the metadata block.
        exams: Names of the exams by axis.
        sample: Lines of a question with its answer, empty where none may be shown.
        model: Its version in the registry (``models:/NAME/VERSION``), "" where it is not registered.
        figure: Whether ``FIGURE`` is beside the card.
    """

    lines: Sequence[str] = ()
    answer: str = ""
    results: Mapping[str, float] = field(default_factory=dict)
    exams: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sample: Sequence[str] = ()
    model: str = ""
    figure: bool = False


def bar(share: float, chars: int = BAR_CHARS) -> str:
    """Draw a share in [0, 1] as a bar of so many characters."""
    filled = round(chars * share)
    return "█" * filled + "░" * (chars - filled)


def composition_lines(mix: MixManifest) -> list[str]:
    """The composition as a figure of characters, which every page shows: a bar per domain and per source."""
    rows: list[tuple[str, float]] = []
    for domain in mix.domains:
        rows.append((domain.domain, domain.token_share))
        rows += [(f"  {source.label}", source.token_share) for source in mix.sources if source.domain == domain.domain]
    width = max(len(name) for name, _ in rows)
    return ["```text", *(f"{name:{width}}  {bar(share)} {percent(share):>5} %" for name, share in rows), "```"]


def _data_lines(origin: CardOrigin, *, figure: bool) -> list[str]:
    mix = origin.mix
    if mix is None:
        return ["Its training data are not described beside it."]
    picture = [f"![Composition of the training data]({FIGURE})", ""] if figure else []
    sources = [
        f"| {source.label} | {source.domain} | {source.tokens:,} | {source.dialogues:,} | {source.licence} |"
        for source in mix.sources
    ]
    return [
        f"{mix.tokens:,} tokens ({mix.loss_tokens:,} with loss) in {mix.dialogues:,} Dialogues, general : medical "
        f"{mix.ratio} by {mix.by}, digest `{mix.digest[:12]}`.",
        "",
        *composition_lines(mix),
        "",
        *picture,
        "| source | domain | tokens | Dialogues | licence |",
        "|---|---|---:|---:|---|",
        *sources,
    ]


def _training_lines(origin: CardOrigin) -> list[str]:
    sft = origin.sft
    if sft is None:
        return [f"Made by the arm `{origin.repair}` of `medctx-train repair`." if origin.repair else "Not recorded."]
    return [
        f"{sft.method}, seed {sft.seed}: {sft.steps} steps over {sft.tokens:,} tokens; loss {sft.first_loss:.3f} nats "
        f"per token in the first step, {sft.last_loss:.3f} in the last.",
        "Made with " + ", ".join(f"{name} {version}" for name, version in sft.versions.items()) + ".",
    ]


def _peft_lines(source: str) -> list[str]:
    return [
        "```python",
        "from medctx_eval import locate",
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM",
        "",
        f'model = locate("{source}")  # its folder and that of its base, found or made, with digests checked',
        "base = AutoModelForCausalLM.from_pretrained(model.folder)",
        "adapted = PeftModel.from_pretrained(base, model.adapter)",
        "```",
    ]


def _use_lines(evaluation: CardEvaluation) -> list[str]:
    model = evaluation.model
    if not model:
        return [
            f"`{ADAPTER_FOLDER}` is the folder of this card.",
            "",
            *_peft_lines(ADAPTER_FOLDER),
            "",
            "```bash",
            f"medctx-eval serve {ADAPTER_FOLDER}  # vLLM behind an OpenAI-compatible URL",
            "```",
        ]
    return [
        "With `MLFLOW_TRACKING_URI` set to the store of this registry:",
        "",
        "```python",
        "import mlflow",
        "",
        f'model = mlflow.pyfunc.load_model("{model}")',
        f'print(model.predict({{"messages": [{{"role": "user", "content": "{QUESTION}"}}]}}))',
        "```",
        "",
        "```bash",
        f"medctx-eval serve {model}  # vLLM behind an OpenAI-compatible URL",
        f"medctx-eval run --model {model} --out runs  # examine again as the study did ({EXAM_SETTINGS})",
        f"medctx-eval verify {model}  # recompute what this card states",
        "```",
        "",
        "With PEFT:",
        "",
        *_peft_lines(model),
    ]


def _metadata(origin: CardOrigin, evaluation: CardEvaluation) -> str:
    base = origin.base.portable_name
    published = base if base.count("/") == 1 and not base.startswith((".", "/")) else PUBLISHED.get(base)
    languages = sorted({share.name for share in origin.mix.languages}) if origin.mix else []
    metadata: dict[str, object] = {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        **({"base_model": published, "base_model_relation": "adapter"} if published else {}),
        **({"language": languages} if languages else {}),
        "tags": ["medctx", "lora", "medical", *origin.tags],
        "license": "other",
        "license_name": "base-and-training-data",
    }
    if evaluation.results:
        metadata["model-index"] = [
            {
                "name": origin.title,
                "results": [
                    {
                        "task": {"type": "text-generation"},
                        "dataset": {"type": "medctx", "name": ", ".join(evaluation.exams.get(axis, ()))},
                        "metrics": [{"type": "accuracy", "name": axis, "value": round(100 * value, 1)}],
                    }
                    for axis, value in evaluation.results.items()
                ],
            }
        ]
    return yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True).rstrip()


def adapter_card(origin: CardOrigin, evaluation: CardEvaluation = CardEvaluation()) -> str:
    """Return the card of an adapter.

    Args:
        origin: What it is and what it was made from.
        evaluation: What its exam found, empty before it was examined.
    """
    base = origin.base
    evaluated = evaluation.lines or ["Not examined yet; `medctx-eval run` does it."]
    licence = base.licence or "see its model card"
    lines = [
        "---",
        _metadata(origin, evaluation),
        "---",
        f"# {origin.title}",
        "",
        f"A LoRA adapter on `{base.portable_name}` (digest `{base.weights_digest[:12]}`), without the weights of the "
        "base, trained on one mixture of general and medical data. Does it know more, and does it still read?"
        f"{' ' if evaluation.answer else ''}{evaluation.answer}",
        "",
        DISCLAIMER,
        "",
        EVALUATION,
        "",
        *evaluated,
        "",
        *(["## A question of the exam", "", *evaluation.sample, ""] if evaluation.sample else []),
        "## Training data",
        "",
        *_data_lines(origin, figure=evaluation.figure),
        "",
        "## Use",
        "",
        *_use_lines(evaluation),
        "",
        "## Intended use and limits",
        "",
        f"{INTENDED} {LIMITS}",
        "",
        "## Licences",
        "",
        f"Licence of the base: {licence}. Of the training data: as the table above says by source. The adapter may be "
        "used only as all of them allow.",
        "",
        "## Training",
        "",
        *_training_lines(origin),
        "",
    ]
    return "\n".join(lines)
