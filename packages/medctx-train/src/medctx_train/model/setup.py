"""The model a run trains, put together from its config and tested on its rows.

Base, attention, positions and kernels first; then the loss and the test for leaks between packed samples; then what is
trained of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.model import rope as positions
from medctx.process.progress import say
from medctx_train.checkpoints import adapter as adapters
from medctx_train.config import SftConfig
from medctx_train.distributed import launch
from medctx_train.model.attention import implementation, self_test, spread_rows
from medctx_train.model.liger import use_liger
from medctx_train.model.load import load_config, load_model
from medctx_train.model.lora import add_lora
from medctx_train.model.loss import chunk_losses, chunking_gap, keep_whole_losses
from medctx_train.model.neftune import add_noise
from medctx_train.model.precision import precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from accelerate import Accelerator
    from transformers import PreTrainedModel

    from medctx_train.data.packing import Row

_MAX_CHUNKING_GAP = 0.05


def base_model(config: SftConfig, folder: Path, rows: Sequence[Row]) -> PreTrainedModel:
    """The base as the run computes it, before anything is put on it; a row it has no positions for is refused."""
    settled, _ = load_config(folder, config.rope)
    known = getattr(settled, "max_position_embeddings", None)
    longest = max((member for row in rows for member in row.members), key=lambda member: len(member.ids))
    if known and len(longest.ids) > known:
        raise MedctxError(
            f"Sample {longest.id!r} has {len(longest.ids):,} tokens, but {config.base} knows {known:,} positions; "
            "lower row_tokens, or set rope.scaling and rope.factor."
        )
    model = load_model(folder, precision(config), attention=implementation(config.attention), config=settled)
    use_liger(model, config.liger)
    chunk_losses(model, config.loss_chunk)
    return model


def check_losses(model: PreTrainedModel, rows: Sequence[Row]) -> None:
    """Losses by chunks against the model's own logits on a real row; where they differ, the logits are kept whole."""
    row = next(iter([*spread_rows(rows, 1), *rows]))
    model.eval()
    gap = chunking_gap(model, row)
    if gap > _MAX_CHUNKING_GAP:
        keep_whole_losses(model)
        say(
            f"{type(model).__name__} does more behind its head than scale and cap (losses by chunks differ by "
            f"{gap:.2f} nats): all logits of a row are held at once, which takes more memory."
        )


def continue_lora(model: PreTrainedModel, config: SftConfig) -> torch.nn.Module:
    """The frozen model with the adapter of ``start_adapter``, to be trained further in float32.

    Raises MedctxError where the adapter was trained on another base or with other positions.
    """
    from peft import PeftModel

    assert config.start_adapter is not None
    start = adapters.load(config.start_adapter)
    folder, _ = adapters.base_of(start, config.base)
    if load_config(folder, config.rope)[1] != start.positions:
        raise MedctxError(
            f"The adapter {start.folder} was trained with other rotary positions than rope asks for; set rope as its "
            "run had it."
        )
    trained: torch.nn.Module = PeftModel.from_pretrained(model, str(start.folder), is_trainable=True)
    return trained


def trained_model(config: SftConfig, model: PreTrainedModel) -> torch.nn.Module:
    """The model with what is trained on it, in training mode."""
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if config.neftune_alpha:
        add_noise(model, config.neftune_alpha)
    trained: torch.nn.Module = model
    if config.method == "qlora":
        from peft import prepare_model_for_kbit_training

        # Checkpointing was settled above; this freezes the base and holds norms, embeddings and head in float32.
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]
    if config.method != "full":
        trained = continue_lora(model, config) if config.start_adapter else add_lora(model, config.lora, config.seed)
    return trained.train()


def load_trainee(
    config: SftConfig, folder: Path, rows: Sequence[Row], accelerator: Accelerator
) -> tuple[torch.nn.Module, float]:
    """The model in training mode, and its packing gap in nats; the same in every process of a launch."""
    import torch

    torch.manual_seed(config.seed)
    model = base_model(config, folder, rows)
    if config.method != "qlora":
        model.to(accelerator.device)
    with accelerator.autocast(), launch.whole(accelerator, model):
        gap = self_test(model, rows, config.max_packing_gap)
        check_losses(model, rows)
    return trained_model(config, model), gap


def write_positions(config: SftConfig, folder: Path, adapter: Path) -> None:
    """Put scaled positions beside an adapter, so that whoever loads it finds what its base must be told."""
    _, changed = load_config(folder, config.rope)
    if changed:
        write_record(adapter / positions.FILE, changed)


def trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}
