"""Models whose weights are not in safetensors, converted once into a cache by transformers' own loaders.

Nothing here unpickles: PyTorch's ``.bin`` files are read with ``torch.load(weights_only=True)``, which constructs
tensors only, and a file that holds anything else is refused.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.atomic import follow_umask
from medctx.io.cache import cache_folder
from medctx.model.decoder_config import read_config
from medctx.model.embedded import convert_gguf, one_process
from medctx.model.identity import is_weights, model_digest
from medctx.model.tensor_file import system_errors
from medctx.process.foreign_code import may_run_foreign_code
from medctx.process.progress import say

_BIN = "pytorch_model"
_COMPANIONS = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and is_weights(path.name))


def _refuse(folder: Path, weights: list[Path]) -> None:
    contents = f"has its weights in {weights[0].name}" if weights else "holds no weights"
    raise MedctxError(
        f"The model folder {folder} {contents}; give one with safetensors, {_BIN}.bin (or its shards), or a single "
        "GGUF file."
    )


def _convert_bin(folder: Path, out: Path) -> None:
    import pickle

    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    read_config(folder)
    disable_progress_bar()
    shards = sorted(folder.glob(f"{_BIN}*.bin"))
    for shard in shards:
        try:
            torch.load(shard, map_location="meta", weights_only=True, mmap=zipfile.is_zipfile(shard))
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
            raise MedctxError(
                f"{shard} does not hold tensors alone, or is damaged, and loading anything else could run code; save "
                "the model as safetensors where you trust it."
            ) from None
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", use_safetensors=False, weights_only=True, trust_remote_code=may_run_foreign_code()
    )
    model.save_pretrained(out)
    for pattern in _COMPANIONS:
        for path in folder.glob(pattern):
            if not path.name.endswith(".index.json") and not (out / path.name).exists():
                shutil.copyfile(path, out / path.name)


def safetensors_folder(folder: Path) -> Path:
    """Return a folder that holds the model in safetensors: the folder itself, or a conversion in the cache.

    Args:
        folder: A model folder; its weights are in safetensors, in ``pytorch_model*.bin``, or in one GGUF file.

    Raises:
        MedctxError: If it holds no such weights, or they cannot be converted without running code.
    """
    if any(folder.glob("*.safetensors")):
        return folder
    weights = _weights(folder)
    gguf = [path for path in weights if path.suffix == ".gguf"]
    pickled = [path for path in weights if path.name.startswith(_BIN) and path.suffix == ".bin"]
    if len(gguf) != 1 and not pickled:
        _refuse(folder, weights)
    out = cache_folder() / "converted" / model_digest(folder)[:16] / folder.resolve().name
    with one_process(out.with_name(f".{out.name}.lock")):
        if (out / "config.json").is_file():
            return out
        say(f"Converting {(pickled or gguf)[0].name} of {folder} to safetensors, once.")
        with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
            fresh = Path(scratch) / out.name
            with system_errors(out):
                if pickled:
                    _convert_bin(folder, fresh)
                else:
                    _convert_gguf(gguf[0], fresh)
            follow_umask(fresh)
            fresh.rename(out)
    return out


def _convert_gguf(file: Path, out: Path) -> None:
    try:
        convert_gguf(file, out)
    except (ValueError, KeyError, OSError, ImportError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise MedctxError(
            f"{file} could not be converted by transformers ({reason}); give the model as safetensors."
        ) from None
