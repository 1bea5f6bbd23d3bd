"""Merging an adapter into its base: a plain checkpoint that vLLM and transformers load."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from medctx import tokenizer
from medctx.errors import MedctxError
from medctx.jsonl import require_space
from medctx_train.base_model import prepare
from medctx_train.config import MergeConfig
from medctx_train.model import load_model


def merge(config: MergeConfig, out: Path) -> Path:
    """Write base + adapter as one checkpoint with its tokenizer; an existing ``out`` is left as it is."""
    if (out / "config.json").is_file():
        return out
    if not (config.adapter / "adapter_config.json").is_file():
        raise MedctxError(f"{config.adapter} holds no adapter (adapter_config.json); give the adapter folder of a run.")
    from peft import PeftModel

    folder, _ = prepare(config.base)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    require_space(out.parent, size + size // 10)
    model = PeftModel.from_pretrained(load_model(folder), str(config.adapter)).merge_and_unload()
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        fresh = Path(scratch) / "merged"
        model.save_pretrained(fresh)
        tokenizer.load(folder).save_pretrained(fresh)
        shutil.rmtree(out, ignore_errors=True)
        fresh.rename(out)
    return out
