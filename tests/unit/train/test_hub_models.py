"""Models and adapters of the hub whose weights are not in safetensors, by the hub library's own code."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.io.jsonl import write_text
from medctx.model.base import config_folder, prepare_base
from medctx_eval.artifacts.local_model import locate
from medctx_train.checkpoints.adapter import load_adapter
from tests.support import made_adapters, publisher
from tests.support.hub_stand_in import Hub

torch = pytest.importorskip("torch")
SMALL = 1_000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    with publisher.published(tmp_path, monkeypatch) as stand_in:
        yield stand_in


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "base.json"}


def pickled(folder: Path, name: str, out: str) -> dict[str, bytes]:
    """The files of a folder with its safetensors file as one that PyTorch pickled."""
    from safetensors.torch import load_file

    files = files_of(folder)
    tensors = load_file(folder / name)
    del files[name]
    torch.save(tensors, folder.parent / out)
    return {**files, out: (folder.parent / out).read_bytes()}


def fetched(server: Hub) -> set[str]:
    """Names of the large files that were downloaded."""
    paths = (line.split()[1] for line in server.request_lines if line.startswith("GET ") and "/resolve/" in line)
    return {Path(path).name for path in paths if not path.endswith((".json", ".jinja", ".txt"))}


def test_weights_that_torch_pickled_are_fetched_only_without_safetensors(server: Hub, tiny: Path) -> None:
    others = {"pytorch_model.bin": b"x" * SMALL, "consolidated.safetensors": b"x" * SMALL, "onnx/m.bin": b"x" * SMALL}
    server.commit("owner/both", {**files_of(tiny), **others})
    folder, card = prepare_base("owner/both")
    assert fetched(server) == {"model.safetensors"} and card.revision == folder.name
    server.request_lines.clear()
    server.commit("owner/old", pickled(tiny, "model.safetensors", "pytorch_model.bin"))
    converted, card = prepare_base("owner/old")
    assert fetched(server) == {"pytorch_model.bin"}
    assert card.weights_digest == prepare_base("owner/old")[1].weights_digest, "converted once"
    assert made_adapters.gap(*(made_adapters.logits(made_adapters.whole(place)) for place in (converted, tiny))) == 0


def test_code_in_weights_of_the_hub_is_not_run(server: Hub, tiny: Path, tmp_path: Path) -> None:
    import pickle

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    files = files_of(tiny)
    del files["model.safetensors"]
    server.commit("owner/hostile", {**files, "pytorch_model.bin": pickle.dumps(Hostile())})
    with pytest.raises(MedctxError, match="does not hold tensors alone"):
        prepare_base("owner/hostile")
    adapter = {"adapter_config.json": b"{}", "adapter_model.bin": pickle.dumps(Hostile())}
    server.commit("owner/hostile-adapter", adapter)
    with pytest.raises(MedctxError, match="does not hold tensors alone"):
        locate("owner/hostile-adapter")
    assert not (tmp_path / "ran").exists()


def test_of_several_gguf_files_the_user_chooses(server: Hub) -> None:
    server.commit("owner/many", {"a-Q4.gguf": b"x" * SMALL, "a-Q8.gguf": b"x" * SMALL})
    for call in (prepare_base, config_folder):
        with pytest.raises(MedctxError, match=r"has 2 GGUF files \(a-Q4.gguf, a-Q8.gguf\); download one \(hf download"):
            call("owner/many")
    assert not fetched(server)
    server.commit("owner/none", {"config.json": b"{}", "tokenizer.json": b"{}"})
    with pytest.raises(MedctxError, match="holds no weights; give one with safetensors"):
        prepare_base("owner/none")


@pytest.mark.parametrize("weights", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_of_the_hub_is_examined_and_trained_on_with_the_base_it_names(
    server: Hub, tiny: Path, tmp_path: Path, weights: str
) -> None:
    adapter = made_adapters.make(tiny, tmp_path / "run")
    config = (adapter / "adapter_config.json").read_text().replace(str(tiny), "owner/base")
    assert "owner/base" in config
    write_text(adapter / "adapter_config.json", config)
    server.commit("owner/base", files_of(tiny))
    files = pickled(adapter, "adapter_model.safetensors", weights) if weights.endswith(".bin") else files_of(adapter)
    server.commit("owner/adapter", files)
    located = locate("owner/adapter")
    assert (located.name, located.base) == ("adapter", "owner/base") and located.adapter is not None
    expected = made_adapters.logits(made_adapters.adapted(tiny, adapter))
    assert (
        made_adapters.gap(made_adapters.logits(made_adapters.adapted(located.folder, located.adapter)), expected) == 0
    )
    assert load_adapter(Path("owner/adapter")).digest == located.adapter_digest
    shutil.rmtree(adapter)
    assert locate("owner/adapter") == located, "of the cache, and converted once"
