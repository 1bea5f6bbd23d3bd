"""Steps: one call of a console command with declared inputs and one output folder, keyed by digest, done once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from medctx import __version__
from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.digest import RecordsDigest
from medctx.io.jsonl import read_record
from medctx.io.mix_folder import read_dialogues
from medctx.model.identity import model_digest
from medctx.schemas.result import RESULT_FILE, CommandResult, Output

CONFIG = "step.yaml"


def finished_result(folder: Path) -> CommandResult | None:
    """The result of a finished step; None where the step is not finished."""
    file = folder / RESULT_FILE
    result = read_record(file, CommandResult) if file.is_file() else None
    return result if result is not None and result.status == "finished" else None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a study.

    Attributes:
        kind: ``mix``, ``train``, ``exam`` ...: the first word of its folder.
        label: What it is made for, shown to people.
        command: Called with ``--config`` and ``--out``.
        config: The command's config.
        inputs: Digests of contents that the config names by path only.
        ignored: Keys of the config that are paths; ``inputs`` stand for them in the key.
        reused: Whether a finished step is not called again; a command that decides itself is called every time.
        memory: Estimated peak memory in bytes.
        heavy: Whether it computes with the model, on the GPU where there is one.
    """

    kind: str
    label: str
    command: tuple[str, ...]
    config: dict[str, JsonValue]
    inputs: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    reused: bool = True
    memory: int = 0
    heavy: bool = False

    @property
    def key(self) -> str:
        """Digest of everything that determines the output, the version of medctx too."""
        content = {key: value for key, value in self.config.items() if key not in self.ignored}
        return digest.of_value([__version__, self.kind, list(self.command), content, list(self.inputs)])

    def folder(self, work: Path) -> Path:
        """The folder of its output."""
        return work / "steps" / f"{self.kind}-{self.key[: digest.SHORT]}"

    def finished(self, work: Path) -> CommandResult | None:
        """Its result where it need not be called again."""
        return finished_result(self.folder(work)) if self.reused else None


@dataclass(frozen=True, slots=True)
class Done:
    """A finished step: the folder of its output and what its command reported."""

    step: Step
    folder: Path
    result: CommandResult


def _digest_of(output: Output, path: Path) -> str:
    """The digest of an output as its command computed it."""
    if output.kind == "mix":
        records = RecordsDigest()
        for dialogue in read_dialogues(path):
            records.add(dialogue)
        return records.hex()
    return model_digest(path)


def require_unchanged(folder: Path, result: CommandResult) -> None:
    """Compare the Dialogues and weights of a finished step with the digests it reported.

    Raises:
        MedctxError: Where a file was changed, damaged or removed since.
    """
    for output in result.outputs:
        if output.kind not in {"mix", "adapter", "model"} or not output.digest:
            continue
        path = folder / output.path
        try:
            unchanged = _digest_of(output, path) == output.digest
        except (MedctxError, UnicodeDecodeError) as error:
            raise MedctxError(f"{error} It is part of the finished step {folder}: remove that folder.") from None
        if not unchanged:
            raise MedctxError(
                f"The {output.kind} in {path} was changed after its step had finished (its digest differs); remove "
                f"{folder} and run the study again."
            )
