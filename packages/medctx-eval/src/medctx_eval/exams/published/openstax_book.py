"""The OpenStax books of two exams, read from the archive of a repository or a checkout of it."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.records import Domain, Record
from medctx_eval.exams.published.cnxml import Collection, Module, parse_collection, parse_module


class Textbook(Record):
    """Where a book is published: repository, a revision that holds the questions, collections by preference."""

    repository: str
    revision: str
    collections: tuple[str, ...]
    name: str
    authors: str
    domain: Domain


BOOKS: dict[str, Textbook] = {
    "openstax-anatomy": Textbook(
        repository="openstax/osbooks-anatomy-physiology",
        revision="e9810cab492e0045d3151c2c3d95725efa9f717f",
        collections=("anatomy-and-physiology-2e", "anatomy-and-physiology"),
        name="anatomy-physiology-2e",
        authors="Betts et al.",
        domain="medical",
    ),
    "openstax-psychology": Textbook(
        repository="openstax/osbooks-psychology",
        revision="7bc8d4fdabb9cda25ea65aa4b41f856060019b2f",
        collections=("psychology-2e",),
        name="psychology-2e",
        authors="Spielman et al.",
        domain="general",
    ),
}
_BOOK_FILE = re.compile(r"(?:^|/)((?:collections/[^/]+\.collection\.xml)|(?:modules/[^/]+/index\.cnxml))$")


def _read_files(path: Path) -> dict[str, bytes]:
    """Read collections and modules of a folder or an archive, by their names in the repository."""
    if path.is_dir():
        paths = {file.relative_to(path).as_posix(): file for file in path.rglob("*ml")}
        return {match[1]: file.read_bytes() for name, file in paths.items() if (match := _BOOK_FILE.search(name))}
    try:
        with tarfile.open(path) as archive:
            return {
                match[1]: stream.read()
                for member in archive
                if (match := _BOOK_FILE.search(member.name)) and (stream := archive.extractfile(member))
            }
    except (tarfile.TarError, OSError, EOFError) as error:
        raise MedctxError(
            f"{path} is neither a checkout nor an archive of one ({error}); give a folder, .tar.gz or .jsonl."
        ) from None


def _collection(book: Textbook, files: dict[str, bytes], path: Path) -> Collection:
    for name in book.collections:
        file = f"collections/{name}.collection.xml"
        if file in files:
            return parse_collection(files[file], f"{file} of {path}")
    raise MedctxError(
        f"{path} holds no collection {book.collections[0]}; give a checkout or an archive of {book.repository}."
    )


def read_book(book: Textbook, path: Path) -> tuple[Collection, dict[str, Module]]:
    """Read the book's collection and its modules by id, from a folder or an archive.

    Raises MedctxError if the collection, or a module that it names, is missing.
    """
    files = _read_files(path)
    collection = _collection(book, files, path)
    modules = {}
    for name in (name for chapter in collection.chapters for name in chapter.modules):
        file = f"modules/{name}/index.cnxml"
        if file not in files:
            raise MedctxError(f"{path} lacks {file}, which its collection names; check the book out again.")
        modules[name] = parse_module(name, files[file])
    return collection, modules
