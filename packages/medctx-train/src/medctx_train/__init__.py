"""medctx-train: LoRA or full fine-tuning of causal language models on mixes of Dialogues.

Example:
    Fine-tune an adapter on a mix folder and merge it into its base:

        from pathlib import Path

        from medctx_train import MergeConfig, SftConfig, merge, train

        run = Path("runs/adapter")
        manifest = train(SftConfig(base="tiny-random-llama", mix=Path("mix"), epochs=2), run)
        print(f"loss {manifest.first_loss:.2f} -> {manifest.last_loss:.2f}")
        merge(MergeConfig(adapter=run), Path("runs/merged"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medctx.schemas.sft import SftManifest
    from medctx_train.checkpoints.merge import MergeConfig, merge
    from medctx_train.config import SftConfig
    from medctx_train.sft.run import train

__all__ = ["MergeConfig", "SftConfig", "SftManifest", "merge", "train"]

_MODULES = {
    "MergeConfig": "medctx_train.checkpoints.merge",
    "SftConfig": "medctx_train.config",
    "SftManifest": "medctx.schemas.sft",
    "merge": "medctx_train.checkpoints.merge",
    "train": "medctx_train.sft.run",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that importing the package does not import torch."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
