"""What an exam costs: counted by an engine, added up over the sessions that a run took."""

from __future__ import annotations

from collections.abc import Iterable

from medctx.schemas.records import Record


class Usage(Record):
    """``prompt_tokens`` sent, of which ``computed_tokens`` were not read from a cache; ``book_prefills``: times a Book
    was computed. Nothing where a server does not tell.
    """

    requests: int = 0
    prompt_tokens: int = 0
    computed_tokens: int | None = None
    book_prefills: float | None = None
    seconds: float = 0.0

    def since(self, earlier: Usage) -> Usage:
        """What came after an earlier receipt of the same engine."""
        prefills, computed = self.book_prefills, self.computed_tokens
        return Usage(
            requests=self.requests - earlier.requests,
            prompt_tokens=self.prompt_tokens - earlier.prompt_tokens,
            computed_tokens=None if computed is None else computed - (earlier.computed_tokens or 0),
            book_prefills=None if prefills is None else prefills - (earlier.book_prefills or 0.0),
            seconds=self.seconds - earlier.seconds,
        )


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
