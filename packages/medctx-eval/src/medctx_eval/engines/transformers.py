"""The reference engine: transformers in this process, with the keys and values of each Book computed once."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.model import rope
from medctx.model.convert import safetensors_folder
from medctx.model.decoder_config import context_length, require_known_tokens, supports_sdpa
from medctx.process.foreign_code import may_run_foreign_code
from medctx.process.progress import say
from medctx.schemas.exam_run import Usage, total_usage
from medctx.schemas.records import Book, Form
from medctx.text import tokenizer as tokenizers
from medctx.text.continuation import shared_prefix
from medctx_eval.engines.decoder import Decoder
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
    from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

TREE_TOKENS = 768
BATCH_TOKENS = 4096
"""Most tokens of a batch of prompts that are computed whole, unless a single one is longer."""


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
        self._decoder = Decoder(self._model)
        if not self._decoder.has_tree:
            say(
                f"{type(model).__name__} cannot compute several continuations of a Book from one cache; each prompt "
                "is computed whole. engine=vllm computes a Book once, if vLLM is installed and serves the model."
            )
        self.usage = Usage(computed_tokens=0, book_prefills=0.0)

    @classmethod
    def load(
        cls,
        folder: Path,
        adapter: Path | None = None,
        device: str = "",
        *,
        float32: bool = False,
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
        folder = safetensors_folder(folder)
        config = rope.config_for(folder, adapter)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32 if float32 else "auto",
            attn_implementation="sdpa" if supports_sdpa(config) else "eager",
            use_safetensors=True,
            trust_remote_code=may_run_foreign_code(),
        )
        model = model.to(target)  # type: ignore[arg-type]
        if adapter is not None:
            from peft import PeftModel

            # Merged: the same arithmetic as a merged checkpoint, and one matrix product less per layer.
            model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        return cls(model, tokenizers.read_tokenizer(folder))

    @property
    def max_positions(self) -> int:
        """Longest sequence by the model's config; 0 if its architecture states none."""
        return context_length(self._model.config)

    def _forward(
        self,
        ids: Sequence[int],
        cache: Cache | None = None,
        *,
        begin: int = 0,
        places: Sequence[int] = (),
        tree: TokenTree | None = None,
    ) -> torch.Tensor:
        """Log-probabilities of shape (places, vocabulary) after the tokens at ``places``, by default the last one."""
        import torch

        started = time.monotonic()
        row = torch.tensor([ids])
        logprobs = self._decoder.logprobs(row, places or [len(ids) - 1], begin=begin, cache=cache, tree=tree)[0]
        self._count(computed_tokens=len(ids), seconds=time.monotonic() - started)
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

    def _prefill(self, prompts: Sequence[tuple[int, ...]], book: Book) -> tuple[Cache, int]:
        """Compute the keys and values of the prompts' common prefix; also returns its length in tokens."""
        # The last shared token is left out, so that every prompt has at least one token to read logits at.
        prefix = max(0, shared_prefix(prompts) - 1)
        cache = self._decoder.new_cache()
        if prefix:
            self._forward(prompts[0][:prefix], cache)
        self._count(requests=1, prefills=int(book.tokens > 0))
        return cache, prefix

    def _require_known(self, prompts: Iterable[Sequence[int]]) -> None:
        """Refuse prompts with tokens of another model's tokenizer."""
        require_known_tokens(max((max(prompt, default=0) for prompt in prompts), default=0), self._model.config)

    def score(self, requests: Sequence[LikelihoodRequest], book: Book) -> Iterator[TokenLogprobs | RequestFailure]:
        """One forward pass over the common prefix, then one over each row of suffixes and continuations.

        Of a model without a tree, each prompt with each of its continuations is computed whole.
        """
        self._count(prompt_tokens=sum(len(request.prompt) * len(request.continuations) for request in requests))
        self._require_known(ids for request in requests for ids in (request.prompt, *request.continuations))
        if not self._decoder.has_tree:
            for request in requests:
                yield self._score_whole(request, book)
            return
        cache, prefix = self._prefill([request.prompt for request in requests], book)
        for tree in trees(requests, prefix, TREE_TOKENS):
            places = tree.places
            logprobs = self._forward(tree.ids, cache, begin=prefix, places=places, tree=tree)
            cache.crop(-len(tree.ids))
            row = {place: number for number, place in enumerate(places)}
            yield from (
                tuple(tuple(float(logprobs[row[place], token]) for place, token in path) for path in reads)
                for reads in tree.reads
            )

    def _score_whole(self, request: LikelihoodRequest, book: Book) -> TokenLogprobs:
        """The prompt with each continuation as a row of a batch; rows are as long as the longest."""
        import torch

        rows = [request.prompt + continuation[:-1] for continuation in request.continuations]
        length, first = max(map(len, rows)), len(request.prompt) - 1
        scores: list[tuple[float, ...]] = []
        batch_size = max(1, BATCH_TOKENS // length)
        for begin in range(0, len(rows), batch_size):
            batch, started = rows[begin : begin + batch_size], time.monotonic()
            # What follows a row's end changes nothing before it, so it needs no mask.
            ids = torch.tensor([[*row, *[row[-1]] * (length - len(row))] for row in batch])
            logprobs = self._decoder.logprobs(ids, range(first, length))
            for number, continuation in enumerate(request.continuations[begin : begin + batch_size]):
                scores.append(tuple(float(logprobs[number, at, token]) for at, token in enumerate(continuation)))
            self._count(
                requests=1,
                computed_tokens=ids.numel(),
                prefills=len(batch) * int(book.tokens > 0),
                seconds=time.monotonic() - started,
            )
        return tuple(scores)

    def _greedy(self, request: GenerationRequest, cache: Cache | None, prefix: int) -> Generated | RequestFailure:
        """Greedy decoding; with choices, only among tokens that lead to one.

        Args:
            request: What to continue.
            cache: Holds the first ``prefix`` tokens of the prompt; None: everything is computed anew for each token.
            prefix: Number of tokens in the cache.
        """
        choices = [self._tokenizer.encode(choice, add_special_tokens=False) for choice in request.choices]
        waiting, written = list(request.prompt[prefix:]), list[int]()
        place, stop_tokens = prefix, self._stop_tokens()
        while True:
            logprobs = self._forward(waiting, cache, begin=place)[-1]
            place += 0 if cache is None else len(waiting)
            if not math.isfinite(float(logprobs.max())):
                return RequestFailure("the model computes logits that are not finite numbers; are its weights damaged?")
            token = _next_choice_token(logprobs, choices, written) if choices else int(logprobs.argmax())
            ended = token is None or (not choices and token in stop_tokens)
            if token is not None and not ended:
                written.append(token)
                waiting = [*waiting, token] if cache is None else [token]
            if ended or len(written) == request.max_tokens:
                text = self._tokenizer.decode(written, skip_special_tokens=True)
                return Generated(request.opening + str(text), truncated=not ended)

    def _stop_tokens(self) -> set[int]:
        """Tokens that end an answer."""
        eos = self._model.generation_config.eos_token_id if self._model.generation_config else None
        tokens = eos if isinstance(eos, list) else [eos]
        return {int(token) for token in (*tokens, self._tokenizer.eos_token_id) if token is not None}

    def generate(self, requests: Sequence[GenerationRequest], book: Book) -> Iterator[Generated | RequestFailure]:
        """Continue each prompt in turn from the common prefix, or whole where the model's states cannot be cropped."""
        self._count(prompt_tokens=sum(len(request.prompt) for request in requests))
        self._require_known(request.prompt for request in requests)
        if not self._decoder.has_tree:
            for request in requests:
                self._count(requests=1, prefills=int(book.tokens > 0))
                yield self._greedy(request, self._decoder.new_cache() if self._decoder.has_cache else None, 0)
            return
        cache, prefix = self._prefill([request.prompt for request in requests], book)
        for request in requests:
            result = self._greedy(request, cache, prefix)
            cache.crop(prefix - cache.get_seq_length())
            yield result

    def close(self) -> None:
        """Nothing to release beyond the model itself."""
