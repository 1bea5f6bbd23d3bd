"""The steps of `medctx-train sft` without its journal and checkpoints, timed; an arm of bench/training.py.

python -m bench.medctx_training SETTINGS.json
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    import torch

    from medctx.config import loading as configs
    from medctx.model.base import prepare_base
    from medctx_train.config import SftConfig
    from medctx_train.data.batches import step_batches
    from medctx_train.data.dataset import load_data
    from medctx_train.distributed import launch
    from medctx_train.model.precision import uses_bf16_autocast
    from medctx_train.sft.flops import UtilisationMeter
    from medctx_train.sft.loop import optimize
    from medctx_train.sft.setup import set_up_model, trainable_parameters

    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    config = configs.load(SftConfig, Path(settings["config"]))
    accelerator = launch.join_launch(bf16=uses_bf16_autocast(config.autocast), max_grad_norm=config.max_grad_norm)
    folder, _ = prepare_base(config.base)
    data = load_data(config, folder, config.seed)
    plan = step_batches(data.rows, config.rows_per_step, config.epochs)
    model, packed, _ = set_up_model(config, folder, data.rows, accelerator, seed=config.seed)
    optimizer = torch.optim.AdamW(list(trainable_parameters(model).values()), lr=config.learning_rate)
    meter = UtilisationMeter.of(accelerator, model)
    model, optimizer = accelerator.prepare(model, optimizer)
    begun = time.perf_counter()
    steps = optimize(
        config,
        accelerator,
        model,
        optimizer,
        plan,
        done=0,
        packed=packed,
        row_tokens=config.row_tokens,
        seed=config.seed,
        meter=meter,
    )
    losses = [entry.loss for entry in steps]
    seconds = time.perf_counter() - begun
    tokens = [sum(row.tokens for row in batch) for batch in plan]
    useful = sum(tokens)
    numbers = {
        "seconds": seconds,
        "useful": useful,
        "positions": useful,
        "useful_per_second": useful / seconds,
        "loss": sum(loss * count for loss, count in zip(losses, tokens, strict=True)) / useful,
        "first_loss": losses[0],
    }
    print(json.dumps({"numbers": numbers}), flush=True)


if __name__ == "__main__":
    main()
