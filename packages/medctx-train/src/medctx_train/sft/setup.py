"""The model a run trains, built from its config and tested on its rows.

First the base with its attention, positions and kernels; then the loss and the packing self-test; then the weights that
are trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.model import rope as rope_files
from medctx.model.decoder_config import context_length
from medctx.model.training_memory import SHORT_ROW
from medctx.process.progress import say
from medctx_train.checkpoints import adapter as adapters
from medctx_train.distributed import launch
from medctx_train.model.attention import attention_implementation
from medctx_train.model.config import ModelSettings, Packing, RopeSettings
from medctx_train.model.liger import apply_liger
from medctx_train.model.load import load_config, load_model
from medctx_train.model.lora import add_lora
from medctx_train.model.loss import chunk_losses, chunking_gap, restore_logits
from medctx_train.model.neftune import add_neftune
from medctx_train.model.packing_check import (
    MAX_GAP_HALF,
    check_packing,
    hidden_states,
    hidden_states_gap,
    spread_rows,
)
from medctx_train.model.precision import base_precision, uses_bf16_autocast

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from accelerate import Accelerator
    from transformers import PreTrainedModel

    from medctx_train.data.packing import PackedRow

_MAX_CHUNKING_GAP = 0.05


class ModelSetup(NamedTuple):
    """A model that is ready to be trained.

    Attributes:
        model: The model in training mode.
        packed: True if the samples of a row share a forward pass.
        packing_gap: See ``medctx_train.model.packing_check.PackingCheck``; 0 if nothing was packed.
    """

    model: torch.nn.Module
    packed: bool
    packing_gap: float


def load_base(settings: ModelSettings, folder: Path, rows: Sequence[PackedRow]) -> PreTrainedModel:
    """Load the base as the run computes it, before adapters are added.

    Raises:
        MedctxError: If a sample is longer than the model's context.
    """
    config, _ = load_config(folder, settings.rope)
    positions = context_length(config)
    longest = max((member for row in rows for member in row.members), key=lambda member: len(member.ids))
    if positions and len(longest.ids) > positions:
        raise MedctxError(
            f"Sample {longest.id!r} has {len(longest.ids):,} tokens, but {settings.base} has {positions:,} positions; "
            "lower row_tokens, or set rope.scaling and rope.factor."
        )
    model = load_model(
        folder,
        base_precision(settings.method, settings.autocast),
        attention=attention_implementation(settings.attention),
        config=config,
    )
    apply_liger(model, settings.liger)
    chunk_losses(model, settings.loss_chunk)
    return model


def check_chunked_losses(model: PreTrainedModel, rows: Sequence[PackedRow]) -> None:
    """Compare chunked losses with the model's own logits on a real row; if they differ, return to whole logits."""
    row = next(iter([*spread_rows(rows, 1), *rows]))
    model.eval()
    gap = chunking_gap(model, row)
    if gap > _MAX_CHUNKING_GAP:
        restore_logits(model)
        say(
            f"{type(model).__name__} does more after its head than scale and cap (chunked losses differ by "
            f"{gap:.2f} nats): all logits of a row are held at once, which needs more memory."
        )


def _bf16_lora_on_cpu(settings: ModelSettings, model: PreTrainedModel) -> bool:
    cpu, bf16 = model.device.type == "cpu", uses_bf16_autocast(settings.autocast)
    return cpu and bf16 and settings.method == "lora" and str(model.dtype) == "torch.bfloat16"


def speed_up_attention(model: PreTrainedModel, rows: Sequence[PackedRow], settings: ModelSettings) -> None:
    """Compute short rows in bfloat16 on a CPU by batched products, if the model then has the same hidden states."""
    row = min(rows, key=lambda row: row.tokens)
    if row.tokens > SHORT_ROW or not _bf16_lora_on_cpu(settings, model):
        return
    from medctx_train.model.short_attention import use_short_attention

    model.eval()
    before = hidden_states(model, row)
    if use_short_attention(model) and not hidden_states_gap(hidden_states(model, row), before) <= MAX_GAP_HALF:
        model.set_attn_implementation("sdpa")


def decide_packing(model: PreTrainedModel, rows: Sequence[PackedRow], packing: Packing) -> tuple[bool, float]:
    """Test whether the model can be trained on packed rows.

    Returns:
        True if the samples of a row may share a forward pass, and the packing gap.

    Raises:
        MedctxError: If the model fails the test under ``packing=on``.
    """
    if packing == "off":
        return False, 0.0
    check = check_packing(model, rows)
    if check.problem and packing == "on":
        raise MedctxError(
            f"{check.problem}; set packing=auto or packing=off to process samples one by one, or choose another base "
            "or attention."
        )
    if check.problem:
        say(f"{check.problem}: samples are processed one by one, which is slower (packing=auto).")
        return False, 0.0
    return True, check.gap


def _continue_adapter(model: PreTrainedModel, settings: ModelSettings, start_adapter: Path) -> torch.nn.Module:
    """Return the frozen model with an existing adapter, to be trained further in float32.

    Raises:
        MedctxError: If the adapter was trained on another base or with other rotary positions.
    """
    from peft import PeftModel

    adapter = adapters.load_adapter(start_adapter)
    folder, _ = adapters.base_of(adapter, settings.base)
    if load_config(folder, settings.rope)[1] != adapter.positions:
        raise MedctxError(
            f"The adapter {adapter.folder} was trained with other rotary positions than rope asks for; set rope as in "
            "the run that trained it."
        )
    adapted: torch.nn.Module = PeftModel.from_pretrained(model, str(adapter.folder), is_trainable=True)
    return adapted


def add_trained_weights(settings: ModelSettings, model: PreTrainedModel, seed: int) -> torch.nn.Module:
    """Return the model in training mode with the weights that are trained: its own, or adapters."""
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if settings.neftune_alpha:
        add_neftune(model, settings.neftune_alpha)
    if settings.method == "qlora":
        from peft import prepare_model_for_kbit_training

        # Freezes the base and holds norms, embeddings and head in float32; checkpointing is set above.
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]
    trained: torch.nn.Module = model
    if settings.start_adapter:
        trained = _continue_adapter(model, settings, settings.start_adapter)
    elif settings.method != "full":
        trained = add_lora(model, settings.lora, seed)
    if _bf16_lora_on_cpu(settings, model):
        from medctx_train.model.lora_product import fuse_lora

        fuse_lora(trained)
    return trained.train()


def set_up_model(
    settings: ModelSettings, folder: Path, rows: Sequence[PackedRow], accelerator: Accelerator, *, seed: int
) -> ModelSetup:
    """Build the model that a run trains; the same in every process of a launch.

    Args:
        settings: The model section of the config.
        folder: Folder of the base model.
        rows: The rows of the run, some of which test the model.
        accelerator: The launch's accelerator.
        seed: Seed of new adapters.
    """
    import torch

    torch.manual_seed(seed)
    model = load_base(settings, folder, rows)
    if settings.method != "qlora":
        model.to(accelerator.device)
    with accelerator.autocast(), launch.gathered_weights(accelerator, model):
        speed_up_attention(model, rows, settings)
        packed, gap = decide_packing(model, rows, settings.packing)
        check_chunked_losses(model, rows)
    return ModelSetup(add_trained_weights(settings, model, seed), packed, gap)


def write_rope_overrides(scaling: RopeSettings, base: Path, adapter: Path) -> None:
    """Write the scaled positions beside an adapter, for whoever loads it onto its base."""
    _, changes = load_config(base, scaling)
    if changes:
        write_record(adapter / rope_files.FILE, changes)


def trainable_parameters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the parameters that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
