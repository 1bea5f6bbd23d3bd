"""The config and data a run was started with: a run is continued only with the same ones."""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record
from medctx.schemas.records import Record
from medctx.text.chat_templates import chat_template_text
from medctx_train.config import SftConfig

FILE = "resume.json"
_NO_EFFECT_ON_WEIGHTS = ("name", "mix", "checkpoint_every", "retention")


class ResumeKey(Record):
    """The config keys that determine the weights of a run, and the digest of its data."""

    config: dict[str, JsonValue]
    mix_digest: str


def _resume_key(config: SftConfig, mix_digest: str) -> ResumeKey:
    keys = config.model_dump(mode="json", exclude=set(_NO_EFFECT_ON_WEIGHTS))
    if config.chat_template:
        # The path of a template says nothing of its text.
        keys["chat_template_digest"] = digest.of_text(chat_template_text(config.chat_template))[: digest.SHORT]
    return ResumeKey(config=keys, mix_digest=mix_digest)


def record_start(out: Path, config: SftConfig, mix_digest: str) -> None:
    """Write down what the run in ``out`` is started with."""
    write_record(out / FILE, _resume_key(config, mix_digest))


def require_same(out: Path, config: SftConfig, mix_digest: str = "") -> None:
    """Refuse to continue a run that was started with another config or, if a digest is given, on other data."""
    path = out / FILE
    if not path.is_file():
        return
    started, current = read_record(path, ResumeKey), _resume_key(config, mix_digest)
    for key in sorted(started.config.keys() | current.config.keys()):
        before, now = started.config.get(key), current.config.get(key)
        if before != now:
            raise MedctxError(
                f"The run in {out} was started with {key}={before!r}, not {now!r}; set it back, or give another --out."
            )
    if mix_digest and started.mix_digest != mix_digest:
        raise MedctxError(
            f"The run in {out} was started on other Dialogues than {config.mix} holds; give its mix, or another --out."
        )
