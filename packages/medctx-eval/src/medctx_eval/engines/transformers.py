"""In-process reference: transformers, with each Book's keys and values computed once and shared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx_eval.engines.protocol import Receipt, Scores
from medctx_eval.engines.tree import Tree, trees
from medctx_eval.prompt import Ask, shared_prefix

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, PreTrainedModel

TREE_TOKENS = 768


def _visible(tree: Tree, prefix: int) -> torch.Tensor:
    """Boolean mask of shape (tree tokens, prefix + tree tokens): who may look at whom."""
    import torch

    size = len(tree.ids)
    own = torch.zeros(size, size, dtype=torch.bool)
    for place, parent in enumerate(tree.parents):
        if parent >= 0:
            own[place] = own[parent]
        own[place, place] = True
    return torch.cat([torch.ones(size, prefix, dtype=torch.bool), own], dim=1)


class TransformersEngine:
    """Scores one model (and one adapter) in this process."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model.eval()
        self.receipt = Receipt()

    @classmethod
    def load(cls, folder: Path, adapter: Path | None = None, device: str = "") -> TransformersEngine:
        """Load a model folder, and a PEFT adapter on it, in the stored precision."""
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        place = device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", attn_implementation="sdpa")
        model = model.to(place)  # type: ignore[arg-type]
        if adapter is not None:
            from peft import PeftModel

            # Merged for scoring: the same arithmetic as a merged checkpoint, and one matrix product less per layer.
            model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        return cls(model)

    @property
    def max_positions(self) -> int:
        """Longest sequence of the model's config."""
        return int(self._model.config.max_position_embeddings)

    def _forward(
        self, ids: list[int], positions: list[int], cache: DynamicCache, mask: torch.Tensor | None
    ) -> torch.Tensor:
        import torch

        place = self._model.device
        output = self._model(
            input_ids=torch.tensor([ids], device=place),
            position_ids=torch.tensor([positions], device=place),
            past_key_values=cache,
            attention_mask=None if mask is None else mask[None, None].to(place),
            use_cache=True,
        )
        return torch.log_softmax(output.logits[0].float(), dim=-1)

    def score(self, asks: Sequence[Ask], book_tokens: int) -> list[Scores | str]:
        """One forward pass over what the prompts share, then one over each row of suffixes and continuations."""
        import torch
        from transformers import DynamicCache

        begun = time.monotonic()
        # One token of the shared part stays in the tree, so that every read has a place in it.
        prefix = max(0, shared_prefix(asks) - 1)
        results: list[Scores | str] = []
        with torch.inference_mode():
            cache = DynamicCache(config=self._model.config)
            if prefix:
                self._forward(list(asks[0].prompt[:prefix]), list(range(prefix)), cache, None)
            for tree in trees(asks, prefix, TREE_TOKENS):
                positions = [prefix + depth for depth in tree.depths]
                logprobs = self._forward(tree.ids, positions, cache, _visible(tree, prefix))
                cache.crop(-len(tree.ids))
                self.receipt.computed_tokens += len(tree.ids)
                results.extend(
                    tuple(tuple(float(logprobs[place, token]) for place, token in path) for path in reads)
                    for reads in tree.reads
                )
        self.receipt.requests += 1
        self.receipt.book_prefills += book_tokens > 0
        self.receipt.computed_tokens += prefix
        self.receipt.prompt_tokens += sum(len(ask.prompt) * len(ask.continuations) for ask in asks)
        self.receipt.seconds += time.monotonic() - begun
        return results

    def close(self) -> None:
        """Nothing is held beyond the model itself."""
