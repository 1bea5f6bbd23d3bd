"""Records build their validators at the first use, so a schema that cannot be built would be noticed only there."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import medctx.schemas
from medctx.schemas.records import Record, Turn


def _below(record: type[Record]) -> Iterator[type[Record]]:
    for subclass in record.__subclasses__():
        yield subclass
        yield from _below(subclass)


def test_every_record_can_be_built() -> None:
    for module in pkgutil.iter_modules(medctx.schemas.__path__):
        importlib.import_module(f"medctx.schemas.{module.name}")
    records = set(_below(Record))
    assert len(records) >= 50
    for record in records:
        assert record.model_json_schema()["type"] == "object"


def test_a_record_is_unpickled_by_a_process_that_has_not_built_it() -> None:
    turn = Turn(role="user", content="Why?")
    code = f"import pickle; turn = pickle.loads({pickle.dumps(turn)!r}); print(turn.model_dump_json())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert Turn.model_validate_json(shown) == turn
