"""The Dialogues of a mix folder: one file of JSON lines, or Parquet shards that are read in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io.atomic import atomic_file
from medctx.io.jsonl import describe, read_records
from medctx.schemas.records import Dialogue

if TYPE_CHECKING:
    from types import ModuleType

DIALOGUES = "dialogues.jsonl"
SHARDS = "dialogues-*.parquet"
_BATCH = 1_000


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MedctxError(
            "Parquet files need the package pyarrow, which is not installed; run: pip install 'medctx-data[parquet]'."
        ) from None
    return pyarrow  # type: ignore[no-any-return]


def shard_name(number: int, total: int) -> str:
    """The name of one shard of several; names sort as the shards do."""
    return f"dialogues-{number:05d}-of-{total:05d}.parquet"


def _schema(pyarrow: ModuleType) -> object:
    text = pyarrow.string()
    turn = pyarrow.struct([("role", text), ("content", text)])
    columns = dict.fromkeys(Dialogue.model_fields, text)
    columns |= {"turns": pyarrow.list_(turn), "facts": pyarrow.list_(text)}
    return pyarrow.schema(list(columns.items()))


def write_shard(path: Path, dialogues: Iterable[Dialogue]) -> None:
    """Write Dialogues as Parquet; the file appears under its name when it is whole."""
    pyarrow = _pyarrow()
    rows = [dialogue.model_dump() for dialogue in dialogues]
    table = pyarrow.Table.from_pylist(rows, schema=_schema(pyarrow))
    with atomic_file(path) as stream:
        pyarrow.parquet.write_table(table, stream, compression="zstd")


def read_shard(path: Path) -> Iterator[Dialogue]:
    """Yield the Dialogues of one Parquet file, a batch in memory at a time."""
    pyarrow = _pyarrow()
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                yield Dialogue.model_validate(row)
    except ValidationError as error:
        raise MedctxError(f"{path} holds a row that is no Dialogue ({describe(error)}); make the mix anew.") from None
    except (pyarrow.ArrowException, OSError) as error:
        raise MedctxError(f"{path} cannot be read as Parquet ({error}); make the mix anew.") from None


def files_of(folder: Path) -> Sequence[Path]:
    """The files the Dialogues of a mix lie in, in order; raises MedctxError where there is none."""
    if (folder / DIALOGUES).is_file():
        return [folder / DIALOGUES]
    shards = sorted(folder.glob(SHARDS))
    if not shards:
        raise MedctxError(
            f"{folder} holds no Dialogues ({DIALOGUES} or {SHARDS}); give the --out of a medctx-data mix."
        )
    return shards


def read_file(path: Path) -> Iterator[Dialogue]:
    """Yield the Dialogues of one of the files of a mix."""
    return read_shard(path) if path.suffix == ".parquet" else read_records(path, Dialogue)


def read_dialogues(folder: Path) -> Iterator[Dialogue]:
    """Yield the Dialogues of a mix in their order, as they are read."""
    for path in files_of(folder):
        yield from read_file(path)
