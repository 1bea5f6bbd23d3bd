"""A logged adapter loads where nothing of the training machine is left, through MLflow and through PEFT."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from medctx_train.sft.run import train
from tests.support import forked
from tests.support.made_training import settings

mlflow = pytest.importorskip("mlflow")

TINY = "tiny-random-llama"
QUESTION = [{"role": "user", "content": "What is a finding in disease 3-0?"}]
PREDICT = """
import json, sys, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
asked, many, few = {"messages": json.loads(sys.argv[2])}, {"max_new_tokens": 24}, {"max_new_tokens": 2}
long, short = model.predict(asked, params=many), model.predict(asked, params=few)
book = model.predict({**asked, "book": "Disease 3-0: finding 5."}, params=many)
print(json.dumps([*long, *short, *book]))
"""


def trained(base: str, mix: Path, folder: Path, *, epochs: int = 1, register_as: str = "") -> Path:
    """The folder of the logged model of a short training on ``base``, copied out of its store."""
    folder.mkdir()
    store = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MEDCTX_TRACKING"):
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        (folder / "uv.lock").write_text("version = 1\n")
        (folder / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "0"\n')
        patch.setenv("MLFLOW_TRACKING_URI", store)
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(store)
        train(settings(Path("unused"), mix, base=base, rows_per_step=1, epochs=epochs, name="short"), folder / "run")
        (model,) = mlflow.search_logged_models(output_format="list")
        if register_as:
            version = mlflow.register_model(model.model_uri, register_as)
            mlflow.MlflowClient().set_registered_model_alias(register_as, "champion", version.version)
        copy = Path(mlflow.artifacts.download_artifacts(model.model_uri, dst_path=str(folder / "fetched")))
        mlflow.set_tracking_uri(before)
    return copy


@pytest.fixture(scope="module")
def moved(mix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model logged from the embedded tiny base, moved away from all that made it."""
    folder = tmp_path_factory.mktemp("training") / "machine"
    target = tmp_path_factory.mktemp("elsewhere") / "model"
    shutil.move(trained(TINY, mix, folder, epochs=4), target)
    shutil.rmtree(folder)
    return target


def another_machine(tmp_path: Path) -> dict[str, str]:
    """The environment of another machine: another home, an empty cache, no installed medctx on the path."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MEDCTX", "MLFLOW", "PYTHONPATH"))
    }
    return {
        **kept,
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/other.db",
        "HF_HUB_OFFLINE": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one other machine, whose cache holds the base once a model was loaded there."""
    return tmp_path_factory.mktemp("other")


@pytest.fixture(scope="module")
def elsewhere(machine: Path) -> dict[str, str]:
    return another_machine(machine)


@pytest.fixture(scope="module")
def served(moved: Path, elsewhere: dict[str, str]) -> list[str]:
    """What a process on the other machine, the first one there, answers."""
    return answers(moved, elsewhere)


def answers(moved: Path, environment: dict[str, str]) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", PREDICT, str(moved), json.dumps(QUESTION)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    loaded: list[str] = json.loads(run.stdout.splitlines()[-1])
    return loaded


def test_nothing_in_it_names_the_training_machine(moved: Path) -> None:
    config = json.loads((moved / "artifacts" / "adapter" / "adapter_config.json").read_bytes())
    assert config["base_model_name_or_path"] == TINY
    # MLflow notes in MLmodel where an artifact came from; it is loaded from the folder of the model.
    files = [path for path in moved.rglob("*") if path.is_file() and path.name != "MLmodel"]
    assert not [path for path in files if b"/machine/" in path.read_bytes()]


def test_requirements_are_pinned(moved: Path) -> None:
    lines = (moved / "requirements.txt").read_text().split()
    assert not (moved / "uv.lock").exists(), "the lock file is that of another project"
    assert {line.partition("==")[0] for line in lines if "==" in line} >= {"mlflow", "torch", "transformers", "peft"}


def test_it_loads_on_another_machine_and_takes_params_and_a_book(served: list[str]) -> None:
    long, short, _ = served
    assert long.startswith(short)
    assert len(short) < len(long)


def test_peft_loads_the_same_adapter(moved: Path, served: list[str], machine: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = machine / "cache" / "medctx" / TINY
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), moved / "artifacts" / "adapter")
    tokenizer = AutoTokenizer.from_pretrained(base)
    inputs = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        output = model.eval().generate(**inputs, max_new_tokens=24, do_sample=False)
    assert tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True) == served[0]


@pytest.mark.slow
def test_mlflow_predicts_from_a_file(moved: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    request, out = tmp_path / "request.json", tmp_path / "answers.json"
    request.write_text(json.dumps({"messages": QUESTION, "max_new_tokens": 4}))
    command = [
        "mlflow",
        "models",
        "predict",
        "-m",
        str(moved),
        "-i",
        str(request),
        "-o",
        str(out),
        "--env-manager",
        "local",
    ]
    run = subprocess.run(command, env=elsewhere, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    (answer,) = json.loads(out.read_text())
    assert isinstance(answer, str)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_server(model: Path, environment: dict[str, str], log: Path) -> Iterator[str]:
    port = free_port()
    command = ["mlflow", "models", "serve", "-m", str(model), "-p", str(port), "--env-manager", "local"]
    with log.open("wb") as stream:
        server = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)


def ready(url: str, log: Path) -> None:
    ends = time.monotonic() + 240
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.3)
    pytest.fail(log.read_text(errors="replace")[-2000:])


def ask(url: str) -> str:
    body = json.dumps({"messages": QUESTION, "max_new_tokens": 8}).encode()
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        (text,) = json.loads(answer.read())
    return str(text)


def test_twenty_first_requests_at_once_are_all_answered(moved: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with mlflow_server(moved, elsewhere, log) as url:
        ready(url, log)
        with ThreadPoolExecutor(20) as pool:
            texts = list(pool.map(ask, [url] * 20))
    assert len(set(texts)) == 1


def load(model: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and last line of a process that loads the model."""
    code = "import sys, mlflow; mlflow.pyfunc.load_model(sys.argv[1])"
    run = forked.called(["python", "-c", code, str(model)], environment=environment)
    return run.returncode, (run.stderr.splitlines() or [""])[-1]


def test_a_missing_or_changed_base_is_said_when_the_model_is_loaded(
    tiny: Path, mix: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "own-model"
    shutil.copytree(tiny, folder)
    model = trained(str(folder), mix, tmp_path / "machine")
    away = folder.rename(tmp_path / "away")
    code, sentence = load(model, elsewhere)
    assert code != 0
    assert "own-model" in sentence
    assert "MEDCTX_BASE" in sentence
    environment = {**elsewhere, "MEDCTX_BASE": str(away)}
    assert load(model, environment)[0] == 0
    config = json.loads((away / "config.json").read_bytes()) | {"rms_norm_eps": 0.5}
    (away / "config.json").write_text(json.dumps(config))
    code, sentence = load(model, environment)
    assert code != 0
    assert "digest" in sentence


@pytest.fixture(scope="module")
def registered(mix: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a store with the version ``models:/tiny-study@champion``."""
    folder = tmp_path_factory.mktemp("registry") / "machine"
    trained(TINY, mix, folder, register_as="tiny-study")
    return f"sqlite:///{folder}/mlflow.db"


def test_a_registered_adapter_is_examined_by_its_name(
    registered: str, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    exam = ["--exam", "phenotypes-knowledge", "--condition", "closed", "--limit", "2"]
    settings = ["--set", "engine=transformers", "--set", "proof=false", "--out", str(tmp_path / "runs")]
    command = ["medctx-eval", "run", "--model", "models:/tiny-study@champion", *exam, *settings, "--json"]
    run = forked.called(command, environment={**elsewhere, "MLFLOW_TRACKING_URI": registered})
    assert run.returncode == 0, run.stderr[-2000:]
    assert json.loads(run.stdout)["numbers"]["verdicts"] == 2
    (manifest,) = (tmp_path / "runs").glob("*/exam.json")
    assert json.loads(manifest.read_bytes())["model"] == "tiny-study@champion"


@pytest.mark.slow
def test_vllm_serves_a_registered_adapter_by_its_name(
    registered: str, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("vllm")
    port = free_port()
    name, log = "models:/tiny-study@champion", tmp_path / "vllm.log"
    command = ["medctx-eval", "serve", name, "--port", str(port), "--log", str(log), "--set", "max_model_len=512"]
    with subprocess.Popen(
        command, env={**elsewhere, "MLFLOW_TRACKING_URI": registered}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line == f"http://127.0.0.1:{port}/v1 serves {name} and base; stop it with Ctrl-C.\n"
        body = json.dumps({"model": name, "messages": QUESTION, "max_tokens": 4}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.loads(answer.read())["model"] == name
        server.send_signal(signal.SIGINT)
        server.wait(40)
