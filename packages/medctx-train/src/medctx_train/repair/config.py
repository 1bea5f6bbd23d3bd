"""What a repair arm is told: one config per arm, told apart by ``arm``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.schemas.sft import WeightsKind

Method = Literal[
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


class ScaleConfig(Config):
    """The base moved a part of the way to the adapted model: base + ``alpha`` * (adapted - base), ``alpha`` in [0, 1].

    ``base``: what the adapter was trained on; "" takes what its run recorded. ``write``: an adapter, a whole model, or
    by itself an adapter wherever vLLM can hot-load it (it takes no DoRA) and else a model.
    """

    arm: Literal["scale"] = "scale"
    base: str = ""
    adapter: Path
    alpha: float = Field(ge=0, le=1)
    write: WeightsKind | Literal["auto"] = "auto"


class InterpolateConfig(Config):
    """(1 - ``t``) * first + ``t`` * second, weight by weight (WiSE-FT, arXiv 2109.01903); ``t`` in [0, 1].

    The first model is ``base``; the second is the model ``tuned``, or ``base`` with ``adapter`` merged into it.
    """

    arm: Literal["interpolate"] = "interpolate"
    base: str = ""
    tuned: str = ""
    adapter: Path | None = None
    t: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _has_one_second(self) -> Self:
        if bool(self.tuned) == (self.adapter is not None):
            raise ValueError("the second model is either tuned or an adapter on base; give exactly one of the two")
        if self.tuned and not self.base:
            raise ValueError("base is missing; name the first model")
        return self


class CombineConfig(Config):
    """Several adapters of one base made one, by PEFT's ``add_weighted_adapter``.

    ``shares`` has a number per adapter, none for equal ones that add up to 1. ``density``: share of the update that
    ties, dare and magnitude_prune keep. ``rank``: of the result of svd methods, 0 for the largest among the adapters.
    ``seed``: of what dare drops.
    """

    arm: Literal["combine"] = "combine"
    base: str = ""
    adapters: tuple[Path, ...] = Field(min_length=1)
    shares: tuple[float, ...] = ()
    method: Method = "cat"
    density: float | None = Field(None, gt=0, le=1)
    majority_sign: Literal["total", "frequency"] = "total"
    rank: int = Field(0, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shares and len(self.shares) != len(self.adapters):
            raise ValueError(f"{len(self.adapters)} adapters have {len(self.shares)} shares; give one each")
        drops = self.method not in {"linear", "cat", "svd"}
        if drops != (self.density is not None):
            raise ValueError(f"the method {self.method} {'needs a' if drops else 'takes no'} density")
        if drops and len(self.adapters) == 1:
            raise ValueError(f"PEFT does not apply {self.method} to a single adapter; give several")
        if self.rank and not self.method.endswith("svd"):
            raise ValueError(f"the method {self.method} sets the rank by itself; leave rank out")
        return self

    @property
    def weighed(self) -> tuple[float, ...]:
        """The share of each adapter."""
        return self.shares or (1 / len(self.adapters),) * len(self.adapters)


class RestoreQkConfig(Config):
    """A tuned model with the query and key projections of its base (QK-Restore, arXiv 2606.11052).

    What was tuned is ``adapter`` on ``base``, or the model ``tuned``. ``norms``: also the norms on queries and keys.
    ``write`` as in the arm ``scale``; of a ``tuned`` model always a model.
    """

    arm: Literal["restore-qk"] = "restore-qk"
    base: str = ""
    tuned: str = ""
    adapter: Path | None = None
    norms: bool = False
    write: WeightsKind | Literal["auto"] = "auto"

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if bool(self.tuned) == (self.adapter is not None):
            raise ValueError("what was tuned is either a model or an adapter on base; give exactly one of the two")
        if self.tuned and not self.base:
            raise ValueError("base is missing; name what the model was tuned from")
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
