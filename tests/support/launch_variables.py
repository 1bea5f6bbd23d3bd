"""What `accelerate launch` makes of a launch config: the variables of the processes it starts."""

from __future__ import annotations

import argparse
from unittest import mock

from accelerate.commands import launch as accelerate_launch
from accelerate.utils import launch as starting

from medctx_train.distributed import launch_files


def parsed(name: str) -> argparse.Namespace:
    """The arguments as accelerate reads the config's file and finds nothing wrong with them."""
    command = ["--config_file", str(launch_files.path_of(name)), "-m", "medctx_train.cli", "sft"]
    arguments = accelerate_launch.launch_command_parser().parse_args(command)
    result, defaults, _ = accelerate_launch._validate_launch_command(arguments)
    if result.use_deepspeed:
        result.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
    return result


def variables(name: str) -> dict[str, str]:
    """Those of its own, without what the machine adds."""
    arguments = parsed(name)
    with mock.patch.dict("os.environ", {}, clear=False):
        if arguments.use_deepspeed:
            _, result = starting.prepare_deepspeed_cmd_env(arguments)
        else:
            result = starting.prepare_multi_gpu_env(arguments)
    prefixes = ("FSDP_", "ACCELERATE_USE", "ACCELERATE_DEEPSPEED", "ACCELERATE_GRADIENT")
    return {key: value for key, value in result.items() if key.startswith(prefixes)}
