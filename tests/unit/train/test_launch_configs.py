"""The launch configs that come with the package, read by accelerate's own loader and launcher."""

from __future__ import annotations

import pytest
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.utils import FullyShardedDataParallelPlugin

from medctx_train.distributed import launch_files
from tests.support.launch_variables import parsed, variables

KINDS = {
    "cpu": "MULTI_GPU",
    "ddp": "MULTI_GPU",
    "fsdp2": "FSDP",
    "fsdp2-offload": "FSDP",
    "zero2": "DEEPSPEED",
    "zero3": "DEEPSPEED",
}


def test_every_config_is_told_of_here() -> None:
    assert set(launch_files.names()) == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_loads_it(name: str) -> None:
    """Its loader refuses keys that it does not know."""
    config = load_config_from_file(str(launch_files.path_of(name)))
    assert isinstance(config, ClusterConfig)
    assert config.distributed_type.value == KINDS[name]
    assert config.num_processes > 1
    assert parsed(name).module


@pytest.mark.parametrize("name", ["fsdp2", "fsdp2-offload"])
def test_sharding_is_fsdp2_of_whole_layers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in variables(name).items():
        monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert type(plugin.cpu_offload).__name__ == {"fsdp2": "OffloadPolicy"}.get(name, "CPUOffloadPolicy")
    assert plugin.state_dict_type.name == "SHARDED_STATE_DICT"
    assert not plugin.activation_checkpointing, "the run's config decides that"


@pytest.mark.parametrize(("name", "stage"), [("zero2", "2"), ("zero3", "3")])
def test_deepspeed_is_asked_for_its_stage(name: str, stage: str) -> None:
    environment = variables(name)
    assert environment["ACCELERATE_USE_DEEPSPEED"] == "true"
    assert environment["ACCELERATE_DEEPSPEED_ZERO_STAGE"] == stage
    assert environment["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"] == "1", "rows are accumulated by the steps themselves"
