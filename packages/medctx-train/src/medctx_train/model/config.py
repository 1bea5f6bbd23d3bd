"""The model section of a training config: the base, what is trained of it, and how it is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.model.embedded import EMBEDDED

ALL_LINEAR = "all-linear"
QUERY_KEY = "query-key"

Method = Literal["lora", "qlora", "full"]
Attention = Literal["auto", "sdpa", "flex", "flash"]
"""``sdpa``: PyTorch's scaled dot-product attention with a mask over the row (1 GB at 32k tokens); ``flex``:
FlexAttention, compiled, with a block mask; ``flash``: FlashAttention's variable-length kernels, without a mask;
``auto``: ``flash`` if a GPU and the package are available, otherwise ``sdpa``."""
Autocast = Literal["auto", "bf16", "no"]
"""``bf16``: matrix products in bfloat16, whatever the weights are; ``no``: in the precision of the weights; ``auto``:
``bf16``, or float32 throughout on a CPU without fast bfloat16."""
Packing = Literal["auto", "on", "off"]
"""``on``: the samples of a row share a forward pass, and a model that lets them influence each other stops the run;
``off``: every sample has a forward pass of its own; ``auto``: ``on``, or ``off`` for such a model. The rows of a step,
and so its loss, are the same."""
Liger = Literal["auto", "on", "off"]
"""``auto``: if the package, a GPU and kernels for the architecture are available; ``on``: stop the run otherwise."""
Weighting = Literal["token", "sample"]
"""``token``: every loss token of an optimizer step has the same weight; ``sample``: every sample has."""


class LoraSettings(Config):
    """LoRA adapters (Hu et al., arXiv 2106.09685), as PEFT implements them."""

    rank: int = Field(16, ge=1, description="Rank of the update.")
    alpha: int = Field(32, ge=1, description="Numerator of the scaling: the update is multiplied by alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the input of every adapter.")
    targets: str | tuple[str, ...] = Field(
        ALL_LINEAR,
        description="Module names, or all-linear (every linear layer except the head), or query-key (the query and key "
        "projections, under the names the architecture uses).",
    )
    use_dora: bool = Field(False, description="Weight-decomposed adapters, DoRA (arXiv 2402.09353).")
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(rank) instead (rsLoRA, arXiv 2312.03732).")


class RopeSettings(Config):
    """Rotary positions scaled to longer contexts.

    There is no ``dynamic`` scaling: transformers would let the longest sample of a packed row set the frequencies of
    all samples and keep them for later rows, and vLLM computes a different function under that name.
    """

    scaling: Literal["none", "linear", "ntk", "yarn"] = Field(
        "none",
        description="linear interpolates positions (arXiv 2306.15595), ntk raises the base to base * factor^(d / (d - "
        "2)) for heads of size d, yarn scales high and low frequencies differently (arXiv 2309.00071).",
    )
    factor: float = Field(1.0, ge=1, description="Multiple of the context length that the model was trained with.")

    @model_validator(mode="after")
    def _scaling_and_factor_go_together(self) -> Self:
        if (self.scaling == "none") != (self.factor == 1):
            raise ValueError("rope needs both a scaling and a factor above 1, or neither")
        return self


class ModelSettings(Config):
    """The base model, the weights that are trained, and the precision and kernels they are computed with."""

    base: str = Field(EMBEDDED, description="Base model: an embedded name, a folder, or a hub id.")
    method: Method = Field(
        "lora",
        description="lora trains adapters, qlora adapters on a base in 4 bits (needs the extra [qlora]), full all "
        "weights.",
    )
    lora: LoraSettings = Field(LoraSettings(), description="The adapters of lora and qlora.")
    start_adapter: Path | None = Field(
        None,
        description="Continue training this adapter, with its own rank and modules, instead of a new one; an adapter "
        "folder or the folder of the run that trained it.",
    )
    rope: RopeSettings = Field(RopeSettings(), description="Rotary positions scaled to longer contexts.")
    autocast: Autocast = Field(
        "auto",
        description="Precision of matrix products: bf16, no (that of the weights), or auto (bf16, or float32 "
        "throughout on a CPU without fast bfloat16).",
    )
    attention: Attention = Field(
        "auto",
        description="sdpa, flex (compiled, needs a GPU), flash (needs a GPU and flash-attn), or auto (flash if "
        "available, otherwise sdpa).",
    )
    loss_chunk: int = Field(
        1024, ge=1, description="Loss tokens whose logits are held at a time; fewer need less memory."
    )
    neftune_alpha: float = Field(
        0.0, ge=0, description="Scale of NEFTune's noise on the embeddings (arXiv 2310.05914); 0 for none, 5 is usual."
    )
    gradient_checkpointing: bool = Field(
        False, description="Recompute activations in the backward pass: less memory, about a third more time."
    )
    liger: Liger = Field("auto", description="Liger's Triton kernels for norms, rotary positions and MLPs, on a GPU.")
    packing: Packing = Field(
        "auto",
        description="on processes the samples of a row in one forward pass and stops the run if the model lets them "
        "influence each other; off processes them one by one; auto is on, or off if the model fails that test.",
    )

    @model_validator(mode="after")
    def _starts_from_one_adapter(self) -> Self:
        if self.start_adapter and self.method == "full":
            raise ValueError(
                "start_adapter continues an adapter, but method is full; merge it with medctx-train merge and use the "
                "result as base"
            )
        if self.start_adapter and self.lora != LoraSettings():
            raise ValueError("start_adapter brings its own rank and modules; leave lora out")
        return self
