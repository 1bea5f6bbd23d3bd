"""Many continuations of one cached prefix in a single forward pass, laid out as a tree.

All suffixes and continuations of a batch are in one row; what several of them begin with stands there once (options
that are whole sentences differ in a few tokens only). An attention mask lets each token see the prefix and its own
path only, and positions count on from the prefix along each path, so the result equals that of separate passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from medctx_eval.engines.protocol import LikelihoodRequest


@dataclass(slots=True)
class TokenTree:
    """A row of tokens that form a tree below a cached prefix.

    Attributes:
        ids: Token ids of the row.
        depths: Distance of each token from the prefix's end, in tokens.
        parents: Index of the token before each token, or -1 for the prefix's end.
        reads: For each request and continuation, pairs (index to read at, token to read).
        children: Index of each token by the index of the token before it and its id.
    """

    ids: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    reads: list[tuple[tuple[tuple[int, int], ...], ...]] = field(default_factory=list)
    children: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def places(self) -> list[int]:
        """Sorted indices of the tokens whose logits are read."""
        return sorted({place for request in self.reads for path in request for place, _ in path})

    def extend(self, parent: int, ids: Sequence[int]) -> list[int]:
        """Add a path below ``parent``, as far as it is not there; returns the indices of its tokens."""
        places = []
        for token in ids:
            place = self.children.setdefault((parent, token), len(self.ids))
            if place == len(self.ids):
                self.parents.append(parent)
                self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
                self.ids.append(token)
            places.append(place)
            parent = place
        return places


def _add(tree: TokenTree, request: LikelihoodRequest, prefix: int) -> None:
    *_, last = tree.extend(-1, request.prompt[prefix:])
    reads = []
    for continuation in request.continuations:
        places = [last, *tree.extend(last, continuation[:-1])]
        reads.append(tuple(zip(places, continuation, strict=True)))
    tree.reads.append(tuple(reads))


def _size(request: LikelihoodRequest, prefix: int) -> int:
    return len(request.prompt) - prefix + sum(len(continuation) - 1 for continuation in request.continuations)


def trees(requests: Sequence[LikelihoodRequest], prefix: int, max_tokens: int) -> Iterator[TokenTree]:
    """Lay requests out below their ``prefix`` common tokens, in rows of about ``max_tokens`` tokens."""
    tree = TokenTree()
    for request in requests:
        if tree.ids and len(tree.ids) + _size(request, prefix) > max_tokens:
            yield tree
            tree = TokenTree()
        _add(tree, request, prefix)
    if tree.reads:
        yield tree
