"""Any data set of the hub by name, subset, split and revision, streamed through the library ``datasets``.

The first use resolves the commit of the revision and the licence that the data set's card states, and appends both to
``PINNED`` in the cache folder. Every later use reads that commit, whatever was published since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.fetch.errors import require_packages, with_retries
from medctx.fetch.hub import hub_error
from medctx.fetch.pinned import lock_in
from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx.io.journal import Journal
from medctx.schemas.records import Record
from medctx.tables.opening import FileRow
from medctx_data.sources.card import PlacedRow

PINNED = "datasets.jsonl"
NEWEST = "main"


class HubSplit(Record):
    """A split of a data set as a config names it. ``subset`` is ``""`` for the only or default one."""

    dataset: str
    subset: str
    split: str
    revision: str

    @property
    def place(self) -> str:
        """How errors name it."""
        subset = f", subset {self.subset}" if self.subset else ""
        return f"the data set {self.dataset} (revision {self.revision}{subset}, split {self.split})"


class PinnedSplit(Record):
    """What the first use resolved: the commit, the licence its card states (``""`` for none), and when (UTC)."""

    split: HubSplit
    commit: str
    licence: str
    date: str


class _Card(NamedTuple):
    commit: str
    licence: str


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError:
        raise MedctxError(
            "Data sets of the hub are read with the package datasets, which is not installed; "
            "run: pip install 'medctx-data[datasets]'."
        ) from None
    datasets.disable_progress_bars()
    return datasets  # type: ignore[no-any-return]


def _card(split: HubSplit) -> _Card:
    """Resolve the commit of a revision and the licence stated there."""
    import huggingface_hub

    def request() -> _Card:
        try:
            info = huggingface_hub.HfApi().dataset_info(split.dataset, revision=split.revision)
        except Exception as error:
            raise hub_error(split.place, error) from None
        stated = (info.card_data.get("license") if info.card_data else None) or ()
        return _Card(info.sha or "", ", ".join([stated] if isinstance(stated, str) else map(str, stated)))

    return with_retries(split.place, request)


def _explained(split: HubSplit, error: Exception) -> Exception:
    """The error that an exception of the library stands for."""
    known = hub_error(split.place, error)
    if known is not error or not isinstance(error, ValueError | RuntimeError | LookupError):
        return known
    why = str(error).partition("\n")[0].strip().rstrip(".") or type(error).__name__
    return MedctxError(
        f"{split.place[0].upper()}{split.place[1:]} cannot be read ({why}); name another subset, split or revision "
        "(refs/convert/parquet where a data set is a program), or give its files to the source jsonl or parquet."
    )


def _loaded(split: HubSplit, commit: str) -> Iterable[dict[str, object]]:
    datasets = _library()
    try:
        rows: Iterable[dict[str, object]] = datasets.load_dataset(
            split.dataset, split.subset or None, split=split.split, revision=commit, streaming=True
        )
    except Exception as error:
        raise _explained(split, error) from None
    return rows


def pin(split: HubSplit) -> PinnedSplit:
    """Return the commit of the first use of ``split``, resolved now where there was none.

    Raises:
        MedctxError: The data set, its subset, split or revision does not exist or is not accessible.
    """
    require_packages()
    folder = cache_folder()
    try:
        with lock_in(folder, digest.of_record(split)[: digest.SHORT]):
            with lock_in(folder, "datasets"), Journal(folder / PINNED, PinnedSplit) as journal:
                known = next((line for line in journal.records if line.split == split), None)
            if known:
                return known
            card = _card(split)
            _loaded(split, card.commit)  # An unknown subset or split fails here and is never recorded.
            date = datetime.now(UTC).isoformat(timespec="seconds")
            line = PinnedSplit(split=split, commit=card.commit, licence=card.licence, date=date)
            with lock_in(folder, "datasets"), Journal(folder / PINNED, PinnedSplit) as journal:
                journal.append(line)
            return line
    except OSError as error:
        raise MedctxError(
            f"The cache {folder} cannot be used ({error}); set MEDCTX_CACHE to a folder that can be written."
        ) from None


def lines(pinned: PinnedSplit, label: str) -> Iterator[PlacedRow]:
    """Yield the rows of a split in their order, read as they are needed."""
    place = f"{pinned.split.dataset}@{pinned.commit[: digest.SHORT]}/{pinned.split.split}"
    rows = iter(_loaded(pinned.split, pinned.commit))
    number = 0
    while True:
        try:
            row = next(rows, None)
        except Exception as error:
            raise _explained(pinned.split, error) from None
        if row is None:
            return
        number += 1
        yield PlacedRow(f"{label}-{number}", f"{place}:{number}", FileRow(number, row))


_FORBIDDING = (
    ("-nc", "non-commercial use only"),
    ("-nd", "nothing adapted from it may be shared"),
    ("-sa", "what is adapted from it is shared under the same licence"),
    ("gpl", "what is built on it is shared under the same licence"),
    ("other", "its licence is its own: read it on its page"),
    ("unknown", "its licence is not known"),
)


def restriction_of(licence: str) -> str:
    """Return what a licence forbids, in words, judged by the hub's short names; ``""``: nothing beyond attribution."""
    if not licence:
        return "no licence is stated"
    return "; ".join(words for sign, words in _FORBIDDING if sign in licence.lower())
