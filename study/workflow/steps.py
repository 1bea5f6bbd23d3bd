"""Steps: a console command with declared inputs and one output folder, keyed by digest, done once and for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from medctx import __version__
from medctx.io import digest

CONFIG = "step.yaml"


@dataclass(frozen=True, slots=True)
class Step:
    """``kind`` and ``label`` are for people; ``command`` is called with ``--config`` and ``--out``; ``config`` is what
    it reads; ``inputs`` are digests of contents that the config names only by path; ``manifest`` is the file whose
    presence says that the step is done (nothing: it is called every time and finds out itself). ``memory`` is what it
    is thought to need at most, in bytes; ``heavy`` steps compute with the model: they take the GPU where there is one.
    """

    kind: str
    label: str
    command: tuple[str, ...]
    config: dict[str, JsonValue]
    inputs: tuple[str, ...]
    manifest: str
    ignored: tuple[str, ...] = ()
    memory: int = 0
    heavy: bool = False

    @property
    def key(self) -> str:
        """Digest of everything that determines the output, the version of medctx too.

        Paths in ``ignored`` keys are stood for by ``inputs``.
        """
        content = {key: value for key, value in self.config.items() if key not in self.ignored}
        return digest.of_value([__version__, self.kind, list(self.command), content, list(self.inputs)])

    def folder(self, work: Path) -> Path:
        """Where the step's output lies."""
        return work / "steps" / f"{self.kind}-{self.key[: digest.SHORT]}"

    def done(self, work: Path) -> bool:
        """Whether it need not be run."""
        return bool(self.manifest) and (self.folder(work) / self.manifest).is_file()
