"""What an exam is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Mode
from medctx_eval.engines.client import TIMEOUT_S
from medctx_eval.engines.machine import Precision
from medctx_eval.engines.vllm import VllmConfig
from medctx_eval.exams.condition import even_depths, expand
from medctx_eval.exams.generated.needle import NeedleConfig
from medctx_eval.exams.generated.phenotype_facts import FactsConfig
from medctx_eval.exams.generated.records import RecordsConfig


class ExamConfig(Config):
    """One exam: its name, the Conditions its items are asked under, and where its files lie.

    ``depths`` (or how many even ones) are dealt over Conditions that name none; ``limits`` caps the items of a
    Condition by its name, ``limit`` those of the exam. ``items`` and ``passages`` are the files of exams that are read
    from disk; ``path`` is a file or folder read instead of the published one, whose ``revision`` may be asked for.
    ``half``: only the clusters that select cells, or only those that measure again what was selected.
    ``offer_cannot`` adds an option that the question cannot be answered to every item that lacks one (under
    ``distractor`` it is always there). ``needle`` and ``records`` are the sizes of the exams of these
    names, ``facts`` the form of phenotypes-facts.
    """

    exam: str
    conditions: tuple[str, ...] = ("closed",)
    depths: tuple[float, ...] = (0.1, 0.5, 0.9)
    limits: dict[str, int] = Field(default_factory=dict)
    items: Path | None = None
    passages: Path | None = None
    path: Path | None = None
    revision: str = ""
    limit: int | None = Field(None, ge=1)
    half: Literal["all", "selection", "confirmation"] = "all"
    offer_cannot: bool = False
    needle: NeedleConfig = NeedleConfig()
    records: RecordsConfig = RecordsConfig()
    facts: FactsConfig = FactsConfig()

    @field_validator("conditions")
    @classmethod
    def _written_out(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return expand(given)

    @field_validator("depths", mode="before")
    @classmethod
    def _counted(cls, given: object) -> object:
        return even_depths(given) if isinstance(given, int) and given > 0 else given


class ModelConfig(Config):
    """One model to examine: a folder (base or merged), and an adapter on it, or a model served elsewhere.

    ``weights_digest`` and ``adapter_digest`` key the journal; they are computed where not given. ``cell`` names what
    was trained and ``training_seed`` which repetition of it this is.
    """

    name: str
    folder: Path | None = None
    adapter: Path | None = None
    weights_digest: str = ""
    adapter_digest: str = ""
    cell: str = ""
    training_seed: int | None = None


class RunConfig(Config):
    """An exam of one or several models.

    ``precision`` of the engines that run here: ``stored``, ``float32``, or ``auto``, which is float32 on a processor
    that knows no half precision. ``mode`` is the scoring mode of the headline numbers, ``modes`` are all that are asked
    (``mode`` first, whether it is among them or not). ``orders``: in how many orders of their options items are asked
    where a mode lists them.
    ``tokenizer``: a model folder, a model's name on the hub, or ``bytes``. ``positions``: the longest sequence, for
    servers that do not say it. ``concurrency`` requests are in flight at each of ``urls``, on ``books_at_once`` Books;
    one that takes longer than ``timeout_s`` seconds is asked again.
    ``proof``: whether an adapter served by vLLM must first be shown to act as the in-process reference says.
    """

    models: tuple[ModelConfig, ...] = ()
    exams: tuple[ExamConfig, ...] = ()
    engine: Literal["auto", "vllm", "transformers", "endpoint"] = "auto"
    precision: Precision = "auto"
    mode: Mode = "text"
    modes: tuple[Mode, ...] = ("text", "letter")
    orders: int = Field(1, ge=1, le=10)
    answer_tokens: int = Field(256, ge=1)
    urls: tuple[str, ...] = ()
    api_key_variable: str = "OPENAI_API_KEY"
    tokenizer: str = ""
    positions: int | None = Field(None, ge=1)
    concurrency: int = Field(8, ge=1)
    timeout_s: float = Field(TIMEOUT_S, gt=0)
    books_at_once: int = Field(1, ge=1)
    proof: bool = True
    seed: int = 0
    curriculum: CurriculumConfig = CurriculumConfig()
    vllm: VllmConfig = VllmConfig()

    @property
    def all_modes(self) -> tuple[Mode, ...]:
        """Every mode that is judged, the headline's first."""
        return tuple(dict.fromkeys((self.mode, *self.modes)))
