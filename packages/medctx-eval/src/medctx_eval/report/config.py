"""What a report can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from medctx.config.loading import Config
from medctx.schemas.records import Mode
from medctx.schemas.report import Recipe
from medctx_eval.report.load.published import PublishedConfig


class ReportConfig(Config):
    """``base`` names the cell of the untouched model (empty: the first without an adapter).

    ``mode`` is the scoring mode of the headline numbers (nothing: the one all runs were examined for).
    ``margin`` is the largest loss of reading that counts as none, in [0, 1] (0.05 = five accuracy points).
    ``max_unreadable`` and ``max_contaminated`` are the largest shares in [0, 1] of unreadable answers and of items in
    the ledger with which a cell still passes the gate.
    ``cells`` says how cells were made, as far as it is known: general share of the training data in [0, 1] (names such
    as ``1:1`` or ``9:1``, general : medical, need no entry), trained tokens, base, method. ``training`` maps cells to
    the steps they logged. ``contamination`` is the ledger that ``medctx-data contamination_report`` made of a mix and
    exams, its
    folder or its lines; or several, of which an item found in any is not clean. ``published`` are somebody else's
    accuracies of the same cells. ``items`` is how many items the browser of the page holds at most, 0 for none.
    """

    title: str = "medctx report"
    base: str = ""
    mode: Mode | None = None
    margin: float = Field(0.05, gt=0, lt=1)
    max_unreadable: float = Field(0.05, ge=0, le=1)
    max_contaminated: float = Field(0.01, ge=0, le=1)
    draws: int = Field(10_000, ge=100)
    seed: int = 0
    cells: dict[str, Recipe] = Field(default_factory=dict)
    training: dict[str, Path] = Field(default_factory=dict)
    contamination: tuple[Path, ...] = ()
    published: PublishedConfig = PublishedConfig()
    items: int = Field(300, ge=0)

    @field_validator("contamination", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if value is None:
            return ()
        return (value,) if isinstance(value, str | Path) else value
