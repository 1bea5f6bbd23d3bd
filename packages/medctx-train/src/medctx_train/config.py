"""What a fine-tuning run is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx_train.data.overlong import TooLong
from medctx_train.data.replay import ReplaySettings
from medctx_train.model.attention import Attention
from medctx_train.model.base import EMBEDDED
from medctx_train.model.liger import Liger
from medctx_train.model.lora import LoraSettings
from medctx_train.model.loss import Weighting
from medctx_train.model.precision import Autocast
from medctx_train.model.rope import RopeSettings
from medctx_train.probe.config import KeepSettings, ProbeSettings, StopSettings


class SftConfig(Config):
    """Supervised fine-tuning of ``base`` on the Dialogues of a mix folder, each seen once per epoch.

    ``row_tokens``: length of a packed row; ``rows_per_step``: rows averaged, weighted by their loss tokens, for one
    optimizer step. The learning rate warms up over ``warmup`` of the steps and falls linearly to nothing.
    ``max_packing_gap``: largest difference in nats a sample's loss may show packed against alone before the run is
    stopped. ``checkpoint_every``: steps between points a killed run resumes from. ``loss_chunk``: loss tokens whose
    logits are held at a time. ``neftune_alpha``: noise on the embeddings while training (arXiv 2310.05914), 0 for none.
    ``start_adapter``: an adapter on ``base`` whose training is continued, with its rank and modules, in place of a
    fresh one as ``lora`` describes it. ``autocast``: see :mod:`medctx_train.model.precision`. ``liger``: Triton
    kernels for norms, rotary positions and MLPs where the package and a GPU are.
    """

    base: str = EMBEDDED
    mix: Path = Path("mix")
    name: str = ""
    seed: int = 0
    method: Literal["lora", "qlora", "full"] = "lora"
    lora: LoraSettings = LoraSettings()
    start_adapter: Path | None = None
    replay: ReplaySettings = ReplaySettings()
    rope: RopeSettings = RopeSettings()
    epochs: int = Field(1, ge=1)
    row_tokens: int = Field(512, ge=8)
    too_long: TooLong = "refuse"
    rows_per_step: int = Field(2, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    warmup: float = Field(0.05, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    autocast: Autocast = "auto"
    attention: Attention = "auto"
    loss_weighting: Weighting = "token"
    loss_chunk: int = Field(1024, ge=1)
    neftune_alpha: float = Field(0.0, ge=0)
    gradient_checkpointing: bool = False
    liger: Liger = "auto"
    max_packing_gap: float = Field(0.1, gt=0)
    checkpoint_every: int = Field(10, ge=1)
    probe: ProbeSettings = ProbeSettings()
    stop: StopSettings = StopSettings()
    keep: KeepSettings = KeepSettings()

    @model_validator(mode="after")
    def _probed_where_needed(self) -> Self:
        if not self.probe.every and (self.stop.margin is not None or self.keep.best):
            raise ValueError("stop.margin and keep.best go by probes, but probe.every is 0; set it to some steps")
        return self

    @model_validator(mode="after")
    def _starts_from_one_thing(self) -> Self:
        if self.start_adapter and self.method == "full":
            raise ValueError(
                "start_adapter continues an adapter, but method is full; merge it with medctx-train merge and name the "
                "result as base"
            )
        if self.start_adapter and self.lora != LoraSettings():
            raise ValueError("start_adapter brings its own rank and modules; leave lora out")
        return self


class MergeConfig(Config):
    """Merging an adapter into its base; "" takes the one its run recorded."""

    base: str = ""
    adapter: Path = Path("adapter")
