"""The manifests that ``medctx-train`` writes: of a prepared base, of training, merging and repair."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from medctx.schemas.records import Record

BASE_FILE = "base.json"
SFT_FILE = "sft.json"
TRAINING_LOG = "training.jsonl"
MERGE_FILE = "merge.json"
REPAIR_FILE = "repair.json"
RETAINED_FILE = "retained.json"
"""Beside the folders of the retained weights of a run."""
WeightsKind = Literal["adapter", "model"]
"""An adapter on a base, or a whole checkpoint."""


class BaseCard(Record):
    """What a prepared base model is.

    Attributes:
        name: An embedded model, a hub ID or a folder, as it was given.
        source: Where the weights came from: a package, a folder or a hub ID.
        licence: Licence of the weights.
        weights_digest: Digest of the weights.
        id: The name that means the same on every machine: of a folder its last part, else ``name``.
        revision: Commit of a model from the hub.
    """

    name: str
    source: str
    licence: str
    weights_digest: str
    id: str = ""
    revision: str = ""

    @property
    def portable_name(self) -> str:
        """The ``id``, or the ``name`` if the card has no ID."""
        return self.id or self.name


class StepLog(Record):
    """One optimizer step, a line of ``training.jsonl``.

    ``loss``: mean over loss tokens in nats, over all sources and ``by_source``; ``tokens`` so far; ``fill``: fraction
    of the positions of the packed rows that hold a token; ``grad_norm`` before clipping; ``peak_memory`` in bytes so
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

    Attributes:
        source: Label of the source.
        replay: Whether the source is replayed.
        dialogues: Dialogues read.
        dropped: Of these, too long and left out.
        split: Of these, made into several parts at their turns.
        unrolled: Of these, made into one sample per answer because the chat template rewrites earlier turns.
        samples: Samples trained on in one epoch.
        tokens: Tokens of these samples.
        loss_tokens: Of these, tokens that carry loss.
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
    """A finished training run, ``sft.json``.

    Attributes:
        name: Name of the run.
        method: Method of training: lora, dora, rslora, qlora or full.
        weights: Folder of the adapter or checkpoint, beside this file.
        weights_digest: Digest of the weights.
        base: The model that was trained.
        mix_digest: Digest of the mix.
        replay_digest: Digest of the mix that was replayed, ``""`` without one.
        seed: Seed of the order of samples, of new weights and of dropout.
        dialogues: Dialogues in the mix.
        sources: What became of the Dialogues of each source.
        replay_share: Realised fraction of replayed tokens, in [0, 1].
        tokens: All tokens the model saw.
        loss_tokens: Tokens it was trained to produce.
        steps: Optimizer steps taken.
        planned_steps: Optimizer steps planned; more than ``steps`` where training stopped early.
        processes: Processes that trained together.
        fill: Fraction of the positions of the packed rows that hold a token.
        packed: Whether the samples of a row shared a forward pass.
        packing_gap: Result of the packing self-test: relative difference of hidden states between a sample in its row
            and alone (``medctx_train.model.packing_check``).
        first_loss: Loss of the first step, in nats per loss token.
        last_loss: Loss of the last step, in nats per loss token.
        seconds: Duration of training.
        tokens_per_second: Tokens over seconds.
        flop_per_second: Of all processes together, recomputed activations included.
        peak_memory: In bytes, of the GPU or of the process.
        versions: Versions of the libraries.
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
    packed: bool = True
    packing_gap: float
    first_loss: float
    last_loss: float
    seconds: float
    tokens_per_second: float
    flop_per_second: float
    peak_memory: int
    versions: dict[str, str]


class RetainedState(Record):
    """Weights of a training run that were kept before its end.

    Attributes:
        step: Optimizer steps done.
        folder: Folder of the weights, relative to the list.
        weights_digest: Digest of that folder.
        rules: Names of the rules that keep it.
        probe: Metrics of the probe after this step.
    """

    step: int
    folder: str
    weights_digest: str
    rules: tuple[str, ...]
    probe: dict[str, float] = Field(default_factory=dict)


class RetainedStates(Record):
    """All retained weights of a run, ``retained.json``, ascending by step."""

    states: tuple[RetainedState, ...] = ()


class MergeManifest(Record):
    """A merged checkpoint, ``merge.json``: its inputs, the digest of its weights, and how long merging took."""

    base: BaseCard
    adapter_digest: str
    weights_digest: str
    seconds: float
    versions: dict[str, str]


class RepairManifest(Record):
    """A finished repair, ``repair.json``.

    ``parameters``: the resolved config of the arm; ``inputs``: digests of the weights it read, by their role
    (``base``, ``adapter``, ``tuned``, ``adapter-1`` ...); ``weights``: the folder beside this file, named by what came
    out; ``changed``: modules or tensors that differ from the input; ``base_recorded``: whether the adapter's own run
    says which base it belongs on, so that another one would have been refused.
    """

    arm: str
    parameters: dict[str, JsonValue]
    inputs: dict[str, str]
    weights: WeightsKind
    base: BaseCard
    weights_digest: str
    changed: int
    base_recorded: bool
    seconds: float
    versions: dict[str, str]
