"""A tokenizer read from its file alone gives what transformers gives, or is left to transformers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medctx.model.base import config_folder
from medctx.model.embedded import EMBEDDED
from medctx.text.chat_templates import CHAT_TEMPLATES
from medctx.text.json_tokenizer import JsonTokenizer, read_json_tokenizer
from medctx.text.tokenizer import load_tokenizer, read_tokenizer

TEXTS = (
    "",
    " two  spaces \t\r\n\n",
    "It's 42 \u00b0C; na\u00efve e\u0301 \u75db\u98ce\u3002 \u0627\u0644 \U0001f469\u200d\u2695\ufe0f",
    "<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\n",
    "a <|im_end|> b<|endoftext|><|end|> <|user|>",
    "</s> [UNK] <pad>",
)
MESSAGES = (
    [{"role": "user", "content": "What treats scurvy?"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " <|im_end|> & 'x' "}],
    [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B\n"}, {"role": "user", "content": "C"}],
)
TEMPLATE = (
    "{{ bos_token }}{%- for m in messages %}\n  {% if loop.index > 2 %}{% break %}{% endif %}\n"
    "{{ m | tojson }}{{ eos_token or 'none' }}{% endfor %}{{ strftime_now('%Y') | length }}"
    "{% if tools %}tools{% endif %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def embedded() -> Path:
    """The embedded model's folder, where it was prepared."""
    folder = config_folder(EMBEDDED)
    if not (folder / "tokenizer.json").is_file():
        pytest.skip("the embedded model is not prepared")
    return folder


@pytest.fixture(params=["embedded", "tiny", "alphabet"])
def folder(request: pytest.FixtureRequest) -> Path:
    path = request.getfixturevalue(request.param)
    assert isinstance(path, Path)
    return path


def both(folder: Path) -> tuple[JsonTokenizer, object]:
    light = read_json_tokenizer(folder)
    assert light is not None
    return light, read_tokenizer(folder)


def same_encodings(light: JsonTokenizer, whole: object, text: str) -> None:
    assert callable(whole)
    ids = light.encode(text, add_special_tokens=False)
    assert light.decode(ids) == whole.decode(ids)  # type: ignore[attr-defined]
    assert light.decode(ids, skip_special_tokens=True) == whole.decode(ids, skip_special_tokens=True)  # type: ignore[attr-defined]
    for special in (False, True):
        assert light.encode(text, add_special_tokens=special) == whole.encode(text, add_special_tokens=special)  # type: ignore[attr-defined]
        for split in (False, True):
            keys = {"add_special_tokens": special, "split_special_tokens": split, "return_offsets_mapping": True}
            expected = whole(text, **keys)
            result = light(text, **keys)
            assert result["input_ids"] == expected["input_ids"]
            assert [tuple(place) for place in result["offset_mapping"]] == expected["offset_mapping"]


@pytest.mark.parametrize("text", TEXTS)
def test_encodings_are_those_of_transformers(folder: Path, text: str) -> None:
    same_encodings(*both(folder), text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80))
def test_any_text_is_encoded_as_by_transformers(embedded: Path, text: str) -> None:
    same_encodings(*_loaded(embedded), text)


def _loaded(folder: Path, cache: dict[Path, tuple[JsonTokenizer, object]] = {}) -> tuple[JsonTokenizer, object]:  # noqa: B006
    if folder not in cache:
        cache[folder] = both(folder)
    return cache[folder]


def test_several_texts_are_encoded_as_by_transformers(folder: Path) -> None:
    light, whole = both(folder)
    assert callable(whole)
    expected = whole(list(TEXTS), add_special_tokens=False)["input_ids"]
    assert light(list(TEXTS), add_special_tokens=False)["input_ids"] == expected


@pytest.mark.parametrize("messages", MESSAGES)
@pytest.mark.parametrize("template", ["", TEMPLATE, *CHAT_TEMPLATES.values()])
@pytest.mark.parametrize("prompt", [False, True])
def test_templates_render_as_in_transformers(
    folder: Path, messages: list[dict[str, str]], template: str, prompt: bool
) -> None:
    light, whole = _loaded(folder)
    own = light.chat_template, whole.chat_template  # type: ignore[attr-defined]
    try:
        if template:
            light.chat_template = whole.chat_template = template  # type: ignore[attr-defined]
        keys = {"tokenize": False, "add_generation_prompt": prompt}
        expected = whole.apply_chat_template(messages, **keys)  # type: ignore[attr-defined]
        assert light.apply_chat_template(messages, **keys) == expected
    finally:
        light.chat_template, whole.chat_template = own  # type: ignore[attr-defined]


def test_the_added_tokens_are_those_of_transformers(folder: Path) -> None:
    light, whole = both(folder)
    assert light.added_tokens_encoder == whole.added_tokens_encoder  # type: ignore[attr-defined]
    assert light.added_tokens_decoder == whole.added_tokens_decoder  # type: ignore[attr-defined]
    assert light.eos_token_id == whole.eos_token_id  # type: ignore[attr-defined]


def test_transformers_loads_it_where_asked_for_a_template_with_tags_of_its_own(tiny: Path, tmp_path: Path) -> None:
    template = tmp_path / "training.jinja"
    template.write_text("{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}")
    assert isinstance(load_tokenizer(tiny), JsonTokenizer)
    whole = load_tokenizer(tiny, str(template))
    assert not isinstance(whole, JsonTokenizer)
    assert whole.apply_chat_template([{"role": "user", "content": "A"}], tokenize=False) == "A"


def edited(name: str, **values: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        file = folder / name
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return edit


def written(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    return write


OTHER_END = {
    "0": {
        "content": "<|end|>",
        "lstrip": True,
        "rstrip": False,
        "normalized": False,
        "single_word": False,
        "special": True,
    }
}


@pytest.mark.parametrize(
    "change",
    [
        edited("tokenizer_config.json", add_prefix_space=True),
        edited("tokenizer_config.json", clean_up_tokenization_spaces=True),
        edited("tokenizer_config.json", split_special_tokens=True),
        edited("tokenizer_config.json", bos_token="<|new|>"),
        edited("tokenizer_config.json", image_token="<|image|>"),
        edited("tokenizer_config.json", extra_special_tokens=["<|new|>"]),
        edited("tokenizer_config.json", extra_special_tokens={"image_token": "<|image|>"}),
        edited("tokenizer_config.json", added_tokens_decoder=OTHER_END),
        edited("tokenizer_config.json", chat_template=[{"name": "default", "template": "x"}]),
        edited("tokenizer_config.json", auto_map={"AutoTokenizer": ["code.Own", None]}),
        edited("tokenizer_config.json", tokenizer_class="LlamaTokenizer"),
        edited("tokenizer_config.json", tokenizer_class="Qwen2TokenizerFast"),
        edited("tokenizer_config.json", tokenizer_class=None),
        edited("config.json", model_type="qwen2"),
        edited("config.json", model_type=None),
        written("config.json", "[]"),
        edited("tokenizer.json", post_processor=None),
        written("special_tokens_map.json", "{}"),
        written("added_tokens.json", "{}"),
        written("additional_chat_templates/tools.jinja", "x"),
        written("chat_template.jinja", "{%- generation %}x{% endgeneration %}"),
        written("tokenizer_config.json", "[]"),
        written("tokenizer.json", "{}"),
    ],
)
def test_what_transformers_may_read_differently_is_left_to_it(
    tiny: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    if "chat_template" in json.loads((folder / "tokenizer_config.json").read_text()):
        (folder / "chat_template.jinja").unlink(missing_ok=True)
    assert read_json_tokenizer(folder) is not None
    change(folder)
    if not (folder / "chat_template.jinja").read_text().startswith("{%- gen"):
        (folder / "chat_template.jinja").unlink()  # it comes before the one in the config
    assert read_json_tokenizer(folder) is None


@pytest.mark.parametrize(
    "name", ["PreTrainedTokenizerFast", "TokenizersBackend", "LlamaTokenizer", "GemmaTokenizer", "GPT2Tokenizer"]
)
@pytest.mark.parametrize("model_type", ["llama", "qwen2"])
def test_every_class_encodes_as_transformers_does(embedded: Path, tmp_path: Path, name: str, model_type: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(embedded, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    edited("tokenizer_config.json", tokenizer_class=name)(folder)
    edited("config.json", model_type=model_type)(folder)
    loaded, whole = load_tokenizer(folder), read_tokenizer(folder)
    for text in TEXTS:
        assert loaded.encode(text, add_special_tokens=False) == whole.encode(text, add_special_tokens=False)


def test_a_template_in_the_config_is_read(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    (folder / "chat_template.jinja").unlink()
    edited("tokenizer_config.json", chat_template="{{ messages[0].content }}")(folder)
    light, whole = both(folder)
    assert light.chat_template == whole.chat_template == "{{ messages[0].content }}"  # type: ignore[attr-defined]


def test_padding_and_truncation_of_the_file_do_not_act(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    truncation = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    edited("tokenizer.json", truncation=truncation)(folder)
    light, whole = both(folder)
    same_encodings(light, whole, "A long text of many words.")


def test_loading_the_embedded_tokenizer_imports_no_transformers(embedded: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from medctx.text.tokenizer import load_tokenizer\n"
        "tokenizer = load_tokenizer(Path(sys.argv[1]))\n"
        "print(len(tokenizer.encode('A question', add_special_tokens=False)), 'transformers' in sys.modules)"
    )
    completed = subprocess.run([sys.executable, "-c", code, str(embedded)], capture_output=True, text=True, check=True)
    count, imported = completed.stdout.split()
    assert int(count) > 0
    assert imported == "False"
