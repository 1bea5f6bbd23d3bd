"""Any data set of the hub by name, subset, split and revision, streamed through the library ``datasets``.

The first use finds out which commit the revision means and which licence the data set's card states, and appends both
to :data:`PINNED` in the cache folder. Every later use is held to that commit, whatever was published since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.fetch import url as download
from medctx.fetch.pinned import lock_in
from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx.io.journal import Journal
from medctx.schemas.records import Record
from medctx_data.sources.files import Line
from medctx_data.sources.tables import Found

PINNED = "datasets.jsonl"
NEWEST = "main"


class Asked(Record):
    """A split of a data set as a config names it. ``subset`` is "" for the only or default one."""

    dataset: str
    subset: str
    split: str
    revision: str

    @property
    def place(self) -> str:
        """As errors name it."""
        subset = f", subset {self.subset}" if self.subset else ""
        return f"the data set {self.dataset} (revision {self.revision}{subset}, split {self.split})"


class Pinned(Record):
    """What the first use found: the commit, the licence the card states ("" for none), and when (UTC)."""

    asked: Asked
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


def _card(asked: Asked) -> _Card:
    """The commit a revision means and the licence stated there."""
    import huggingface_hub

    def ask() -> _Card:
        try:
            told = huggingface_hub.HfApi().dataset_info(asked.dataset, revision=asked.revision)
        except Exception as error:
            raise download.hub_trouble(asked.place, error) from None
        stated = (told.card_data.get("license") if told.card_data else None) or ()
        return _Card(told.sha or "", ", ".join([stated] if isinstance(stated, str) else map(str, stated)))

    return download.patiently(asked.place, ask)


def _trouble(asked: Asked, error: Exception) -> Exception:
    """What an exception of the library means for a person."""
    known = download.hub_trouble(asked.place, error)
    if known is not error or not isinstance(error, ValueError | RuntimeError | LookupError):
        return known
    why = str(error).partition("\n")[0].strip().rstrip(".") or type(error).__name__
    return MedctxError(
        f"{asked.place[0].upper()}{asked.place[1:]} cannot be read ({why}); name another subset, split or revision "
        "(refs/convert/parquet where a data set is a program), or give its files to the source jsonl or parquet."
    )


def _loaded(asked: Asked, commit: str) -> Iterable[dict[str, object]]:
    datasets = _library()
    try:
        rows: Iterable[dict[str, object]] = datasets.load_dataset(
            asked.dataset, asked.subset or None, split=asked.split, revision=commit, streaming=True
        )
    except Exception as error:
        raise _trouble(asked, error) from None
    return rows


def pin(asked: Asked) -> Pinned:
    """The commit that ``asked`` is held to: that of its first use, which this is where there was none.

    Raises MedctxError where the data set, its subset, split or revision is not there or not open.
    """
    download.require_packages()
    folder = cache_folder()
    try:
        with lock_in(folder, digest.of_record(asked)[: digest.SHORT]):
            with lock_in(folder, "datasets"), Journal(folder / PINNED, Pinned) as journal:
                known = next((line for line in journal.records if line.asked == asked), None)
            if known:
                return known
            card = _card(asked)
            _loaded(asked, card.commit)  # A subset or split that is not there is told now, and never recorded.
            date = datetime.now(UTC).isoformat(timespec="seconds")
            line = Pinned(asked=asked, commit=card.commit, licence=card.licence, date=date)
            with lock_in(folder, "datasets"), Journal(folder / PINNED, Pinned) as journal:
                journal.append(line)
            return line
    except OSError as error:
        raise MedctxError(
            f"The cache {folder} cannot be used ({error}); set MEDCTX_CACHE to a folder that can be written."
        ) from None


def lines(pinned: Pinned, label: str) -> Iterator[Line]:
    """The rows of a split in their order, read while they are asked for."""
    place = f"{pinned.asked.dataset}@{pinned.commit[: digest.SHORT]}/{pinned.asked.split}"
    rows = iter(_loaded(pinned.asked, pinned.commit))
    number = 0
    while True:
        try:
            row = next(rows, None)
        except Exception as error:
            raise _trouble(pinned.asked, error) from None
        if row is None:
            return
        number += 1
        yield Line(f"{label}-{number}", f"{place}:{number}", Found(number, row))


_FORBIDDING = (
    ("-nc", "non-commercial use only"),
    ("-nd", "nothing adapted from it may be shared"),
    ("-sa", "what is adapted from it is shared under the same licence"),
    ("gpl", "what is built on it is shared under the same licence"),
    ("other", "its licence is its own: read it on its page"),
    ("unknown", "its licence is not known"),
)


def restriction_of(licence: str) -> str:
    """What a licence forbids, in words, as far as the hub's short names tell; "" where nothing beyond attribution."""
    if not licence:
        return "no licence is stated"
    return "; ".join(words for sign, words in _FORBIDDING if sign in licence.lower())
