"""Models whose weights are not in safetensors, converted once into a cache by transformers' own loaders.

Nothing here unpickles: PyTorch's ``.bin`` files are read with ``torch.load(weights_only=True)``, which constructs
tensors only, and a file that holds anything else is refused.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.io.atomic import follow_umask
from medctx.io.cache import cache_folder
from medctx.model.decoder_config import read_config
from medctx.model.embedded import convert_gguf, one_process
from medctx.model.identity import is_weights, model_digest
from medctx.model.tensor_file import system_errors
from medctx.process.foreign_code import may_run_foreign_code
from medctx.process.progress import say

if TYPE_CHECKING:
    import torch

PICKLED = "pytorch_model"
"""How the names of files begin that hold a model's weights as PyTorch pickles them."""
ADAPTER_WEIGHTS, PICKLED_ADAPTER = "adapter_model.safetensors", "adapter_model.bin"
_COMPANIONS = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and is_weights(path.name))


def _refuse(folder: Path, weights: list[Path]) -> None:
    contents = f"has its weights in {weights[0].name}" if weights else "holds no weights"
    raise MedctxError(
        f"The model folder {folder} {contents}; give one with safetensors, {PICKLED}.bin (or its shards), or a single "
        "GGUF file."
    )


def _read_pickled(file: Path, device: str) -> Mapping[str, torch.Tensor]:
    """Read a file of tensors that PyTorch pickled, without unpickling anything else."""
    import pickle

    import torch

    try:
        tensors: object = torch.load(file, map_location=device, weights_only=True, mmap=zipfile.is_zipfile(file))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        raise MedctxError(
            f"{file} does not hold tensors alone, or is damaged, and loading anything else could run code; save the "
            "model as safetensors where you trust it."
        ) from None
    if not isinstance(tensors, Mapping):
        raise MedctxError(f"{file} holds no tensors by name; save the model as safetensors.")
    return tensors


def _copy_companions(folder: Path, out: Path) -> None:
    """Copy what belongs to a model beside its weights, except what was written anew."""
    for pattern in _COMPANIONS:
        for path in folder.glob(pattern):
            if not path.name.endswith(".index.json") and not (out / path.name).exists():
                shutil.copyfile(path, out / path.name)


def _convert_bin(folder: Path, out: Path) -> None:
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    read_config(folder)
    disable_progress_bar()
    shards = sorted(folder.glob(f"{PICKLED}*.bin"))
    for shard in shards:
        _read_pickled(shard, "meta")
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", use_safetensors=False, weights_only=True, trust_remote_code=may_run_foreign_code()
    )
    model.save_pretrained(out)
    _copy_companions(folder, out)


def _convert_adapter(folder: Path, out: Path) -> None:
    from safetensors.torch import save_file

    # Cloned: tensors that share memory cannot be saved.
    tensors = {name: tensor.clone() for name, tensor in _read_pickled(folder / PICKLED_ADAPTER, "cpu").items()}
    out.mkdir()
    save_file(tensors, out / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    _copy_companions(folder, out)


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
    pickled = [path for path in weights if path.name.startswith(PICKLED) and path.suffix == ".bin"]
    if len(gguf) != 1 and not pickled:
        _refuse(folder, weights)
    if pickled:
        return _converted(folder, pickled[0], lambda out: _convert_bin(folder, out))
    return _converted(folder, gguf[0], lambda out: _convert_gguf(gguf[0], out))


def safetensors_adapter(folder: Path) -> Path:
    """Return a folder that holds a PEFT adapter in safetensors: the folder itself, or a conversion in the cache.

    Raises:
        MedctxError: If its weights cannot be converted without running code.
    """
    file = folder / PICKLED_ADAPTER
    if (folder / ADAPTER_WEIGHTS).is_file() or not file.is_file():
        return folder
    return _converted(folder, file, lambda out: _convert_adapter(folder, out))


def _converted(folder: Path, file: Path, convert: Callable[[Path], None]) -> Path:
    """Return the conversion of a folder, which ``convert`` writes into a new one unless it is in the cache."""
    out = cache_folder() / "converted" / model_digest(folder)[:16] / folder.resolve().name
    with one_process(out.with_name(f".{out.name}.lock")):
        if out.is_dir():
            return out
        say(f"Converting {file.name} of {folder} to safetensors, once.")
        with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
            fresh = Path(scratch) / out.name
            with system_errors(out):
                convert(fresh)
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
