"""Many continuations of one cached prefix in a single forward pass, as a tree.

All suffixes and continuations of a sitting are laid out in one row; a mask lets each token see the prefix and its
own path only, and positions run on from the prefix along each path. The result is what separate passes would give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from medctx_eval.prompting.prompt import LikelihoodRequest


@dataclass(slots=True)
class Tree:
    """A row of tokens. ``parents[n]`` is the place of the token before token n, or -1 for the prefix's end.

    ``reads`` says for each Ask and continuation from which places which tokens are predicted.
    """

    ids: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    reads: list[tuple[tuple[tuple[int, int], ...], ...]] = field(default_factory=list)

    @property
    def places(self) -> list[int]:
        """The places that something is predicted from, in order."""
        return sorted({place for reads in self.reads for path in reads for place, _ in path})

    def extend(self, parent: int, ids: Sequence[int]) -> list[int]:
        """Add a path below ``parent``; returns the places of its tokens."""
        places = []
        for token in ids:
            self.parents.append(parent)
            self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
            parent = len(self.ids)
            self.ids.append(token)
            places.append(parent)
        return places


def _add(tree: Tree, ask: LikelihoodRequest, prefix: int) -> None:
    *_, last = tree.extend(-1, ask.prompt[prefix:])
    reads = []
    for continuation in ask.continuations:
        places = [last, *tree.extend(last, continuation[:-1])]
        reads.append(tuple(zip(places, continuation, strict=True)))
    tree.reads.append(tuple(reads))


def _size(ask: LikelihoodRequest, prefix: int) -> int:
    return len(ask.prompt) - prefix + sum(len(continuation) - 1 for continuation in ask.continuations)


def trees(asks: Sequence[LikelihoodRequest], prefix: int, most_tokens: int) -> Iterator[Tree]:
    """Lay the Asks out below their common first ``prefix`` tokens, in rows of about ``most_tokens`` tokens."""
    tree = Tree()
    for ask in asks:
        if tree.ids and len(tree.ids) + _size(ask, prefix) > most_tokens:
            yield tree
            tree = Tree()
        _add(tree, ask, prefix)
    if tree.reads:
        yield tree
