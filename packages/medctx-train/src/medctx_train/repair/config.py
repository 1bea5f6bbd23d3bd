"""The configs of the repair arms, told apart by ``arm``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.schemas.sft import WeightsKind

CombineMethod = Literal[
    "linear",
    "cat",
    "svd",
    "ties",
    "ties_svd",
    "dare_linear",
    "dare_linear_svd",
    "dare_ties",
    "dare_ties_svd",
    "magnitude_prune",
    "magnitude_prune_svd",
]

_BASE = 'The base the adapter was trained on; "" takes the one its run recorded.'
_ADAPTER = "An adapter folder, or the folder of the run that trained it."
_WRITE = "adapter, model, or auto: an adapter if vLLM can hot-load it (it takes no DoRA), otherwise a model."


class ScaleConfig(Config):
    """Scale the change of an adapter: base + alpha * (adapted - base)."""

    arm: Literal["scale"] = Field("scale", description="scale.")
    base: str = Field("", description=_BASE)
    adapter: Path = Field(description=_ADAPTER)
    alpha: float = Field(ge=0, le=1, description="Factor of the adapter's change.")
    write: WeightsKind | Literal["auto"] = Field("auto", description=_WRITE)


class InterpolateConfig(Config):
    """Interpolate two models weight by weight: (1 - t) * first + t * second (WiSE-FT, arXiv 2109.01903)."""

    arm: Literal["interpolate"] = Field("interpolate", description="interpolate.")
    base: str = Field("", description=f"The first model. {_BASE}")
    tuned: str = Field("", description="The second model, if it is not base with an adapter.")
    adapter: Path | None = Field(None, description=f"The second model is base with this adapter. {_ADAPTER}")
    t: float = Field(ge=0, le=1, description="Weight of the second model.")

    @model_validator(mode="after")
    def _has_one_second_model(self) -> Self:
        if bool(self.tuned) == (self.adapter is not None):
            raise ValueError("the second model is either tuned or an adapter on base; give exactly one of the two")
        if self.tuned and not self.base:
            raise ValueError("base is missing; set it to the first model")
        return self


class CombineConfig(Config):
    """Combine adapters of one base into one, by PEFT's ``add_weighted_adapter``."""

    arm: Literal["combine"] = Field("combine", description="combine.")
    base: str = Field("", description=_BASE)
    adapters: tuple[Path, ...] = Field(min_length=1, description="Adapter folders, or folders of runs.")
    shares: tuple[float, ...] = Field(
        (), description="Weight of each adapter; empty for equal weights that add up to 1."
    )
    method: CombineMethod = Field("cat", description="PEFT's combination_type.")
    density: float | None = Field(
        None, gt=0, le=1, description="Fraction of the update that ties, dare and magnitude_prune keep."
    )
    majority_sign: Literal["total", "frequency"] = Field("total", description="How ties elects the sign of a value.")
    rank: int = Field(0, ge=0, description="Rank of the result of svd methods; 0 for the largest of the adapters.")
    seed: int = Field(0, description="Seed of what dare drops.")

    @model_validator(mode="after")
    def _options_fit_the_method(self) -> Self:
        if self.shares and len(self.shares) != len(self.adapters):
            raise ValueError(f"{len(self.adapters)} adapters have {len(self.shares)} shares; give one each")
        drops = self.method not in {"linear", "cat", "svd"}
        if drops != (self.density is not None):
            raise ValueError(f"the method {self.method} {'needs a' if drops else 'takes no'} density")
        if drops and len(self.adapters) == 1:
            raise ValueError(f"PEFT does not apply {self.method} to a single adapter; give several")
        if self.rank and not self.method.endswith("svd"):
            raise ValueError(f"the method {self.method} determines the rank; leave rank out")
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each adapter."""
        return self.shares or (1 / len(self.adapters),) * len(self.adapters)


class RestoreQkConfig(Config):
    """Restore the query and key projections of the base in a tuned model (QK-Restore, arXiv 2606.11052)."""

    arm: Literal["restore-qk"] = Field("restore-qk", description="restore-qk.")
    base: str = Field("", description=f"The base. {_BASE}")
    tuned: str = Field("", description="The tuned model, if it is not base with an adapter.")
    adapter: Path | None = Field(None, description=f"The tuned model is base with this adapter. {_ADAPTER}")
    norms: bool = Field(False, description="Also restore the norms on queries and keys.")
    write: WeightsKind | Literal["auto"] = Field("auto", description=f"{_WRITE} A tuned model always gives a model.")

    @model_validator(mode="after")
    def _has_one_tuned_model(self) -> Self:
        if bool(self.tuned) == (self.adapter is not None):
            raise ValueError("what was tuned is either a model or an adapter on base; give exactly one of the two")
        if self.tuned and not self.base:
            raise ValueError("base is missing; set it to the model that was tuned")
        if self.tuned and self.write == "adapter":
            raise ValueError("a tuned model without an adapter gives no adapter; leave write out")
        return self


RepairConfig = ScaleConfig | InterpolateConfig | CombineConfig | RestoreQkConfig
Repair = Annotated[RepairConfig, Field(discriminator="arm")]
ARMS: dict[str, type[ScaleConfig] | type[InterpolateConfig] | type[CombineConfig] | type[RestoreQkConfig]] = {
    "scale": ScaleConfig,
    "interpolate": InterpolateConfig,
    "combine": CombineConfig,
    "restore-qk": RestoreQkConfig,
}
