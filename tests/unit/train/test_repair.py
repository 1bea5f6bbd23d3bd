"""Repair arms do to a model what they say, exactly, and leave a folder that a study can rely on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoConfig

from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.model.rope import FILE
from medctx.schemas.result import RESULT_FILE
from medctx.schemas.sft import REPAIR_FILE, RepairManifest
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.lora_math import low_rank_update
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.checkpoints.sharded import open_checkpoint, write_checkpoint
from medctx_train.cli import main
from medctx_train.model.config import RopeSettings
from medctx_train.model.rope import overrides
from medctx_train.repair.config import ARMS, CombineConfig, InterpolateConfig, RestoreQkConfig, ScaleConfig
from medctx_train.repair.run import repair
from tests.support.made_adapters import adapted, gap, logits, make, record, whole

KINDS: dict[str, dict[str, object]] = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "dora and rslora": {"use_dora": True, "use_rslora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 32}},
    "head": {"target_modules": ["lm_head", "v_proj"]},
}
ONCE = settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


@pytest.fixture(scope="module")
def runs(strong: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """An adapter of every kind, in run folders."""
    folder = tmp_path_factory.mktemp("runs")
    return {kind: make(strong, folder / kind, **values).parent for kind, values in KINDS.items()}


@pytest.fixture(scope="module")
def full(runs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Each of them merged."""
    folder = tmp_path_factory.mktemp("full")
    return {kind: merge(MergeConfig(adapter=run), folder / kind) for kind, run in runs.items()}


@pytest.fixture(scope="module")
def tuned(strong: Path, runs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fully tuned model: every weight of the base moved."""
    folder = tmp_path_factory.mktemp("tuned") / "model"
    shutil.copytree(strong, folder)
    model = whole(folder)
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    model.save_pretrained(folder)  # type: ignore[operator]
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    results: dict[str, torch.Tensor] = {}
    for file in folder.glob("*.safetensors"):
        results |= load_file(file)
    return results


def between(base: Path, other: torch.nn.Module, t: float) -> torch.Tensor:
    """What the model says whose weights lie a share ``t`` of the way from the base's to the other's."""
    model = whole(base)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())  # type: ignore[union-attr,operator]
    theirs = dict(other.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name, weight in model.named_parameters(remove_duplicate=False):
            weight.lerp_(theirs[name], t)
    return logits(model)


@ONCE
@given(alpha=st.floats(0, 1))
@pytest.mark.parametrize("kind", KINDS)
def test_a_scaled_adapter_is_the_base_and_alpha_times_the_difference(
    kind: str,
    alpha: float,
    strong: Path,
    runs: Mapping[str, Path],
    full: Mapping[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    out = tmp_path_factory.mktemp("scaled")
    repair(ScaleConfig(adapter=runs[kind], alpha=alpha, write="adapter"), out)
    assert gap(logits(adapted(strong, out / "adapter")), between(strong, whole(full[kind]), alpha)) < 2e-3


@pytest.mark.parametrize("kind", KINDS)
def test_scaled_by_one_it_is_itself_and_by_nothing_the_base(
    kind: str, strong: Path, runs: Mapping[str, Path], tmp_path: Path
) -> None:
    repair(ScaleConfig(adapter=runs[kind], alpha=1, write="adapter"), tmp_path / "one")
    before, after = weights(runs[kind] / "adapter"), weights(tmp_path / "one" / "adapter")
    # PEFT saves the base's own embedding beside an adapter of the head; it is left out.
    assert after.keys() == {name for name in before if ".base_layer." not in name}
    assert all(after[name].equal(before[name]) for name in after)
    repair(ScaleConfig(adapter=runs[kind], alpha=0, write="adapter"), tmp_path / "nothing")
    assert gap(logits(adapted(strong, tmp_path / "nothing" / "adapter")), logits(whole(strong))) < 1e-4


def test_what_vllm_cannot_hot_load_becomes_a_model(strong: Path, runs: Mapping[str, Path], tmp_path: Path) -> None:
    plain = repair(ScaleConfig(adapter=runs["lora"], alpha=0.5), tmp_path / "plain")
    dora = repair(ScaleConfig(adapter=runs["dora"], alpha=0.5), tmp_path / "dora")
    assert (plain.weights, dora.weights) == ("adapter", "model")
    repair(ScaleConfig(adapter=runs["dora"], alpha=0.5, write="adapter"), tmp_path / "kept")
    said = logits(adapted(strong, tmp_path / "kept" / "adapter"))
    assert gap(logits(whole(tmp_path / "dora" / "model")), said) < 2e-3


def test_every_alpha_has_weights_of_its_own_digest(runs: Mapping[str, Path], tmp_path: Path) -> None:
    """Answers are kept by the digest of the weights: a scaled adapter must never be taken for the whole one."""
    digests = {
        repair(ScaleConfig(adapter=runs["rslora"], alpha=alpha), tmp_path / str(alpha)).weights_digest
        for alpha in (0.25, 0.5, 0.75, 1)
    }
    assert len(digests) == 4


@pytest.mark.parametrize("shard_bytes", [2**30, 60_000])
def test_the_ends_of_an_interpolation_are_the_models_bit_by_bit(
    shard_bytes: int, strong: Path, tuned: Path, tmp_path: Path
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    with open_checkpoint(tuned) as source:
        write_checkpoint(source, tuned, parts, shard_bytes)
    for t, end in ((0, strong), (1, tuned)):
        repair(InterpolateConfig(base=str(strong), tuned=str(parts), t=t), tmp_path / str(t))
        result, expected = weights(tmp_path / str(t) / "model"), weights(end)
        assert result.keys() == expected.keys()
        assert all(result[name].equal(expected[name]) for name in expected)


@ONCE
@given(t=st.floats(0, 1))
def test_between_the_ends_every_weight_is_the_weighted_mean(
    t: float, strong: Path, tuned: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("between")
    repair(InterpolateConfig(base=str(strong), tuned=str(tuned), t=t), out)
    first, second = weights(strong), weights(tuned)
    for name, weight in weights(out / "model").items():
        expected = (1 - t) * first[name].double() + t * second[name].double()
        torch.testing.assert_close(weight.double(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_interpolating_towards_an_adapter_is_scaling_it(
    kind: str, strong: Path, runs: Mapping[str, Path], tmp_path: Path
) -> None:
    repair(InterpolateConfig(adapter=runs[kind], t=0.3), tmp_path / "blend")
    repair(ScaleConfig(adapter=runs[kind], alpha=0.3, write="adapter"), tmp_path / "scaled")
    said = logits(adapted(strong, tmp_path / "scaled" / "adapter"))
    assert gap(logits(whole(tmp_path / "blend" / "model")), said) < 2e-3


def deltas(adapter: Path) -> dict[str, torch.Tensor]:
    return {module: low_rank_update(pair) for module, pair in adapters.load_adapter(adapter).pairs.items()}


@pytest.mark.parametrize("method", ["linear", "cat", "svd"])
@pytest.mark.parametrize("kind", ["lora", "rslora", "patterns"])
def test_one_adapter_of_share_one_is_itself(
    kind: str, method: str, strong: Path, runs: Mapping[str, Path], tmp_path: Path
) -> None:
    """PEFT leaves rsLoRA switched on in what it combines, and so scales it by the root of its rank."""
    repair(CombineConfig.model_validate({"adapters": [runs[kind]], "shares": [1], "method": method}), tmp_path)
    before = logits(adapted(strong, runs[kind] / "adapter"))
    assert gap(logits(adapted(strong, tmp_path / "adapter")), before) < 2e-3


@pytest.fixture(scope="module")
def two(strong: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    first = make(strong, folder / "first", seed=1, use_rslora=True)
    return first, make(strong, folder / "second", seed=2, target_modules=["q_proj", "down_proj"])


def test_cat_is_the_weighted_sum_of_the_updates(two: tuple[Path, Path], tmp_path: Path) -> None:
    repair(CombineConfig(adapters=two, shares=(0.7, -0.4), method="cat"), tmp_path)
    first, second = deltas(two[0]), deltas(two[1])
    for module, delta in deltas(tmp_path / "adapter").items():
        expected = 0.7 * first[module] - (0.4 * second[module] if module in second else 0)
        torch.testing.assert_close(delta, expected, rtol=1e-4, atol=1e-5)


def reference(base: Path, two: tuple[Path, Path], **options: object) -> dict[str, torch.Tensor]:
    """PEFT's own combination on the real base, as changes of its weights."""
    from peft import PeftModel

    model = PeftModel.from_pretrained(whole(base), str(two[0]), adapter_name="a")
    model.load_adapter(str(two[1]), adapter_name="b")
    torch.manual_seed(3)
    model.base_model.add_weighted_adapter(["a", "b"], [0.7, 0.3], "c", **options)
    layers = {name: module for name, module in model.base_model.model.named_modules() if hasattr(module, "lora_A")}
    return {name: layer.lora_B["c"].weight @ layer.lora_A["c"].weight for name, layer in layers.items()}


@pytest.mark.parametrize(
    ("method", "density"),
    [("svd", None), ("linear", None), ("ties", 0.5), ("dare_linear", 0.5), ("dare_ties_svd", 0.4)],
)
def test_every_method_gives_what_peft_gives_on_the_whole_model(
    method: str, density: float | None, strong: Path, two: tuple[Path, Path], tmp_path: Path
) -> None:
    requests = {"adapters": two, "shares": (0.7, 0.3), "method": method, "density": density, "seed": 3}
    repair(CombineConfig.model_validate(requests), tmp_path)
    expected = reference(strong, two, combination_type=method, density=density)
    result = deltas(tmp_path / "adapter")
    assert result.keys() == expected.keys()
    for module, product in expected.items():
        torch.testing.assert_close(result[module], product, rtol=1e-3, atol=1e-4)


def test_what_dare_drops_is_drawn_from_the_seed(two: tuple[Path, Path], tmp_path: Path) -> None:
    digests = [
        repair(
            CombineConfig(adapters=two, method="dare_linear", density=0.5, seed=seed), tmp_path / str(number)
        ).weights_digest
        for number, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1] != digests[2]


def is_query_or_key(name: str) -> bool:
    return ".q_proj." in name or ".k_proj." in name


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora"])
def test_restoring_queries_and_keys_of_an_adapter_touches_nothing_else(
    kind: str, strong: Path, runs: Mapping[str, Path], full: Mapping[str, Path], tmp_path: Path
) -> None:
    manifest = repair(RestoreQkConfig(adapter=runs[kind], write="adapter"), tmp_path)
    before, after = weights(runs[kind] / "adapter"), weights(tmp_path / "adapter")
    assert after.keys() == {name for name in before if not is_query_or_key(name)}
    assert all(after[name].equal(before[name]) for name in after)
    assert manifest.changed == 4
    merged = weights(merge(MergeConfig(adapter=tmp_path), tmp_path / "merged"))
    base, moved = weights(strong), weights(full[kind])
    assert all(weight.equal((base if is_query_or_key(name) else moved)[name]) for name, weight in merged.items())
    assert gap(logits(whole(tmp_path / "merged")), logits(adapted(strong, tmp_path / "adapter"))) < 1e-3


def test_restoring_queries_and_keys_of_a_model_touches_nothing_else(strong: Path, tuned: Path, tmp_path: Path) -> None:
    manifest = repair(RestoreQkConfig(base=str(strong), tuned=str(tuned)), tmp_path)
    base, before = weights(strong), weights(tuned)
    for name, weight in weights(tmp_path / "model").items():
        assert weight.equal((base if is_query_or_key(name) else before)[name])
    assert manifest.changed == 8, "weights and biases of two projections in two layers"
    with pytest.raises(MedctxError, match="nothing to restore"):
        repair(RestoreQkConfig(base=str(strong), tuned=str(tmp_path / "model")), tmp_path / "again")


def test_the_command_says_what_it_would_do_does_it_once_and_records_it(
    strong: Path, runs: Mapping[str, Path], tmp_path: Path
) -> None:
    command = ["repair", "--set", f"arm=scale adapter={runs['lora']} alpha=0.5"]
    dry = CliRunner().invoke(main, [*command, "--dry-run"])
    assert json.loads(dry.stdout)["weights"] == "adapter"
    out = tmp_path / "out"
    result = CliRunner().invoke(main, [*command, "--out", str(out)])
    record = RepairManifest.model_validate_json((out / REPAIR_FILE).read_text())
    assert RepairManifest.model_validate_json(result.stdout) == record
    assert ScaleConfig.model_validate(record.parameters) == ScaleConfig(adapter=runs["lora"], alpha=0.5)
    assert record.inputs == {"base": record.base.weights_digest, "adapter": adapters.load_adapter(runs["lora"]).digest}
    assert record.base_recorded
    assert {path.name for path in out.iterdir()} == {"adapter", "config.yaml", REPAIR_FILE, RESULT_FILE}
    again = CliRunner().invoke(main, [*command, "--out", str(out)])
    assert again.stdout == result.stdout
    other = CliRunner().invoke(main, [*command, "--set", "alpha=0.25", "--out", str(out)])
    assert other.exit_code == 2 and "holds another repair" in other.output


def test_what_a_killed_repair_left_is_replaced(runs: Mapping[str, Path], tmp_path: Path) -> None:
    whole_one = repair(ScaleConfig(adapter=runs["lora"], alpha=0.5), tmp_path / "whole")
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "whole" / "adapter", killed / "adapter")
    (killed / "adapter" / "adapter_model.safetensors").write_bytes(b"half")
    (killed / ".building-x").mkdir()
    assert repair(ScaleConfig(adapter=runs["lora"], alpha=0.5), killed).weights_digest == whole_one.weights_digest
    assert {path.name for path in killed.iterdir()} == {"adapter", "config.yaml", REPAIR_FILE}


def test_a_repaired_adapter_is_repaired_and_merged_like_a_trained_one(
    strong: Path, runs: Mapping[str, Path], tmp_path: Path
) -> None:
    repair(RestoreQkConfig(adapter=runs["lora"]), tmp_path / "restored")
    manifest = repair(ScaleConfig(adapter=tmp_path / "restored", alpha=0.5), tmp_path / "scaled")
    assert manifest.base_recorded
    out = merge(MergeConfig(adapter=tmp_path / "scaled"), tmp_path / "merged")
    assert gap(logits(whole(out)), logits(adapted(strong, tmp_path / "scaled" / "adapter"))) < 1e-3


def positions(folder: Path) -> None:
    """Say beside an adapter that it was trained with other rotary positions."""
    rope_settings = RopeSettings(scaling="linear", factor=2)
    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    changed = overrides(rope_settings, AutoConfig.from_pretrained(base))
    assert changed is not None
    write_record(folder / FILE, changed)
    record(folder.parent, Path(base))


def test_positions_an_adapter_was_trained_with_stay_with_it(strong: Path, tmp_path: Path) -> None:
    """vLLM serves a base with one set of positions, so that such an adapter is no adapter to it but a model."""
    adapter = make(strong, tmp_path / "run")
    positions(adapter)
    assert repair(ScaleConfig(adapter=adapter, alpha=0.5), tmp_path / "model").weights == "model"
    repair(ScaleConfig(adapter=adapter, alpha=0.5, write="adapter"), tmp_path / "kept")
    assert (tmp_path / "kept" / "adapter" / FILE).read_bytes() == (adapter / FILE).read_bytes()
    for folder in (tmp_path / "model" / "model", merge(MergeConfig(adapter=adapter), tmp_path / "merged")):
        settled = AutoConfig.from_pretrained(folder)
        assert settled.rope_parameters["factor"] == 2
        assert settled.max_position_embeddings == 2 * AutoConfig.from_pretrained(strong).max_position_embeddings
    plain = make(strong, tmp_path / "plain")
    with pytest.raises(MedctxError, match="with different rotary positions"):
        repair(CombineConfig(adapters=(plain, adapter)), tmp_path / "out")


def test_every_arm_is_known_by_the_name_its_config_has() -> None:
    assert {name: kind.model_fields["arm"].default for name, kind in ARMS.items()} == {name: name for name in ARMS}
