"""The MLflow model of a registered adapter: loads its base and the adapter, and continues conversations.

This file and the package ``medctx`` are logged as the model's code, so that a served model needs no installation of
medctx. The base is not part of the model. It is found again by its hub ID and revision or as an embedded model, and
its digest is checked. ``MEDCTX_BASE``, or ``model_config={"base": FOLDER}`` of ``mlflow.pyfunc.load_model``, gives its
folder instead.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]

MAX_NEW_TOKENS = 256
"""Most tokens of an answer unless a request says otherwise."""
_LOADING = threading.Lock()


class ChatAdapter(PythonModel):
    """Answers conversations with the adapted model, which is loaded before the first request is taken."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the base and the adapter.

        Raises:
            MedctxError: If the base is not found, or is not the one that the adapter was trained on.
        """
        with _LOADING:
            self._generating = threading.Lock()
            self._tokenizer, self._model = _load(Path(context.artifacts["adapter"]), dict(context.model_config or {}))

    def predict(
        self, context: PythonModelContext, model_input: pandas.DataFrame, params: dict[str, Any] | None = None
    ) -> list[str]:
        """Return the next assistant message of each conversation.

        Args:
            context: What the model was loaded with.
            model_input: Columns ``messages`` (a list of messages with ``role`` and ``content``) and, optionally,
                ``book`` (a text that is put before the last user message).
            params: ``max_new_tokens`` and ``temperature``; 0 takes the most likely token.
        """
        settings = params or {}
        most, temperature = int(settings.get("max_new_tokens", MAX_NEW_TOKENS)), float(settings.get("temperature", 0.0))
        books = model_input["book"] if "book" in model_input else [None] * len(model_input)
        return [
            self._answer(_with_book(list(messages), book), most, temperature)
            for messages, book in zip(model_input["messages"], books, strict=True)
        ]

    def _answer(self, messages: list[dict[str, str]], most: int, temperature: float) -> str:
        import torch

        inputs = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        with self._generating, torch.inference_mode():
            output = self._model.generate(**inputs.to(self._model.device), max_new_tokens=most, **sampling)
        return str(self._tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def _with_book(messages: list[dict[str, str]], book: object) -> list[dict[str, str]]:
    """The conversation with the Book before its last user message."""
    from medctx.schemas.records import Book
    from medctx.text.continuation import user_message

    plain = [{"role": str(message["role"]), "content": str(message["content"])} for message in messages]
    if not isinstance(book, str) or not book:
        return plain
    last = max((place for place, message in enumerate(plain) if message["role"] == "user"), default=None)
    if last is None:
        raise ValueError("The conversation has no user message for the book to stand before; add one.")
    read = Book(id="request", text=book, tokens=0)
    plain[last] = {"role": "user", "content": user_message(read, plain[last]["content"])}
    return plain


def _load(adapter: Path, origin: dict[str, str]) -> tuple[Any, Any]:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from medctx.model import rope
    from medctx.model.base import find_base
    from medctx.process.foreign_code import may_run_foreign_code
    from medctx.text.chat_templates import adapter_template, chat_template_text
    from medctx.text.tokenizer import read_tokenizer

    folder = find_base(
        os.environ.get("MEDCTX_BASE") or origin["base"], origin["base_digest"], origin.get("base_revision", "")
    )
    # With the scaled positions that the adapter was trained with, if any.
    config = rope.config_for(folder, adapter)
    base = AutoModelForCausalLM.from_pretrained(
        folder, config=config, dtype="auto", use_safetensors=True, trust_remote_code=may_run_foreign_code()
    )
    model = PeftModel.from_pretrained(base, str(adapter))
    model.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    tokenizer = read_tokenizer(folder)
    # The one that the adapter was trained with, if it is not its base's.
    template = adapter_template(adapter)
    if template:
        tokenizer.chat_template = chat_template_text(template)
    return tokenizer, model.eval()


mlflow.models.set_model(ChatAdapter())
