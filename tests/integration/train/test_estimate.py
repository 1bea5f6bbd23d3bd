"""What a run is said to take before it is begun, against what it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from medctx.config import loading as configs
from medctx.io.cache import cache_folder
from medctx.io.jsonl import read_record, write_records
from medctx.model.embedded import EMBEDDED
from medctx.model.training_memory import Training, activation_bytes, linear_layers
from medctx.process import cpu as processor
from medctx.schemas.records import Dialogue, Turn
from medctx.schemas.sft import SFT_FILE, SftManifest
from medctx_train.config import SftConfig
from medctx_train.data.packing import PackedRow, row_tensors
from medctx_train.data.tokenize import EncodedSample
from medctx_train.distributed import launch
from medctx_train.estimate import throughput
from medctx_train.estimate.estimate import estimate_training
from medctx_train.estimate.model_stats import estimate_memory, model_stats
from medctx_train.model.loss import row_losses
from medctx_train.model.precision import uses_bf16_autocast
from medctx_train.sft.run import train
from medctx_train.sft.setup import set_up_model, trainable_parameters
from tests.support.made_training import settings

TOKENS = 512
METHODS: dict[str, dict[str, object]] = {
    "lora": {},
    "query-key": {"lora": {"targets": "query-key", "rank": 4}},
    "dora": {"lora": {"use_dora": True, "rank": 8}},
    "dropout": {"lora": {"dropout": 0.1}},
    "full": {"method": "full"},
    "recomputed": {"gradient_checkpointing": True},
    "full and recomputed": {"method": "full", "gradient_checkpointing": True},
    "no autocast": {"autocast": "no"},
    "full, no autocast": {"autocast": "no", "method": "full"},
    "float32 throughout": {"autocast": "auto"},
    "query-key in float32": {"autocast": "auto", "lora": {"targets": "query-key", "rank": 4}},
}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """A model whose queries are wider than its stream, with grouped keys: no width stands for another."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from medctx.text import tokenizer

    changes = {"hidden_size": 96, "head_dim": 40, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = AutoConfig.from_pretrained(tiny, num_hidden_layers=4, intermediate_size=200, **changes)
    folder = tmp_path_factory.mktemp("wide") / "model"
    AutoModelForCausalLM.from_config(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.read_tokenizer(tiny).save_pretrained(folder)
    return folder


def dialogue_of(number: int, answer: str) -> Dialogue:
    turns = (Turn(role="user", content="Go on."), Turn(role="assistant", content=answer))
    return Dialogue(id=f"d{number}", domain="general", source="made", turns=turns)


def row_of(members: int) -> PackedRow:
    """A full row, half of whose tokens carry loss."""
    size = TOKENS // members
    half = size // 2
    ids = tuple(range(5, 5 + size))
    return PackedRow(
        tuple(EncodedSample(str(n), "made", ids, (False,) * half + (True,) * half) for n in range(members))
    )


def kept_bytes(model: torch.nn.Module, accelerator: launch.Accelerator, row: PackedRow) -> int:  # type: ignore[name-defined]
    """What autograd keeps of a row beside the weights themselves."""
    of_model = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    held: list[torch.Tensor] = []
    keeping = torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: held.append(tensor) or tensor, lambda tensor: tensor
    )
    with keeping, accelerator.autocast():
        losses = row_losses(model, row_tensors(row))
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
    assert losses.requires_grad
    return sum(size for place, size in storages.items() if place not in of_model)


def all_kept(config: SftConfig, folder: Path, rows: Sequence[PackedRow]) -> tuple[int, int]:
    """What is kept of the first row, and how many numbers are trained."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = launch.join_launch(bf16=uses_bf16_autocast(config.autocast), max_grad_norm=config.max_grad_norm)
    model, *_ = set_up_model(config, folder, rows, accelerator, seed=config.seed)
    return kept_bytes(model, accelerator, rows[0]), sum(
        parameter.numel() for parameter in trainable_parameters(model).values()
    )


@pytest.mark.parametrize("method", METHODS)
def test_activations_and_what_is_trained_are_foretold(
    method: str, wide: Path, mix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "bfloat16_is_slow", lambda: True)
    values = {"base": str(wide), "mix": mix, "row_tokens": TOKENS, "autocast": "bf16", **METHODS[method]}
    config = SftConfig.model_validate(values)
    rows = [row_of(4)]
    result = model_stats(config, wide)
    needed = estimate_memory(config, result, rows, gpu=False)
    kept, numbers = all_kept(config, wide, rows)
    assert result.trained.parameters == numbers
    assert needed is not None
    if config.gradient_checkpointing:
        # Kept are the layers' inputs alone; one layer computed again comes on top.
        assert kept < needed.activations
        config = config.model_copy(update={"gradient_checkpointing": False})
        whole = estimate_memory(config, result, rows, gpu=False)
        assert whole is not None and needed.activations < 0.5 * whole.activations
    else:
        assert needed.activations == pytest.approx(kept, rel=0.1)


def test_a_mask_per_layer_is_what_long_rows_cost_without_flash_attention(wide: Path, mix: Path) -> None:
    config = SftConfig.model_validate({"base": str(wide), "mix": mix, "row_tokens": 8192})
    size = model_stats(config, wide).size
    assert size is not None
    training = Training(trained=linear_layers(size, 16), row_tokens=8192, loss_tokens=64)
    masked, flash = (
        activation_bytes(size, training.model_copy(update={"masked": masked_attention}))
        for masked_attention in (True, False)
    )
    assert masked - flash == size.layers * 2 * 8192**2


def last(config: SftConfig) -> throughput.ThroughputRecord | None:
    return throughput.last_record(config.base, config.method, config.row_tokens)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    return tmp_path


def test_a_plan_reads_no_weights(tiny: Path, mix: Path, cache: Path) -> None:
    bare = cache / "bare"
    shutil.copytree(tiny, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    estimated = estimate_training(settings(bare, mix), flop_per_second=1e9)
    assert estimated.steps == estimated.rows == 7
    assert estimated.peak_memory is not None
    assert estimated.memory is not None
    assert estimated.peak_memory == estimated.memory.total
    assert estimated.seconds == pytest.approx(estimated.flop / 1e9)
    assert estimated.time_assumed == "as given"


def test_what_a_run_did_is_what_was_planned(tiny: Path, mix: Path, cache: Path) -> None:
    config = settings(tiny, mix, epochs=2, gradient_checkpointing=True)
    estimated = estimate_training(config, flop_per_second=1e9)
    done = train(config, cache / "run")
    assert (estimated.tokens, estimated.loss_tokens, estimated.steps) == (done.tokens, done.loss_tokens, done.steps)
    assert estimated.flop == pytest.approx(done.flop_per_second * done.seconds)


def test_time_goes_by_an_earlier_run_of_the_same_base_and_method(
    tiny: Path, mix: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tiny, mix, name="before")
    assert "matrix products" in estimate_training(config).time_assumed
    monkeypatch.setattr(throughput, "MIN_SECONDS", 0.0)
    done = train(config, cache / "run")
    throughput.record_throughput(config.base, config.method, config.row_tokens, done)
    estimated = estimate_training(config)
    assert estimated.flop_per_second == pytest.approx(done.flop_per_second)
    assert estimated.seconds == pytest.approx(done.seconds)
    assert "the run before of the same base and method" in estimated.time_assumed
    assert "matrix products" in estimate_training(settings(tiny, mix, method="full")).time_assumed


def test_a_rate_torn_by_a_kill_is_passed_over(tiny: Path, mix: Path, cache: Path) -> None:
    (cache / "cache").mkdir()
    (cache / "cache" / "training-throughput.jsonl").write_text('{"machine": "som')
    assert last(settings(tiny, mix)) is None


def test_the_last_run_counts_and_one_of_rows_as_long_before_it(tiny: Path, mix: Path, cache: Path) -> None:
    config = settings(tiny, mix)
    long = config.row_tokens * 2
    runs = [("first", config.row_tokens), ("second", config.row_tokens), ("third", long), ("fourth", long)]
    (cache / "cache").mkdir()
    lines = [
        throughput.ThroughputRecord(
            machine=throughput.machine_name(), base=config.base, method=config.method, row_tokens=row_tokens, run=run,
            seconds=60.0, flop_per_second=1e9,
        ).model_dump_json()
        for run, row_tokens in runs
    ]  # fmt: skip
    (cache / "cache" / "training-throughput.jsonl").write_text("\n".join(lines) + "\n")
    requests = {tokens: last(settings(tiny, mix, row_tokens=tokens)) for tokens in (config.row_tokens, 8)}
    assert {tokens: value.run if value else "" for tokens, value in requests.items()} == {
        config.row_tokens: "second",
        8: "fourth",
    }


def test_sizes_that_a_config_does_not_name_leave_memory_unknown(
    tiny: Path, mix: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medctx_train.estimate.model_stats.decoder_size", lambda _: None)
    estimated = estimate_training(settings(tiny, mix), flop_per_second=1e9)
    assert estimated.peak_memory is None
    assert "not known" in estimated.memory_assumed
    assert estimated.seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize(("row_tokens", "rows_per_step"), [(256, 1), (512, 1), (256, 2), (512, 2)])
def test_memory_of_a_real_model_is_foretold_within_a_third(row_tokens: int, rows_per_step: int, tmp_path: Path) -> None:
    """In a process of its own, which does nothing else: its largest resident size, steps of full rows."""
    if not (cache_folder() / EMBEDDED).is_dir():
        pytest.skip(f"{EMBEDDED} is not at hand here")
    text = "The patient has a fever and a rash. " * (row_tokens // 10)
    write_records(tmp_path / "mix" / "dialogues.jsonl", [dialogue_of(n, text[: row_tokens * 2]) for n in range(2)])
    config = SftConfig(mix=tmp_path / "mix", row_tokens=row_tokens, rows_per_step=rows_per_step, epochs=2)
    configs.save(config, tmp_path / "sft.yaml")
    command = [sys.executable, "-m", "medctx_train.cli", "sft", "--config", str(tmp_path / "sft.yaml")]
    environment = {**os.environ, "MEDCTX_TRACKING": "off"}
    subprocess.run([*command, "--out", str(tmp_path / "run")], env=environment, check=True, capture_output=True)
    done = read_record(tmp_path / "run" / SFT_FILE, SftManifest)
    estimated = estimate_training(config, flop_per_second=1e9)
    assert estimated.peak_memory is not None
    assert 0.75 < estimated.peak_memory / done.peak_memory < 1.33
