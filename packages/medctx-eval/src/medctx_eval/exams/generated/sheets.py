"""Sheets: four records of which every offered option is the fact of one.

A sheet states one value for each of ``ENTITIES`` entities, each in a Passage of its own. All of them are asked
about, and the items of a sheet offer the same options under the same letters, each of which is right for exactly one
item. All four Passages occur in every Book of these items, apart from each other at different depths where there is
room. So a reader that does not use the question is right in exactly one of four items of a sheet, whatever rule it
follows, with or without the Book. (Options name the entity asked about, as the question does; "without the question"
means without that name.)

Two other versions of a sheet hold the same sentences and values. In the *altered* one the values have moved on to other
entities, so that another option is right. In the *silent* one the values offered belong to entities that are not asked
about (or the entities offered have values that are not asked about), so that no option is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from pydantic import Field, model_validator

from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage, Record
from medctx_eval.exams.exam import Alteration, Omission
from medctx_eval.exams.generated.phrasing import Phrasing

ENTITIES = 4
LETTERS = "ABCD"
FORWARD, REVERSE = "forward", "reverse"


class Sheet(Record):
    """Four entities with a value each.

    ``strangers`` hold the values in the silent version of forward questions, the entities have ``other_values`` in that
    of reverse ones. ``asides`` are the sentences after each statement. ``order`` gives the entity whose value (or name)
    is offered under each letter. ``turn``: in the altered version, the entity at place k has the value of place
    k + turn. ``facts``: what the sheet is about, by the names that training data have for it.
    """

    id: str
    phrasing: Phrasing
    entities: tuple[str, ...] = Field(min_length=ENTITIES, max_length=ENTITIES)
    values: tuple[str, ...] = Field(min_length=ENTITIES, max_length=ENTITIES)
    strangers: tuple[str, ...] = Field(min_length=ENTITIES, max_length=ENTITIES)
    other_values: tuple[str, ...] = ()
    asides: tuple[tuple[str, ...], ...] = ((),) * ENTITIES
    order: tuple[int, ...]
    turn: int = Field(ge=1, lt=ENTITIES)
    facts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _tells_entities_apart(self) -> Sheet:
        for texts in ((*self.entities, *self.strangers), (*self.values, *self.other_values)):
            if len(set(texts)) < len(texts):
                raise ValueError(f"the sheet {self.id!r} repeats an entity or a value")
        if self.phrasing.reverse and len(self.other_values) != ENTITIES:
            raise ValueError(f"the sheet {self.id!r} is asked for entities but has not {ENTITIES} other values")
        if sorted(self.order) != list(range(ENTITIES)):
            raise ValueError(f"the order of the sheet {self.id!r} is not one of its {ENTITIES} places")
        return self

    @property
    def altered_values(self) -> tuple[str, ...]:
        """The values by entity in the altered version."""
        return (*self.values[self.turn :], *self.values[: self.turn])


def draw_order(rng: Random) -> tuple[int, ...]:
    """A random place for each letter."""
    return tuple(rng.sample(range(ENTITIES), ENTITIES))


def _passage_id(sheet: Sheet, place: int) -> str:
    return f"{sheet.id}/{place}"


def _records(sheet: Sheet, entities: Sequence[str], values: Sequence[str]) -> tuple[Passage, ...]:
    records: list[Passage] = []
    for place, (entity, value, asides) in enumerate(zip(entities, values, sheet.asides, strict=True)):
        stated = sheet.phrasing.statement.format(entity=entity, value=value)
        text = " ".join((stated[:1].upper() + stated[1:], *asides))
        records.append(Passage(id=_passage_id(sheet, place), text=text, facts=(sheet.id, *sheet.facts)))
    return tuple(records)


def records(sheet: Sheet) -> tuple[Passage, ...]:
    """The sheet as it is."""
    return _records(sheet, sheet.entities, sheet.values)


def altered_records(sheet: Sheet) -> tuple[Passage, ...]:
    """The sheet with every value moved on to another of its entities."""
    return _records(sheet, sheet.entities, sheet.altered_values)


def silent_records(sheet: Sheet, kind: str = FORWARD) -> tuple[Passage, ...]:
    """The sheet with what is offered and without what is asked about: other entities, or other values."""
    if kind == FORWARD:
        return _records(sheet, sheet.strangers, sheet.values)
    return _records(sheet, sheet.entities, sheet.other_values)


def _item(card: ExamCard, sheet: Sheet, place: int, kind: str, tags: dict[str, str]) -> ExamItem:
    phrasing = sheet.phrasing
    entity, value = sheet.entities[place], sheet.values[place]
    if kind == FORWARD:
        question = phrasing.forward.format(entity=entity)
        option = phrasing.forward_option or phrasing.statement
        offered = [option.format(entity=entity, value=sheet.values[other]) for other in sheet.order]
    else:
        question = phrasing.reverse.format(value=value)
        option = phrasing.reverse_option or phrasing.statement
        offered = [option.format(entity=sheet.entities[other], value=value) for other in sheet.order]
    return ExamItem(
        id=f"{sheet.id}/{kind}-{place}",
        exam=card.name,
        question=question,
        options=dict(zip(LETTERS, (text[:1].upper() + text[1:] for text in offered), strict=True)),
        gold=(LETTERS[sheet.order.index(place)],),
        evidence=(_passage_id(sheet, place),),
        companions=tuple(_passage_id(sheet, other) for other in range(ENTITIES) if other != place),
        cluster=sheet.id,
        language=card.language,
        source=card.source,
        licence=card.licence,
        generated=True,
        tags={"kind": kind, **tags},
    )


def items(card: ExamCard, sheet: Sheet, **tags: str) -> list[ExamItem]:
    """The questions on a sheet: for each entity its value and, where the phrasing has it, for each value its entity."""
    kinds = [FORWARD] if sheet.phrasing.forward else []
    kinds += [REVERSE] if sheet.phrasing.reverse else []
    return [_item(card, sheet, place, kind, tags) for kind in kinds for place in range(ENTITIES)]


def _altered_gold(sheet: Sheet, item: ExamItem) -> tuple[str, ...]:
    """The letter that the altered version makes right."""
    place = sheet.order[LETTERS.index(item.gold[0])]
    # An entity has the value of `turn` places further on, so a value belongs to the entity of as many places before.
    moved = place + sheet.turn if item.tags["kind"] == FORWARD else place - sheet.turn
    return (LETTERS[sheet.order.index(moved % ENTITIES)],)


def alterations(sheet: Sheet, items: Sequence[ExamItem]) -> Iterator[Alteration]:
    """The altered version of the sheet for each of its items, the same Passages for all."""
    altered = altered_records(sheet)
    for item in items:
        yield Alteration(item=item.id, passages=altered, gold=_altered_gold(sheet, item))


def omissions(sheet: Sheet, items: Sequence[ExamItem]) -> Iterator[Omission]:
    """The silent version of the sheet for each of its items, the same Passages for a direction."""
    silent = {kind: silent_records(sheet, kind) for kind in {item.tags["kind"] for item in items}}
    for item in items:
        yield Omission(item=item.id, passages=silent[item.tags["kind"]])
