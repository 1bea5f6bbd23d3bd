"""Configuration of a report."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from medctx.config.loading import Config
from medctx.schemas.records import Mode
from medctx.schemas.report import Recipe
from medctx.schemas.study_plan import PlanAxis


class PublishedConfig(Config):
    """Accuracies published elsewhere, to be shown beside the measured ones."""

    source: str = Field("", description="Where they were published.")
    part: str = Field("reading", description="The part of the exam they are compared with: an axis or a condition.")
    note: str = Field("", description="What differs from the exam of this report.")
    values: dict[str, float] = Field(default_factory=dict, description="Accuracies in percent by name of the cell.")


class ReportConfig(Config):
    """Settings of ``medctx-eval report``."""

    title: str = Field("medctx report", description="Title of the report.")
    base: str = Field(
        "", description="Cell the others are compared with; by default the first model without an adapter."
    )
    mode: Mode | None = Field(
        None, description="Scoring mode of the headline numbers; by default the one all runs were examined for."
    )
    margin: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest loss of reading that counts as none, in (0, 1); 0.05 is five accuracy points.",
    )
    max_unreadable: float = Field(
        0.05, ge=0, le=1, description="Largest share of unreadable answers with which a cell passes the gate."
    )
    max_contaminated: float = Field(
        0.01, ge=0, le=1, description="Largest share of items found in training data with which a cell passes the gate."
    )
    error_rate: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Chance that the gate passes any cell that should not, over all cells; a plan states its own.",
    )
    plan: Path | None = Field(
        None,
        description=(
            "The study's registered plan (plan.json). The axes weigh their conditions as it says; the headline says "
            "what the report does otherwise than registered."
        ),
    )
    deviations: tuple[str, ...] = Field(
        (),
        description=(
            "Deviations from the plan that the report cannot see, one clause each; a study names here the cells that "
            "were trained before it was registered."
        ),
    )
    weights: dict[PlanAxis, dict[str, float]] = Field(
        default_factory=dict,
        description=(
            "By axis, the weight of each part by exam and condition without depth (`knowledge: {medqa closed: 1}`); "
            "other parts do not count. By default as the plan says, else all parts of an axis alike."
        ),
    )
    confirmation: tuple[Path, ...] = Field(
        (),
        description=(
            "Runs of the base and of selected cells on items that selected none of them (`half: confirmation`), shown "
            "beside the selected values."
        ),
    )
    draws: int = Field(10_000, ge=100, description="Bootstrap resamples.")
    seed: int = Field(0, description="Seed of the bootstrap.")
    cells: dict[str, Recipe] = Field(
        default_factory=dict,
        description=(
            "How cells were made, by name. Names that hold a ratio general : medical, such as `1:1`, need no "
            "`general_share`."
        ),
    )
    training: dict[str, Path] = Field(
        default_factory=dict, description="File of logged training steps by name of the cell or run."
    )
    contamination: tuple[Path, ...] = Field(
        (),
        description=(
            "Contamination reports of a mix and its exams (folders or files), written by `medctx-data contamination`. "
            "An item found in any of them is not clean."
        ),
    )
    confirmation_contamination: tuple[Path, ...] = Field(
        (), description="The same of the mixes of selected cells and the items of `confirmation`."
    )
    published: PublishedConfig = Field(
        default_factory=PublishedConfig, description="Published accuracies of the same cells."
    )
    different_means: bool = Field(
        False, description="Compare runs whose answers in the headline mode were read by different means."
    )
    browser_items: int = Field(
        300, ge=0, description="Largest number of items in the item browser of the HTML page; 0 leaves it out."
    )

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: dict[PlanAxis, dict[str, float]]) -> dict[PlanAxis, dict[str, float]]:
        if any(value <= 0 for by_name in weights.values() for value in by_name.values()):
            raise ValueError("every weight must be above 0; leave out what does not count")
        return weights

    @field_validator("contamination", "confirmation", "confirmation_contamination", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if value is None:
            return ()
        return (value,) if isinstance(value, str | Path) else value
