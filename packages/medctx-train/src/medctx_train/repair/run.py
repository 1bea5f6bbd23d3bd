"""Running a repair arm: read and check, compute, write whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, write_record
from medctx.model.identity import model_digest
from medctx.model.recorded import verified_digest
from medctx.process.progress import say
from medctx.schemas.sft import REPAIR_FILE, RepairManifest
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.adapter_card import CardOrigin
from medctx.tracking.logged_adapter import AdapterCard
from medctx_train.checkpoints.export import package_versions, write_card
from medctx_train.checkpoints.merge import build_folder
from medctx_train.repair import combine, interpolate, restore, scale
from medctx_train.repair.config import CombineConfig, InterpolateConfig, RepairConfig, ScaleConfig
from medctx_train.repair.record import PreparedRepair, RepairPlan


def prepare(config: RepairConfig) -> PreparedRepair:
    """Read and check the inputs of the arm; raises MedctxError before anything is written."""
    if isinstance(config, ScaleConfig):
        return scale.prepare(config)
    if isinstance(config, InterpolateConfig):
        return interpolate.prepare(config)
    if isinstance(config, CombineConfig):
        return combine.prepare(config)
    return restore.prepare(config)


def plan(config: RepairConfig) -> RepairPlan:
    """Return what ``repair`` would do."""
    return _plan(config, prepare(config))


def _plan(config: RepairConfig, prepared: PreparedRepair) -> RepairPlan:
    return RepairPlan(
        arm=config.arm, parameters=config, inputs=prepared.inputs, weights=prepared.weights, base=prepared.base
    )


def repair(config: RepairConfig, out: Path) -> RepairManifest:
    """Write the repaired adapter or model; a repair that is finished is not repeated.

    Args:
        config: The config of the arm.
        out: Output folder: ``adapter`` or ``model``, ``repair.json`` and ``config.yaml``.

    Raises:
        MedctxError: If the inputs do not go together, or ``out`` holds another repair.
    """
    begun = time.monotonic()
    prepared = prepare(config)
    planned = _plan(config, prepared)
    if (out / REPAIR_FILE).is_file():
        done = read_record(out / REPAIR_FILE, RepairManifest)
        if not planned.same_as(done):
            raise MedctxError(f"{out} holds another repair ({done.arm}); choose another folder with --out.")
        verified_digest(out / done.weights)
        say(f"{out} is finished; nothing to do.")
        return done
    with tracking.run("repair", f"repair {config.arm} {out.name}") as run, build_folder(out) as whole:
        run.params(config.model_dump(mode="json"))
        changed = prepared.write(whole)
        manifest = RepairManifest(
            arm=config.arm,
            parameters=config.model_dump(mode="json"),
            inputs=planned.inputs,
            weights=planned.weights,
            base=planned.base,
            weights_digest=model_digest(whole),
            changed=changed,
            base_recorded=prepared.base_recorded,
            seconds=time.monotonic() - begun,
            versions=package_versions(),
        )
        configs.save(config, out / "config.yaml")
        # A folder without a manifest is unfinished: what a killed repair left there is replaced.
        shutil.rmtree(out / manifest.weights, ignore_errors=True)
        if manifest.weights == "adapter":
            write_card(whole, CardOrigin(title=out.name, base=planned.base, repair=config.arm))
        os.replace(whole, out / manifest.weights)
        write_record(out / REPAIR_FILE, manifest)
        run.params({"weights_digest": manifest.weights_digest, "base_digest": manifest.base.weights_digest})
        run.metrics({"seconds": manifest.seconds, "changed": float(changed)})
        run.artifact(out / REPAIR_FILE, "repair")
        if manifest.weights == "adapter":
            card = AdapterCard.on_base(manifest.base, manifest.weights_digest)
            run.adapter(f"adapter-{config.arm}-{out.name}", out / manifest.weights, card, {"arm": config.arm})
    return manifest
