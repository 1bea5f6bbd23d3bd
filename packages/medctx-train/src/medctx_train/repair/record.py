"""What a repair would do, before it does it."""

from __future__ import annotations

from medctx.schemas.records import Record
from medctx.schemas.sft import BaseCard, RepairManifest, WeightsKind
from medctx_train.repair.config import Repair


class RepairPlan(Record):
    """What a repair would do.

    ``inputs``: digests of the weights it reads, by their part in it (``base``, ``adapter``, ``tuned``, ``adapter-1``
    ...); ``weights``: whether an adapter or a model comes out, and so in which folder.
    """

    arm: str
    parameters: Repair
    inputs: dict[str, str]
    weights: WeightsKind
    base: BaseCard

    def same_as(self, done: RepairManifest) -> bool:
        """Whether a finished repair computed the same from the same weights, wherever these lie."""
        paths = {"base", "tuned", "adapter", "adapters"}
        parameters = self.parameters.model_dump(mode="json", exclude=paths)
        return self.inputs == done.inputs and parameters == {
            key: value for key, value in done.parameters.items() if key not in paths
        }
