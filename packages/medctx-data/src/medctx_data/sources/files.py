"""Dialogues from local files: the Alpaca columns and one's own Dialogue records, file:line in every error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from medctx.errors import MedctxError
from medctx.jsonl import describe, read_rows
from medctx.records import Dialogue, Domain, Turn
from medctx_data.sources.card import SourceCard


class AlpacaRow(BaseModel):
    """One line in the Alpaca columns; further columns are ignored, ``licence`` overrides the card's."""

    instruction: str
    input: str | None = ""
    output: str
    licence: str = ""


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """``read_rows``, with damage to the file itself told in a sentence too."""
    try:
        yield from read_rows(path)
    except (OSError, EOFError) as error:
        raise MedctxError(f"The file {path} cannot be read ({error}); fetch or pack it again.") from None
    except UnicodeDecodeError as error:
        raise MedctxError(f"The file {path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None


def alpaca_rows(path: Path, name: str, card: SourceCard) -> Iterator[Dialogue]:
    """Yield every line of ``path`` as a Dialogue of two turns, empty texts included.

    Ids are ``name-line``. Raises MedctxError with file:line at the first line that lacks a column.
    """
    if not card.domain:
        raise ValueError(f"card {card.name} names no domain")
    for number, row in _rows(path):
        try:
            line = AlpacaRow.model_validate(row)
        except ValidationError as error:
            raise MedctxError(
                f"{path}:{number} has not the columns instruction, input and output as text ({describe(error)}); "
                "mend or remove that line."
            ) from None
        question = "\n\n".join(part for part in (line.instruction.strip(), (line.input or "").strip()) if part)
        yield Dialogue(
            id=f"{name}-{number}",
            domain=card.domain,
            source=name,
            # A row without an instruction says nothing about what to do with its input.
            turns=(
                Turn(role="user", content=question if line.instruction.strip() else ""),
                Turn(role="assistant", content=line.output.strip()),
            ),
            language=card.language,
            licence=line.licence or card.licence,
        )


def dialogue_rows(path: Path, name: str, domain: Domain) -> Iterator[Dialogue]:
    """Yield every line of ``path`` as the Dialogue record it is, its ``source`` replaced by ``name``.

    Raises MedctxError with file:line at the first line that is no Dialogue or of another domain.
    """
    for number, row in _rows(path):
        try:
            dialogue = Dialogue.model_validate(row)
        except ValidationError as error:
            raise MedctxError(
                f"{path}:{number} is no Dialogue ({describe(error)}); mend or remove that line."
            ) from None
        if dialogue.domain != domain:
            raise MedctxError(
                f"{path}:{number} is a {dialogue.domain} Dialogue but the config says domain: {domain}; "
                "keep one file for each domain."
            )
        yield dialogue.model_copy(update={"source": name})
