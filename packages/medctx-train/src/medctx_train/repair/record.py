"""What a repair leaves on disk."""

from __future__ import annotations

from medctx.schemas.records import Record
from medctx_train.model.base import BaseCard
from medctx_train.repair.config import Kind, Repair

MANIFEST = "repair.json"


class RepairPlan(Record):
    """What a repair would do.

    ``inputs``: digests of the weights it reads, by their part in it (``base``, ``adapter``, ``tuned``, ``adapter-1``
    ...); ``weights``: whether an adapter or a model comes out, and so in which folder.
    """

    arm: str
    parameters: Repair
    inputs: dict[str, str]
    weights: Kind
    base: BaseCard

    def same_as(self, other: RepairPlan) -> bool:
        """Whether both compute the same from the same weights, wherever these lie."""
        paths = {"base", "tuned", "adapter", "adapters"}
        mine, others = (one.parameters.model_dump(exclude=paths) for one in (self, other))
        return mine == others and self.inputs == other.inputs


class RepairManifest(RepairPlan):
    """A finished repair.

    ``weights_digest``: of the weights in the folder that ``weights`` names; ``changed``: modules or tensors that differ
    from the input; ``base_recorded``: whether the adapter's own run says which base it belongs on, so that another one
    would have been refused.
    """

    weights_digest: str
    changed: int
    base_recorded: bool
    seconds: float
    versions: dict[str, str]
