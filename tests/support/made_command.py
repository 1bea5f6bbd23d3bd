"""A small console command for tests of the study's machinery: it logs, may fail, may kill itself, and counts in steps
it can continue from, as training does.
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from study.workflow.steps import Step

NAME = "medctx-made"
_COMMAND = """#!{python}
import json, os, pathlib, signal, sys, time
import yaml
def end(status, message=""):
    text = json.dumps({{"status": status, "message": message}})
    if status == "finished":
        (out / "result.json").write_text(text)
    print(text)
settings = yaml.safe_load(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
with open(settings["log"], "a") as log:
    log.write(settings["name"] + "\\n")
tries = len(list(out.glob("try-*")))
(out / f"try-{{tries}}").touch()
if tries < settings.get("dies", 0):
    os.kill(os.getpid(), signal.SIGKILL)
(out / "threads").write_text(os.environ.get("OMP_NUM_THREADS", ""))
print(settings["name"] + ": 1/2 steps, 0.5 steps/s, ETA 0:02", file=sys.stderr, flush=True)
time.sleep(settings.get("seconds", 0))
if settings.get("fails"):
    end("error", "The step was told to fail.")
    sys.exit(2)
counted = out / "counted"
for number in range(int(counted.read_text()) if counted.exists() else 0, settings.get("counts", 0)):
    with open(out / "steps", "a") as steps:
        steps.write(f"{{number}} {{os.getpid()}}\\n")
    counted.write_text(str(number + 1))
    time.sleep(0.1)
end("finished")
"""


def install(folder: Path) -> None:
    """Put the command into a folder, which is to be on the PATH."""
    path = folder / NAME
    path.write_text(_COMMAND.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def step(log: Path, name: str, **options: object) -> Step:
    """A step that calls it."""
    return Step(
        kind="made",
        label=name,
        command=(NAME,),
        config={"name": name, "log": str(log), **options},  # type: ignore[arg-type]
        inputs=(),
        ignored=("log",),
    )
