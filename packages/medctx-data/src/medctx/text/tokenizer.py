"""The tokenizer and chat template of a model: what every token count in medctx is measured with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.schemas.records import Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def require_tokenizer(folder: Path) -> None:
    """Refuse a model folder that cannot be prompted or read."""
    if not folder.is_dir():
        raise MedctxError(f"The model folder {folder} does not exist; give the folder of a saved model.")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise MedctxError(
            f"The model folder {folder} has no tokenizer (tokenizer.json); copy the tokenizer of its base beside it."
        )


def load(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder, which must have a chat template. Needs transformers, not torch."""
    require_tokenizer(folder)
    try:
        import transformers
    except ImportError:
        raise MedctxError(
            "Counting tokens needs the package transformers, which is not installed; "
            "run: pip install 'medctx-data[tokens]'."
        ) from None
    # A tokenizer.json says everything; AutoTokenizer would import torch first, ten seconds where it is installed.
    fast = (folder / "tokenizer.json").is_file()
    loader = transformers.PreTrainedTokenizerFast if fast else transformers.AutoTokenizer
    tokenizer: PreTrainedTokenizerBase = loader.from_pretrained(folder)
    if not tokenizer.chat_template:
        raise MedctxError(f"The tokenizer in {folder} has no chat template; use an instruct model.")
    return tokenizer


def _fixed_day(form: str) -> str:
    """What templates that tell the model the day are told instead: always the same, so that no prompt changes over
    night.

    It is the day Llama 3's templates themselves fall back on.
    """
    return date(2024, 7, 26).strftime(form)


def render(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], *, ask: bool) -> str:
    """Turns as the model was trained to read them; ``ask`` adds the opening of the next answer."""
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    return str(
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask, strftime_now=_fixed_day)
    )
