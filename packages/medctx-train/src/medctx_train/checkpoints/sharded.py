"""Checkpoints as named tensors that are read one at a time and written shard by shard.

No model is held in memory: a source lists its tensors and computes each when it is read, and the writer holds one
shard. A model of any size is merged or interpolated in the memory of one shard and one tensor in float32.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.io.atomic import follow_umask
from medctx.io.jsonl import require_space, write_text
from medctx.model.tensor_file import save_tensors
from medctx.process.progress import track
from medctx_train.model.meta import tied_tensors

if TYPE_CHECKING:
    import torch
    from safetensors import safe_open

CONFIG = "config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD_BYTES = 2**30
_COMPANIONS = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")
_NOT_COPIED = {CONFIG, INDEX, "base.json", "merge.json", "repair.json", "sft.json", "adapter_config.json"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Shape and precision of a tensor on disk."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Size on disk."""
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


class TensorSource(Protocol):
    """Tensors of a checkpoint by name, stored or computed."""

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """The tensors, in the order they are written."""
        ...

    @property
    def config_changes(self) -> Mapping[str, JsonValue]:
        """Keys of config.json that differ from those of the checkpoint the source is based on."""
        ...

    def has(self, name: str) -> bool:
        """Return True if ``read`` knows the name; tied tensors have one that is not among ``specs``."""
        ...

    def read(self, name: str) -> torch.Tensor:
        """Return the tensor in its own precision, or in float32 if it was computed and is not rounded yet."""
        ...


class StoredSource:
    """A checkpoint folder of safetensors, one file or several; made by ``open_checkpoint``."""

    def __init__(self, folder: Path, handles: Mapping[str, safe_open]) -> None:
        self.folder = folder
        self.config_changes: Mapping[str, JsonValue] = {}
        self.tied = tied_tensors(folder)
        self._handles = handles
        # The tensors of a handle are views of the mapped file: nothing is read yet.
        views = {name: self._view(name) for name in sorted(handles)}
        self.specs: Mapping[str, TensorSpec] = {
            name: TensorSpec(tuple(view.shape), view.dtype) for name, view in views.items()
        }

    def _view(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._handles[name].get_tensor(name)  # type: ignore[no-untyped-call]
        return tensor

    def _stored_name(self, name: str) -> str:
        return name if name in self.specs else self.tied.get(name, name)

    def has(self, name: str) -> bool:
        """Return True if the tensor is stored, or tied to one that is."""
        return self._stored_name(name) in self.specs

    def read(self, name: str) -> torch.Tensor:
        """Return the stored tensor, or the one it is tied to."""
        return self._view(self._stored_name(name))


def read_config(folder: Path) -> dict[str, JsonValue]:
    """Read the config.json of a checkpoint folder; quantised checkpoints are refused."""
    path = folder / CONFIG
    if not path.is_file():
        raise MedctxError(f"{folder} holds no checkpoint ({CONFIG}); give the folder of a saved model.")
    settings: dict[str, JsonValue] = json.loads(path.read_text(encoding="utf-8"))
    if settings.get("quantization_config"):
        raise MedctxError(
            f"The model in {folder} is quantised, and weights cannot be added to it; give the unquantised model it was "
            "made from."
        )
    return settings


@contextmanager
def open_checkpoint(folder: Path) -> Iterator[StoredSource]:
    """Open the tensors of a checkpoint folder for the duration of the block."""
    from safetensors import safe_open

    read_config(folder)
    files = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("adapter_"))
    if (folder / INDEX).is_file():
        listed = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(listed - {path.name for path in files})
        if missing:
            raise MedctxError(
                f"{folder} lacks the shard {missing[0]} that its {INDEX} lists; download or copy the model again."
            )
        files = [path for path in files if path.name in listed]
    if not files:
        raise MedctxError(f"{folder} holds no safetensors; save the model with transformers' save_pretrained.")
    with ExitStack() as stack:
        handles = {}
        for path in files:
            handle = stack.enter_context(safe_open(path, "pt"))
            handles.update(dict.fromkeys(handle.keys(), handle))
        yield StoredSource(folder, handles)


def _shards(specs: Mapping[str, TensorSpec], shard_bytes: int) -> list[list[str]]:
    """Split names, in order, into shards of at most ``shard_bytes``; a larger tensor gets a shard of its own."""
    shards: list[list[str]] = []
    room = 0
    for name, spec in specs.items():
        if not shards or spec.bytes > room:
            shards.append([])
            room = shard_bytes
        shards[-1].append(name)
        room -= spec.bytes
    return shards


def _save_shard(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_tensors(path, tensors)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _write_shards(source: TensorSource, out: Path, shard_bytes: int) -> None:
    shards = _shards(source.specs, shard_bytes)
    files = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    if len(shards) == 1:
        files = [SINGLE]
    with track("Writing the checkpoint", len(source.specs), "tensors") as advance:
        for file, names in zip(files, shards, strict=True):
            tensors = {}
            for name in names:
                # Computed in float32; this is the only rounding.
                tensors[name] = source.read(name).to(source.specs[name].dtype).contiguous()
                advance(1)
            _save_shard(out / file, tensors)
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(spec.bytes for spec in source.specs.values())},
            "weight_map": {name: file for file, names in zip(files, shards, strict=True) for name in names},
        }
        write_text(out / INDEX, json.dumps(index, indent=2) + "\n")


def copy_companions(like: Path, out: Path) -> None:
    """Copy the files beside the weights of ``like`` (tokenizer, templates, generation config) that ``out`` lacks."""
    for pattern in _COMPANIONS:
        for path in like.glob(pattern):
            if path.name not in _NOT_COPIED and not (out / path.name).exists():
                shutil.copyfile(path, out / path.name)


def write_checkpoint(source: TensorSource, like: Path, out: Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Write a source as a checkpoint into the new folder ``out``, with config, tokenizer and templates of ``like``."""
    settings = read_config(like)
    total = sum(spec.bytes for spec in source.specs.values())
    require_space(out, total + total // 50)
    _write_shards(source, out, shard_bytes)
    copy_companions(like, out)
    write_text(out / CONFIG, json.dumps({**settings, **source.config_changes}, indent=2, ensure_ascii=False) + "\n")
    follow_umask(out)
