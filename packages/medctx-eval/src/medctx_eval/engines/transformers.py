"""The reference engine: transformers in this process, with the keys and values of each Book computed once."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.model import rope
from medctx.schemas.exam_run import Usage, total_usage
from medctx.schemas.records import Book, Form
from medctx.text import tokenizer as tokenizers
from medctx.text.continuation import shared_prefix
from medctx_eval.engines.protocol import (
    Generated,
    GenerationRequest,
    LikelihoodRequest,
    RequestFailure,
    TokenLogprobs,
)
from medctx_eval.engines.tree import TokenTree, trees

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

TREE_TOKENS = 768


def _attention_mask(tree: TokenTree, prefix: int) -> torch.Tensor:
    """Boolean mask of shape (tree tokens, prefix + tree tokens), true where a row's token may attend."""
    import torch

    size = len(tree.ids)
    within = torch.zeros(size, size, dtype=torch.bool)
    for place, parent in enumerate(tree.parents):
        if parent >= 0:
            within[place] = within[parent]
        within[place, place] = True
    return torch.cat([torch.ones(size, prefix, dtype=torch.bool), within], dim=1)


def _next_choice_token(logprobs: torch.Tensor, choices: Sequence[Sequence[int]], written: Sequence[int]) -> int | None:
    """The likeliest token that continues towards a choice; None if the answer ends here.

    If one choice is a prefix of another ("A" and "A, C"), the answer ends after the shorter one when no token can
    follow, or when the model prefers any token that leads to no choice.
    """
    at = len(written)
    reachable = [choice for choice in choices if list(choice[:at]) == list(written)]
    following = sorted({choice[at] for choice in reachable if len(choice) > at})
    if not following:
        return None
    best = max(following, key=lambda token: float(logprobs[token]))
    complete = any(len(choice) == at for choice in reachable)
    return None if complete and float(logprobs[best]) < float(logprobs.max()) else best


class TransformersEngine:
    """Answers requests with one model (and one adapter) in this process, one Book at a time."""

    concurrency = 1
    forms: frozenset[Form] = frozenset({"text", "prior", "letter", "generate", "choice"})

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        from medctx_eval.engines.head import use_float32_head

        self._model, self._tokenizer = model.eval(), tokenizer
        self.float32_logits = use_float32_head(self._model)
        self.usage = Usage(computed_tokens=0, book_prefills=0.0)

    @classmethod
    def load(
        cls, folder: Path, adapter: Path | None = None, device: str = "", *, float32: bool = False
    ) -> TransformersEngine:
        """Load a model folder and, optionally, a PEFT adapter.

        Args:
            folder: The model folder.
            adapter: An adapter, merged into the weights for scoring.
            device: Torch device; empty: CUDA if available, else the CPU.
            float32: Compute everything in float32. The output projection always is.

        Returns:
            The engine.
        """
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        target = device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            config=rope.config_for(folder, adapter),
            dtype=torch.float32 if float32 else "auto",
            attn_implementation="sdpa",
        )
        model = model.to(target)  # type: ignore[arg-type]
        if adapter is not None:
            from peft import PeftModel

            # Merged: the same arithmetic as a merged checkpoint, and one matrix product less per layer.
            model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        return cls(model, tokenizers.load_tokenizer(folder))

    @property
    def max_positions(self) -> int:
        """Longest sequence by the model's config."""
        return int(self._model.config.max_position_embeddings)

    def _forward(
        self,
        ids: list[int],
        positions: list[int],
        cache: DynamicCache,
        mask: torch.Tensor | None = None,
        places: Sequence[int] = (-1,),
    ) -> torch.Tensor:
        """Log-probabilities of shape (places, vocabulary) after the tokens at ``places``; only these are projected."""
        import torch

        begun = time.monotonic()
        device = self._model.device
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.tensor([ids], device=device),
                position_ids=torch.tensor([positions], device=device),
                past_key_values=cache,
                attention_mask=None if mask is None else mask[None, None].to(device),
                use_cache=True,
                logits_to_keep=torch.tensor([place % len(ids) for place in places], device=device),
            )
            logprobs = torch.log_softmax(output.logits[0].float(), dim=-1)
        self._count(computed_tokens=len(ids), seconds=time.monotonic() - begun)
        return logprobs

    def _count(
        self,
        *,
        requests: int = 0,
        prompt_tokens: int = 0,
        computed_tokens: int = 0,
        prefills: int = 0,
        seconds: float = 0,
    ) -> None:
        step = Usage(
            requests=requests,
            prompt_tokens=prompt_tokens,
            computed_tokens=computed_tokens,
            book_prefills=prefills,
            seconds=seconds,
        )
        self.usage = total_usage((self.usage, step))

    def _prefill(self, prompts: Sequence[tuple[int, ...]], book: Book) -> tuple[DynamicCache, int]:
        """Compute the keys and values of the prompts' common prefix; also returns its length in tokens."""
        from transformers import DynamicCache

        # The last shared token is left out, so that every prompt has at least one token to read logits at.
        prefix = max(0, shared_prefix(prompts) - 1)
        cache = DynamicCache(config=self._model.config)
        if prefix:
            self._forward(list(prompts[0][:prefix]), list(range(prefix)), cache)
        self._count(requests=1, prefills=int(book.tokens > 0))
        return cache, prefix

    def score(self, requests: Sequence[LikelihoodRequest], book: Book) -> Iterator[TokenLogprobs | RequestFailure]:
        """One forward pass over the common prefix, then one over each row of suffixes and continuations."""
        cache, prefix = self._prefill([request.prompt for request in requests], book)
        self._count(prompt_tokens=sum(len(request.prompt) * len(request.continuations) for request in requests))
        for tree in trees(requests, prefix, TREE_TOKENS):
            positions, places = [prefix + depth for depth in tree.depths], tree.places
            logprobs = self._forward(tree.ids, positions, cache, _attention_mask(tree, prefix), places)
            cache.crop(-len(tree.ids))
            row = {place: number for number, place in enumerate(places)}
            yield from (
                tuple(tuple(float(logprobs[row[place], token]) for place, token in path) for path in reads)
                for reads in tree.reads
            )

    def _greedy(self, request: GenerationRequest, cache: DynamicCache, prefix: int) -> Generated | RequestFailure:
        """Greedy decoding; with choices, only among tokens that lead to one."""
        choices = [self._tokenizer.encode(choice, add_special_tokens=False) for choice in request.choices]
        waiting, written = list(request.prompt[prefix:]), list[int]()
        place, stop_tokens = prefix, self._stop_tokens()
        while True:
            logprobs = self._forward(waiting, list(range(place, place + len(waiting))), cache)[-1]
            place += len(waiting)
            if not math.isfinite(float(logprobs.max())):
                cache.crop(prefix)
                return RequestFailure("the model computes logits that are not finite numbers; are its weights damaged?")
            token = _next_choice_token(logprobs, choices, written) if choices else int(logprobs.argmax())
            ended = token is None or (not choices and token in stop_tokens)
            if token is not None and not ended:
                written.append(token)
                waiting = [token]
            if ended or len(written) == request.max_tokens:
                cache.crop(prefix)
                text = self._tokenizer.decode(written, skip_special_tokens=True)
                return Generated(request.opening + str(text), truncated=not ended)

    def _stop_tokens(self) -> set[int]:
        """Tokens that end an answer."""
        eos = self._model.generation_config.eos_token_id if self._model.generation_config else None
        tokens = eos if isinstance(eos, list) else [eos]
        return {int(token) for token in (*tokens, self._tokenizer.eos_token_id) if token is not None}

    def generate(self, requests: Sequence[GenerationRequest], book: Book) -> Iterator[Generated | RequestFailure]:
        """Continue each prompt in turn from the common prefix."""
        cache, prefix = self._prefill([request.prompt for request in requests], book)
        self._count(prompt_tokens=sum(len(request.prompt) for request in requests))
        for request in requests:
            yield self._greedy(request, cache, prefix)

    def close(self) -> None:
        """Nothing to release beyond the model itself."""
