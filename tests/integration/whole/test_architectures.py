"""The table of architectures (tests/support/decoders.py) through training, merging, repairs and an exam."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("medctx_train")
pytest.importorskip("medctx_eval")

import torch

from medctx.errors import MedctxError
from medctx.io.jsonl import read_records, write_records
from medctx.schemas.records import Reply
from medctx_eval.artifacts.run_folder import REPLIES, read_run
from medctx_eval.run.config import RunConfig
from medctx_eval.run.examine import examine
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.config import SftConfig
from medctx_train.data.packing import PackedRow, row_tensors
from medctx_train.data.tokenize import EncodedSample
from medctx_train.distributed import launch
from medctx_train.model.loss import row_losses
from medctx_train.repair.config import InterpolateConfig, ScaleConfig
from medctx_train.repair.run import repair
from medctx_train.sft import setup
from medctx_train.sft.run import train
from medctx_train.sft.setup import set_up_model, trainable_parameters
from tests.support.decoders import ARCHITECTURES, DIVERSE, save_decoder
from tests.support.exam_files import write_exam
from tests.support.made_adapters import adapted, gap, whole
from tests.support.made_training import dialogue, settings

IDS = torch.arange(40)[None] * 7 % 250
NAMES = [name if name in DIVERSE else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]


@pytest.fixture(autouse=True)
def _no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mix of four Dialogues."""
    folder = tmp_path_factory.mktemp("few")
    write_records(folder / "dialogues.jsonl", [dialogue(number) for number in range(4)])
    return folder


@pytest.fixture(scope="module")
def exam_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exam(tmp_path_factory.mktemp("exam") / "items.jsonl")


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = model(input_ids=IDS).logits[0].float()
    return result


def scores_of(run: Path) -> dict[tuple[str, ...], float]:
    """Log-likelihoods of all options; fails where one has none."""
    replies = list(read_records(run / REPLIES, Reply))
    assert not any(reply.problem for reply in replies)
    return {
        (reply.item, reply.condition, reply.form, "".join(score.letters)): score.logprob
        for reply in replies
        for score in reply.scores
    }


def first_gradient(config: SftConfig, base: Path) -> tuple[float, torch.Tensor]:
    """The loss of one row of four samples, and its gradient by all adapters, after B was made unlike zero."""
    accelerator = launch.join_launch(bf16=True, max_grad_norm=1.0)
    ids = IDS[0].tolist()
    members = [EncodedSample(str(n), "made", tuple(ids[n:]), (False,) * 20 + (True,) * (20 - n)) for n in range(4)]
    row = PackedRow(tuple(members))
    model, _, _ = set_up_model(config, base, [row], accelerator, seed=0)
    generator = torch.Generator().manual_seed(0)
    weights = trainable_parameters(model)
    for name, weight in weights.items():
        if "lora_B" in name:
            weight.data = 0.05 * torch.randn(weight.shape, generator=generator)
    with accelerator.autocast():
        loss = row_losses(model, row_tensors(row)).mean()
    gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    return loss.item(), torch.cat([gradient.flatten() for gradient in gradients if gradient is not None])


@pytest.mark.parametrize("name", NAMES)
def test_fused_layers_and_short_attention_give_the_same_gradients(
    name: str, alphabet: Path, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_decoder(name, alphabet, tmp_path / "base", torch.bfloat16)
    config = settings(base, few, autocast="bf16", lora={"rank": 4, "alpha": 8})
    loss, gradient = first_gradient(config, base)
    monkeypatch.setattr(setup, "_bf16_lora_on_cpu", lambda *_: False)
    plain_loss, plain = first_gradient(config, base)
    assert loss == pytest.approx(plain_loss, abs=0.02)
    assert float((gradient - plain).norm()) < 0.15 * float(plain.norm())


@pytest.mark.parametrize("name", NAMES)
def test_an_architecture_is_trained_merged_repaired_and_examined(
    name: str, alphabet: Path, few: Path, exam_file: Path, tmp_path: Path
) -> None:
    base = save_decoder(name, alphabet, tmp_path / "base")
    before = logits(whole(base))

    run = tmp_path / "lora"
    manifest = train(settings(base, few, learning_rate=0.05, lora={"rank": 4, "alpha": 8}), run)
    assert manifest.weights == "adapter"
    tuned = logits(adapted(base, run / "adapter"))
    assert gap(tuned, before) > 0.01, "the adapter must change something"

    merged = merge(MergeConfig(adapter=run), tmp_path / "merged")
    assert gap(logits(whole(merged)), tuned) < 2e-3

    scaling = ScaleConfig(adapter=run, alpha=0, write="model")
    if ARCHITECTURES[name].scales:
        repair(scaling, tmp_path / "scaled")
        assert gap(logits(whole(tmp_path / "scaled" / "model")), before) < 1e-4
    else:
        with pytest.raises(
            MedctxError, match=r"(cannot be scaled: it has|stores no tensor) .*interpolate between the checkpoints"
        ):
            repair(scaling, tmp_path / "scaled")

    full = tmp_path / "full"
    assert train(settings(base, few, method="full"), full).weights == "model"
    changed = logits(whole(full / "model"))
    assert gap(changed, before) > 0.01

    repair(InterpolateConfig(base=str(base), tuned=str(full / "model"), t=1), tmp_path / "blended")
    assert gap(logits(whole(tmp_path / "blended" / "model")), changed) < 1e-4

    models = [
        {"name": "base", "folder": str(base)},
        {"name": "adapter", "folder": str(base), "adapter": str(run / "adapter")},
        {"name": "merged", "folder": str(merged)},
        {"name": "full", "folder": str(full / "model")},
    ]
    exam = {"exam": "file", "items": str(exam_file), "conditions": ["closed", "gold"]}
    config = RunConfig.model_validate(
        {"engine": "transformers", "precision": "float32", "models": models, "exams": [exam]}
    )
    scores = {read_run(folder).manifest.model: scores_of(folder) for folder in examine(config, tmp_path / "exam")}
    assert scores["adapter"] == pytest.approx(scores["merged"], abs=2e-3)
    for cell in ("adapter", "full"):
        assert max(abs(scores[cell][key] - value) for key, value in scores["base"].items()) > 1e-3
