"""Published exams whose files are tables: each is a card, the files and a map from their columns to the row schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote, fetch
from medctx.schemas.exam_run import ExamCard
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.entries import Entry, EntryReader, assemble, without_repeats
from medctx_eval.exams.readers.tables import Row
from medctx_eval.exams.schema import is_row
from medctx_eval.run.config import ExamConfig

REPEATED = "asked before"
NOT_A_ROW = "not readable"


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """How one published exam is read.

    ``card.items`` is the number of questions its publisher names. ``rows`` maps the files, in the order of
    ``remotes``, to rows of the row schema, or to the reason why a question is left out. ``about`` says which column
    means what.
    """

    card: ExamCard
    remotes: tuple[Remote, ...]
    rows: Callable[[Sequence[Path]], Iterator[Row | str]]
    about: str


def _name(remote: Remote) -> str:
    return remote.file or remote.url.rpartition("/")[2]


def _in_folder(folder: Path, exam: str, remotes: Sequence[Remote]) -> list[Path]:
    """The published files where a folder has them: under their path in the data set, or anywhere by their name."""
    found = []
    for name in map(_name, remotes):
        files = [folder / name] if (folder / name).is_file() else sorted(folder.rglob(Path(name).name))
        if len(files) != 1:
            raise MedctxError(
                f"The folder {folder} holds {len(files)} files for {name} of the exam {exam}, not one; give a folder "
                "with the files as published."
            )
        found += files
    return found


def _fetched(config: ExamConfig, remotes: Sequence[Remote]) -> tuple[list[Path], str]:
    """The published files, all at one revision, and that revision."""
    first, *others = remotes
    asked = {"revision": config.revision} if config.revision else {}
    fetched = [fetch(first.model_copy(update=asked))]
    # A branch may move between two downloads: the others are fetched at what the first was resolved to.
    asked = {"revision": fetched[0].revision} if first.repo else asked
    fetched += [fetch(other.model_copy(update=asked)) for other in others]
    return [one.path for one in fetched], fetched[0].revision


def _schema_rows(path: Path) -> Iterator[Row | str] | None:
    """The rows of a file that follows the row schema; nothing where it follows its publisher's."""
    if not path.name.endswith((".jsonl", ".jsonl.gz", ".json", ".parquet")):
        return None
    first = next(tables.lines(path), None)
    if first is None or isinstance(first[1], str) or not is_row(first[1]):
        return None
    return (NOT_A_ROW if isinstance(row, str) else row for _, row in tables.lines(path))


def _rows(config: ExamConfig, source: ColumnMap) -> tuple[Iterator[Row | str], str]:
    path = config.path or config.items
    if path is None:
        files, revision = _fetched(config, source.remotes)
        return source.rows(files), revision
    if path.is_dir():
        return source.rows(_in_folder(path, config.exam, source.remotes)), ""
    if not path.is_file():
        raise MedctxError(f"The path {path} of the exam {config.exam} does not exist; correct path=.")
    return _schema_rows(path) or source.rows([path]), ""


def build(config: ExamConfig, source: ColumnMap) -> Exam:
    """The exam from its publisher's files, or from ``config.path``.

    That is one file or a folder, as published, or a file in the row schema. What cannot be asked is left out and
    counted on the card.
    """
    rows, revision = _rows(config, source)
    reader, dropped, entries = EntryReader(config.exam, source.card), Counter[str](), list[Entry]()
    for row in rows:
        entry = row if isinstance(row, str) else reader.read(row)
        if isinstance(entry, Entry):
            entries.append(entry)
        else:
            dropped[entry if isinstance(entry, str) else entry[0].kind] += 1
    kept, repeats = without_repeats(entries)
    dropped.update({REPEATED: repeats} if repeats else {})
    if not kept:
        counted = ", ".join(f"{count} {why}" for why, count in dropped.items()) or "no rows at all"
        raise MedctxError(
            f"{config.path or source.remotes[0].place} holds no question of {config.exam} to ask ({counted}); give "
            "its file as published or one in the row schema (medctx-eval exams schema)."
        )
    return assemble(source.card.model_copy(update={"revision": revision}), kept, dropped=dropped)
