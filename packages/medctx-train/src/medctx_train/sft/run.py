"""Supervised fine-tuning: a mix folder and a base model in, an adapter (or a full checkpoint) out.

Reads top to bottom: encode -> pack -> load -> self-test -> steps -> save. A killed run continues from its last
checkpoint and gives the weights of the straight run; several processes give those of one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.config import loading as configs
from medctx.io.jsonl import read_record, require_space, write_record
from medctx.process.progress import say
from medctx.schemas.sft import SFT_FILE, SftManifest
from medctx.text import tokenizer
from medctx_train.checkpoints import export as weights
from medctx_train.checkpoints import training_state as checkpoint
from medctx_train.config import SftConfig
from medctx_train.data.dataset import load_data
from medctx_train.distributed import launch
from medctx_train.estimate import throughput as rates
from medctx_train.model.base import prepare
from medctx_train.model.setup import load_trainee, trained, write_positions
from medctx_train.probe.probe import prober
from medctx_train.sft import resume as start
from medctx_train.sft.callbacks import Observer
from medctx_train.sft.logging import run_log
from medctx_train.sft.loop import batches, optimize
from medctx_train.sft.summary import summarise

if TYPE_CHECKING:
    import torch

_BYTES_NEEDED = {"lora": 200 * 2**20, "qlora": 200 * 2**20, "full": 2**31}


def train(config: SftConfig, out: Path) -> SftManifest:
    """Run ``config`` into ``out``: a finished run is returned as it is, an unfinished one continued.

    Every process of an ``accelerate launch`` calls this with the same arguments and gets the same manifest.
    """
    if (out / SFT_FILE).is_file():
        start.require_same(out, config)
        say(f"{out} is finished; nothing to do.")
        return read_record(out / SFT_FILE, SftManifest)
    accelerator = launch.start(config)
    launch.require_shared(accelerator, out)
    name = config.name or out.name
    with accelerator.local_main_process_first():
        folder, base = prepare(config.base)
    data = load_data(config, folder)
    plan = batches(data.rows, config.rows_per_step, config.epochs)
    if accelerator.is_main_process:
        require_space(out, _BYTES_NEEDED[config.method])
        if checkpoint.exists(out):
            start.require_same(out, config, data.digest)
        start.begin(out, config, data.digest)
        configs.save(config, out / "config.yaml")
    accelerator.wait_for_everyone()

    import torch

    model, gap = load_trainee(config, folder, data.rows, accelerator)
    meter = launch.meter(accelerator, model)
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(
        list(trained(model).values()), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    done = checkpoint.restore(out, accelerator, model, optimizer)
    asking = prober(config.probe, tokenizer.load(folder))

    main = accelerator.is_main_process
    with run_log(config, out, name, data, done=done, steps=len(plan), main=main) as log:
        observer = Observer(config, accelerator, model, asking, log, out=out, base=folder, steps=len(plan))
        steps = optimize(config, accelerator, model, optimizer, plan, done, meter) if observer.begin(done) else iter(())
        for entry in steps:
            log.step(entry)
            done = entry.step + 1
            if not observer.after(done):
                break
            if done % config.checkpoint_every == 0:
                checkpoint.save(out, accelerator, model, optimizer, done)
                observer.checkpointed(done)
        if done < len(plan):
            say(f"Stopped after {done} of {len(plan)} steps: reading lost more than {config.stop.margin:g}.")
        observer.checkpointed(done)
        written = out / weights.NAMES[config.method]
        weights.save(written, accelerator, model, config.method, folder)
        if main:
            write_positions(config, folder, written)
            processes = accelerator.num_processes
            manifest = summarise(
                config,
                name,
                base,
                data,
                plan,
                log.records,
                gap=gap,
                work=meter.work,
                processes=processes,
                weights=written,
            )
            write_record(out / SFT_FILE, manifest)
            rates.remember(config, manifest)
            checkpoint.remove(out)
            log.finish(out, manifest)
    accelerator.wait_for_everyone()
    return read_record(out / SFT_FILE, SftManifest)
