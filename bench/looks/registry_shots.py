"""What a visitor of MLflow sees of a registered study: pictures of its pages, as docs/img/registry-*.png are.

``python -m bench.looks.registry_shots`` in the folder of mlflow.db writes those of ``medctx-quick`` into docs/img. The
card is that of the champion, else of the version that knows most; it is compared with the version of another cell.
Needs Chromium.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import chromium, mlflow_pages

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PICTURED = ("study", "report", "registered-model", "version", "comparison")
COLOURS = 64
"""Of a palette: a page of text is a third as large as with all its colours."""
PARENT_TAG = "mlflow.parentRunId"
ALIASES = ("champion", "best-knowledge", "best-reading")


def chosen_versions(client: MlflowClient, model: str) -> list[str]:
    """The version whose card is shown, and the newest of another cell.

    Raises:
        SystemExit: The store has no such model with versions of two cells.
    """
    found = client.search_model_versions(f"name='{model}'")
    versions = {str(version.version): version.tags["cell"] for version in found}
    if len(set(versions.values())) < 2:
        raise SystemExit(f"The store has no versions of two cells of {model}; run the study first, or give --model.")
    aliases = client.get_registered_model(model).aliases

    def knowledge(version: ModelVersion) -> float:
        return client.get_run(version.run_id).data.metrics.get("pooled_knowledge", 0.0)

    most = max(found, key=knowledge)
    first = next((aliases[alias] for alias in ALIASES if alias in aliases), str(most.version))
    others = [version for version, cell in versions.items() if cell != versions[first]]
    return [first, max(others, key=int)]


def shoot(store: str, artifacts: Path, model: str, out: Path) -> None:
    """Write a picture of each page."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(store)
    versions = chosen_versions(client, model)
    cell = client.get_run(client.get_model_version(model, versions[0]).run_id)
    study = client.get_run(cell.data.tags[PARENT_TAG])
    log = Path(tempfile.mkdtemp(prefix="medctx-")) / "server.log"
    with mlflow_pages.server(store, artifacts, log) as url, mlflow_pages.visitor(url) as tab:
        for visit in mlflow_pages.visits(client, study, model, versions):
            mlflow_pages.open_visit(tab, url, visit)
            if visit.name in PICTURED:
                file = out / f"registry-{visit.name}.png"
                tab.screenshot(path=file)
                with Image.open(file) as picture:
                    picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)
                print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Picture the pages of a registered model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="medctx-quick", help="name of the registered model (%(default)s)")
    parser.add_argument("--store", default="sqlite:///mlflow.db", help="URI of the store (%(default)s)")
    parser.add_argument("--artifacts", type=Path, default=Path("mlruns"), help="folder of its artifacts (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs", "img"), help="folder for the pictures (%(default)s)")
    args = parser.parse_args()
    if chromium.find() is None:
        print("No Chromium here: nothing is shown. Install chromium, or set MEDCTX_CHROMIUM to a browser.")
        return
    shoot(args.store, args.artifacts, args.model, args.out)


if __name__ == "__main__":
    main()
