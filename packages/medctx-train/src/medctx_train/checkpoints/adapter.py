"""A LoRA adapter on disk: what it changes, which base it was trained on, and how another one is written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import write_record
from medctx.model import rope as positions
from medctx.model.rope import RopeOverrides
from medctx.schemas.sft import BaseCard
from medctx_train.checkpoints.lora_math import Pair
from medctx_train.model.base import prepare

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
BASE_CARD = "base.json"
MANIFESTS = ("sft.json", "repair.json")
_PREFIX = "base_model.model."
_PARTS = {
    ".lora_A.weight": "a",
    ".lora_B.weight": "b",
    ".lora_magnitude_vector": "magnitude",
    ".lora_embedding_A": "a",
    ".lora_embedding_B": "b",
}
_COPY = ".base_layer.weight"
# These only set the beginning of training; others (PiSSA, OLoRA, ...) change the base when PEFT loads the adapter.
_HARMLESS_INITS = {"gaussian", "eva", "orthogonal", "mica", "lora_ga"}
_UNUSUAL = (
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "use_bdlora",
    "use_qalora",
    "lora_bias",
    "fan_in_fan_out",
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter that was read.

    ``pairs``: its updates by the module's path in the model; ``trained_on``: the base its run recorded, nothing where
    it came without a record; ``unusual``: what it does beside its pairs, "" where that is all of it; ``copies``:
    tensors of its base that PEFT saved with it (it does so with embeddings), by their names there; ``digest`` of its
    weights; ``positions``: rotary positions it was trained with in place of its base's.
    """

    folder: Path
    settings: LoraConfig
    pairs: Mapping[str, Pair]
    trained_on: BaseCard | None
    unusual: str
    copies: Mapping[str, torch.Tensor]
    digest: str
    positions: RopeOverrides | None = None

    @property
    def dora(self) -> bool:
        """Whether it sets magnitudes."""
        return any(pair.magnitude is not None for pair in self.pairs.values())

    @property
    def hot_loadable(self) -> bool:
        """Whether a vLLM that serves its base can load it: it takes no DoRA, and has one set of positions for all."""
        return not (self.dora or self.positions or self.unusual)

    def require_plain(self, purpose: str) -> None:
        """Refuse what cannot be expressed by low-rank pairs alone."""
        if self.unusual:
            raise MedctxError(
                f"The adapter {self.folder} cannot be {purpose}: it has {self.unusual}; merge it with medctx-train "
                "merge and interpolate between the checkpoints instead."
            )


def locate(path: Path) -> Path:
    """The adapter folder ``path`` means: itself, or that of a finished run."""
    for folder in (path, path / "adapter"):
        if (folder / CONFIG).is_file():
            return folder
    raise MedctxError(f"{path} holds no adapter ({CONFIG}); give the adapter folder of a run.")


def _trained_on(folder: Path) -> BaseCard | None:
    """The base card in the adapter's folder, else that of the run it lies in."""
    try:
        if (folder / BASE_CARD).is_file():
            return BaseCard.model_validate_json((folder / BASE_CARD).read_text(encoding="utf-8"))
        for name in MANIFESTS:
            path = folder.parent / name
            if path.is_file():
                manifest = json.loads(path.read_text(encoding="utf-8"))
                if manifest["weights"] == folder.name:
                    return BaseCard.model_validate(manifest["base"])
    except (ValidationError, ValueError, KeyError) as error:
        raise MedctxError(
            f"The record of the base beside {folder} cannot be read ({type(error).__name__}); mend or remove it."
        ) from None
    return None


def _unusual(settings: LoraConfig, strange: list[str]) -> str:
    init = settings.init_lora_weights
    if isinstance(init, str) and init.lower() not in _HARMLESS_INITS:
        return f"init_lora_weights={init}, which changes the base"
    for key in _UNUSUAL:
        if getattr(settings, key, None):
            return key
    return f"the tensor {strange[0]}" if strange else ""


def _scaling(settings: LoraConfig, module: str, rank: int) -> float:
    """As PEFT has it: patterns of alpha by module, over the rank or its root."""
    from peft.utils.other import get_pattern_key

    patterns = settings.alpha_pattern or {}
    alpha = patterns.get(get_pattern_key(list(patterns), module), settings.lora_alpha)
    return float(alpha / (math.sqrt(rank) if settings.use_rslora else rank))


def load(path: Path) -> Adapter:
    """Read an adapter: its folder, or the folder of the run that made it."""
    from peft import PeftConfig
    from safetensors.torch import load_file

    folder = locate(path)
    settings = PeftConfig.from_pretrained(str(folder))
    kind = getattr(settings.peft_type, "value", str(settings.peft_type))
    if kind != "LORA":
        raise MedctxError(f"The adapter {folder} is {kind}, not LORA; only LoRA, rsLoRA and DoRA are known.")
    if not (folder / WEIGHTS).is_file():
        raise MedctxError(f"The adapter {folder} has no {WEIGHTS}; save it as safetensors.")
    parts: dict[str, dict[str, torch.Tensor]] = {}
    embeddings, strange, copies = set(), [], {}
    for name, tensor in load_file(folder / WEIGHTS).items():
        if name.startswith(_PREFIX) and name.endswith(_COPY):
            copies[name.removeprefix(_PREFIX).replace(_COPY, ".weight")] = tensor
            continue
        suffix = next((one for one in _PARTS if name.endswith(one)), None)
        if suffix is None or not name.startswith(_PREFIX):
            strange.append(name)
            continue
        module = name.removeprefix(_PREFIX).removesuffix(suffix)
        parts.setdefault(module, {})[_PARTS[suffix]] = tensor
        if "embedding" in suffix:
            embeddings.add(module)
    strange += [f"{module} without its other half" for module, found in parts.items() if not {"a", "b"} <= found.keys()]
    strange += [f"{module} (a DoRA embedding)" for module in embeddings if "magnitude" in parts[module]]
    pairs = {
        module: Pair(
            a=found["a"],
            b=found["b"],
            scaling=_scaling(settings, module, found["a"].shape[0]),
            magnitude=found.get("magnitude"),
            embedding=module in embeddings,
        )
        for module, found in sorted(parts.items())
        if {"a", "b"} <= found.keys()
    }
    return Adapter(
        folder=folder,
        settings=settings,
        pairs=pairs,
        trained_on=_trained_on(folder),
        unusual=_unusual(settings, strange),
        copies=copies,
        digest=digest.of_weights(folder),
        positions=positions.read(folder),
    )


def base_of(adapter: Adapter, named: str) -> tuple[Path, BaseCard]:
    """The base an adapter belongs on: the one ``named``, else the one its record names; another one is refused."""
    recorded = adapter.trained_on
    name = named or (recorded.name if recorded else "") or str(adapter.settings.base_model_name_or_path or "")
    if not name:
        raise MedctxError(f"The adapter {adapter.folder} does not say what it was trained on; name its base.")
    folder, card = prepare(name)
    if recorded and recorded.weights_digest != card.weights_digest:
        raise MedctxError(
            f"The adapter {adapter.folder} was trained on {recorded.name} with weights "
            f"{recorded.weights_digest[: digest.SHORT]}, but base {name} has {card.weights_digest[: digest.SHORT]}; "
            "name the base it was trained on."
        )
    return folder, card


def save(folder: Path, like: Adapter, pairs: Mapping[str, Pair], base: BaseCard, settings: LoraConfig) -> None:
    """Write an adapter of these pairs into a new folder, with the card of its base and the positions of ``like``."""
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for module, pair in pairs.items():
        place = f"{_PREFIX}{module}.lora_"
        kinds = ("embedding_A", "embedding_B") if pair.embedding else ("A.weight", "B.weight")
        for kind, tensor in zip(kinds, (pair.a, pair.b), strict=True):
            tensors[place + kind] = tensor.contiguous()
        if pair.magnitude is not None:
            tensors[f"{place}magnitude_vector"] = pair.magnitude.contiguous()
    folder.mkdir(parents=True)
    settings.save_pretrained(str(folder))
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)
    write_record(folder / BASE_CARD, base)
    if like.positions:
        write_record(folder / positions.FILE, like.positions)
