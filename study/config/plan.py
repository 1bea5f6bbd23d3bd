"""The section ``plan`` of a study: what it registers before anything is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from medctx.config.loading import Config
from medctx.schemas.study_plan import PlanAxis


class ContrastConfig(Config):
    """One cell less another on an axis. Cells are named without their seeds."""

    cell: str = Field(description="Name of the cell.")
    against: str = Field("", description="Cell it is compared with; empty: its untouched base.")
    axis: PlanAxis = Field("reading", description="What is compared.")


class PredictionConfig(Config):
    """What is expected of the primary contrast, in accuracy points as a share of 1."""

    low: float = Field(description="Low end of what would be no surprise.")
    expected: float = Field(description="The expected difference.")
    high: float = Field(description="High end.")
    reason: str = Field(min_length=1, description="Why.")


class PlanConfig(Config):
    """What a study compares, how it decides, and how small a difference it sees."""

    primary: ContrastConfig | None = Field(
        None,
        description="The contrast the study is sized by and judged by first; null: the trained cell with the least "
        "general data against its base on reading.",
    )
    contrasts: tuple[ContrastConfig, ...] = Field(
        (),
        description="The family: contrasts that are decided together; empty: every trained cell against its base on "
        "every axis.",
    )
    margin: float | None = Field(
        None, gt=0, lt=1, description="Loss of reading that counts as none; null: report.margin."
    )
    error_rate: float = Field(0.05, gt=0, lt=1, description="Probability of any false claim in the family.")
    weights: dict[PlanAxis, dict[str, Annotated[float, Field(gt=0)]]] = Field(
        default_factory=dict,
        description="Weights by axis and by exam and condition, such as {reading: {records-reading open:256: 1}}; of "
        "an axis that is not named all conditions weigh alike.",
    )
    difference: float = Field(0.10, gt=0, lt=1, description="Difference that the power is stated for.")
    power: float = Field(0.8, gt=0, lt=1, description="Power that the smallest detectable difference is stated for.")
    item_sd: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Assumed standard deviation of an item's paired difference: the root of the share of items that "
        "exactly one of two models answers.",
    )
    icc: float = Field(
        0.05, ge=0, le=1, description="Assumed correlation of the paired differences of a cluster's items."
    )
    seed_sd: float = Field(
        0.02, ge=0, le=1, description="Assumed standard deviation of a cell's accuracy over training seeds."
    )
    prediction: PredictionConfig | None = Field(None, description="What is expected of the primary contrast.")
