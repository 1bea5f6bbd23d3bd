"""The evidence in a table of published results, which says no more than scores."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import describe
from medctx.schemas.ratio import general_share
from study.law.evidence.evidence import PARTS, Evidence
from study.law.evidence.names import size_name
from study.law.evidence.points import DesignPoint, ItemNoise, Measured, MeasuredRun

BASE = "base"


class _Row(BaseModel):
    """One line: ``ratio`` general:medical or ``base``; ``amount`` of training data; ``size`` in parameters;
    ``items``: items of the exam; ``knowledge`` and ``reading`` in per cent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio: str
    amount: float | None = Field(None, gt=0)
    size: float | None = Field(None, gt=0)
    seed: int = 0
    items: int = Field(0, ge=0)
    knowledge: float | None = Field(None, ge=0, le=100)
    reading: float | None = Field(None, ge=0, le=100)

    @field_validator("ratio")
    @classmethod
    def _is_a_ratio(cls, value: str) -> str:
        if value != BASE:
            general_share(value)
        return value

    @property
    def cell(self) -> str:
        """A name that tells cells apart."""
        amount = f" {self.amount:,.0f}" if self.amount else ""
        return self.ratio + amount + (f" {size_name(self.size)}" if self.size else "")

    def score(self, part: str) -> float | None:
        """In [0, 1]."""
        value = self.knowledge if part == "knowledge" else self.reading
        return None if value is None else value / 100


def _rows(path: Path) -> list[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MedctxError(f"The table {path} cannot be read ({error}); give a .csv file.") from None
    rows = []
    for number, line in enumerate(lines, start=2):
        cells: Mapping[str, str] = {str(key).strip(): str(value).strip() for key, value in line.items() if value}
        try:
            rows.append(_Row.model_validate(cells))
        except ValidationError as error:
            raise MedctxError(
                f"{path}:{number} is no cell ({describe(error)}); columns are ratio, amount, size, seed, items, "
                "knowledge and reading, the last two in per cent."
            ) from None
    return rows


def _measured(part: str, rows: Sequence[_Row]) -> Measured | None:
    scored = [(row, score) for row in rows if (score := row.score(part)) is not None]
    runs = tuple(
        MeasuredRun(row.cell, DesignPoint(general_share(row.ratio), row.amount, row.size), score, row.seed)
        for row, score in scored
        if row.ratio != BASE
    )
    bases = [score for row, score in scored if row.ratio == BASE]
    items = min(row.items for row, _ in scored) if scored else 0
    origin = f"binomial on {items} items; that all cells answered the same ones is not known, and ignored"
    noise = ItemNoise(items=items, origin=origin) if items else ItemNoise()
    return Measured(part, runs, bases[0] if len(bases) == 1 else None, noise) if runs else None


def read_points_table(path: Path) -> Evidence:
    """The evidence in a .csv table with a line per run."""
    rows = _rows(path)
    measured = tuple(measured_part for part in PARTS if (measured_part := _measured(part, rows)))
    if not measured:
        raise MedctxError(f"{path} has no line with a ratio and a score; columns are ratio, knowledge, reading, ...")
    base_sizes = {row.size for row in rows if row.ratio == BASE}
    return Evidence(
        name=path.stem,
        measured=measured,
        intervals={},
        base=BASE if base_sizes else "",
        base_size=base_sizes.pop() if len(base_sizes) == 1 else None,
        sources={str(path): digest.of_file(path)},
    )
