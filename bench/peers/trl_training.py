"""Runs in the environment of TRL: LoRA on given Dialogues with its SFTTrainer.

    python trl_training.py SETTINGS.json

Settings: ``arm`` (trl-padded, trl-grouped, trl-packed, trl-default), ``base``, ``dialogues``, ``row_tokens``,
``rows_per_step``, ``learning_rate``, ``bf16``, ``threads``. Prints one JSON line: seconds of the training steps, useful
tokens, positions computed, the mean loss. A useful token is one of a Dialogue, padding is none.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

BATCH = 8


def options(arm: str, rows_per_step: int) -> dict[str, object]:
    """What an arm sets beside the defaults of TRL."""
    off: dict[str, object] = {"gradient_checkpointing": False, "per_device_train_batch_size": BATCH}
    packed = {"packing": True, "per_device_train_batch_size": 1, "gradient_accumulation_steps": rows_per_step}
    return {
        "trl-padded": off,
        "trl-grouped": {**off, "train_sampling_strategy": "group_by_length"},
        "trl-packed": {**off, **packed},
        "trl-default": {"per_device_train_batch_size": BATCH},
    }[arm]


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    rows = [json.loads(line)["turns"] for line in Path(settings["dialogues"]).read_text().splitlines()]
    data = Dataset.from_list([{"prompt": turns[:-1], "completion": turns[-1:]} for turns in rows])
    model = AutoModelForCausalLM.from_pretrained(
        settings["base"],
        dtype=torch.bfloat16 if settings["bf16"] else torch.float32,
        attn_implementation="sdpa",
    )
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model,
            train_dataset=data,
            processing_class=AutoTokenizer.from_pretrained(settings["base"]),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
            args=SFTConfig(
                output_dir=scratch,
                max_length=settings["row_tokens"],
                learning_rate=settings["learning_rate"],
                num_train_epochs=1,
                bf16=settings["bf16"],
                use_cpu=not torch.cuda.is_available(),
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                dataloader_pin_memory=False,
                **options(settings["arm"], settings["rows_per_step"]),
            ),
        )
        counts = {"useful": 0, "positions": 0}
        micro: list[tuple[float, int]] = []
        losses: list[tuple[float, int]] = []
        inner = trainer.compute_loss

        def counted(model: object, inputs: dict[str, torch.Tensor], *more: object, **named: object) -> object:
            ids = inputs["input_ids"]
            counts["useful"] += int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else ids.numel()
            counts["positions"] += ids.numel()
            result = inner(model, inputs, *more, **named)
            weighed = int((inputs["labels"] != -100).sum())
            micro.append((float(result[0] if isinstance(result, tuple) else result), weighed))
            return result

        trainer.compute_loss = counted

        class Clock(TrainerCallback):
            begun = seconds = 0.0

            def on_train_begin(self, *_: object, **__: object) -> None:
                self.begun = time.perf_counter()

            def on_step_end(self, *_: object, **__: object) -> None:
                # Each row's loss is its share of the step's: their sum is divided by the tokens of the whole step.
                losses.append((sum(loss for loss, _ in micro), sum(weight for _, weight in micro)))
                micro.clear()

            def on_train_end(self, *_: object, **__: object) -> None:
                self.seconds = time.perf_counter() - self.begun

        clock = Clock()
        trainer.add_callback(clock)
        trainer.train()
    numbers = {
        "seconds": clock.seconds,
        **counts,
        "useful_per_second": counts["useful"] / clock.seconds,
        "loss": sum(loss * weight for loss, weight in losses) / sum(weight for _, weight in losses),
        "first_loss": losses[0][0],
    }
    print(json.dumps({"numbers": numbers}), flush=True)


if __name__ == "__main__":
    main()
