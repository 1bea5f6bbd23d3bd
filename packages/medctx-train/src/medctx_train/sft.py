"""Supervised fine-tuning: a mix folder and a base model in, an adapter (or a full checkpoint) out.

Reads top to bottom: encode -> pack -> load -> self-test -> steps -> save. A killed run continues from its last
checkpoint and gives the weights of the straight run; several processes give those of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medctx import config as configs
from medctx import digest
from medctx.jsonl import read_record, require_space, write_record
from medctx.progress import say
from medctx_train import checkpoint, launch, weights
from medctx_train.base_model import BaseCard, prepare
from medctx_train.config import SftConfig
from medctx_train.data import Data, load_data
from medctx_train.manifest import MANIFEST, SftManifest, StepLog
from medctx_train.pack import fill
from medctx_train.run_log import run_log
from medctx_train.steps import batches, loss_tokens, optimize
from medctx_train.trainee import load_trainee, trained, write_positions
from medctx_train.versions import versions

if TYPE_CHECKING:
    import torch

_BYTES_NEEDED = {"lora": 200 * 2**20, "qlora": 200 * 2**20, "full": 2**31}


def train(config: SftConfig, out: Path) -> SftManifest:
    """Run ``config`` into ``out``: a finished run is returned as it is, an unfinished one continued.

    Every process of an ``accelerate launch`` calls this with the same arguments and gets the same manifest.
    """
    if (out / MANIFEST).is_file():
        say(f"{out} is finished; nothing to do.")
        return read_record(out / MANIFEST, SftManifest)
    accelerator = launch.start(config)
    launch.require_shared(accelerator, out)
    name = config.name or out.name
    with accelerator.local_main_process_first():
        folder, base = prepare(config.base)
    data = load_data(config, folder)
    plan = batches(data.rows, config.rows_per_step, config.epochs)
    if accelerator.is_main_process:
        require_space(out, _BYTES_NEEDED[config.method])
        configs.save(config, out / "config.yaml")

    import torch

    model, gap = load_trainee(config, folder, data.rows, accelerator)
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(
        list(trained(model).values()), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    done = checkpoint.restore(out, accelerator, model, optimizer)

    main = accelerator.is_main_process
    with run_log(config, out, name, data, done=done, steps=len(plan), main=main) as log:
        for entry in optimize(config, accelerator, model, optimizer, plan, done):
            log.step(entry)
            if (entry.step + 1) % config.checkpoint_every == 0:
                checkpoint.save(out, accelerator, model, optimizer, entry.step + 1)
        written = out / weights.NAMES[config.method]
        weights.save(written, accelerator, model, config.method, folder)
        if main:
            write_positions(config, folder, written)
            manifest = _manifest(config, name, base, data, gap, log.records, written)
            write_record(out / MANIFEST, manifest)
            checkpoint.remove(out)
            log.finish(out, manifest)
    accelerator.wait_for_everyone()
    return read_record(out / MANIFEST, SftManifest)


def _manifest(
    config: SftConfig, name: str, base: BaseCard, data: Data, gap: float, log: Sequence[StepLog], written: Path
) -> SftManifest:
    seconds = sum(_seconds(log))
    return SftManifest(
        name=name,
        method=config.method,
        weights=written.name,
        weights_digest=digest.of_weights(written),
        base=base,
        mix_digest=data.digest,
        replay_digest=data.replay_digest,
        seed=config.seed,
        dialogues=data.dialogues,
        sources=data.sources,
        replay_share=data.replay_share,
        tokens=log[-1].tokens,
        loss_tokens=loss_tokens(data.rows) * config.epochs,
        steps=len(log),
        fill=fill(data.rows, config.row_tokens),
        packing_gap=gap,
        first_loss=log[0].loss,
        last_loss=log[-1].loss,
        seconds=seconds,
        tokens_per_second=log[-1].tokens / seconds,
        versions=versions(),
    )


def _seconds(log: Sequence[StepLog]) -> list[float]:
    """Seconds of each step, from its tokens and its rate."""
    before = [0, *(entry.tokens for entry in log[:-1])]
    return [(entry.tokens - past) / entry.tokens_per_second for entry, past in zip(log, before, strict=True)]
