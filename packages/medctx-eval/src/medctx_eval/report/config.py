"""What a report can be told."""

from __future__ import annotations

from pydantic import Field

from medctx.config import Config


class ReportConfig(Config):
    """``base`` names the run of the untouched model (empty: the first run without an adapter).

    ``margin`` is the largest loss of reading that counts as none, in [0, 1] (0.05 = five accuracy points).
    ``ratios`` maps run names to the general share of their training data in [0, 1]; names such as ``1:1`` or
    ``9:1`` (general : medical) need no entry.
    """

    title: str = "medctx report"
    base: str = ""
    margin: float = Field(0.05, gt=0, lt=1)
    draws: int = Field(10_000, ge=100)
    seed: int = 0
    ratios: dict[str, float] = Field(default_factory=dict)
