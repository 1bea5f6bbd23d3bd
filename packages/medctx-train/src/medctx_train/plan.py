"""What a training run would do, said before any weights are loaded."""

from __future__ import annotations

from medctx.records import Record
from medctx_train.base_model import prepare
from medctx_train.config import SftConfig
from medctx_train.data import load_data
from medctx_train.pack import fill
from medctx_train.steps import batches, loss_tokens


class SftPlan(Record):
    """Tokens and steps of a run."""

    dialogues: int
    tokens: int
    loss_tokens: int
    rows: int
    fill: float
    steps: int


def plan(config: SftConfig) -> SftPlan:
    """Encode and pack the mix, and count."""
    folder, _ = prepare(config.base)
    data = load_data(config, folder)
    return SftPlan(
        dialogues=data.dialogues,
        tokens=sum(row.tokens for row in data.rows) * config.epochs,
        loss_tokens=loss_tokens(data.rows) * config.epochs,
        rows=len(data.rows),
        fill=fill(data.rows, config.row_tokens),
        steps=len(batches(data.rows, config.rows_per_step, config.epochs)),
    )
