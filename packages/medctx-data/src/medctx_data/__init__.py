"""Controlled mixtures of general and medical Dialogues.

Example:
    Half general and half medical Dialogues, 2,000 tokens as the tokenizer of the model to be trained counts them:

        from medctx_data import MixConfig, load_mix, mix

        config = MixConfig(tokenizer="models/base", ratio="1:1", tokens=2_000)
        manifest = mix(config, "mixes/one")
        print(manifest.tokens, [(source.label, source.token_share) for source in manifest.sources])
        for dialogue in load_mix("mixes/one"):
            print(dialogue.turns[0].content)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medctx_data.api import LoadedMix, load_mix, mix
    from medctx_data.mixture.config import MixConfig

__all__ = ["LoadedMix", "MixConfig", "load_mix", "mix"]


def __getattr__(name: str) -> object:
    # Imported at the first use, so that importing a submodule (--help, a worker process) stays fast.
    if name not in __all__:
        raise AttributeError(f"module 'medctx_data' has no attribute {name!r}")
    return getattr(import_module("medctx_data.mixture.config" if name == "MixConfig" else "medctx_data.api"), name)
