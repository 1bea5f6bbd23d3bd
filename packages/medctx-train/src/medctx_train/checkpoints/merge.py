"""Merging an adapter into its base: a plain checkpoint that vLLM and transformers load."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record
from medctx.process.progress import say
from medctx.schemas.sft import MERGE_FILE, MergeManifest
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.adapter import Adapter
from medctx_train.checkpoints.sharded import CONFIG, copy_companions, opened, settings_of, write
from medctx_train.checkpoints.tensor_sources import Merged
from medctx_train.checkpoints.versions import versions
from medctx_train.config import MergeConfig
from medctx_train.model.load import load_model
from medctx_train.model.meta import plain_modules


@contextmanager
def fresh(out: Path) -> Iterator[Path]:
    """A folder to build in, inside ``out`` and removed with what is still in it; a killed build's is removed first."""
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(".building-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as scratch:
        yield Path(scratch) / "whole"


def _in_memory(folder: Path, adapter: Adapter, out: Path) -> None:
    """PEFT's own merging, in float32, for what is more than low-rank pairs on plain matrices; takes the whole model."""
    from peft import PeftModel
    from transformers import AutoConfig

    say(f"{adapter.folder} has {adapter.unusual or 'modules that are no plain matrices'}; it is merged in memory.")
    try:
        model = PeftModel.from_pretrained(load_model(folder, "fp32"), str(adapter.folder)).merge_and_unload()
    except (RuntimeError, ValueError) as error:
        raise MedctxError(f"PEFT cannot merge the adapter {adapter.folder} ({error}); serve it unmerged.") from None
    model.to(AutoConfig.from_pretrained(folder).dtype).save_pretrained(out)
    copy_companions(folder, out)


def write_merged(folder: Path, adapter: Adapter, out: Path) -> None:
    """Write base folder + adapter as a checkpoint into the new folder ``out``.

    The sum is computed in float32 and rounded once to the stored precision, tensor by tensor. A base that training had
    quantised (QLoRA) is not: its own weights are what the update is added to.
    """
    settings_of(folder)
    out.mkdir(parents=True)
    if adapter.unusual or not adapter.pairs.keys() <= plain_modules(folder):
        _in_memory(folder, adapter, out)
        return
    with opened(folder) as base:
        write(Merged(base, adapter), folder, out)


def merge(config: MergeConfig, out: Path) -> Path:
    """Write base + adapter as one checkpoint with its tokenizer; what is done is returned as it is."""
    begun = time.monotonic()
    adapter = adapters.load(config.adapter)
    folder, card = adapters.base_of(adapter, config.base)
    if (out / CONFIG).is_file():
        done = read_record(out / MERGE_FILE, MergeManifest) if (out / MERGE_FILE).is_file() else None
        made_of = done and (done.base.weights_digest, done.adapter_digest)
        if made_of != (card.weights_digest, adapter.digest):
            raise MedctxError(f"{out} holds another model already ({CONFIG}); choose another folder with --out.")
        return out
    with fresh(out) as whole:
        write_merged(folder, adapter, whole)
        manifest = MergeManifest(
            base=card,
            adapter_digest=adapter.digest,
            weights_digest=digest.of_weights(whole),
            seconds=time.monotonic() - begun,
            versions=versions(),
        )
        write_record(whole / MERGE_FILE, manifest)
        # The config comes last: a folder without one is no model, and is begun again.
        for path in sorted(whole.iterdir(), key=lambda path: path.name == CONFIG):
            os.replace(path, out / path.name)
    return out
