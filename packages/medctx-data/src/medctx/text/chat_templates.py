"""Chat templates for models that bring none, such as base models that were only pre-trained."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError

CHAT_TEMPLATES = {
    "chatml": (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
    "plain": (
        "{% for message in messages %}"
        "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
        "{% elif message['role'] == 'user' %}{{ 'User:\\n' + message['content'] + '\\n\\n' }}"
        "{% else %}{{ 'Assistant:\\n' + message['content'] + (eos_token or '') + '\\n\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:\\n' }}{% endif %}"
    ),
}
"""Templates by name: ``chatml`` as Qwen, SmolLM and many others use it; ``plain`` in words, for models without control
tokens."""
TEMPLATE_FILE = "chat_template.jinja"
"""File of a template beside the weights of a model, where transformers looks for it, and of an adapter that was
trained with another template than that of its base."""
DESCRIPTION = (
    f"Chat template of a model that has none, or instead of its own: {' or '.join(CHAT_TEMPLATES)}, or the path of a "
    "Jinja file."
)


def chat_template_text(chosen: str) -> str:
    """Return the text of a template that is given by name or as the path of a file; "" for "".

    Raises:
        MedctxError: If it is neither.
    """
    if not chosen or chosen in CHAT_TEMPLATES:
        return CHAT_TEMPLATES.get(chosen, "")
    try:
        text = Path(chosen).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise MedctxError(
            f"The chat template {chosen!r} is neither a text file nor one of {', '.join(CHAT_TEMPLATES)}; give the "
            "path of a Jinja template, or one of these names."
        ) from None
    if not text.strip():
        raise MedctxError(f"The chat template {chosen} is empty; give a Jinja template.")
    return text


def adapter_template(adapter: Path | None) -> str:
    """Return the path of the template that an adapter was trained with; "" for that of its base."""
    file = adapter / TEMPLATE_FILE if adapter else None
    return str(file) if file and file.is_file() else ""
