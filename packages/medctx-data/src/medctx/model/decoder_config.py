"""What the config of a decoder says about it, under the names that its architecture uses.

Models of images and text nest the config of their language model, older ones have other names for the same size, and
what is a default of the config class is not written into ``config.json``: hence configs are read through transformers.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.process.foreign_code import foreign_code_advice, may_run_foreign_code

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_LENGTHS = (
    "max_position_embeddings",
    "n_positions",
    "max_sequence_length",
    "max_seq_len",
    "seq_length",
    "n_ctx",
    "context_length",
)


def context_length(config: PreTrainedConfig) -> int:
    """Return the longest sequence in tokens that a decoder was made for; 0 if its architecture states none."""
    decoder = config.get_text_config(decoder=True)
    lengths = [getattr(decoder, name, None) for name in _LENGTHS]
    return next((length for length in lengths if isinstance(length, int) and length > 0), 0)


def require_known_tokens(largest: int, config: PreTrainedConfig) -> None:
    """Refuse a token that a model has no embedding for: its tokenizer is that of another model.

    Args:
        largest: The largest token ID that is used.
        config: The model's config.
    """
    vocabulary = getattr(config.get_text_config(decoder=True), "vocab_size", None)
    _require_below(vocabulary, largest, str(config.name_or_path))


def require_tokens_known_in(folder: Path, largest: int) -> None:
    """``require_known_tokens`` of a model folder.

    A vocabulary that ``config.json`` states is read without importing transformers, which takes seconds.
    """
    if vocabulary := _stated(folder, "vocab_size"):
        _require_below(vocabulary, largest, str(folder))
    else:
        require_known_tokens(largest, read_config(folder))


def _require_below(vocabulary: int | None, largest: int, model: str) -> None:
    if isinstance(vocabulary, int) and largest >= vocabulary:
        raise MedctxError(
            f"The tokenizer makes the token ID {largest:,}, and the model {model} knows the IDs below {vocabulary:,}; "
            "put the tokenizer that the model was trained with into its folder."
        )


def supports_sdpa(config: PreTrainedConfig) -> bool:
    """Return True unless the architecture has its own attention code only (BLOOM, MPT, gpt-oss, foreign code)."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    model_class = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return model_class is not None and bool(getattr(model_class, "_supports_sdpa", True))


def read_config(folder: Path) -> PreTrainedConfig:
    """Read the config of a model folder.

    Raises:
        MedctxError: If there is none, its values do not fit together, or transformers does not know its architecture.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=may_run_foreign_code())
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        StrictDataclassError,
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise MedctxError(
            f"The config of the model in {folder} cannot be read ({reason}); give the folder of a saved model whose "
            f"architecture the installed transformers knows{foreign_code_advice(reason)}."
        ) from None
    return config


def _stated(folder: Path, name: str) -> int:
    """A number that ``config.json`` states at its top; 0 if it does not."""
    with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
        value = json.loads((folder / "config.json").read_bytes()).get(name)
        return value if isinstance(value, int) and value > 0 else 0
    return 0


def folder_context_length(folder: Path) -> int:
    """``context_length`` of a model folder.

    A length that ``config.json`` states is read without importing transformers, which takes seconds.
    """
    return _stated(folder, _LENGTHS[0]) or context_length(read_config(folder))
