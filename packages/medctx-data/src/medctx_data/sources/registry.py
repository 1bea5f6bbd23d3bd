"""Opening the source that a config names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import medctx
from medctx.errors import MedctxError
from medctx.facts import curriculum as curricula
from medctx.facts.curriculum import CurriculumConfig
from medctx.io import digest
from medctx.process.progress import say
from medctx.schemas.records import Dialogue, Domain
from medctx_data.sources import files, hub, packaged, phenotypes, shapes
from medctx_data.sources.card import FILE, HUB, PlacedRow, Row, RowNote, SourceCard, Supply
from medctx_data.sources.cards import card_of, domain_of
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.detect import HEAD, described, detect_form
from medctx_data.sources.everyday import record_lists, scenes
from medctx_data.sources.files import Reader
from medctx_data.sources.obtain import exam_ids, obtain
from medctx_data.sources.row import placeholders

_GENERAL: Mapping[str, Callable[[int], Iterator[Dialogue]]] = {
    "everyday": scenes.dialogues,
    "everyday-exam-shaped": record_lists.dialogues,
    "everyday-exam-shuffled": partial(record_lists.dialogues, shuffled=True),
}


_READING = 4
"""Changes whenever the same rows give other Dialogues, so that rows kept in the cache are read again."""


def _generated(config: SourceConfig, card: SourceCard, seed: int, curriculum: CurriculumConfig) -> Supply:
    if config.paths:
        raise MedctxError(f"The source {config.label!r} is generated and reads no file; remove its key path.")
    identity = partial(_identity, card, seed)
    if card.name in _GENERAL:
        return Supply(card=card, citation=card.citation, identity=identity(), generator=_GENERAL[card.name](seed))
    taught = curricula.build_curriculum(curriculum)
    dialogues = phenotypes.dialogues(taught, seed)
    return Supply(card=card, citation=taught.citation, identity=identity(digest.of_record(taught)), generator=dialogues)


def _identity(card: SourceCard, *parts: object) -> str:
    read_as = card.model_dump(mode="json", include={"form", "columns", "domain", "language", "licence", "held_out"})
    return digest.of_value([card.name, read_as, medctx.__version__, _READING, *parts])


def with_form(config: SourceConfig, card: SourceCard) -> SourceCard:
    """The card with the form and the columns of the config, which only sources without columns of their own accept."""
    if config.form is None:
        return card
    if card.form != "dialogues":
        raise MedctxError(
            f"The source {config.source!r} has columns of its own; remove its keys form and columns, or read your file "
            f"as the source {FILE}."
        )
    parts = shapes.PARTS.get(config.form)
    if parts is None:
        raise MedctxError(f"Rows cannot be read as {config.form!r}; known are: {', '.join(shapes.PARTS)}.")
    unknown = sorted(config.columns.keys() - parts)
    if unknown:
        raise MedctxError(
            f"The form {config.form} has no part {unknown[0]!r} for a column; known are: {', '.join(sorted(parts))}."
        )
    if config.form == "pair" and not {"question", "answer"} <= config.columns.keys():
        raise MedctxError(
            "The form pair needs the columns of both parts, for example "
            "columns: {question: '{title}\\n{body}', answer: '{reply}'}."
        )
    for part, template in config.columns.items():
        if config.form == "pair" and part in shapes.TEMPLATES and not placeholders(template):
            raise MedctxError(
                f"columns.{part} of the source {config.label!r} is the fixed text {template!r} and names no column; "
                f"write the column in braces: '{{{template}}}'."
            )
    return card.model_copy(update={"form": config.form, "columns": config.columns})


def reader_of(
    config: SourceConfig, card: SourceCard, domain: Domain, again: Callable[[], Iterator[PlacedRow]]
) -> Reader:
    """Return the function that turns rows of a source into Dialogues; ``again`` streams all rows a second time."""
    # Copies of a data set may count answers differently from its published files.
    published = card.answer_base if not config.paths or card.name == FILE else None
    return Reader(
        config.label,
        domain,
        card,
        partial(exam_ids, card.held_out),
        again,
        config.answer_base,
        published,
        config.reasoning == "keep",
        config.tool_turns == "keep",
    )


def _of_hub(config: SourceConfig, card: SourceCard, domain: Domain) -> Supply:
    """A data set of the hub, at the commit of its first use."""
    if config.paths:
        raise MedctxError(f"The source {config.label!r} is read from the hub; remove its key path, or its key dataset.")
    revision = config.revision or hub.NEWEST
    split = hub.HubSplit(dataset=config.dataset, subset=config.subset, split=config.split, revision=revision)
    pinned = hub.pin(split)
    hub_card = card.model_copy(
        update={
            "licence": pinned.licence or "none stated",
            "restriction": hub.restriction_of(pinned.licence),
            "citation": f"The data set {config.dataset} of the hub, {config.subset or 'default'} {config.split}",
        }
    )
    placed = partial(hub.lines, pinned, config.label)
    if config.form is None:
        hub_card = _detected(config, hub_card, domain, list(islice(placed(), HEAD)), split.place)
    reader = reader_of(config, hub_card, domain, placed)
    return Supply(
        card=hub_card,
        citation=f"{hub_card.citation} (revision {pinned.commit})",
        identity=_identity(
            hub_card,
            config.label,
            domain,
            split.model_dump(exclude={"revision"}),
            pinned.commit,
            config.answer_base,
            config.reasoning,
            config.tool_turns,
        ),
        revision=pinned.commit,
        read=partial(_hub_rows, pinned, reader),
        keep=True,
    )


def _hub_rows(pinned: hub.PinnedSplit, reader: Reader) -> Iterator[Row]:
    place = pinned.split.place
    return files.read_placed(hub.lines(pinned, reader.label), reader, f"{place[0].upper()}{place[1:]}")


def _of_package(config: SourceConfig, card: SourceCard, domain: Domain) -> Supply:
    """The data of an installed package."""
    if config.paths:
        raise MedctxError(
            f"The source {config.label!r} is read from an installed package; remove its key path, or read your file as "
            f"the source {FILE}."
        )
    package = packaged.PACKAGES[card.name]
    installed = packaged.locate(config.label, package)
    reader = Reader(config.label, domain, card)
    whole = f"The package {package.distribution}"
    return Supply(
        card=card,
        citation=f"{card.citation} (version {installed.version})",
        identity=_identity(card, config.label, domain, installed.version),
        revision=installed.version,
        read=lambda: files.read_placed(package.rows(installed.folder, config.label), reader, whole),
        keep=True,
    )


def open_source(config: SourceConfig, seed: int, curriculum: CurriculumConfig) -> Supply:
    """Open a source: start its generator with ``seed``, or find its files and fetch missing ones.

    Rows are read when the supply's ``read`` is called.

    Raises:
        MedctxError: The files are not available.
    """
    card = with_form(config, card_of(config.source))
    if card.form == "generated":
        return _generated(config, card, seed, curriculum)
    domain = domain_of(config)
    if card.name == HUB:
        return _of_hub(config, card, domain)
    if card.name in packaged.PACKAGES:
        return _of_package(config, card, domain)
    obtained = obtain(config.label, card, config.paths, config.revision, config.split, config.subset)
    if len(obtained.paths) > 1 or obtained.left_out:
        say(f"{config.label} is read from {_names(obtained.paths)}{_left_out(obtained.left_out)}.")
    placed = partial(files.placed_rows, obtained.paths, config.label, config.split)
    if card.name == FILE and config.form is None and config.paths:
        card = _detected(config, card, domain, files.first_rows(obtained.paths, config.label, config.split))
    reader = reader_of(config, card, domain, placed)
    read_as = (config.split, config.answer_base, config.reasoning, config.tool_turns)
    return Supply(
        card=card,
        citation=f"{card.citation} (revision {obtained.revision})" if obtained.revision else card.citation,
        identity=_identity(card, config.label, domain, obtained.digest, *read_as),
        revision=obtained.revision,
        read=partial(files.rows, obtained.paths, reader, config.split),
        size=sum(path.stat().st_size for path in obtained.paths),
        files=tuple(path.name for path in obtained.paths),
    )


_NAMED = 6
"""Files of a source that are named one by one."""


def _names(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names if len(names) <= _NAMED else [*names[:_NAMED], f"{len(names) - _NAMED:,} more"])


def _left_out(paths: Sequence[Path]) -> str:
    return f"; not from {_names(paths)}, of other splits or subsets" if paths else ""


def detected_card(
    config: SourceConfig, card: SourceCard, head: Sequence[PlacedRow], place: str = ""
) -> tuple[SourceCard, str]:
    """Return a card with the form and columns that the first rows show, and the name of their layout.

    Returns:
        The card, as it was where no row is readable; the data set whose layout it is, ``""`` for none.

    Raises:
        MedctxError: No form is recognised.
    """
    readable = [placed.row.columns for placed in head if not placed.row.problem]
    if not readable:
        return card, ""
    try:
        guess = detect_form(readable)
    except MedctxError as error:
        where = f", {place}," if place else ""
        raise MedctxError(f"The source {config.label!r}{where} cannot be read: {error}.") from None
    update = {"form": guess.form, "columns": guess.columns, "answer_base": guess.base}
    return card.model_copy(update=update), guess.layout


def _detected(
    config: SourceConfig, card: SourceCard, domain: Domain, head: Sequence[PlacedRow], place: str = ""
) -> SourceCard:
    """The card with the form and the columns that its first rows show, which are said."""
    detected, layout = detected_card(config, card, head, place)
    if detected is not card:
        unread = unread_columns(config, detected, domain, head)
        unread_text = f"; not read: {', '.join(unread)}" if unread else ""
        stated = "" if config.domain else " by its name"
        form = described(detected.form, detected.columns, layout)
        say(f"{config.label} ({domain}{stated}) is read as {form}{unread_text}.")
    return detected


def unread_columns(config: SourceConfig, card: SourceCard, domain: Domain, head: Sequence[PlacedRow]) -> list[str]:
    """Return the columns of some rows that are not read."""
    reader = reader_of(config, card, domain, lambda: iter(head))
    notes = [note for placed in head for note in reader.read(placed) if isinstance(note, RowNote)]
    return list(dict.fromkeys(note.column for note in notes if note.column))
