"""The MLflow model of a registered adapter: loads its base by name, applies the adapter and answers questions.

This file is logged as the model's code and imports nothing of medctx.
"""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

MOST_NEW_TOKENS = 64


class ServedAdapter(PythonModel):
    """Answers each question greedily with the adapted model, which is loaded at the first question."""

    def load_context(self, context: PythonModelContext) -> None:
        """Remember the folder of the adapter."""
        self._folder = context.artifacts["adapter"]
        self._loaded: tuple[Any, Any] | None = None

    def _load(self) -> tuple[Any, Any]:
        import json
        from pathlib import Path

        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        base = json.loads((Path(self._folder) / "adapter_config.json").read_text())["base_model_name_or_path"]
        model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
        return AutoTokenizer.from_pretrained(base), PeftModel.from_pretrained(model, self._folder).eval()

    def predict(
        self, context: PythonModelContext, model_input: list[str], params: dict[str, Any] | None = None
    ) -> list[str]:
        """Return one answer per question."""
        if self._loaded is None:
            self._loaded = self._load()
        tokenizer, model = self._loaded
        answers = []
        for question in model_input:
            inputs = tokenizer.apply_chat_template(
                [{"role": "user", "content": question}],
                add_generation_prompt=True,
                return_tensors="pt",
                return_dict=True,
            )
            output = model.generate(**inputs, max_new_tokens=MOST_NEW_TOKENS, do_sample=False)
            answers.append(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
        return answers


mlflow.models.set_model(ServedAdapter())
