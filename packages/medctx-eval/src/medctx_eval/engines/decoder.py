"""Forward passes of any decoder that transformers loads, and whether its cache allows a tree of continuations.

A tree needs a cache that keeps every token's keys and values, an attention mask of its own and positions of its own:
what follows the shared prefix is computed in one row and cropped again. Models with sliding windows get a cache that
keeps all tokens and masks that hold the window. States of linear attention (Qwen3-Next, Mamba) cannot be cropped, and
some models take no mask or no positions (BLOOM, MPT): there each prompt is computed whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

from medctx_eval.engines.protocol import LikelihoodRequest
from medctx_eval.engines.tree import TokenTree, trees

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel

_FULL, _SLIDING = "full_attention", "sliding_attention"
_OWN_WINDOWS = ("window_size",)
"""Windows that a model applies by the index of a token, not by its position (GPT-Neo)."""
_MAX_GAP, _MAX_GAP_HALF = 1e-3, 0.1
"""Largest relative difference by rounding between log-probabilities in a tree and alone, in float32 and in half
precision; the bounds of the trainer's self-test of packing."""


def _windows(model: PreTrainedModel) -> dict[str, int] | None:
    """The sliding window of each kind of attention layer, 0 for none; None if layers keep other states."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    config = model.config.get_text_config(decoder=True)
    if any(getattr(config, name, None) for name in _OWN_WINDOWS):
        return None
    layers = DynamicCache(config=config).layers
    kinds = getattr(config, "layer_types", None) or [
        _SLIDING if isinstance(layer, DynamicSlidingWindowLayer) else _FULL for layer in layers
    ]
    windows: dict[str, int] = {}
    for kind, layer in zip(kinds, layers, strict=False):
        if kind not in {_FULL, _SLIDING} or type(layer) not in {DynamicLayer, DynamicSlidingWindowLayer}:
            return None
        windows[kind] = int(getattr(layer, "sliding_window", 0))
    return windows or {_FULL: 0}


def _tree_mask(tree: TokenTree, prefix: int, window: int) -> torch.Tensor:
    """Boolean mask of shape (tree tokens, prefix + tree tokens), true where a row's token may attend."""
    import torch

    size = len(tree.ids)
    within = torch.zeros(size, size, dtype=torch.bool)
    for place, parent in enumerate(tree.parents):
        if parent >= 0:
            within[place] = within[parent]
        within[place, place] = True
    mask = torch.cat([torch.ones(size, prefix, dtype=torch.bool), within], dim=1)
    if window:
        positions = prefix + torch.tensor(tree.depths)
        mask &= positions[:, None] - torch.cat([torch.arange(prefix), positions])[None] < window
    return mask


class Decoder:
    """A causal language model, called with the arguments that its architecture takes.

    Attributes:
        model: The model, in evaluation mode.
        has_tree: Whether continuations of a prefix can be computed as a tree. Found by a self-test on a few tokens,
            which compares the tree with passes of their own.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model.eval()
        arguments = signature(model.forward).parameters
        self._takes_positions = "position_ids" in arguments
        self._takes_places = "logits_to_keep" in arguments
        self._cache_name = next((name for name in ("past_key_values", "cache_params") if name in arguments), "")
        self._windows = _windows(model) if self._takes_positions and self._cache_name == "past_key_values" else None
        self.has_tree = self._windows is not None and self._tree_holds()

    @property
    def has_cache(self) -> bool:
        """Whether the model continues from a cache."""
        return bool(self._cache_name)

    def new_cache(self) -> Cache:
        """An empty cache: of all tokens if every layer attends to tokens, else as the model keeps its states."""
        from transformers import DynamicCache

        return DynamicCache() if self._windows is not None else DynamicCache(config=self.model.config)

    def logprobs(
        self,
        ids: torch.Tensor,
        places: Sequence[int],
        *,
        begin: int = 0,
        cache: Cache | None = None,
        tree: TokenTree | None = None,
    ) -> torch.Tensor:
        """Log-probabilities after the tokens at ``places``, of shape (rows, places, vocabulary).

        Args:
            ids: Token ids of shape (rows, tokens).
            places: Indices of tokens, from 0; only these are projected where the model allows it.
            begin: Position of the first token, that is, the number of tokens in the cache.
            cache: Holds the tokens before these; the new ones are added.
            tree: The tree that the only row is, below the tokens in the cache.
        """
        import torch

        device = self.model.device
        arguments: dict[str, Any] = {"input_ids": ids.to(device), "use_cache": cache is not None}
        if cache is not None:
            arguments[self._cache_name] = cache
        if self._takes_positions:
            depths = torch.arange(ids.shape[1]) if tree is None else torch.tensor(tree.depths)
            arguments["position_ids"] = (begin + depths)[None].to(device)
        if tree is not None:
            arguments["attention_mask"] = self._masks(tree, begin)
        kept = torch.tensor(places, device=device)
        if self._takes_places:
            arguments["logits_to_keep"] = kept
        with torch.inference_mode():
            logits = self.model(**arguments).logits
            if not self._takes_places:
                logits = logits[:, kept]
            return torch.log_softmax(logits.float(), dim=-1)

    def _masks(self, tree: TokenTree, prefix: int) -> torch.Tensor | dict[str, torch.Tensor]:
        """The tree's attention mask, by kind of layer where the model has several."""
        import torch

        assert self._windows is not None
        masks = {}
        for kind, window in self._windows.items():
            mask = _tree_mask(tree, prefix, window)[None, None]
            if self.model.config._attn_implementation == "eager":
                # Eager attention adds its mask to the scores.
                lowest = torch.finfo(self.model.dtype).min
                mask = torch.zeros(mask.shape, dtype=self.model.dtype).masked_fill(~mask, lowest)
            masks[kind] = mask.to(self.model.device)
        return masks if len(masks) > 1 else next(iter(masks.values()))

    def _tree_holds(self) -> bool:
        """Whether a small tree on a cached prefix gives what passes of their own give, before and after a crop."""
        import torch

        try:
            size = int(self.model.get_input_embeddings().weight.shape[0])
            ids = [(5 + 7 * number) % size for number in range(14)]
            paths = (ids[9:12], (ids[13], ids[12]), (*ids[9:11], ids[13]))
            request = LikelihoodRequest(tuple(ids[:9]), tuple(map(tuple, paths)))
            prefix = 7
            (tree,) = trees([request], prefix, 10**6)
            cache = self.new_cache()
            self.logprobs(torch.tensor([ids[:prefix]]), [prefix - 1], cache=cache)
            row = torch.tensor([tree.ids])
            for _ in range(2):
                inside = self.logprobs(row, tree.places, begin=prefix, cache=cache, tree=tree)[0]
                cache.crop(-len(tree.ids))
            gaps = []
            for path, reads in zip(paths, tree.reads[0], strict=True):
                whole = torch.tensor([[*ids[:9], *path[:-1]]])
                alone = self.logprobs(whole, range(8, 8 + len(path)))[0]
                rows = inside[[tree.places.index(place) for place, _ in reads]]
                gaps.append((rows - alone).norm(dim=-1) / (alone - alone.mean(-1, keepdim=True)).norm(dim=-1))
            limit = _MAX_GAP if self.model.dtype is torch.float32 else _MAX_GAP_HALF
            return bool(torch.cat(gaps).max() <= limit)
        except Exception:  # a model refuses arguments that it does not know in its own ways
            return False
