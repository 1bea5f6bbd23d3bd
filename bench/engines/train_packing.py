"""What packing does to the loss: the same Dialogues inside rows and alone, and how full the rows are.

    python -m bench.engines.train_packing --data FOLDER --model FOLDER [--rows 8]

MedQuAD and Alpaca, 1:1 by tokens. Each row is laid out as medctx lays it out, and as TRL does (best fit, its collator
without padding), and goes through the model in float32 and, where the machine is quick at it, in bfloat16; a Dialogue's
loss, over all its tokens, is compared with its loss alone. Exits with 1 where medctx's differ by 0.001 nats in float32,
or its rows of all Dialogues are filled to less than 97 %.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench import train_mix
from medctx.config import loading as configs
from medctx.model.base import prepare_base
from medctx.process import cpu as processor
from medctx_train.config import SftConfig
from medctx_train.data.dataset import load_data
from medctx_train.data.packing import PackedRow, fill_rate

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

MOST_NATS, LEAST_FILL = 0.001, 0.97
Laid = tuple[list[list[int]], list[int], list[int]]


def by_medctx(row: PackedRow) -> Laid:
    """The members of a row, the row, and its positions."""
    members = [list(member.ids) for member in row.members]
    return (
        members,
        [token for member in members for token in member],
        [place for member in members for place in range(len(member))],
    )


def by_trl(row: PackedRow, row_tokens: int) -> Laid:
    """The same members as TRL packs and collates them."""
    from datasets import Dataset
    from trl.data_utils import pack_dataset
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    data = Dataset.from_list([{"input_ids": list(member.ids)} for member in row.members])
    packed = pack_dataset(data, row_tokens, "bfd")[0]
    ends = [0, *itertools.accumulate(packed["seq_lengths"])]
    batch = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)([packed])
    members = [packed["input_ids"][begin:end] for begin, end in itertools.pairwise(ends)]
    return members, batch["input_ids"][0].tolist(), batch["position_ids"][0].tolist()


def losses(model: PreTrainedModel, ids: list[int], positions: list[int]) -> torch.Tensor:
    """Nats of every token but the first."""
    import torch

    with torch.no_grad():
        places = torch.tensor([positions])
        logits = model(input_ids=torch.tensor([ids]), position_ids=places, use_cache=False).logits[0, :-1].float()
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")


def gaps(model: PreTrainedModel, laid: Laid) -> list[tuple[float, float]]:
    """For each member: its mean loss inside the row, and alone."""
    members, row, positions = laid
    together, begin, result = losses(model, row, positions), 0, []
    for member in members:
        inside = together[begin : begin + len(member) - 1]
        result.append((float(inside.mean()), float(losses(model, member, list(range(len(member)))).mean())))
        begin += len(member)
    return result


def main() -> int:
    """Print a line per layout and precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    train_mix.add_options(parser)
    parser.add_argument("--rows", type=int, default=8)
    args = parser.parse_args()
    if train_mix.missing(args):
        print(train_mix.missing(args))
        return 0
    import torch
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as scratch:
        config, _ = train_mix.prepare(args, Path(scratch))
        settings = configs.load(SftConfig, config)
        folder, _ = prepare_base(settings.base)
        every = load_data(settings, folder, settings.seed).rows
    filled = fill_rate(every, settings.row_tokens)
    print(f"fill of {len(every)} rows of {settings.row_tokens}: {filled:.4f} (at least {LEAST_FILL})")
    rows = [row for row in every if len(row.members) > 1][: args.rows]
    failed = filled < LEAST_FILL
    print(f"{'rows of':>8} {'precision':>9} {'Dialogues':>9} {'packed':>8} {'alone':>8} {'mean gap':>9} {'largest':>9}")
    precisions = [("float32", torch.float32), ("bfloat16", torch.bfloat16)][: 1 if processor.bfloat16_is_slow() else 2]
    for name, dtype in precisions:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
        for who in ("medctx", "trl") if find_spec("trl") else ("medctx",):
            laid = [by_medctx(row) if who == "medctx" else by_trl(row, settings.row_tokens) for row in rows]
            results = [pair for row in laid for pair in gaps(model, row)]
            apart = [abs(inside - alone) for inside, alone in results]
            inside, alone = (statistics.mean(side) for side in zip(*results, strict=True))
            print(
                f"{who:>8} {name:>9} {len(results):9} {inside:8.5f} {alone:8.5f} {statistics.mean(apart):9.6f} "
                f"{max(apart):9.6f}",
                flush=True,
            )
            failed |= who == "medctx" and name == "float32" and max(apart) >= MOST_NATS
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
