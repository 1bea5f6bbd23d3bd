"""The trained weights of a run on disk, an adapter or a whole model with its tokenizer; written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from medctx.io.atomic import follow_umask
from medctx.io.jsonl import write_text
from medctx.model.decoder_config import read_config
from medctx.model.identity import ADAPTER_CONFIG
from medctx.model.tensor_file import system_errors
from medctx.schemas.sft import BaseCard
from medctx.text import tokenizer
from medctx.text.chat_templates import TEMPLATE_FILE, adapter_template, chat_template_text
from medctx.tracking.adapter_card import CardOrigin, adapter_card
from medctx.tracking.logged_adapter import README
from medctx_train.model.config import Method

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

NAMES: dict[Method, str] = {"lora": "adapter", "qlora": "adapter", "full": "model"}
"""Name of the folder of the trained weights, by method."""


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    installed = {"python": platform.python_version()}
    for package in ("torch", "transformers", "peft", "accelerate", "medctx-train"):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def name_base(config: Path, card: BaseCard) -> None:
    """Write the portable name and the revision of the base into an adapter's config."""
    settings = json.loads(config.read_bytes())
    settings |= {"base_model_name_or_path": card.portable_name, "revision": card.revision or None}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _gather(accelerator: Accelerator, model: torch.nn.Module, *, frozen: bool) -> dict[str, torch.Tensor]:
    """Gather the weights by name on the main process's CPU; frozen weights only if requested."""
    from accelerate.utils import DistributedType

    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        whole: dict[str, torch.Tensor] = accelerator.get_state_dict(model)
        return whole
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=not frozen)
    return cast("dict[str, torch.Tensor]", get_model_state_dict(model, options=options))


@contextmanager
def _removed_after_errors(folder: Path) -> Iterator[None]:
    """Remove a folder that could not be written whole: it would keep a full disk full."""
    try:
        yield
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_card(folder: Path, origin: CardOrigin) -> None:
    """Write the README of an adapter, in place of PEFT's template, which names folders of this machine."""
    write_text(folder / README, adapter_card(origin))


def copy_template(adapter: Path, out: Path) -> None:
    """Copy the chat template that an adapter was trained with, if it is not that of its base."""
    template = adapter_template(adapter)
    if template:
        shutil.copyfile(template, out / TEMPLATE_FILE)


def save_weights(
    folder: Path,
    accelerator: Accelerator,
    model: torch.nn.Module,
    method: Method,
    base: Path,
    card: BaseCard,
    chat_template: str = "",
) -> None:
    """Write the trained weights into ``folder``; called by every process.

    A full model is written in the precision of its base, with the tokenizer of the base and the chat template it was
    trained with. An adapter is written with that template if it is not its base's own; its config names the base as
    ``card`` does, not by the folder on this machine.
    """
    state = _gather(accelerator, model, frozen=method == "full")
    if accelerator.is_main_process:
        scratch = folder.with_name(f".{folder.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.parent.mkdir(parents=True, exist_ok=True)
        unwrapped = accelerator.unwrap_model(model)
        if method == "full":
            # Trained in float32.
            dtype = read_config(base).dtype or unwrapped.dtype
            state = {name: tensor.to(dtype) for name, tensor in state.items()}
        with system_errors(folder), _removed_after_errors(scratch):
            unwrapped.save_pretrained(scratch, state_dict=state)
            if method != "full":
                name_base(scratch / ADAPTER_CONFIG, card)
                write_card(scratch, CardOrigin(title="LoRA adapter", base=card))
                if chat_template:
                    write_text(scratch / TEMPLATE_FILE, chat_template_text(chat_template))
            else:
                unwrapped.config.dtype = dtype
                unwrapped.config.save_pretrained(scratch)
                tokenizer.save_tokenizer(base, chat_template, scratch)
            follow_umask(scratch)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(scratch, folder)
    accelerator.wait_for_everyone()
