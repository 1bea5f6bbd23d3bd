"""What would be read from the files of a source, found from their first rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Domain
from medctx.tables.answers import Base
from medctx.tables.folders import locate
from medctx.tables.opening import FORMATS, suffix_of
from medctx_data.sources.card import Form, RowNote, SkippedRow
from medctx_data.sources.cards import card_of, domain_of
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.files import first_rows
from medctx_data.sources.registry import detected_card, reader_of, with_form


@dataclass
class Inspection:
    """How a source would be read.

    Attributes:
        config: Its config.
        files: The files that would be read.
        left_out: Files beside them that would not, because they belong to other splits.
        formats: Their formats.
        form: Form of the rows.
        layout: The data set whose layout it is, ``""`` for none.
        columns: Column of each part of the form.
        used: Columns that are read.
        unused: Columns that are not.
        domain: Domain; None where neither the config nor a name states it.
        rows: Rows looked at.
        dialogues: Dialogues that they give.
        refused: Rows that cannot be read, by reason.
        notes: What is not read of rows or is cut, beside whole columns, with the number of rows.
        answer_base: Number of the first option where the layout states it, or the rows refute that; else None.
    """

    config: SourceConfig
    files: list[str]
    left_out: list[str]
    formats: list[str]
    form: Form
    layout: str
    columns: dict[str, str]
    domain: Domain | None
    used: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    rows: int = 0
    dialogues: list[Dialogue] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    answer_base: Base = None

    @property
    def readable(self) -> int:
        """Rows that give a Dialogue."""
        return len(self.dialogues)


def _domain(config: SourceConfig) -> Domain | None:
    try:
        return domain_of(config)
    except MedctxError:
        return None


def inspect_source(config: SourceConfig) -> Inspection:
    """Look at the first rows of a source's files.

    Raises:
        MedctxError: A file does not exist or is damaged, or no form is recognised in the rows.
    """
    located = locate(config.paths, config.split, config.subset)
    head = first_rows(located.paths, config.label, config.split)
    domain = _domain(config)
    card, layout = with_form(config, card_of(config.source)), ""
    if config.form is None:
        card, layout = detected_card(config, card, head)
    result = Inspection(
        config=config,
        files=[str(path) for path in located.paths],
        left_out=[str(path) for path in located.left_out],
        formats=list(dict.fromkeys(FORMATS[suffix_of(path)] for path in located.paths)),
        form=card.form,
        layout=layout,
        columns=card.columns,
        domain=domain,
        rows=len(head),
    )
    reader = reader_of(config, card, domain or "medical", lambda: iter(head))
    if card.form == "choice" and card.answer_base is not None:
        result.answer_base = reader.convention.base
    unused: dict[str, None] = {}
    for placed in head:
        for row in reader.read(placed):
            if isinstance(row, RowNote) and row.column:
                unused[row.column] = None
            elif isinstance(row, RowNote):
                result.notes[row.text] += 1
            elif isinstance(row, SkippedRow):
                result.refused[row.detail] += 1
            else:
                result.dialogues.append(row)
    result.unused = list(unused)
    columns = dict.fromkeys(name for placed in head for name in placed.row.columns)
    result.used = [name for name in columns if name not in result.unused]
    return result
