"""What a training run leaves on disk."""

from __future__ import annotations

from medctx.schemas.records import Record
from medctx_train.model.base import BaseCard

MANIFEST = "sft.json"
LOG = "training.jsonl"


class StepLog(Record):
    """One optimizer step: mean loss in nats per loss token, over all sources and per source; ``tokens`` so far.

    ``fill``: share of the rows' places that hold a token; ``grad_norm`` before clipping; ``peak_memory`` in bytes so
    far, of the GPU or of the process; ``mfu``: model FLOPs utilisation in [0, 1] where the device's peak is known.
    """

    step: int
    loss: float
    by_source: dict[str, float]
    learning_rate: float
    tokens: int
    tokens_per_second: float
    fill: float
    grad_norm: float
    peak_memory: int
    mfu: float | None = None


class SourceCount(Record):
    """What became of the Dialogues of one source.

    ``dialogues`` were read; of these ``dropped`` were too long and left out, ``split`` made into several parts at their
    turns, ``unrolled`` into one sample per answer because the chat template rewrites earlier turns. ``samples`` are
    trained on, with ``tokens`` of which ``loss_tokens`` carry loss, in one epoch. ``replay``: the source is replayed.
    """

    source: str
    replay: bool = False
    dialogues: int = 0
    dropped: int = 0
    split: int = 0
    unrolled: int = 0
    samples: int = 0
    tokens: int = 0
    loss_tokens: int = 0


class SftManifest(Record):
    """A finished run.

    ``tokens``: all tokens the model saw; ``loss_tokens``: those it was trained to produce; ``packing_gap``: see
    :func:`medctx_train.model.attention.packing_gap`; ``weights``: the folder of the adapter or checkpoint;
    ``replay_share``:
    the realised share of replayed tokens; ``flop_per_second``: what all processes reached together, with what was
    computed again (:meth:`medctx_train.sft.flops.Work.spent`).
    """

    name: str
    method: str
    weights: str
    weights_digest: str
    base: BaseCard
    mix_digest: str
    replay_digest: str
    seed: int
    dialogues: int
    sources: tuple[SourceCount, ...]
    replay_share: float
    tokens: int
    loss_tokens: int
    steps: int
    planned_steps: int
    processes: int
    fill: float
    packing_gap: float
    first_loss: float
    last_loss: float
    seconds: float
    tokens_per_second: float
    flop_per_second: float
    peak_memory: int
    versions: dict[str, str]
