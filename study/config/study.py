"""What a study is told: one YAML file in ``studies/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig
from study.config.cells import general_share
from study.config.design import Design

__all__ = ["ExecutorConfig", "ModelConfig", "StudyConfig"]

Section = dict[str, JsonValue]
"""Keys handed on to a console command, which checks them; the study itself does not read them."""


class ModelConfig(Config):
    """A model that cells start from, known by its label.

    ``id``: a hub id, a folder or an embedded name; the label where empty. ``confirmed``: whether the id was seen on the
    hub. The sizes are for plans made without the model at hand: ``parameters`` in all, ``hidden`` width, ``layers``,
    ``intermediate`` width, ``heads``, ``kv_heads``, ``vocabulary`` and ``positions``. ``urls``: the
    addresses of a server that has it under the name ``id``; it is then examined and never trained. The server's key is
    read from the environment variable ``key_variable``. ``tokenizer``: of a model behind a server.
    """

    id: str = ""
    confirmed: bool = True
    note: str = ""
    parameters: int | None = Field(None, ge=1)
    hidden: int | None = Field(None, ge=1)
    layers: int | None = Field(None, ge=1)
    intermediate: int | None = Field(None, ge=1)
    heads: int | None = Field(None, ge=1)
    kv_heads: int | None = Field(None, ge=1)
    vocabulary: int | None = Field(None, ge=1)
    positions: int | None = Field(None, ge=1)
    urls: tuple[str, ...] = ()
    key_variable: str = "OPENAI_API_KEY"
    tokenizer: str = "bytes"


class ExecutorConfig(Config):
    """Who runs the steps, and how many at a time.

    ``local``: at most ``workers`` steps on this machine at a time, as far as their estimated memory fits into
    ``memory_gib`` (nothing: what is free). ``ray``: on the cluster at ``address`` (nothing: one started on this
    machine); a training or exam step takes ``gpus`` and ``cpus`` there. Work folder and caches must be on storage that
    every machine of the cluster sees at the same path. ``retries``: how often a step whose process was killed is
    called again; it continues where it was.
    """

    kind: Literal["local", "ray"] = "local"
    workers: int = Field(1, ge=1)
    memory_gib: float | None = Field(None, gt=0)
    address: str = ""
    cpus: float = Field(1, ge=0)
    gpus: float = Field(0, ge=0)
    retries: int = Field(2, ge=0)


class StudyConfig(Config):
    """A grid of cells and the exam they all sit.

    The axes: ``bases`` (labels in ``models``, or models as they are; nothing: ``base``), ``ratios`` (general : medical;
    none: the untouched models are examined and nothing is trained), ``amounts`` of training data in the unit of the mix
    (nothing: ``tokens``), ``methods`` (names in ``recipes``, or the trainer's own; nothing: as ``train`` says),
    ``wraps`` (shares of Dialogues given a Book; nothing: as ``mix`` says), ``repairs`` (names in ``arms``; every
    trained cell is repaired by each) and ``seeds``. Every untouched base is always a cell.

    ``design``: ``grid``; ``one-at-a-time`` around ``center`` (nothing: the first value of each axis); or
    ``space-filling``, ``cells`` of the grid. Every cell is trained with every seed. ``hours``: what all training
    together may take, instead of ``tokens``. ``equal_tokens``: every amount below the largest is trained a second time,
    its data gone through until it is as many tokens as the largest. ``stand_in``: a model that takes the place of every
    base, to try a study at a small size.

    ``curriculum``: which embedded facts are taught and which are only read, the same for Dialogues and exam. ``mix``,
    ``train``, ``exam`` and ``report`` are handed to ``medctx-data mix``, ``medctx-train sft``, ``medctx-eval run`` and
    ``medctx-eval report``. ``registered_model``: the name adapters are registered under, nothing to register none.
    ``contamination_report``: whether every mix is held against every exam. ``twice``: whether untouched models are
    examined a second
    time, which is the noise floor of the report (not behind a server, where a model has one name). ``work``: the folder
    of finished steps, shared by all studies.
    """

    name: str = Field(min_length=1)
    title: str = ""
    base: str = "smollm2-135m-instruct"
    bases: tuple[str, ...] = ()
    models: dict[str, ModelConfig] = Field(default_factory=dict)
    stand_in: str = ""
    ratios: tuple[str, ...] = ("1:0", "1:1", "0:1")
    amounts: tuple[int, ...] = ()
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    tokens: int = Field(40_000, ge=1)
    hours: float | None = Field(None, gt=0)
    equal_tokens: bool = False
    methods: tuple[str, ...] = ()
    recipes: dict[str, Section] = Field(default_factory=dict)
    wraps: tuple[float, ...] = ()
    repairs: tuple[str, ...] = ()
    arms: dict[str, Section] = Field(default_factory=dict)
    design: Design = "grid"
    center: dict[str, str | int | float] = Field(default_factory=dict)
    cells: int | None = Field(None, ge=1)
    curriculum: CurriculumConfig = CurriculumConfig()
    adapters: str = Field("auto", pattern="^(auto|hot|merged)$")
    data: Path | None = None
    mix: Section = Field(default_factory=dict)
    train: Section = Field(default_factory=dict)
    exam: Section = Field(default_factory=dict)
    report: Section = Field(default_factory=dict)
    contamination_report: bool = True
    twice: bool = False
    registered_model: str = ""
    executor: ExecutorConfig = ExecutorConfig()
    work: Path = Path("work")

    @field_validator("bases", "ratios", "amounts", "seeds", "methods", "wraps", "repairs")
    @classmethod
    def _once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"names a value twice: {values}")
        return values

    @field_validator("ratios")
    @classmethod
    def _are_ratios(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            general_share(value)
        return values

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        unknown = [arm for arm in self.repairs if arm not in self.arms]
        if unknown:
            raise ValueError(
                f"the repair {unknown[0]!r} is no key of arms; known are: {', '.join(self.arms) or 'none'}"
            )
        if self.design == "space-filling" and self.cells is None:
            raise ValueError("a space-filling design needs cells, the number of points it may have")
        if self.hours is not None and self.amounts:
            raise ValueError("hours and amounts both say how much is trained; give one of them")
        if any(amount < 1 for amount in self.amounts):
            raise ValueError(f"amounts must be above 0: {self.amounts}")
        return self

    def model(self, label: str) -> ModelConfig:
        """The model of a label; the stand-in, where there is one, keeps nothing of it but the label."""
        if self.stand_in:
            return ModelConfig(id=self.stand_in)
        known = self.models.get(label, ModelConfig())
        return known if known.id else known.model_copy(update={"id": label})

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the bases."""
        return self.bases or (self.base,)
