"""Several processes against one, and rows of a step against rows accumulated: the same losses and the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, read_records
from medctx.schemas.sft import SFT_FILE, TRAINING_LOG, SftManifest, StepLog
from medctx_train.checkpoints.training_state import FOLDER
from medctx_train.config import SftConfig
from medctx_train.data.packing import PackedRow
from medctx_train.data.tokenize import EncodedSample
from medctx_train.distributed import launch
from medctx_train.model.precision import uses_bf16_autocast
from medctx_train.sft.flops import UtilisationMeter
from medctx_train.sft.loop import optimize
from medctx_train.sft.row_threads import RowThreads
from medctx_train.sft.setup import set_up_model, trainable_parameters
from tests.support.launch_variables import variables
from tests.support.made_training import settings
from tests.support.processes import run, run_together

KILLED = -9
UNIT_ROUNDOFF = 2**-24
LONGEST_SUM = 256
"""No sum over tokens, rows or the width of a layer has more terms in the runs below."""
REORDERED = 2 * LONGEST_SUM * UNIT_ROUNDOFF
"""Relative difference that another order of additions in float32 may make: each order is within n u of the exact sum,
relative to the sum of magnitudes (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2). It is 3e-5, on
any processor; measured on AVX2 and AVX512-BF16: at most 3.5e-6 of a step, 2.5e-6 of the weights after six AdamW steps.
"""
NATS = 1e-5
"""The same for a loss of up to 10 nats that is the mean of losses from logits of about the same size: 2 u times the 10
products between embedding and loss times 10 nats. Measured: 1.8e-6.
"""


@pytest.fixture(scope="module")
def config(strong: Path, mix: Path) -> SftConfig:
    """Three rows a step: with two processes one of them has one row less, and gets an empty one.

    The base is in float32. In bfloat16 a difference in the last bit of an adapter's weight flips roundings of 2^-9 in
    the activations, by chance and so by processor.
    """
    return settings(strong, mix, rows_per_step=3, epochs=2)


@pytest.fixture(scope="module")
def alone(config: SftConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    assert run(config, out) == 0
    return out


def steps(out: Path) -> list[StepLog]:
    return list(read_records(out / TRAINING_LOG, StepLog))


def same_weights(path: Path, other: Path) -> None:
    ours, theirs = (load_file(out / "adapter" / "adapter_model.safetensors") for out in (path, other))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert (weight - theirs[name]).norm() <= REORDERED * weight.norm(), name


@pytest.mark.slow
def test_two_processes_train_as_one(config: SftConfig, alone: Path, tmp_path: Path) -> None:
    """Dropout is on: its masks hang on the step and the row, not on the process."""
    assert run_together(config, tmp_path, 2) == [0, 0]
    single, two = (read_record(out / SFT_FILE, SftManifest) for out in (alone, tmp_path))
    assert (single.processes, two.processes) == (1, 2)
    assert (single.tokens, single.loss_tokens, single.steps) == (two.tokens, two.loss_tokens, two.steps)
    for ours, theirs in zip(steps(alone), steps(tmp_path), strict=True):
        assert ours.tokens == theirs.tokens
        assert ours.loss == pytest.approx(theirs.loss, abs=NATS)
        assert ours.by_source == pytest.approx(theirs.by_source, abs=NATS)
        assert ours.grad_norm == pytest.approx(theirs.grad_norm, rel=REORDERED)
    same_weights(alone, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("after", [2, 1])
def test_a_launch_of_two_that_is_killed_goes_on_in_any_number(
    config: SftConfig, alone: Path, tmp_path: Path, after: int
) -> None:
    assert KILLED in run_together(config, tmp_path, 2, die_at="after a step:3")
    ended = run_together(config, tmp_path, after) if after > 1 else [run(config, tmp_path)]
    assert set(ended) == {0}
    assert [step.loss for step in steps(tmp_path)] == pytest.approx([step.loss for step in steps(alone)], abs=NATS)
    same_weights(alone, tmp_path)


@pytest.mark.slow
def test_two_processes_that_share_the_weights_out_train_as_one(config: SftConfig, alone: Path, tmp_path: Path) -> None:
    """FSDP2 by the shipped config, killed and continued: weights, gradients and checkpoints in shards."""
    sharded = variables("fsdp2")
    assert KILLED in run_together(config, tmp_path, 2, die_at="after a step:3", strategy=sharded)
    assert set(run_together(config, tmp_path, 2, strategy=sharded)) == {0}
    for ours, theirs in zip(steps(alone), steps(tmp_path), strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=NATS)
        assert ours.grad_norm == pytest.approx(theirs.grad_norm, rel=REORDERED)
    same_weights(alone, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "after"), [(1, 2), (2, 2), (3, 2), (2, 1), (3, 1)])
def test_processes_under_deepspeed_train_as_one_and_go_on_in_any_number(
    strong: Path, mix: Path, tmp_path: Path, stage: int, after: int
) -> None:
    """DeepSpeed itself by the shipped configs, over gloo, killed and continued. The base is in float32: in that ZeRO-3
    holds all weights where it is not told of bfloat16.
    """
    pytest.importorskip("deepspeed", reason="needs DS_BUILD_OPS=0 pip install deepspeed")
    config = settings(strong, mix, rows_per_step=3, epochs=2)
    alone, together = tmp_path / "alone", tmp_path / "together"
    strategy = {**variables("zero3" if stage == 3 else "zero2"), "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage)}
    assert run(config, alone) == 0
    assert KILLED in run_together(config, together, 2, die_at="after a step:3", strategy=strategy)
    assert (together / FOLDER).is_dir()
    assert set(run_together(config, together, after, strategy=strategy)) == {0}
    for ours, theirs in zip(steps(alone), steps(together), strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=NATS)
        assert ours.grad_norm == pytest.approx(theirs.grad_norm, rel=REORDERED)
    same_weights(alone, together)


def sample(name: str, answer: int, tokens: int = 60) -> EncodedSample:
    ids = tuple((7 * place + len(name) + answer) % 500 + 4 for place in range(tokens))
    return EncodedSample(name, "made", ids, tuple(place >= tokens - answer for place in range(tokens)))


def spied(init: Callable[..., None], at_a_time: list[int]) -> Callable[..., None]:
    """The constructor of RowThreads, which notes how many rows are computed at a time."""

    def noted(self: RowThreads, rows: int, *others: object) -> None:
        at_a_time.append(rows)
        init(self, rows, *others)

    return noted


def one_step(config: SftConfig, folder: Path, rows: list[PackedRow]) -> tuple[StepLog, dict[str, torch.Tensor]]:
    """The step on these rows, and the weights after it."""
    accelerator = launch.join_launch(bf16=uses_bf16_autocast(config.autocast), max_grad_norm=config.max_grad_norm)
    model, *_ = set_up_model(config, folder, rows, accelerator, seed=config.seed)
    weights = trainable_parameters(model)
    optimizer = torch.optim.SGD(list(weights.values()), lr=config.learning_rate)
    meter = UtilisationMeter.of(accelerator, model)
    (entry,) = optimize(
        config,
        accelerator,
        model,
        optimizer,
        [rows],
        done=0,
        row_tokens=config.row_tokens,
        packed=True,
        seed=config.seed,
        meter=meter,
    )
    return entry, {name: weight.detach().clone() for name, weight in weights.items()}


@pytest.mark.parametrize("weighting", ["token", "sample"])
def test_rows_that_are_accumulated_weigh_as_in_one_row(strong: Path, mix: Path, weighting: str) -> None:
    """One row has ten times the loss tokens of the other: a mean of the rows' means would be another step."""
    config = settings(strong, mix, lora={"rank": 4}, loss_weighting=weighting, max_grad_norm=1e9, learning_rate=1.0)
    long, short = sample("long", 50), sample("short", 5)
    together, once = one_step(config, strong, [PackedRow((long, short))])
    accumulated, twice = one_step(config, strong, [PackedRow((long,)), PackedRow((short,))])
    assert accumulated.loss == pytest.approx(together.loss, abs=NATS)
    assert accumulated.grad_norm == pytest.approx(together.grad_norm, rel=REORDERED)
    start = dict(one_step(config.model_copy(update={"learning_rate": 1e-30}), strong, [PackedRow((long, short))])[1])
    for name, weight in once.items():
        assert (twice[name] - weight).norm() <= REORDERED * (weight - start[name]).norm(), name
    alone = [one_step(config, strong, [PackedRow((sample,))])[0].loss for sample in (long, short)]
    assert abs(sum(alone) / 2 - together.loss) > 100 * NATS
    assert (50 * alone[0] + 5 * alone[1]) / 55 == pytest.approx(together.loss, abs=NATS)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("autocast", ["bf16", "no"])
def test_rows_side_by_side_train_as_rows_one_after_another(
    strong: Path, mix: Path, autocast: str, checkpointing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bits: a thread has no part in the arithmetic."""
    config = settings(strong, mix, lora={"rank": 4}, autocast=autocast, gradient_checkpointing=checkpointing)
    rows = [PackedRow((sample("long", 50), sample("short", 5))), *(PackedRow((sample(name, 9),)) for name in "abc")]
    at_a_time: list[int] = []
    monkeypatch.setattr(RowThreads, "__init__", spied(RowThreads.__init__, at_a_time))
    steps_and_weights = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        steps_and_weights.append(one_step(config, strong, rows))
        assert at_a_time == [2] * (threads - 1)
    torch.set_num_threads(before)
    (first, weights), (second, others) = steps_and_weights
    assert (first.loss, first.by_source, first.grad_norm) == (second.loss, second.by_source, second.grad_norm)
    assert all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.mark.parametrize("strategy", ["DEEPSPEED", "FSDP"])
def test_a_launch_that_shares_nothing_out_though_asked_to_is_refused(
    strategy: str, config: SftConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GPU accelerate leaves both out, each process then holding the whole model."""
    accelerator = launch.join_launch(bf16=uses_bf16_autocast(config.autocast), max_grad_norm=config.max_grad_norm)
    monkeypatch.setenv(f"ACCELERATE_USE_{strategy}", "true")
    with pytest.raises(MedctxError, match=rf"asks for {strategy}, .* there is none here; give --config_file"):
        launch.require_sharding(accelerator)
