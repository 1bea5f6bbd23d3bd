"""The config of an exam run: models, exams, scoring modes and the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig
from medctx.process import cpu
from medctx.schemas.records import Mode
from medctx.text.chat_templates import DESCRIPTION
from medctx_eval.engines.time_limits import GIVE_UP_S, TIMEOUT_S
from medctx_eval.engines.vllm import VllmConfig
from medctx_eval.exams.config import ExamConfig, with_names

Precision = Literal["auto", "stored", "float32"]
"""``stored``: the precision of the weights; ``float32``: the same weights, computed in float32; ``auto``: float32 on a
CPU without half-precision arithmetic, where it is faster and more exact, else ``stored``."""
EngineName = Literal["auto", "vllm", "transformers", "endpoint"]


def in_float32(precision: Precision) -> bool:
    """Whether models are computed in float32 on this machine."""
    return precision == "float32" or (precision == "auto" and cpu.bfloat16_is_slow())


class ModelConfig(Config):
    """One model to examine: a folder (base or merged) with or without an adapter, or a model behind an endpoint."""

    name: str = Field(description="Name in the report; behind an endpoint, the model's name there.")
    folder: Path | None = Field(None, description="Folder of the model.")
    adapter: Path | None = Field(None, description="Folder of a PEFT adapter on it.")
    weights_digest: str = Field("", description="Expected digest of the folder; of a merged model, that of its base.")
    adapter_digest: str = Field("", description="Expected digest of the adapter, also if it was merged.")
    cell: str = Field("", description="What was trained: runs of one cell differ in the training seed only.")
    training_seed: int | None = Field(None, description="Seed of the training.")


class RunConfig(Config):
    """Exams of one or several models."""

    models: tuple[ModelConfig, ...] = Field((), description="The models to examine.")
    exams: tuple[ExamConfig, ...] = Field((), description="The exams to ask them.")
    engine: EngineName = Field(
        "auto",
        description="auto: endpoint if urls are given; transformers if vLLM is not installed, or without a GPU if all "
        "modes are likelihoods (text, letter); else vllm.",
    )
    precision: Precision = Field(
        "auto",
        description="Precision of engines that run here: that of the weights (stored), float32, or auto: float32 on a "
        "CPU without half-precision arithmetic.",
    )
    mode: Literal["auto", Mode] = Field(
        "auto",
        description="Scoring mode of the headline numbers; auto: text, or at an endpoint the best that the server can "
        "answer (text, else choice, else generate).",
    )
    modes: tuple[Mode, ...] = Field(
        (),
        description="Further scoring modes. text and text-raw share their requests; every other mode costs its own.",
    )
    orders: int = Field(
        1, ge=1, le=10, description="In how many orders of the options an item is asked if its prompt lists them."
    )
    answer_tokens: int = Field(
        256,
        ge=1,
        description="Most tokens of a written answer; unless it is given, a model behind an endpoint that thinks "
        "before it answers gets 8,192.",
    )
    urls: tuple[str, ...] = Field((), description="Addresses of OpenAI-compatible servers that serve the same models.")
    api_key_variable: str = Field("OPENAI_API_KEY", description="Environment variable that holds the servers' key.")
    tokenizer: str = Field(
        "",
        description="Model folder, model name on the hub, or bytes; empty: that of the first model's folder, or what "
        "the endpoint states or is called after, else bytes.",
    )
    chat_template: str = Field("", description=DESCRIPTION)
    positions: int | None = Field(None, ge=1, description="Longest sequence, where it is not what the server states.")
    concurrency: int = Field(8, ge=1, description="Requests in flight at each server.")
    timeout_s: float = Field(TIMEOUT_S, gt=0, description="Seconds a whole answer may take before it is asked again.")
    give_up_s: float = Field(
        GIVE_UP_S, gt=0, description="Seconds without any answer after which the run ends, to be continued."
    )
    proof: bool = Field(
        True, description="Check that an adapter served by vLLM changes the model as the in-process reference says."
    )
    seed: int = Field(0, description="Seed of generated exams and of the order of distractors.")
    curriculum: CurriculumConfig = Field(CurriculumConfig(), description="Which phenotype facts are taught and asked.")
    vllm: VllmConfig = Field(VllmConfig(), description="The vLLM server that is started for engine=vllm.")

    @field_validator("exams")
    @classmethod
    def _name_own_exams(cls, exams: tuple[ExamConfig, ...]) -> tuple[ExamConfig, ...]:
        return with_names(exams)

    @property
    def all_modes(self) -> tuple[Mode, ...]:
        """All scoring modes, the headline's first."""
        return tuple(dict.fromkeys((self.headline_mode, *self.modes)))

    @property
    def headline_mode(self) -> Mode:
        """The scoring mode of the headline numbers; ``auto`` stands for text until an endpoint was asked."""
        return "text" if self.mode == "auto" else self.mode
