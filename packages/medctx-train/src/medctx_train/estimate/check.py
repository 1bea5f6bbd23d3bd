"""What a training run would refuse, found before it starts: by a dry run of a study, which needs no estimate.

The data are encoded and packed as for training, without torch. Whether transformers and PEFT can build and adapt the
model takes the import of both, some eight seconds. It depends on nothing but the config of the base, the settings, the
machine's accelerator and the installed versions: it is kept in the cache folder once it was found to work.
"""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import JsonValue

from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx.io.jsonl import write_text
from medctx.model.base import config_folder
from medctx.process.cpu import hardware, has_no_accelerator
from medctx.schemas.records import Record
from medctx_train.config import SftConfig
from medctx_train.data.dataset import load_data
from medctx_train.data.packing import fill_rate

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "flash-attn", "flash-attn-3", "medctx-train")
"""Packages on whose version it depends whether a model can be built and adapted."""
_FROM_ELSEWHERE = "auto_map"
"""Key of a config whose model is code of its own, which may change while the config does not."""


class SftCheck(Record):
    """What was counted of the data of a run that nothing stands in the way of.

    Attributes:
        dialogues: Dialogues of the mix.
        tokens: Tokens of an epoch.
        rows: Packed rows of an epoch.
        fill: Share of the rows' places that holds tokens.
    """

    dialogues: int
    tokens: int
    rows: int
    fill: float


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def modules_key(config: SftConfig, folder: Path) -> str | None:
    """Return a digest of all that decides whether the model can be built and adapted; None if it is more than that."""
    try:
        content = (folder / "config.json").read_bytes()
        stated = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    # An adapter to start from is a folder of files: it is read each time.
    if not isinstance(stated, dict) or _FROM_ELSEWHERE in stated or config.start_adapter is not None:
        return None
    settings: JsonValue = config.model_dump(
        mode="json", include={"method", "lora", "autocast", "attention", "gradient_checkpointing", "loss_chunk"}
    )
    versions: JsonValue = [_installed(package) for package in PACKAGES]
    return digest.of_value([content.decode(), settings, versions, has_no_accelerator(), hardware()])


def _known_to_work(key: str) -> Path:
    return cache_folder() / "checked-models" / f"{key}.json"


def check_model(config: SftConfig, folder: Path) -> None:
    """Refuse a model that cannot be built or adapted as the settings say.

    Args:
        config: The config of the run; its data are not read.
        folder: Folder of the base.

    Raises:
        MedctxError: With what transformers, PEFT or this machine refuse.
    """
    key = modules_key(config, folder)
    if key is not None and _known_to_work(key).is_file():
        return
    from medctx_train.estimate.model_stats import model_stats
    from medctx_train.model.attention import attention_implementation

    model_stats(config, folder)
    attention_implementation(config.attention)
    if key is not None:
        with suppress(OSError):  # the next check builds it again
            write_text(_known_to_work(key), json.dumps({"base": config.base}) + "\n")


def check_data(config: SftConfig, folder: Path) -> SftCheck:
    """Encode and pack the mix as for training.

    Args:
        config: The config of the run.
        folder: Folder of the base, with its tokenizer.

    Raises:
        MedctxError: With what the mix, the tokenizer or its chat template lack.
    """
    data = load_data(config, folder, config.seed)
    return SftCheck(
        dialogues=data.dialogues,
        tokens=sum(row.tokens for row in data.rows),
        rows=len(data.rows),
        fill=fill_rate(data.rows, config.row_tokens),
    )


def check_training(config: SftConfig) -> SftCheck:
    """Encode and pack the mix, and build the model without weights.

    Raises:
        MedctxError: For whatever would stop the run before its first step.
    """
    folder = config_folder(config.base)
    checked = check_data(config, folder)
    check_model(config, folder)
    return checked
