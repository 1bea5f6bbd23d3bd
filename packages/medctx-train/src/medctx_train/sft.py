"""Supervised fine-tuning: a mix folder and a base model in, an adapter (or a full checkpoint) out.

Reads top to bottom: encode -> pack -> load -> self-test -> steps -> save. A killed run continues from its last
checkpoint and gives the weights of the straight run.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from medctx import config as configs
from medctx import digest, tokenizer, tracking
from medctx.dialogues import files_of
from medctx.errors import MedctxError
from medctx.journal import Journal
from medctx.jsonl import read_record, require_space, write_record
from medctx.progress import say, track
from medctx_train import checkpoint
from medctx_train.attention import packing_gap
from medctx_train.base_model import prepare
from medctx_train.config import SftConfig
from medctx_train.data import load_data
from medctx_train.lora import add_lora
from medctx_train.manifest import LOG, MANIFEST, SftManifest, StepLog
from medctx_train.model import load_model
from medctx_train.pack import Row, fill
from medctx_train.steps import batches, loss_tokens, optimize

if TYPE_CHECKING:
    import torch

_BYTES_NEEDED = {"lora": 200 * 2**20, "qlora": 200 * 2**20, "full": 2**31}


def _self_test(model: torch.nn.Module, rows: Sequence[Row], limit: float) -> float:
    """Packed against unpacked loss of the first row with several members; stops the run on a leak."""
    row = next((row for row in rows if len(row.members) > 1), None)
    if row is None:
        return 0.0
    gap = packing_gap(model, row)
    if gap > limit:
        raise MedctxError(
            f"Packed samples see each other: a sample's loss differs by {gap:.3f} nats inside a row (limit {limit:g}); "
            "this model's attention ignores packing boundaries, choose another base or raise max_packing_gap."
        )
    return gap


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("torch", "transformers", "peft", "accelerate", "medctx-train"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def train(config: SftConfig, out: Path) -> SftManifest:
    """Run ``config`` into ``out``: a finished run is returned as it is, an unfinished one continued."""
    if (out / MANIFEST).is_file():
        say(f"{out} is finished; nothing to do.")
        return read_record(out / MANIFEST, SftManifest)
    import torch
    from accelerate import Accelerator

    name = config.name or out.name
    folder, base = prepare(config.base)
    data = load_data(config, folder)
    plan = batches(data.rows, config.rows_per_step, config.epochs)
    require_space(out, _BYTES_NEEDED[config.method])
    configs.save(config, out / "config.yaml")

    torch.manual_seed(config.seed)
    accelerator = Accelerator(mixed_precision=config.autocast, cpu=not torch.cuda.is_available())
    model: torch.nn.Module = load_model(folder)
    gap = _self_test(model, data.rows, config.max_packing_gap)
    if config.method != "full":
        model = add_lora(model, config.lora, config.seed)  # type: ignore[arg-type]
    model.train()
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(
        list(checkpoint.trainable(model).values()), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    done = checkpoint.restore(out, model, optimizer)
    model, optimizer = accelerator.prepare(model, optimizer)

    with tracking.run("train", f"train {name}") as run, Journal(out / LOG, StepLog) as log:
        run.params({**config.model_dump(mode="json", exclude={"lora"}), **config.lora.model_dump(mode="json")})
        run.dataset(files_of(config.mix)[0], config.mix.name, data.digest, "training")
        log.rewind(done)
        if done:
            say(f"Continuing {name} at step {done} of {len(plan)}.")
        with track(f"Training {name}", len(plan), "steps") as advance:
            advance(done)
            for entry in optimize(config, accelerator, model, optimizer, plan, done):
                log.append(entry)
                if (entry.step + 1) % config.checkpoint_every == 0:
                    checkpoint.save(out, model, optimizer, entry.step + 1)
                sources = {f"loss.{source}": loss for source, loss in entry.by_source.items()}
                rates = {"lr": entry.learning_rate, "tokens_per_second": entry.tokens_per_second}
                run.metrics({"loss": entry.loss, **rates, **sources}, step=entry.step)
                advance(1)
        weights = out / ("model" if config.method == "full" else "adapter")
        accelerator.unwrap_model(model).save_pretrained(weights)
        if config.method == "full":
            tokenizer.load(folder).save_pretrained(weights)
        seconds = sum(_seconds(log.records))
        manifest = SftManifest(
            name=name,
            method=config.method,
            weights=weights.name,
            weights_digest=digest.of_weights(weights),
            base=base,
            mix_digest=data.digest,
            seed=config.seed,
            dialogues=data.dialogues,
            sources=data.sources,
            replay_share=data.replay_share,
            tokens=log.records[-1].tokens,
            loss_tokens=loss_tokens(data.rows) * config.epochs,
            steps=len(plan),
            fill=fill(data.rows, config.row_tokens),
            packing_gap=gap,
            first_loss=log.records[0].loss,
            last_loss=log.records[-1].loss,
            seconds=seconds,
            tokens_per_second=log.records[-1].tokens / seconds,
            versions=_versions(),
        )
        write_record(out / MANIFEST, manifest)
        checkpoint.remove(out)
        run.metrics({"fill": manifest.fill, "packing_gap": gap, "tokens": float(manifest.tokens)})
        run.artifact(out / MANIFEST, "train")
        run.artifact(out / LOG, "train")
    return manifest


def _seconds(log: Sequence[StepLog]) -> list[float]:
    """Seconds of each step, from its tokens and its rate."""
    before = [0, *(entry.tokens for entry in log[:-1])]
    return [(entry.tokens - past) / entry.tokens_per_second for entry, past in zip(log, before, strict=True)]
