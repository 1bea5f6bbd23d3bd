"""In-process reference: transformers, with each Book's keys and values computed once and shared."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.model import rope as positions
from medctx.schemas.exam_run import Usage
from medctx.schemas.records import Book, Form
from medctx.text import tokenizer as tokenizers
from medctx.text.continuation import shared_prefix
from medctx_eval.engines.protocol import Failure, Scores, Written
from medctx_eval.engines.tree import Tree, trees
from medctx_eval.engines.usage import total
from medctx_eval.prompting.prompt import GenerationRequest, LikelihoodRequest

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

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


def _likeliest(logprobs: torch.Tensor, choices: Sequence[Sequence[int]], written: Sequence[int]) -> int | None:
    """The likeliest token that leads on to a choice; nothing where one is written and the rest is no likelier.

    A choice that begins another ("A" and "A, C") ends where no longer one follows: the end is chosen only when nothing
    else can be, or by the model's own wish to write something else.
    """
    at = len(written)
    open_choices = [choice for choice in choices if list(choice[:at]) == list(written)]
    following = sorted({choice[at] for choice in open_choices if len(choice) > at})
    if not following:
        return None
    best = max(following, key=lambda token: float(logprobs[token]))
    complete = any(len(choice) == at for choice in open_choices)
    return None if complete and float(logprobs[best]) < float(logprobs.max()) else best


class TransformersEngine:
    """Scores one model (and one adapter) in this process, one Book at a time."""

    lanes = 1
    forms: frozenset[Form] = frozenset({"text", "prior", "letter", "generate", "choice"})

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        from medctx_eval.engines.head import sharpen

        self._model, self._tokenizer = model.eval(), tokenizer
        self.fine = sharpen(self._model)
        self.usage = Usage(computed_tokens=0, book_prefills=0.0)

    @classmethod
    def load(
        cls, folder: Path, adapter: Path | None = None, device: str = "", *, float32: bool = False
    ) -> TransformersEngine:
        """Load a model folder, and a PEFT adapter on it, in the stored precision or all in ``float32``; the head
        computes in float32 in any case.
        """
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        place = device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            config=positions.config_for(folder, adapter),
            dtype=torch.float32 if float32 else "auto",
            attn_implementation="sdpa",
        )
        model = model.to(place)  # type: ignore[arg-type]
        if adapter is not None:
            from peft import PeftModel

            # Merged for scoring: the same arithmetic as a merged checkpoint, and one matrix product less per layer.
            model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        return cls(model, tokenizers.load(folder))

    @property
    def max_positions(self) -> int:
        """Longest sequence of the model's config."""
        return int(self._model.config.max_position_embeddings)

    def _forward(
        self,
        ids: list[int],
        positions: list[int],
        cache: DynamicCache,
        mask: torch.Tensor | None = None,
        places: Sequence[int] = (-1,),
    ) -> torch.Tensor:
        """Log-probabilities of shape (places, vocabulary) after the tokens at ``places``; only these reach the head."""
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
            found = torch.log_softmax(output.logits[0].float(), dim=-1)
        self._count(computed_tokens=len(ids), seconds=time.monotonic() - begun)
        return found

    def _count(
        self,
        *,
        requests: int = 0,
        prompt_tokens: int = 0,
        computed_tokens: int = 0,
        prefills: int = 0,
        seconds: float = 0,
    ) -> None:
        spent = Usage(
            requests=requests,
            prompt_tokens=prompt_tokens,
            computed_tokens=computed_tokens,
            book_prefills=prefills,
            seconds=seconds,
        )
        self.usage = total((self.usage, spent))

    def _prefill(self, prompts: Sequence[tuple[int, ...]], book: Book) -> tuple[DynamicCache, int]:
        """The keys and values of what prompts share, and how many tokens that is."""
        from transformers import DynamicCache

        # One token of the shared part is left over, so that every prompt has something to read from.
        prefix = max(0, shared_prefix(prompts) - 1)
        cache = DynamicCache(config=self._model.config)
        if prefix:
            self._forward(list(prompts[0][:prefix]), list(range(prefix)), cache)
        self._count(requests=1, prefills=int(book.tokens > 0))
        return cache, prefix

    def score(self, asks: Sequence[LikelihoodRequest], book: Book) -> Iterator[Scores | Failure]:
        """One forward pass over what the prompts share, then one over each row of suffixes and continuations."""
        cache, prefix = self._prefill([ask.prompt for ask in asks], book)
        self._count(prompt_tokens=sum(len(ask.prompt) * len(ask.continuations) for ask in asks))
        for tree in trees(asks, prefix, TREE_TOKENS):
            positions, places = [prefix + depth for depth in tree.depths], tree.places
            logprobs = self._forward(tree.ids, positions, cache, _visible(tree, prefix), places)
            cache.crop(-len(tree.ids))
            row = {place: number for number, place in enumerate(places)}
            yield from (
                tuple(tuple(float(logprobs[row[place], token]) for place, token in path) for path in reads)
                for reads in tree.reads
            )

    def _greedy(self, writing: GenerationRequest, cache: DynamicCache, prefix: int) -> Written:
        """The likeliest token after the likeliest token; where there are choices, among those that lead to one."""
        choices = [self._tokenizer.encode(choice, add_special_tokens=False) for choice in writing.choices]
        waiting, written = list(writing.prompt[prefix:]), list[int]()
        place, stops = prefix, self._stops()
        while True:
            logprobs = self._forward(waiting, list(range(place, place + len(waiting))), cache)[-1]
            place += len(waiting)
            token = _likeliest(logprobs, choices, written) if choices else int(logprobs.argmax())
            ended = token is None or (not choices and token in stops)
            if token is not None and not ended:
                written.append(token)
                waiting = [token]
            if ended or len(written) == writing.limit:
                cache.crop(prefix)
                text = self._tokenizer.decode(written, skip_special_tokens=True)
                return Written(writing.opening + str(text), cut=not ended)

    def _stops(self) -> set[int]:
        """Tokens that end an answer."""
        found = self._model.generation_config.eos_token_id if self._model.generation_config else None
        stops = found if isinstance(found, list) else [found]
        return {int(one) for one in (*stops, self._tokenizer.eos_token_id) if one is not None}

    def write(self, writings: Sequence[GenerationRequest], book: Book) -> Iterator[Written | Failure]:
        """What the model writes after each prompt, one after the other on the shared prefix."""
        cache, prefix = self._prefill([writing.prompt for writing in writings], book)
        self._count(prompt_tokens=sum(len(writing.prompt) for writing in writings))
        for writing in writings:
            yield self._greedy(writing, cache, prefix)

    def close(self) -> None:
        """Nothing is held beyond the model itself."""
