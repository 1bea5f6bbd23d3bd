"""Merging an adapter into its base: a plain checkpoint that vLLM and transformers load."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.io.atomic import follow_umask
from medctx.io.jsonl import read_record, write_record
from medctx.model import decoder_config
from medctx.model.identity import model_digest
from medctx.model.recorded import verified_digest
from medctx.model.tensor_file import system_errors
from medctx.process.progress import say
from medctx.schemas.sft import MERGE_FILE, MergeManifest
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.export import copy_template, package_versions
from medctx_train.checkpoints.sharded import CONFIG, copy_companions, open_checkpoint, read_config, write_checkpoint
from medctx_train.checkpoints.tensor_sources import MergedSource
from medctx_train.model.load import load_model
from medctx_train.model.meta import plain_modules


class MergeConfig(Config):
    """Merging an adapter into its base."""

    base: str = Field("", description='The base the adapter was trained on; "" takes the one its run recorded.')
    adapter: Path = Field(Path("adapter"), description="An adapter folder, or the folder of the run that trained it.")


@contextmanager
def build_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to be created inside ``out``; what is still in it afterwards is removed.

    The folder of a build that was killed is removed first.
    """
    out.mkdir(parents=True, exist_ok=True)
    for abandoned in out.glob(".building-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as scratch:
        yield Path(scratch) / "whole"


def _merge_in_memory(folder: Path, adapter: Adapter, out: Path) -> None:
    """Merge with PEFT, in float32, what is more than low-rank pairs on plain matrices; holds the whole model."""
    from peft import PeftModel

    reason = adapter.unsupported or "modules that are not plain matrices or stored under other names"
    say(f"{adapter.folder} has {reason}; it is merged in memory.")
    try:
        model = PeftModel.from_pretrained(load_model(folder, "fp32"), str(adapter.folder)).merge_and_unload()
    except (RuntimeError, ValueError) as error:
        raise MedctxError(f"PEFT cannot merge the adapter {adapter.folder} ({error}); serve it unmerged.") from None
    with system_errors(out):
        model.to(decoder_config.read_config(folder).dtype).save_pretrained(out)
    copy_companions(folder, out)
    follow_umask(out)


def write_merged(folder: Path, adapter: Adapter, out: Path) -> None:
    """Write a base with an adapter merged into it as a checkpoint.

    The sum is computed in float32 and rounded once to the stored precision, tensor by tensor. A base that was quantised
    for training (QLoRA) is not quantised here: the update is added to its own weights.

    Args:
        folder: Folder of the base.
        adapter: The adapter.
        out: New folder.
    """
    read_config(folder)
    out.mkdir(parents=True)
    copy_template(adapter.folder, out)
    if not adapter.unsupported and adapter.pairs.keys() <= plain_modules(folder):
        with open_checkpoint(folder) as base:
            # Nested models (Gemma 3) are stored under other names than those of their modules.
            if all(base.has(f"{module}.weight") for module in adapter.pairs):
                write_checkpoint(MergedSource(base, adapter), folder, out)
                return
    _merge_in_memory(folder, adapter, out)


def merge(config: MergeConfig, out: Path) -> Path:
    """Merge an adapter into its base; a merge that is finished is not repeated.

    Args:
        config: The base and the adapter.
        out: Output folder: a checkpoint in safetensors with its tokenizer, and ``merge.json``.

    Returns:
        ``out``.

    Raises:
        MedctxError: If the base and the adapter do not belong together, or ``out`` holds another model.
    """
    begun = time.monotonic()
    adapter = adapters.load_adapter(config.adapter)
    folder, card = adapters.base_of(adapter, config.base)
    if (out / CONFIG).is_file():
        done = read_record(out / MERGE_FILE, MergeManifest) if (out / MERGE_FILE).is_file() else None
        merged_from = done and (done.base.weights_digest, done.adapter_digest)
        if merged_from != (card.weights_digest, adapter.digest):
            raise MedctxError(f"{out} holds another model already ({CONFIG}); choose another folder with --out.")
        verified_digest(out)
        return out
    with build_folder(out) as whole:
        write_merged(folder, adapter, whole)
        manifest = MergeManifest(
            base=card,
            adapter_digest=adapter.digest,
            weights_digest=model_digest(whole),
            seconds=time.monotonic() - begun,
            versions=package_versions(),
        )
        write_record(whole / MERGE_FILE, manifest)
        # The config is moved last: a folder without one counts as unfinished.
        for path in sorted(whole.iterdir(), key=lambda path: path.name == CONFIG):
            os.replace(path, out / path.name)
    return out
