"""The tokenizer that renders and measures prompts: the model's own, or plain bytes as an upper bound."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.text import tokenizer
from medctx_eval.prompting.prompt import Tokenizer

BYTES = "bytes"
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


def load_exam_tokenizer(name: str) -> Tokenizer:
    """Load a tokenizer: ``bytes``, a model folder, or a model of the hub by its ``owner/name``."""
    if name == BYTES:
        return ByteTokenizer()
    folder = Path(name)
    if not folder.is_dir() and name.count("/") == 1 and not name.startswith((".", "/", "~")):
        folder = _download(name)
    return tokenizer.load_tokenizer(folder)
