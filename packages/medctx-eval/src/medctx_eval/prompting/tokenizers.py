"""The tokenizer that renders and measures prompts: the model's own, or plain bytes as an upper bound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.schemas.records import Record
from medctx.text import tokenizer
from medctx_eval.engines.failures import BusyError, RefusedError, TooLongError
from medctx_eval.prompting.prompt import Tokenizer, render_prompt

if TYPE_CHECKING:
    from medctx_eval.engines.client import Client

BYTES = "bytes"
_TEST_MESSAGE = "Which of these is 42 °C: A. hot, B. cold?"
_FILES = ("tokenizer*", "*.jinja", "vocab*", "merges*", "special_tokens_map.json", "added_tokens.json")


class ByteTokenizer:
    """One token per byte, for servers that render prompts themselves and whose tokenizer is not published.

    Byte-level tokenizers never make more tokens of a text than it has bytes, so what fits by this measure fits. Books
    then hold fewer of the model's own tokens than their Condition says.
    """

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool = True, add_generation_prompt: bool = False
    ) -> object:
        """Join the messages, each in tags that name its role."""
        turns = "".join(f"<{turn['role']}>{turn['content']}</{turn['role']}>" for turn in conversation)
        return turns + ("<assistant>" if add_generation_prompt else "")

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the UTF-8 bytes of a text."""
        return list(text.encode())


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except RepositoryNotFoundError:
        raise MedctxError(
            f"No model {name!r} was found on the hub, and no folder of that name; give tokenizer=<folder>, a model's "
            "name, or bytes."
        ) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise MedctxError(
            f"The tokenizer of {name!r} could not be downloaded from the hub ({type(error).__name__}); give "
            "tokenizer=<folder> with its files."
        ) from None


def load_exam_tokenizer(name: str, chat_template: str = "") -> Tokenizer:
    """Load a tokenizer: ``bytes``, a model folder, or a model of the hub by its ``owner/name``.

    ``chat_template``: a template by name or path instead of its own; "" for its own.
    """
    if name == BYTES:
        return ByteTokenizer()
    folder = Path(name)
    if not folder.is_dir() and name.count("/") == 1 and not name.startswith((".", "/", "~")):
        folder = _download(name)
    return tokenizer.load_tokenizer(folder, chat_template)


class _TokenizeAnswer(Record):
    tokens: tuple[int, ...]


def tokenizers_agree(client: Client, model: str, tokenizer: Tokenizer) -> bool | None:
    """Whether the server renders and tokenises a message as ``tokenizer`` does; None if it has no tokenize route."""
    messages = [{"role": "user", "content": _TEST_MESSAGE}]
    try:
        content = client.post("/tokenize", {"model": model, "messages": messages, "add_generation_prompt": True})
        served = _TokenizeAnswer.model_validate_json(content, extra="ignore").tokens
    except (BusyError, RefusedError, TooLongError, ValidationError):
        return None
    # llama.cpp has the route for plain texts only, and finds no token in anything else.
    if not served:
        return None
    return tuple(tokenizer.encode(render_prompt(tokenizer, _TEST_MESSAGE), add_special_tokens=False)) == served
