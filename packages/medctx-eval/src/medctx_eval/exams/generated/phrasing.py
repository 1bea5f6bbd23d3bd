"""How generated exams word a fact."""

from __future__ import annotations

from medctx.schemas.records import Record


class Phrasing(Record):
    """How a sheet states a fact, asks for it and offers answers. Each is a template over ``{entity}`` and ``{value}``.

    ``forward`` asks for the value of an entity, ``reverse`` for the entity of a value ("" where that is not asked).
    An option is the record's own sentence with the offered value or entity in it, or what ``forward_option`` and
    ``reverse_option`` say instead.
    """

    statement: str
    forward: str = ""
    reverse: str = ""
    forward_option: str = ""
    reverse_option: str = ""
