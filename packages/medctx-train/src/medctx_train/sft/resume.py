"""What a run was begun with: a run that is continued must be the same one."""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, write_record
from medctx.schemas.records import Record
from medctx_train.config import SftConfig

FILE = "start.json"
# Neither changes a weight.
_FREE = ("name", "mix", "checkpoint_every", "keep")


class Start(Record):
    """The keys of the config that decide the weights, and the digest of the data."""

    config: dict[str, JsonValue]
    mix_digest: str


def _start(config: SftConfig, mix_digest: str) -> Start:
    return Start(config=config.model_dump(mode="json", exclude=set(_FREE)), mix_digest=mix_digest)


def begin(out: Path, config: SftConfig, mix_digest: str) -> None:
    """Write down what the run in ``out`` is begun with."""
    write_record(out / FILE, _start(config, mix_digest))


def require_same(out: Path, config: SftConfig, mix_digest: str = "") -> None:
    """Refuse to go on with a run in ``out`` that was begun with another config or, where told, on other data."""
    path = out / FILE
    if not path.is_file():
        return
    before, now = read_record(path, Start), _start(config, mix_digest)
    for key in sorted(before.config.keys() | now.config.keys()):
        was, wanted = before.config.get(key), now.config.get(key)
        if was != wanted:
            raise MedctxError(
                f"The run in {out} was begun with {key}={was!r}, not {wanted!r}; go on so, or give another --out."
            )
    if mix_digest and before.mix_digest != mix_digest:
        raise MedctxError(
            f"The run in {out} was begun on other Dialogues than {config.mix} holds; give its mix, or another --out."
        )
