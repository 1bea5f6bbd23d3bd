"""A training run leaves its adapter in MLflow as a model that says what it was made of, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from medctx.tracking.logged_adapter import QUESTION, find_logged_adapter
from medctx_train.repair.config import ScaleConfig
from medctx_train.repair.run import repair
from medctx_train.sft.run import train
from tests.support.made_training import settings

mlflow = pytest.importorskip("mlflow")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MEDCTX_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    before, uri = mlflow.get_tracking_uri(), f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield tmp_path
    mlflow.set_tracking_uri(before)


def models() -> list[mlflow.entities.LoggedModel]:
    result: list[mlflow.entities.LoggedModel] = mlflow.search_logged_models(output_format="list")
    return result


def test_a_run_ends_with_its_adapter_as_a_model(
    store: Path, tiny: Path, mix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = train(settings(tiny, mix, rows_per_step=4), store / "run")
    run_id = (store / "run" / "mlflow-run").read_text().strip()
    (model,) = models()
    assert model.source_run_id == run_id
    assert model.status.name == "READY"
    assert {key: value for key, value in model.tags.items() if key.startswith("medctx.")} == {
        "medctx.base": tiny.name,
        "medctx.base_revision": "",
        "medctx.base_digest": manifest.base.weights_digest,
        "medctx.adapter_digest": manifest.weights_digest,
        "medctx.mix_digest": manifest.mix_digest,
    }
    last = {metric.key: metric.value for metric in model.metrics}
    assert last["train.last_loss"] == pytest.approx(manifest.last_loss)
    assert manifest.last_loss != manifest.first_loss and last["train.loss"] == pytest.approx(manifest.last_loss)
    curve = mlflow.MlflowClient().get_metric_history(run_id, "train.loss")
    assert [point.step for point in curve] == list(range(manifest.steps)), "the model's metrics add no point to a curve"
    info = mlflow.models.get_model_info(model.model_uri)
    assert info.signature is not None
    assert info.signature.outputs is not None
    stored = Path(mlflow.artifacts.download_artifacts(model.model_uri, dst_path=str(store / "fetched")))
    card = ModelCard.load(stored / "artifacts" / "adapter" / "README.md")
    assert card.data.library_name == "peft" and "Not a medical device" in card.content
    assert "[More Information Needed]" not in card.content and str(tiny.parent) not in card.content
    weights = {path.name for path in stored.rglob("*.safetensors")}
    assert weights == {"adapter_model.safetensors"}, "an adapter goes without its base's weights"
    assert find_logged_adapter(mlflow, run_id, manifest.weights_digest) == model.model_id
    monkeypatch.setenv("MEDCTX_BASE", str(tiny))
    messages = {"messages": [{"role": "user", "content": QUESTION}]}
    (answer,) = mlflow.pyfunc.load_model(model.model_uri).predict(messages, params={"max_new_tokens": 8})
    assert isinstance(answer, str)


def test_an_adapter_is_logged_once_however_often_it_is_told(store: Path, tiny: Path, mix: Path) -> None:
    config = settings(tiny, mix, rows_per_step=4)
    train(config, store / "run")
    (store / "run" / "sft.json").unlink()  # as a kill between the weights and the manifest leaves it
    train(config, store / "run")
    assert len(models()) == 1


def test_full_fine_tuning_logs_no_copy_of_a_model(store: Path, tiny: Path, mix: Path) -> None:
    train(settings(tiny, mix, rows_per_step=4, method="full"), store / "run")
    assert not models()


def test_a_repaired_adapter_is_a_model_too(store: Path, tiny: Path, mix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as silent:
        silent.setenv("MEDCTX_TRACKING", "off")
        train(settings(tiny, mix, rows_per_step=4), store / "run")
    manifest = repair(ScaleConfig(arm="scale", adapter=store / "run", alpha=0.5), store / "half")
    (model,) = models()
    assert model.tags["medctx.adapter_digest"] == manifest.weights_digest
