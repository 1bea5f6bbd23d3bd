"""What an exam costs: counted by an engine, added up over the sessions that a run took."""

from __future__ import annotations

from collections.abc import Iterable

from medctx.schemas.exam_run import Usage


def total(receipts: Iterable[Usage]) -> Usage:
    """The sum. Computed tokens are not known where one does not know them; a receipt without prefills saw no Book."""
    several = list(receipts)
    computed = [one.computed_tokens for one in several if one.computed_tokens is not None]
    prefills = [one.book_prefills for one in several if one.book_prefills is not None]
    return Usage(
        requests=sum(one.requests for one in several),
        prompt_tokens=sum(one.prompt_tokens for one in several),
        computed_tokens=sum(computed) if computed and len(computed) == len(several) else None,
        book_prefills=sum(prefills) if prefills else None,
        seconds=sum(one.seconds for one in several),
    )
