"""A run that is killed, really, and continued: the same bits as the straight run."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, read_records
from medctx.schemas.sft import SFT_FILE, TRAINING_LOG, SftManifest, StepLog
from medctx_train.config import SftConfig
from medctx_train.probe import retention
from medctx_train.probe.probe import LOG as PROBES
from medctx_train.sft import run as sft
from tests.support.made_training import made_probe, settings
from tests.support.processes import run

pytestmark = pytest.mark.slow  # real processes killed at many places: minutes on two cores

pytest.importorskip("torch")

KILLED = -9


@pytest.fixture(scope="module")
def config(tiny: Path, mix: Path, tmp_path_factory: pytest.TempPathFactory) -> SftConfig:
    """Twelve steps with everything that happens between steps, dropout too."""
    items = made_probe(tmp_path_factory.mktemp("probe") / "probe.jsonl", 6)
    return settings(
        tiny,
        mix,
        epochs=3,
        rows_per_step=2,
        checkpoint_every=3,
        probe={"every": 2, "items": items},
        retention={"every": 5, "best": ["reading"], "last": 1},
        neftune_alpha=5.0,
    )


@pytest.fixture(scope="module")
def straight(config: SftConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("straight")
    assert run(config, out) == 0
    return out


def outcome(out: Path) -> dict[str, object]:
    """All that a run leaves which does not speak of time or memory."""
    manifest = read_record(out / SFT_FILE, SftManifest)
    kept = retention.read_index(out).states
    return {
        "digest": manifest.weights_digest,
        "losses": [
            (step_log.step, step_log.loss, step_log.by_source, step_log.grad_norm)
            for step_log in read_records(out / TRAINING_LOG, StepLog)
        ],
        "probes": (out / PROBES).read_text(),
        "kept": kept,
        "weights": [
            (state.folder, (out / retention.FOLDER / state.folder / "adapter_model.safetensors").read_bytes())
            for state in kept
        ],
        "files": sorted(path.name for path in out.iterdir()),
    }


@pytest.mark.parametrize(
    "place",
    [
        "step:1",
        "step:8",
        "probe:1",
        "probe:4",
        "inside a checkpoint's file:2",
        "before a checkpoint's name:2",
        "after a checkpoint's name:3",
        "before removing unretained states:3",
        "after a step:5",
        "inside the weights:2",
        "before the manifest:1",
    ],
)
def test_a_run_killed_anywhere_and_continued_is_the_straight_run(
    config: SftConfig, straight: Path, tmp_path: Path, place: str
) -> None:
    assert run(config, tmp_path, die_at=place) == KILLED
    assert run(config, tmp_path) == 0
    assert outcome(tmp_path) == outcome(straight)


def test_a_run_killed_again_and_again_still_ends_as_the_straight_one(
    config: SftConfig, straight: Path, tmp_path: Path
) -> None:
    """Checkpoints come every third step: each life gets one step further than the last checkpoint."""
    for _ in range(3):
        assert run(config, tmp_path, die_at="step:4") == KILLED
    assert run(config, tmp_path) == 0
    assert outcome(tmp_path) == outcome(straight)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_rows_side_by_side_and_fused_layers_end_as_the_straight_run(
    tiny: Path, mix: Path, tmp_path: Path, checkpointing: bool
) -> None:
    """Without dropout, in bfloat16: the layers are fused, attention is that of short rows, two rows share the CPU."""
    config = settings(
        tiny, mix, lora={"rank": 4}, autocast="bf16", rows_per_step=3, epochs=2, gradient_checkpointing=checkpointing
    )
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert run(config, straight) == 0
    assert run(config, killed, die_at="step:3") == KILLED
    assert run(config, killed) == 0
    digests = [read_record(out / SFT_FILE, SftManifest).weights_digest for out in (straight, killed)]
    assert digests[0] == digests[1]


def test_what_rules_keep_are_adapters_of_their_steps(config: SftConfig, straight: Path) -> None:
    states = retention.read_index(straight).states
    steps = read_record(straight / SFT_FILE, SftManifest).steps
    assert [checkpoint.step for checkpoint in states if "every 5" in checkpoint.rules] == list(range(5, steps + 1, 5))
    assert sum("best reading" in checkpoint.rules for checkpoint in states) == 1
    assert sum("last 1" in checkpoint.rules for checkpoint in states) == 1
    for state in states:
        folder = straight / retention.FOLDER / state.folder
        assert (folder / "adapter_config.json").is_file()


def test_a_run_is_not_continued_with_another_config(config: SftConfig, tmp_path: Path, tiny: Path) -> None:
    assert run(config, tmp_path, die_at="step:5") == KILLED
    with pytest.raises(MedctxError, match=r"was started with learning_rate=0\.005, not 0\.1"):
        sft.train(config.model_copy(update={"learning_rate": 0.1}), tmp_path)
    assert configs.load(SftConfig, tmp_path / "config.yaml").learning_rate == 0.005
