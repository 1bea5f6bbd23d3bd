"""Published exams whose files are tables: a card, the files, and a mapping from their columns to the row schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote, fetch
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import Passage
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.entries import EntryReader, ExamEntry, assemble, without_repeats
from medctx_eval.exams.schema import ExamRow, is_row

REPEATED = "asked before"
NOT_A_ROW = "not readable"


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """How one published exam is read.

    Attributes:
        card: Its card; ``card.items`` is the number of questions its publisher states.
        remotes: Its files.
        rows: Maps the files, in the order of ``remotes``, to rows of the row schema, or to the reason why a question is
            left out.
        about: Documents which column means what.
    """

    card: ExamCard
    remotes: tuple[Remote, ...]
    rows: Callable[[Sequence[Path]], Iterator[ExamRow | str]]
    about: str


def _file_name(remote: Remote) -> str:
    return remote.file or remote.url.rpartition("/")[2]


def _files_in_folder(folder: Path, exam: str, remotes: Sequence[Remote]) -> list[Path]:
    """Find the published files in a folder: under their path in the data set, or anywhere by their name.

    A part of a data set that was saved whole, ``PART.parquet``, stands for the hub's ``PART/SPLIT/0000.parquet``.
    """
    files = []
    for name in map(_file_name, remotes):
        saved = folder / f"{Path(name).parts[0]}.parquet"
        stated = [path for path in (folder / name, saved) if path.is_file()]
        matches = stated[:1] or sorted(folder.rglob(Path(name).name))
        if len(matches) != 1:
            raise MedctxError(
                f"The folder {folder} holds {len(matches)} files for {name} of the exam {exam}, not one; give a folder "
                "with the files as published."
            )
        files += matches
    return files


def _fetch_all(remotes: Sequence[Remote], revision: str) -> tuple[list[Path], str]:
    """Download the published files, all at one revision; also returns that revision."""
    first, *others = remotes
    pin = {"revision": revision} if revision else {}
    fetched = [fetch(first.model_copy(update=pin))]
    # A branch may move between two downloads: the others are fetched at what the first was resolved to.
    pin = {"revision": fetched[0].revision} if first.repo else pin
    fetched += [fetch(other.model_copy(update=pin)) for other in others]
    return [file.path for file in fetched], fetched[0].revision


def _schema_rows(path: Path) -> Iterator[ExamRow | str] | None:
    """The rows of a file in the row schema; None if the file is in its publisher's form."""
    if not path.name.endswith((".jsonl", ".jsonl.gz", ".json", ".parquet")):
        return None
    first = next(tables.numbered_rows(path), None)
    if first is None or isinstance(first[1], str) or not is_row(first[1]):
        return None
    return (NOT_A_ROW if isinstance(row, str) else row for _, row in tables.numbered_rows(path))


def _rows(source: ColumnMap, path: Path | None, revision: str) -> tuple[Iterator[ExamRow | str], str]:
    if path is None:
        files, resolved = _fetch_all(source.remotes, revision)
        return source.rows(files), resolved
    if path.is_dir():
        return source.rows(_files_in_folder(path, source.card.name, source.remotes)), ""
    if not path.is_file():
        raise MedctxError(f"The path {path} of the exam {source.card.name} does not exist; correct path=.")
    return _schema_rows(path) or source.rows([path]), ""


def build(source: ColumnMap, path: Path | None = None, revision: str = "", passages: Sequence[Passage] = ()) -> Exam:
    """Build an exam from its publisher's files, or from ``path``.

    ``path`` is a file or folder as published, or a file in the row schema. Questions that cannot be asked are left out
    and counted on the card. ``passages`` are added as distractors.
    """
    rows, resolved = _rows(source, path, revision)
    reader, dropped, entries = EntryReader(source.card.name, source.card), Counter[str](), list[ExamEntry]()
    for row in rows:
        entry = row if isinstance(row, str) else reader.read(row)
        if isinstance(entry, ExamEntry):
            entries.append(entry)
        else:
            dropped[entry if isinstance(entry, str) else entry[0].kind] += 1
    kept, repeats = without_repeats(entries)
    dropped.update({REPEATED: repeats} if repeats else {})
    if not kept:
        counts = ", ".join(f"{count} {reason}" for reason, count in dropped.items()) or "no rows at all"
        raise MedctxError(
            f"{path or source.remotes[0].place} holds no usable question of {source.card.name} ({counts}); give its "
            "file as published or one in the row schema (medctx-eval exams schema)."
        )
    return assemble(source.card.model_copy(update={"revision": resolved}), kept, passages, dropped)
