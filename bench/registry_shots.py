"""What a visitor of MLflow sees of a registered study: pictures of its pages, as docs/img/registry-*.png are.

``python bench/registry_shots.py STORE ARTIFACTS MODEL VERSION OTHER_VERSION FOLDER``, such as ``sqlite:///mlflow.db
mlruns medctx-quick 3 5 docs/img``; needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support import chromium, mlflow_pages

PICTURED = ("study", "report", "registered-model", "version", "comparison")
COLOURS = 64
"""Of a palette: a page of text is a third as large as with all its colours."""
PARENT_TAG = "mlflow.parentRunId"


def shoot(store: str, artifacts: Path, model: str, versions: list[str], out: Path) -> None:
    """Write a picture of each page; the first of ``versions`` is shown, both are compared."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(store)
    cell = client.get_run(client.get_model_version(model, versions[0]).run_id)
    study = client.get_run(cell.data.tags[PARENT_TAG])
    with mlflow_pages.server(store, artifacts, out / "server.log") as url, mlflow_pages.visitor(url) as tab:
        for visit in mlflow_pages.visits(client, study, model, versions):
            mlflow_pages.open_visit(tab, url, visit)
            if visit.name in PICTURED:
                file = out / f"registry-{visit.name}.png"
                tab.screenshot(path=file)
                with Image.open(file) as picture:
                    picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)
                print(f"{file}: {file.stat().st_size / 1000:.0f} kB")
    (out / "server.log").unlink()


def main() -> None:
    """Picture the pages of a registered model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", help="URI of the store")
    parser.add_argument("artifacts", type=Path, help="folder of its artifacts")
    parser.add_argument("model", help="name of the registered model")
    parser.add_argument("version", help="version whose card is pictured")
    parser.add_argument("other", help="version that it is compared with")
    parser.add_argument("out", type=Path, help="folder for the pictures")
    args = parser.parse_args()
    if chromium.find() is None:
        print("No Chromium here: nothing is shown. Install chromium, or set MEDCTX_CHROMIUM to a browser.")
        return
    shoot(args.store, args.artifacts, args.model, [args.version, args.other], args.out)


if __name__ == "__main__":
    main()
