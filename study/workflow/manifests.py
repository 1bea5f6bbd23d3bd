"""What the study reads of the files that console commands leave: the keys it needs, whatever else stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from medctx.errors import MedctxError

MIX, TRAIN, REPAIR, BASE, MERGED = "mix.json", "sft.json", "repair.json", "base.json", "config.json"
REPORT = "report.json"
LOG = "training.jsonl"


class FilePart(BaseModel):
    """A part of a file that a command wrote: what is not named here is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Domain(FilePart):
    domain: str
    token_share: float


class MixFile(FilePart):
    """Of ``medctx-data mix``: ``tokens`` and ``dialogues`` in all, realised."""

    digest: str
    tokens: int
    dialogues: int
    domains: tuple[_Domain, ...]

    @property
    def general_share(self) -> float:
        """The realised general part of its tokens, in [0, 1]."""
        return next((one.token_share for one in self.domains if one.domain == "general"), 0.0)


class BaseFile(FilePart):
    """Of ``medctx-train base``, beside an embedded model."""

    weights_digest: str


class WeightsFile(FilePart):
    """What ``medctx-train sft`` and ``medctx-train repair`` say of what they made: the folder ``weights`` beside it."""

    weights: str
    weights_digest: str


class _Base(FilePart):
    name: str


class TrainFile(WeightsFile):
    """Of ``medctx-train sft``: all ``tokens`` seen, in ``steps`` and ``seconds``, of the model ``base``."""

    base: _Base
    tokens: int
    steps: int
    seconds: float
    tokens_per_second: float


class AccuracyPart(FilePart):
    """An accuracy in [0, 1] with its interval."""

    value: float
    low: float
    high: float


class ScorePart(FilePart):
    """A cell's accuracy on a part of the exam, in one mode; ``n`` verdicts."""

    cell: str
    part: str
    mode: str
    n: int
    accuracy: AccuracyPart


class ReportFile(FilePart):
    """Of ``medctx-eval report``: what each cell scored on each part in each mode; ``mode`` is the headline's."""

    base: str
    mode: str
    scores: tuple[ScorePart, ...]

    def headline(self, cell: str) -> dict[str, ScorePart]:
        """The scores of a cell in the headline mode, by part."""
        return {one.part: one for one in self.scores if one.cell == cell and one.mode == self.mode}


FileT = TypeVar("FileT", bound=FilePart)


def read(path: Path, kind: type[FileT]) -> FileT:
    """One file of a finished step."""
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise MedctxError(
            f"{path} cannot be read as what its command leaves ({str(error).splitlines()[0]}); remove its folder and "
            "run the study again."
        ) from None


class Weights(FilePart):
    """What a cell answers with: an ``adapter`` on its base, or a whole ``model``."""

    kind: Literal["adapter", "model"]
    folder: Path
    digest: str


def weights_of(folder: Path) -> Weights:
    """The weights a training or repair step made."""
    file = folder / (TRAIN if (folder / TRAIN).is_file() else REPAIR)
    found = read(file, WeightsFile)
    kind: Literal["adapter", "model"] = "adapter" if found.weights == "adapter" else "model"
    return Weights(kind=kind, folder=folder / found.weights, digest=found.weights_digest)
