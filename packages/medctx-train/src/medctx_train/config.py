"""The config of a fine-tuning run, put together from its sections."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx_train.data.config import DataSettings
from medctx_train.model.config import ModelSettings, Weighting
from medctx_train.probe.config import EarlyStoppingSettings, ProbeSettings, RetentionSettings


class OptimizationSettings(Config):
    """The optimizer steps of a run."""

    epochs: int = Field(1, ge=1, description="How often every Dialogue is trained on.")
    rows_per_step: int = Field(
        2, ge=1, description="Packed rows of one optimizer step, over all processes; weighted by their loss tokens."
    )
    learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate; it decays linearly to 0.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Fraction of the steps with a linearly rising learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="Weight decay of AdamW.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    loss_weighting: Weighting = Field(
        "token", description="token: every loss token has the same weight; sample: every sample has."
    )


class SftConfig(OptimizationSettings, DataSettings, ModelSettings):
    """Supervised fine-tuning of a base model on the Dialogues of a mix folder.

    The keys are flat; the base classes are the sections that functions take.
    """

    name: str = Field("", description='Name of the run; "" takes the name of the output folder.')
    seed: int = Field(0, description="Seed of adapters, dropout, noise and replay.")
    checkpoint_every: int = Field(10, ge=1, description="Optimizer steps between checkpoints.")
    probe: ProbeSettings = Field(ProbeSettings(), description="A small fixed exam of the model during training.")
    early_stopping: EarlyStoppingSettings = Field(
        EarlyStoppingSettings(), description="Stopping a run that loses reading accuracy."
    )
    retention: RetentionSettings = Field(RetentionSettings(), description="Which intermediate weights are kept.")

    @model_validator(mode="after")
    def _probes_if_needed(self) -> Self:
        if not self.probe.every and (self.early_stopping.margin is not None or self.retention.best):
            raise ValueError(
                "early_stopping.margin and retention.best depend on probes, but probe.every is 0; set it to some steps"
            )
        return self
