"""The tokenizer of a model folder, which makes every token count in medctx."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from medctx.errors import MedctxError
from medctx.process.foreign_code import foreign_code_advice, may_run_foreign_code
from medctx.text.chat_templates import CHAT_TEMPLATES, chat_template_text
from medctx.text.json_tokenizer import ChatTokenizer, can_render, read_json_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def require_tokenizer(folder: Path) -> None:
    """Refuse a model folder that does not exist or has no tokenizer."""
    if not folder.is_dir():
        raise MedctxError(f"The model folder {folder} does not exist; give the folder of a saved model.")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise MedctxError(
            f"The model folder {folder} has no tokenizer (tokenizer.json); copy the tokenizer of its base beside it."
        )


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load transformers' tokenizer of a model folder, with or without a chat template. Does not import torch.

    Raises:
        MedctxError: If there is none, or it needs code of its own or other files.
    """
    require_tokenizer(folder)
    try:
        import transformers
    except ImportError:
        raise MedctxError(
            "Counting tokens needs the package transformers, which is not installed; "
            "run: pip install 'medctx-data[tokens]'."
        ) from None
    # A tokenizer.json is complete; AutoTokenizer would first import torch, which takes ten seconds.
    tokenizer: PreTrainedTokenizerBase
    if (folder / "tokenizer.json").is_file():
        tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
        return tokenizer
    try:
        # The user is not asked on the terminal whether to run code: a server may have chosen the tokenizer.
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=may_run_foreign_code())
    except (OSError, ValueError, TypeError, LookupError, ImportError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise MedctxError(
            f"The tokenizer in {folder} cannot be read ({reason}); save it as tokenizer.json where you trust its code"
            f"{foreign_code_advice(reason)}."
        ) from None
    return tokenizer


def load_tokenizer(folder: Path, chat_template: str = "") -> ChatTokenizer:
    """Load the tokenizer of a model folder, which must have a chat template.

    Imports transformers only for folders whose ``tokenizer.json`` does not say everything.

    Args:
        folder: The model folder.
        chat_template: A template by name or path (``medctx.text.chat_templates``); "" for the tokenizer's own.

    Raises:
        MedctxError: If there is no tokenizer, or no chat template.
    """
    require_tokenizer(folder)
    template = chat_template_text(chat_template)
    tokenizer: ChatTokenizer | None = read_json_tokenizer(folder) if can_render(template) else None
    if tokenizer is None:
        tokenizer = cast("ChatTokenizer", read_tokenizer(folder))
    if template:
        tokenizer.chat_template = template
    if not tokenizer.chat_template:
        raise MedctxError(
            f"The tokenizer in {folder} has no chat template; set chat_template to the one the model was trained with "
            f"(a Jinja file, or {' or '.join(CHAT_TEMPLATES)}), or use an instruct model."
        )
    return tokenizer


def save_tokenizer(folder: Path, chat_template: str, target: Path) -> None:
    """Save the tokenizer of a model folder into another one.

    Args:
        folder: The model folder.
        chat_template: A template by name or path instead of its own; "" for its own.
        target: Where to save it.
    """
    tokenizer = read_tokenizer(folder)
    if chat_template:
        tokenizer.chat_template = chat_template_text(chat_template)
    tokenizer.save_pretrained(target)
