"""Shares and depths dealt one by one, so that they are kept at every point of a stream whose end is not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from medctx_data.long_context.config import WrapConfig
from medctx_data.long_context.wording import Kind


def _due(done: int, seen: int, share: float) -> bool:
    """Whether one more of ``seen`` is owed to ``share``, of which ``done`` were paid."""
    return done < Fraction(str(share)) * seen // 1


@dataclass
class Dealer:
    """What wrapping has dealt so far: the shares owed and the depths left of the present round."""

    config: WrapConfig
    rng: Random
    seen: int = 0
    wrapped: int = 0
    unanswerable: int = 0
    answered: int = 0
    quoted: int = 0
    depths: list[float] = field(default_factory=list)

    @property
    def owes(self) -> bool:
        """Whether one of the Dialogues seen is still to be wrapped."""
        return _due(self.wrapped, self.seen, self.config.share)

    def kinds(self) -> list[Kind]:
        """What the next Dialogue may become: what is owed first, then what will do in its place."""
        answered: Kind = "quote" if _due(self.quoted, self.answered + 1, self.config.quote) else "gold"
        if _due(self.unanswerable, self.wrapped + 1, self.config.unanswerable):
            return ["none", answered] if self.config.unanswerable < 1 else ["none"]
        return [answered]

    def depth(self) -> float:
        """The next depth; every round deals each once."""
        if not self.depths:
            self.depths = self.rng.sample(self.config.depths, len(self.config.depths))
        return self.depths.pop()

    def paid(self, kind: Kind) -> None:
        """Count a wrapped Dialogue."""
        self.wrapped += 1
        self.unanswerable += kind == "none"
        self.answered += kind != "none"
        self.quoted += kind == "quote"
