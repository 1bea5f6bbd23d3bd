"""Steps: a console command with declared inputs and one output folder, keyed by digest, done once and for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

from medctx import __version__, digest
from medctx.jsonl import write_text
from medctx.progress import say
from study.commands import call
from study.lineage import Lineage

CONFIG = "step.yaml"


@dataclass(frozen=True, slots=True)
class Step:
    """``kind`` and ``label`` are for people; ``command`` is called with ``--config`` and ``--out``; ``config`` is what
    it reads; ``inputs`` are digests of contents that the config names only by path; ``manifest`` is the file whose
    presence says that the step is done.
    """

    kind: str
    label: str
    command: tuple[str, ...]
    config: dict[str, JsonValue]
    inputs: tuple[str, ...]
    manifest: str
    ignored: tuple[str, ...] = ()

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
        return (self.folder(work) / self.manifest).is_file()


def run(step: Step, work: Path, lineage: Lineage) -> Path:
    """Run a step unless it is done; returns its folder. A killed step is called again and continues by itself."""
    folder = step.folder(work)
    if step.done(work):
        say(f"{step.kind} {step.label}: done before ({folder}).")
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, yaml.safe_dump(step.config, sort_keys=False, allow_unicode=True))
    with lineage.child(step.kind, step.label, folder) as environment:
        call([*step.command, "--config", str(folder / CONFIG), "--out", str(folder)], environment)
    return folder
