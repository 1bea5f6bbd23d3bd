"""The chat template of a run, where its adapters were trained with another one than that of their base."""

from __future__ import annotations

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.text.chat_templates import adapter_template, chat_template_text
from medctx_eval.run.config import RunConfig


def with_trained_template(config: RunConfig) -> RunConfig:
    """The config with the chat template that its adapters were trained with, if they bring one and none is set.

    All models of a run are asked in one form, so that their answers can be compared.

    Raises:
        MedctxError: If two adapters were trained with different templates.
    """
    brought = {} if config.chat_template else {model.name: adapter_template(model.adapter) for model in config.models}
    texts = {chat_template_text(file): name for name, file in brought.items() if file}
    if len(texts) > 1:
        names = " and ".join(sorted(texts.values()))
        raise MedctxError(
            f"The adapters of {names} were trained with different chat templates; examine them in runs of their own, "
            "or set chat_template."
        )
    name = next(iter(texts.values()), "")
    if not name:
        return config
    if len(config.models) > 1:
        say(f"chat template: that of the adapter of {name}, for all models of this run")
    return config.model_copy(update={"chat_template": brought[name]})
