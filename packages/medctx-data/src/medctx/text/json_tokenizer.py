"""A tokenizer read from ``tokenizer.json`` alone: what transformers makes of the same folder, without its import.

Importing transformers and building its tokenizer takes a second, more than a whole dry run should. The package
``tokenizers`` encodes in both cases. transformers adds what ``tokenizer_config.json`` says; a folder whose config adds
anything that changes an encoding or a rendered text is not read here (``read_json_tokenizer`` returns None).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:
    from jinja2 import Template
    from tokenizers import AddedToken, Tokenizer

SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""The names under which chat templates get the texts of special tokens."""
_INERT = frozenset(
    {
        "backend",
        "chat_template",
        "errors",
        "is_local",
        "local_files_only",
        "model_input_names",
        "model_max_length",
        "name_or_path",
        "padding_side",
        "truncation_side",
    }
)
"""Keys of ``tokenizer_config.json`` that change no encoding without padding and truncation; those of special tokens and
``added_tokens_decoder`` are compared with ``tokenizer.json``."""
_PLAIN_CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Classes of transformers that take ``tokenizer.json`` as it stands. The others take its vocabulary only, and split and
normalise texts in their own way."""
_PLAIN_MODELS = ("llama",)
"""Model types for which transformers believes the class that ``tokenizer_config.json`` names; for some others, such as
qwen2, it takes another one."""
_OTHER_FILES = ("special_tokens_map.json", "added_tokens.json", "additional_chat_templates")
"""Older and further files that transformers reads too."""
MAX_VOCABULARY = 100_000
"""transformers replaces the regular expression of some larger vocabularies (Mistral's)."""
_GENERATION_TAG = re.compile(r"\{%[-+]?\s*generation\b")
"""A tag that transformers adds to Jinja."""


class ChatTokenizer(Protocol):
    """What medctx needs of a tokenizer; transformers' fast tokenizers have it too."""

    chat_template: str | None
    name_or_path: str

    def __hash__(self) -> int: ...

    @property
    def is_fast(self) -> bool:
        """Whether it reports where in a text its tokens are."""
        ...

    @property
    def eos_token_id(self) -> int | None:
        """ID of the token that ends a text; None without one."""
        ...

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The tokenizer of the package ``tokenizers``."""
        ...

    @property
    def added_tokens_decoder(self) -> Mapping[int, AddedToken]:
        """The added tokens by ID, in the order of their IDs."""
        ...

    @property
    def added_tokens_encoder(self) -> Mapping[str, int]:
        """IDs of the added tokens by their text."""
        ...

    def apply_chat_template(
        self,
        conversation: list[dict[str, str]],
        *,
        tokenize: bool = True,
        add_generation_prompt: bool = False,
        **variables: object,
    ) -> object:
        """Render messages as the model was trained to read them; a string if ``tokenize`` is false."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Return the token IDs of a text."""
        ...

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text of token IDs."""
        ...

    def __call__(
        self,
        text: str | list[str],
        *,
        add_special_tokens: bool = True,
        split_special_tokens: bool = False,
        return_offsets_mapping: bool = False,
        verbose: bool = True,
    ) -> Mapping[str, list]:  # type: ignore[type-arg]
        """Return ``input_ids`` of a text or of each of several, and ``offset_mapping`` where asked for."""
        ...


class JsonTokenizer:
    """A tokenizer with the part of transformers' interface that medctx uses.

    Args:
        folder: Model folder.
        backend: The tokenizer of its ``tokenizer.json``.
        special_tokens: Texts of the special tokens by name, such as ``eos_token``.
        chat_template: Jinja template; None without one.
    """

    is_fast = True

    def __init__(
        self, folder: Path, backend: Tokenizer, special_tokens: Mapping[str, str], chat_template: str | None
    ) -> None:
        self.name_or_path = str(folder)
        self.chat_template = chat_template
        self._special_tokens = dict(special_tokens)
        self._compiled: tuple[str, Template] | None = None
        self.backend_tokenizer = backend

    @cached_property
    def _splitting(self) -> Tokenizer:
        """The tokenizer that encodes the characters of control tokens as plain text; one of its own for threads."""
        tokenizer = _read(Path(self.name_or_path))
        tokenizer.encode_special_tokens = True
        return tokenizer

    @cached_property
    def added_tokens_decoder(self) -> Mapping[int, AddedToken]:
        """The added tokens by ID, in the order of their IDs."""
        return _added_tokens(self.backend_tokenizer)

    @cached_property
    def added_tokens_encoder(self) -> Mapping[str, int]:
        """IDs of the added tokens by their text."""
        return {token.content: number for number, token in self.added_tokens_decoder.items()}

    @property
    def eos_token_id(self) -> int | None:
        """ID of the token that ends a text; None without one."""
        token = self._special_tokens.get("eos_token")
        return None if token is None else self.backend_tokenizer.token_to_id(token)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Return the token IDs of a text."""
        # Without offsets, a fifth faster than encode.
        return self.backend_tokenizer.encode_batch_fast([text], add_special_tokens=add_special_tokens)[0].ids

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text of token IDs."""
        return self.backend_tokenizer.decode(list(token_ids), skip_special_tokens=skip_special_tokens)

    def __call__(
        self,
        text: str | list[str],
        *,
        add_special_tokens: bool = True,
        split_special_tokens: bool = False,
        return_offsets_mapping: bool = False,
        verbose: bool = True,
    ) -> dict[str, list]:  # type: ignore[type-arg]
        """Return ``input_ids`` of a text or of each of several, and ``offset_mapping`` where asked for."""
        texts = [text] if isinstance(text, str) else text
        backend = self._splitting if split_special_tokens else self.backend_tokenizer
        encode = backend.encode_batch if return_offsets_mapping else backend.encode_batch_fast
        encodings = encode(texts, add_special_tokens=add_special_tokens)
        columns: dict[str, list] = {"input_ids": [encoding.ids for encoding in encodings]}  # type: ignore[type-arg]
        if return_offsets_mapping:
            columns["offset_mapping"] = [encoding.offsets for encoding in encodings]
        return {name: rows[0] for name, rows in columns.items()} if isinstance(text, str) else columns

    def _template(self) -> Template:
        text = self.chat_template or ""
        if self._compiled is None or self._compiled[0] != text:
            self._compiled = (text, _compile(text))
        return self._compiled[1]

    def apply_chat_template(
        self,
        conversation: list[dict[str, str]],
        *,
        tokenize: bool = True,
        add_generation_prompt: bool = False,
        **variables: object,
    ) -> object:
        """Render messages as the model was trained to read them; a string if ``tokenize`` is false, else token IDs."""
        rendered = self._template().render(
            messages=conversation,
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **{**self._special_tokens, **variables},
        )
        return self.encode(rendered, add_special_tokens=False) if tokenize else rendered


def _added_tokens(backend: Tokenizer) -> dict[int, AddedToken]:
    return dict(sorted(backend.get_added_tokens_decoder().items()))


def _read(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _raise(message: str) -> NoReturn:
    from jinja2.exceptions import TemplateError

    raise TemplateError(message)


def _as_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own filter escapes characters of HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _now(form: str) -> str:
    return datetime.now().strftime(form)


def _compile(template: str) -> Template:
    """Compile a chat template with the settings, filters and functions that templates are written for."""
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _as_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    return environment.from_string(template)


def _contents(file: Path) -> Mapping[str, object] | None:
    """A JSON object; None where the file holds none."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _token_text(value: object) -> str | None:
    """The text of a special token, which configs name by it or describe as an object."""
    content = value.get("content") if isinstance(value, Mapping) else value
    return content if isinstance(content, str) else None


def _same_added_tokens(stated: object, added: Mapping[int, AddedToken]) -> bool:
    """Whether the added tokens of ``tokenizer_config.json`` are those of ``tokenizer.json``."""
    names = ("content", "lstrip", "rstrip", "normalized", "single_word", "special")
    if not isinstance(stated, Mapping):
        return False
    return all(
        isinstance(token, Mapping)
        and number.isdecimal()
        and int(number) in added
        and {name: getattr(added[int(number)], name) for name in names} == dict(token)
        for number, token in stated.items()
    )


def can_render(chat_template: str | None) -> bool:
    """Return whether a template needs nothing that transformers adds to Jinja."""
    return chat_template is None or _GENERATION_TAG.search(chat_template) is None


def _special_tokens(config: Mapping[str, object], added: Mapping[int, AddedToken]) -> dict[str, str] | None:
    """The texts of special tokens by name; None if one is no special token of ``tokenizer.json``."""
    special = {token.content for token in added.values() if token.special}
    stated = {name: config[name] for name in SPECIAL_TOKENS if config.get(name) is not None}
    texts = {name: _token_text(value) for name, value in stated.items()}
    further = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    named = [*texts.values(), *(map(_token_text, further) if isinstance(further, Sequence) else [None])]
    if not all(text in special for text in named):
        return None
    return {name: text for name, text in texts.items() if text is not None}


def _is_plain(config: Mapping[str, object], folder: Path) -> bool:
    """Whether transformers takes ``tokenizer.json`` as it stands, by the class and the type of the model."""
    if config.get("tokenizer_class") not in _PLAIN_CLASSES:
        return False
    if not (folder / "config.json").exists():
        return True
    model = _contents(folder / "config.json")
    return model is not None and model.get("model_type") in _PLAIN_MODELS


def _is_inert(config: Mapping[str, object]) -> bool:
    """Whether no key of ``tokenizer_config.json`` changes what ``tokenizer.json`` says."""
    further = {"extra_special_tokens", "additional_special_tokens", "added_tokens_decoder", "tokenizer_class"}
    compared = {*SPECIAL_TOKENS, *further}
    # transformers drops both where there is a tokenizer.json.
    dropped = {"add_bos_token", "add_eos_token"}
    off = {name for name in ("clean_up_tokenization_spaces",) if not config.get(name)}
    return config.keys() <= _INERT | compared | dropped | off


def read_json_tokenizer(folder: Path) -> JsonTokenizer | None:
    """Read the tokenizer of a model folder; None where transformers might make another one of it."""
    try:
        import jinja2  # noqa: F401
        import tokenizers  # noqa: F401
    except ImportError:
        return None
    config = _contents(folder / "tokenizer_config.json")
    if config is None or not _is_plain(config, folder) or not _is_inert(config):
        return None
    if any((folder / name).exists() for name in _OTHER_FILES):
        return None
    template = config.get("chat_template")
    file = folder / "chat_template.jinja"
    if file.is_file():
        with file.open(encoding="utf-8") as stream:
            template = stream.read()
    if not (template is None or isinstance(template, str)) or not can_render(template):
        return None
    try:
        backend = _read(folder)
    except Exception:  # the package raises nothing narrower; transformers says what is wrong
        return None
    added = _added_tokens(backend)
    special = _special_tokens(config, added)
    if special is None or backend.post_processor is None or backend.get_vocab_size() > MAX_VOCABULARY:
        return None
    if not _same_added_tokens(config.get("added_tokens_decoder", {}), added):
        return None
    return JsonTokenizer(folder, backend, special, template)
