"""A LoRA adapter on disk: its updates, the base it was trained on, and how a derived adapter is written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.atomic import follow_umask
from medctx.io.jsonl import write_record
from medctx.model import rope as rope_files
from medctx.model.base import find_adapter, prepare_base
from medctx.model.recorded import verified_digest
from medctx.model.rope import RopeOverrides
from medctx.model.tensor_file import save_tensors
from medctx.schemas.sft import BASE_FILE, REPAIR_FILE, SFT_FILE, BaseCard
from medctx.tracking.adapter_card import CardOrigin
from medctx_train.checkpoints.export import copy_template, name_base, write_card
from medctx_train.checkpoints.lora_math import LoraPair

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_PART_OF_SUFFIX = {
    ".lora_A.weight": "a",
    ".lora_B.weight": "b",
    ".lora_magnitude_vector": "magnitude",
    ".lora_embedding_A": "a",
    ".lora_embedding_B": "b",
}
_BASE_COPY = ".base_layer.weight"
# These only initialise training; others (PiSSA, OLoRA, ...) change the base when PEFT loads the adapter.
_INITS_WITHOUT_EFFECT = {"gaussian", "eva", "orthogonal", "mica", "lora_ga"}
_UNSUPPORTED_OPTIONS = (
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
    """An adapter that was read from disk.

    Attributes:
        folder: The adapter's folder.
        settings: PEFT's config.
        pairs: Low-rank updates by module path in the model.
        trained_on: Card of the base that the training run recorded; None without a record.
        unsupported: What the adapter does besides its pairs; "" if nothing.
        base_copies: Tensors of the base that PEFT saved with the adapter (it does so for embeddings), by their name in
            the base.
        digest: Digest of the adapter's weights.
        positions: Rotary positions it was trained with instead of those of its base.
    """

    folder: Path
    settings: LoraConfig
    pairs: Mapping[str, LoraPair]
    trained_on: BaseCard | None
    unsupported: str
    base_copies: Mapping[str, torch.Tensor]
    digest: str
    positions: RopeOverrides | None = None

    @property
    def dora(self) -> bool:
        """True if the adapter sets magnitudes."""
        return any(pair.magnitude is not None for pair in self.pairs.values())

    @property
    def hot_loadable(self) -> bool:
        """True if a vLLM server of its base can load it: vLLM takes no DoRA and has one set of positions for all."""
        return not (self.dora or self.positions or self.unsupported)

    def require_plain(self, purpose: str) -> None:
        """Refuse an adapter that low-rank pairs alone do not express; ``purpose`` is a past participle."""
        if self.unsupported:
            raise MedctxError(
                f"The adapter {self.folder} cannot be {purpose}: it has {self.unsupported}; merge it with medctx-train "
                "merge and interpolate between the checkpoints instead."
            )


def locate_adapter(path: Path) -> Path:
    """Return the adapter folder that ``path`` means: itself, that of a finished run, or a hub ID's."""
    folder = find_adapter(str(path))
    if folder is None:
        raise MedctxError(f"{path} holds no adapter ({CONFIG}); give the adapter folder of a run, or a hub ID.")
    return folder


def _recorded_base(folder: Path) -> BaseCard | None:
    """Read the base card in the adapter's folder, or the one in the manifest of the run it belongs to."""
    try:
        if (folder / BASE_FILE).is_file():
            return BaseCard.model_validate_json((folder / BASE_FILE).read_text(encoding="utf-8"))
        for name in (SFT_FILE, REPAIR_FILE):
            path = folder.parent / name
            if path.is_file():
                manifest = json.loads(path.read_text(encoding="utf-8"))
                if manifest["weights"] == folder.name:
                    return BaseCard.model_validate(manifest["base"])
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MedctxError(
            f"The record of the base beside {folder} cannot be read ({type(error).__name__}); mend or remove it."
        ) from None
    return None


def _unsupported(settings: LoraConfig, unknown: list[str]) -> str:
    init = settings.init_lora_weights
    if isinstance(init, str) and init.lower() not in _INITS_WITHOUT_EFFECT:
        return f"init_lora_weights={init}, which changes the base"
    for key in _UNSUPPORTED_OPTIONS:
        if getattr(settings, key, None):
            return key
    return f"the tensor {unknown[0]}" if unknown else ""


def _scaling(settings: LoraConfig, module: str, rank: int) -> float:
    """Return the scaling as PEFT computes it: alpha by module pattern, over the rank or its square root."""
    from peft.utils.other import get_pattern_key

    patterns = settings.alpha_pattern or {}
    alpha = patterns.get(get_pattern_key(list(patterns), module), settings.lora_alpha)
    return float(alpha / (math.sqrt(rank) if settings.use_rslora else rank))


@dataclass(slots=True)
class _SortedTensors:
    """The tensors of an adapter file: parts of pairs by module, copies from the base, and names not understood."""

    parts: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    embeddings: set[str] = field(default_factory=set)
    base_copies: dict[str, torch.Tensor] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def _sort_tensors(tensors: Mapping[str, torch.Tensor]) -> _SortedTensors:
    result = _SortedTensors()
    for name, tensor in tensors.items():
        if name.startswith(_PREFIX) and name.endswith(_BASE_COPY):
            result.base_copies[name.removeprefix(_PREFIX).replace(_BASE_COPY, ".weight")] = tensor
            continue
        suffix = next((suffix for suffix in _PART_OF_SUFFIX if name.endswith(suffix)), None)
        if suffix is None or not name.startswith(_PREFIX):
            result.unknown.append(name)
            continue
        module = name.removeprefix(_PREFIX).removesuffix(suffix)
        result.parts.setdefault(module, {})[_PART_OF_SUFFIX[suffix]] = tensor
        if "embedding" in suffix:
            result.embeddings.add(module)
    result.unknown += [
        f"{module} without its other half" for module, parts in result.parts.items() if not {"a", "b"} <= parts.keys()
    ]
    result.unknown += [
        f"{module} (a DoRA embedding)" for module in result.embeddings if "magnitude" in result.parts[module]
    ]
    return result


def _read(folder: Path) -> tuple[LoraConfig, dict[str, torch.Tensor]]:
    """Read PEFT's config and the tensors of an adapter folder."""
    from peft import PeftConfig
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        settings = PeftConfig.from_pretrained(str(folder))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MedctxError(
            f"{folder / CONFIG} is no config of an adapter ({type(error).__name__}); copy the adapter again."
        ) from None
    try:
        return settings, load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise MedctxError(f"{folder / WEIGHTS} cannot be read ({error}); copy the adapter again.") from None


def load_adapter(path: Path) -> Adapter:
    """Read an adapter.

    Args:
        path: The adapter's folder, or the folder of the run that trained it.

    Raises:
        MedctxError: If the folder holds no LoRA adapter in safetensors.
    """
    folder = locate_adapter(path)
    if not (folder / WEIGHTS).is_file():
        raise MedctxError(
            f"The adapter {folder} has no {WEIGHTS}, and only safetensors are loaded; save it again with PEFT's "
            "save_pretrained, which writes them."
        )
    # Before anything is parsed: a changed file is named as changed, whatever it would be read as.
    weights_digest = verified_digest(folder)
    settings, stored = _read(folder)
    kind = getattr(settings.peft_type, "value", str(settings.peft_type))
    if kind != "LORA":
        raise MedctxError(f"The adapter {folder} is {kind}, not LORA; only LoRA, rsLoRA and DoRA are supported.")
    tensors = _sort_tensors(stored)
    pairs = {
        module: LoraPair(
            a=parts["a"],
            b=parts["b"],
            scaling=_scaling(settings, module, parts["a"].shape[0]),
            magnitude=parts.get("magnitude"),
            embedding=module in tensors.embeddings,
        )
        for module, parts in sorted(tensors.parts.items())
        if {"a", "b"} <= parts.keys()
    }
    return Adapter(
        folder=folder,
        settings=settings,
        pairs=pairs,
        trained_on=_recorded_base(folder),
        unsupported=_unsupported(settings, tensors.unknown),
        base_copies=tensors.base_copies,
        digest=weights_digest,
        positions=rope_files.read_overrides(folder),
    )


def base_of(adapter: Adapter, base: str) -> tuple[Path, BaseCard]:
    """Return the folder and card of the base that an adapter belongs on.

    Args:
        adapter: The adapter.
        base: The base to use; "" for the one that the adapter's run recorded.

    Raises:
        MedctxError: If no base is known, or its weights are not those the adapter was trained on.
    """
    recorded = adapter.trained_on
    name = base or (recorded.name if recorded else "") or str(adapter.settings.base_model_name_or_path or "")
    if not name:
        raise MedctxError(f"The adapter {adapter.folder} does not say what it was trained on; set base.")
    folder, card = prepare_base(name)
    if recorded and recorded.weights_digest != card.weights_digest:
        raise MedctxError(
            f"The adapter {adapter.folder} was trained on {recorded.name} with weights "
            f"{recorded.weights_digest[: digest.SHORT]}, but base {name} has {card.weights_digest[: digest.SHORT]}; "
            "set base to the model it was trained on."
        )
    return folder, card


def save_adapter(
    folder: Path, like: Adapter, pairs: Mapping[str, LoraPair], base: BaseCard, settings: LoraConfig
) -> None:
    """Write an adapter with the card of its base into a new folder; positions and template are those of ``like``."""
    tensors: dict[str, torch.Tensor] = {}
    for module, pair in pairs.items():
        prefix = f"{_PREFIX}{module}.lora_"
        names = ("embedding_A", "embedding_B") if pair.embedding else ("A.weight", "B.weight")
        for name, tensor in zip(names, (pair.a, pair.b), strict=True):
            tensors[prefix + name] = tensor.contiguous()
        if pair.magnitude is not None:
            tensors[f"{prefix}magnitude_vector"] = pair.magnitude.contiguous()
    folder.mkdir(parents=True)
    settings.save_pretrained(str(folder))
    name_base(folder / CONFIG, base)
    write_card(folder, CardOrigin(title="LoRA adapter", base=base))
    save_tensors(folder / WEIGHTS, tensors)
    write_record(folder / BASE_FILE, base)
    if like.positions:
        write_record(folder / rope_files.FILE, like.positions)
    copy_template(like.folder, folder)
    follow_umask(folder)
