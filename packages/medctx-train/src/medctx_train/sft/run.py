"""Supervised fine-tuning: from a mix folder and a base model to an adapter (or a full checkpoint).

The steps of ``train`` in order: encode, pack, load, self-test, optimize, save. A killed run continues from its last
checkpoint and ends with the weights of an uninterrupted run; several processes end with the weights of one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.config import loading as configs
from medctx.io.jsonl import read_record, require_space, write_record
from medctx.model.base import prepare_base
from medctx.model.recorded import verified_digest
from medctx.process.progress import say
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.schemas.sft import SFT_FILE, SftManifest
from medctx.text import tokenizer
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.adapter_card import CardOrigin
from medctx_train.checkpoints import export, training_state
from medctx_train.config import SftConfig
from medctx_train.data.batches import step_batches
from medctx_train.data.dataset import load_data
from medctx_train.distributed import launch
from medctx_train.model.precision import uses_bf16_autocast
from medctx_train.probe.probe import make_prober
from medctx_train.sft import resume
from medctx_train.sft.callbacks import StepCallbacks
from medctx_train.sft.flops import UtilisationMeter
from medctx_train.sft.logging import open_run_log
from medctx_train.sft.loop import optimize
from medctx_train.sft.setup import set_up_model, trainable_parameters, write_rope_overrides
from medctx_train.sft.summary import summarise

if TYPE_CHECKING:
    import torch

_BYTES_NEEDED = {"lora": 200 * 2**20, "qlora": 200 * 2**20, "full": 2**31}


def train(config: SftConfig, out: Path) -> SftManifest:
    """Fine-tune a base model; called again with the same arguments, it continues or returns the finished run.

    Every process of an ``accelerate launch`` calls this with the same arguments and gets the same manifest.

    Args:
        config: The config of the run.
        out: Output folder: ``sft.json``, ``training.jsonl``, ``config.yaml``, and ``adapter`` or ``model``.

    Returns:
        The manifest of the run, as ``sft.json`` holds it.

    Raises:
        MedctxError: If the config, data, model and machine do not go together, or ``out`` holds another run.
    """
    if (out / SFT_FILE).is_file():
        resume.require_same(out, config)
        manifest = read_record(out / SFT_FILE, SftManifest)
        verified_digest(out / manifest.weights)
        say(f"{out} is finished; nothing to do.")
        return manifest
    accelerator = launch.join_launch(bf16=uses_bf16_autocast(config.autocast), max_grad_norm=config.max_grad_norm)
    launch.require_shared_folder(accelerator, out)
    main = accelerator.is_main_process
    if main:
        tracking.require_store()
    name = config.name or out.name
    with accelerator.local_main_process_first():
        folder, base = prepare_base(config.base)
    data = load_data(config, folder, config.seed)
    batches = step_batches(data.rows, config.rows_per_step, config.epochs)
    if main:
        require_space(out, _BYTES_NEEDED[config.method])
        if training_state.exists(out):
            resume.require_same(out, config, data.digest)
        resume.record_start(out, config, data.digest)
        configs.save(config, out / "config.yaml")
    accelerator.wait_for_everyone()

    import torch

    model, packed, gap = set_up_model(config, folder, data.rows, accelerator, seed=config.seed)
    meter = UtilisationMeter.of(accelerator, model)
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(
        list(trainable_parameters(model).values()), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    done = training_state.restore_training_state(out, accelerator, model, optimizer)
    prober = make_prober(config.probe, tokenizer.load_tokenizer(folder, config.chat_template))

    with open_run_log(config, out, name, data, done=done, steps=len(batches), main=main) as log:
        callbacks = StepCallbacks(
            config, accelerator, model, prober, log, out=out, base=folder, card=base, steps=len(batches)
        )
        if callbacks.begin(done):
            steps = optimize(
                config,
                accelerator,
                model,
                optimizer,
                batches,
                done=done,
                packed=packed,
                row_tokens=config.row_tokens,
                seed=config.seed,
                meter=meter,
            )
            for entry in steps:
                log.step(entry)
                done = entry.step + 1
                if not callbacks.after_step(done):
                    break
                if done % config.checkpoint_every == 0:
                    training_state.save_training_state(out, accelerator, model, optimizer, done)
                    callbacks.after_checkpoint(done)
        if done < len(batches):
            say(
                f"Stopped after {done} of {len(batches)} steps: reading accuracy fell by more than "
                f"{config.early_stopping.margin:g} (early_stopping.margin)."
            )
        callbacks.after_checkpoint(done)
        weights = out / export.NAMES[config.method]
        export.save_weights(weights, accelerator, model, config.method, folder, base, config.chat_template)
        if main:
            write_rope_overrides(config.rope, folder, weights)
            manifest = summarise(
                config,
                name,
                base,
                data,
                batches,
                log.steps,
                packed=packed,
                packing_gap=gap,
                flops=meter.flops,
                processes=accelerator.num_processes,
                weights=weights,
            )
            if config.method != "full":
                mix = config.mix / MIX_FILE
                made_of = read_record(mix, MixManifest) if mix.is_file() else None
                export.write_card(weights, CardOrigin(title=name, base=base, mix=made_of, sft=manifest))
            write_record(out / SFT_FILE, manifest)
            training_state.remove(out)
            log.finish(out, manifest)
    accelerator.wait_for_everyone()
    return read_record(out / SFT_FILE, SftManifest)
