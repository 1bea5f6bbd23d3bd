"""Checkpoints as named tensors that are read one at a time and written shard by shard.

Nothing here holds a model: a source says which tensors there are and computes each when it is asked for, and the writer
keeps one shard. A model of any size is merged or interpolated in the memory of one shard and one tensor in float32.
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
from medctx.io.jsonl import require_space, write_text
from medctx.process.progress import track
from medctx_train.model.meta import tied

if TYPE_CHECKING:
    import torch
    from safetensors import safe_open

CONFIG = "config.json"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD_BYTES = 2**30
_COMPANIONS = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")
_OWN = {CONFIG, INDEX, "base.json", "merge.json", "repair.json", "sft.json", "adapter_config.json"}


@dataclass(frozen=True, slots=True)
class Form:
    """What a tensor is on the disk."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Its size on the disk."""
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


class Source(Protocol):
    """Tensors by name. ``changes`` are keys of the model's config that the tensors ask for."""

    @property
    def forms(self) -> Mapping[str, Form]:
        """The tensors there are, in the order they are written."""
        ...

    @property
    def changes(self) -> Mapping[str, JsonValue]:
        """Keys of config.json that differ from those of the checkpoint the source began with."""
        ...

    def has(self, name: str) -> bool:
        """Whether :meth:`read` knows the name; tied tensors have one that is not among ``forms``."""
        ...

    def read(self, name: str) -> torch.Tensor:
        """The tensor in its own precision, or in float32 where it was computed and is not yet rounded."""
        ...


class Stored:
    """A checkpoint folder of safetensors, one file or several; made by :func:`opened`."""

    def __init__(self, folder: Path, handles: Mapping[str, safe_open]) -> None:
        self.folder = folder
        self.changes: Mapping[str, JsonValue] = {}
        self.tied = tied(folder)
        self._handles = handles
        # The tensors of a handle are views of the mapped file: nothing is read here.
        views = {name: self._view(name) for name in sorted(handles)}
        self.forms: Mapping[str, Form] = {name: Form(tuple(view.shape), view.dtype) for name, view in views.items()}

    def _view(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._handles[name].get_tensor(name)  # type: ignore[no-untyped-call]
        return tensor

    def _place(self, name: str) -> str:
        return name if name in self.forms else self.tied.get(name, name)

    def has(self, name: str) -> bool:
        """Whether the tensor is stored, or is tied to one that is."""
        return self._place(name) in self.forms

    def read(self, name: str) -> torch.Tensor:
        """The stored tensor, or the one it is tied to."""
        return self._view(self._place(name))


def settings_of(folder: Path) -> dict[str, JsonValue]:
    """The config.json of a checkpoint folder; quantised checkpoints are refused."""
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
def opened(folder: Path) -> Iterator[Stored]:
    """The tensors of a checkpoint folder, open as long as the block runs."""
    from safetensors import safe_open

    settings_of(folder)
    files = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("adapter_"))
    if (folder / INDEX).is_file():
        listed = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(listed - {path.name for path in files})
        if missing:
            raise MedctxError(f"{folder} lacks the shard {missing[0]} that its {INDEX} lists; fetch the model again.")
        files = [path for path in files if path.name in listed]
    if not files:
        raise MedctxError(f"{folder} holds no safetensors; save the model with transformers' save_pretrained.")
    with ExitStack() as stack:
        handles = {}
        for path in files:
            handle = stack.enter_context(safe_open(path, "pt"))
            handles.update(dict.fromkeys(handle.keys(), handle))
        yield Stored(folder, handles)


def _shards(forms: Mapping[str, Form], most: int) -> list[list[str]]:
    """Names in order, cut wherever a shard would pass ``most`` bytes; a larger tensor has a shard of its own."""
    shards: list[list[str]] = []
    room = 0
    for name, form in forms.items():
        if not shards or form.bytes > room:
            shards.append([])
            room = most
        shards[-1].append(name)
        room -= form.bytes
    return shards


def _to_disk(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _write_shards(source: Source, out: Path, shard_bytes: int) -> None:
    shards = _shards(source.forms, shard_bytes)
    files = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    if len(shards) == 1:
        files = [SINGLE]
    with track("Writing the checkpoint", len(source.forms), "tensors") as advance:
        for file, names in zip(files, shards, strict=True):
            tensors = {}
            for name in names:
                form, tensor = source.forms[name], source.read(name)
                # Computed in float32, rounded here and nowhere else.
                tensors[name] = tensor.to(form.dtype).contiguous()
                advance(1)
            _to_disk(out / file, tensors)
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(form.bytes for form in source.forms.values())},
            "weight_map": {name: file for file, names in zip(files, shards, strict=True) for name in names},
        }
        write_text(out / INDEX, json.dumps(index, indent=2) + "\n")


def copy_companions(like: Path, out: Path) -> None:
    """Bring what stands beside the weights of ``like`` (tokenizer, templates, generation settings) where it lacks."""
    for pattern in _COMPANIONS:
        for path in like.glob(pattern):
            if path.name not in _OWN and not (out / path.name).exists():
                shutil.copyfile(path, out / path.name)


def write(source: Source, like: Path, out: Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Write a source as a checkpoint into the new folder ``out``, with config, tokenizer and templates of ``like``."""
    settings = settings_of(like)
    total = sum(form.bytes for form in source.forms.values())
    require_space(out, total + total // 50)
    _write_shards(source, out, shard_bytes)
    copy_companions(like, out)
    write_text(out / CONFIG, json.dumps({**settings, **source.changes}, indent=2, ensure_ascii=False) + "\n")
