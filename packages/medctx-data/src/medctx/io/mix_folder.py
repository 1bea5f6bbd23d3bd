"""The Dialogues of a mix folder: one file of JSON lines, or Parquet shards that are read in their order.

Everything that is read is verified: files against the SHA-256 that ``mix.json`` states, shards against the digest of
their Dialogues, which they carry themselves, and the checksums of their pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.atomic import atomic_file
from medctx.io.jsonl import describe, read_record, read_records
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.records import Dialogue

if TYPE_CHECKING:
    from types import ModuleType

DIALOGUES = "dialogues.jsonl"
SHARDS = "dialogues-*.parquet"
DIGEST_KEY = b"medctx.dialogues_digest"
"""Key of a shard's own metadata: the digest of its Dialogues in their order."""
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
    """Return the name of one of several shards; names sort as the shards do."""
    return f"dialogues-{number:05d}-of-{total:05d}.parquet"


def _schema(pyarrow: ModuleType, dialogues_digest: str) -> object:
    text = pyarrow.string()
    turn = pyarrow.struct([("role", text), ("content", text)])
    columns = dict.fromkeys(Dialogue.model_fields, text)
    columns |= {
        "turns": pyarrow.list_(turn),
        "facts": pyarrow.list_(text),
        "without_loss": pyarrow.list_(pyarrow.int64()),
    }
    return pyarrow.schema(list(columns.items()), metadata={DIGEST_KEY: dialogues_digest.encode()})


def write_shard(path: Path, dialogues: Sequence[Dialogue]) -> None:
    """Write Dialogues as Parquet with checksums; the file appears under its name when it is whole."""
    pyarrow = _pyarrow()
    rows = [dialogue.model_dump() for dialogue in dialogues]
    table = pyarrow.Table.from_pylist(rows, schema=_schema(pyarrow, digest.of_records(dialogues)))
    with atomic_file(path) as stream:
        pyarrow.parquet.write_table(table, stream, compression="zstd", write_page_checksum=True)


def read_shard(path: Path) -> Iterator[Dialogue]:
    """Yield the Dialogues of one Parquet file, with one batch in memory at a time.

    Raises:
        MedctxError: The file is damaged, or after its last Dialogue: they are not those that were written.
    """
    pyarrow = _pyarrow()
    total = digest.RecordsDigest()
    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            expected = (file.schema_arrow.metadata or {}).get(DIGEST_KEY, b"")
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    dialogue = Dialogue.model_validate(row)
                    total.add(dialogue)
                    yield dialogue
    except ValidationError as error:
        raise MedctxError(f"{path} holds a row that is no Dialogue ({describe(error)}); run the mix again.") from None
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, MemoryError, OverflowError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise MedctxError(f"{path} cannot be read as Parquet ({why}); run the mix again.") from None
    if expected.decode(errors="replace") != total.hex():
        raise MedctxError(f"The Dialogues in {path} were changed after they were written; run the mix again.")


def files_of(folder: Path) -> Sequence[Path]:
    """Return the files that hold the Dialogues of a mix, in their order.

    Raises:
        MedctxError: There is none, or they are not those that ``mix.json`` was written for.
    """
    shards = sorted(folder.glob(SHARDS))
    files = [folder / DIALOGUES] if (folder / DIALOGUES).is_file() else shards
    if not files:
        raise MedctxError(
            f"{folder} holds no Dialogues ({DIALOGUES} or {SHARDS}); give the --out of a medctx-data mix."
        )
    if (folder / MIX_FILE).is_file():
        expected = read_record(folder / MIX_FILE, MixManifest).files
        if expected:
            _verify(folder, files, expected)
    return files


def _verify(folder: Path, files: Sequence[Path], expected: dict[str, str]) -> None:
    names = {path.name for path in files}
    if names != expected.keys():
        name = min(names ^ expected.keys())
        problem = "is missing" if name in expected else "does not belong to it"
        raise MedctxError(f"The mix {folder} is not as {MIX_FILE} states: {name} {problem}; run the mix again.")
    for path in files:
        if digest.of_file(path) != expected[path.name]:
            raise MedctxError(f"{path} was changed after the mix was written (its digest differs); run the mix again.")


def mix_file_digests(files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by name, as ``mix.json`` states them."""
    return {path.name: digest.of_file(path) for path in files}


def read_file(path: Path) -> Iterator[Dialogue]:
    """Yield the Dialogues of one of the files of a mix."""
    return read_shard(path) if path.suffix == ".parquet" else read_records(path, Dialogue)


def read_dialogues(folder: Path) -> Iterator[Dialogue]:
    """Yield the Dialogues of a mix in their order, streamed from its verified files."""
    for path in files_of(folder):
        yield from read_file(path)
