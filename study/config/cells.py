"""The cells of a study: one trained or untrained model each, with its value on every axis, or one from elsewhere."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.schemas.ratio import general_share
from medctx.schemas.records import Record

BASE_CELL = "base"


Origin = Literal["adapter", "model", "endpoint"]


class ExternalCellConfig(Config):
    """One cell from elsewhere: an adapter, a model, or a model behind an endpoint. It is examined, not trained."""

    name: str = Field("", description="Name of the cell; empty: the last part of its path, or the model's name.")
    adapter: str = Field("", description="A PEFT adapter: a folder, a hub ID, or models:/NAME@ALIAS.")
    model: str = Field(
        "", description="A whole model: a folder, a hub ID, or an embedded name; with endpoint, its name there."
    )
    endpoint: str = Field("", description="Address of an OpenAI-compatible server that has the model.")
    base: str = Field(
        "",
        description="Label of the base it is compared with, empty for the first; an adapter is loaded on it too, if "
        "base is given.",
    )
    tokenizer: str = Field("bytes", description="Tokenizer of a model behind an endpoint: folder, hub ID or 'bytes'.")
    key_variable: str = Field("OPENAI_API_KEY", description="Environment variable that holds the endpoint's API key.")
    positions: int | None = Field(None, ge=1, description="Context length of a model behind an endpoint, in tokens.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if bool(self.adapter) == bool(self.model):
            raise ValueError(
                "a cell from elsewhere is an adapter, a model, or a model at an endpoint; give adapter, model, or "
                "endpoint and model"
            )
        if self.endpoint and not self.model:
            raise ValueError("an endpoint needs model, the name of the model there")
        return self

    @property
    def origin(self) -> Origin:
        """What it is."""
        return "endpoint" if self.endpoint else "adapter" if self.adapter else "model"

    @property
    def source(self) -> str:
        """Where its weights come from; of a model behind an endpoint, its name there."""
        return self.adapter or self.model

    @property
    def cell(self) -> str:
        """The name of its cell."""
        return self.name or PurePosixPath(self.source.rstrip("/")).name


class StudyCell(Record):
    """One model of a study.

    Attributes:
        name: Unique in the study.
        group: Name without the seed: cells of one group are repetitions.
        base: Label of the model it starts from.
        ratio: general:medical; "" for an untouched model.
        amount: Requested training data in the unit of the mix (tokens or examples).
        epochs: Passes over the training data.
        seed: Training seed; None for an untouched model.
        method: How it is trained; "": as the study's ``train`` says.
        sources: Name of the data it is trained on; "": as the study's ``mix`` says.
        wrap: Fraction of its Dialogues with a Book, in [0, 1]; None: as the study's ``mix`` says.
        repair: Name of the arm that is applied to the trained model; "" for none.
        origin: What a cell from elsewhere is; "" for a cell that the study makes.
        against: Label of the base that a cell from elsewhere is compared with.
    """

    name: str = Field(min_length=1)
    group: str = Field(min_length=1)
    base: str
    ratio: str = ""
    amount: int = Field(0, ge=0)
    epochs: int = Field(1, ge=1)
    seed: int | None = None
    method: str = ""
    sources: str = ""
    wrap: float | None = Field(None, ge=0, le=1)
    repair: str = ""
    origin: Origin | Literal[""] = ""
    against: str = ""

    @property
    def trained(self) -> bool:
        """Whether the study changes the base."""
        return bool(self.ratio)

    @property
    def compared(self) -> bool:
        """Whether it is compared with a base: it was trained, here or elsewhere."""
        return self.trained or bool(self.origin)

    @property
    def compared_with(self) -> str:
        """Label of the base that it is compared with."""
        return self.against or self.base

    @property
    def general_share(self) -> float | None:
        """The requested general fraction of its training data in [0, 1]; None for an untouched model."""
        return general_share(self.ratio) if self.ratio else None

    @property
    def axes(self) -> dict[str, str]:
        """Its values on the axes as text; axes that do not apply are left out."""
        values = {
            "base": self.compared_with,
            "ratio": self.ratio,
            "amount": str(self.amount) if self.amount else "",
            "epochs": str(self.epochs) if self.epochs > 1 else "",
            "seed": "" if self.seed is None else str(self.seed),
            "method": self.method,
            "sources": self.sources,
            "wrap": "" if self.wrap is None else f"{self.wrap:g}",
            "repair": self.repair,
            "origin": self.origin,
        }
        return {axis: value for axis, value in values.items() if value}


def short(amount: int) -> str:
    """20,000 as ``20k``, 1,500,000 as ``1.5M``, 1,234 as ``1234``."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if amount >= size and amount % (size // 100) == 0:
            return f"{amount / size:.10g}{letter}"
    return str(amount)
