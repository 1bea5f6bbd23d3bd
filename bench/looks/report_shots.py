"""What a report looks like: screenshots of one on a light and a dark page, on a phone and in print.

``python -m bench.looks.report_shots FOLDER`` keeps the report and its pictures there; needs Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

from medctx.schemas.report import Recipe
from medctx_eval.report.build import write_report
from medctx_eval.report.config import ReportConfig
from tests.support import chromium, synthetic_runs

SEEDED = ("base", "1:0-0", "1:0-1", "1:1-0", "1:1-1", "0:1-0", "0:1-1", "0:1@10k-0", "0:1@20k-0")
AMOUNTS = {"1:0": 40_000, "1:1": 40_000, "0:1": 40_000, "0:1@10k": 10_000, "0:1@20k": 20_000}


def make(root: Path) -> Path:
    """A report with everything a report can have; returns the page."""
    folders = synthetic_runs.write(root / "runs", SEEDED, facts=120, dossiers=60)
    folders += synthetic_runs.write(root / "runs" / "again", ("base",), facts=120, dossiers=60)
    contamination_report = synthetic_runs.write_contamination_report(
        root / "contamination", [("k/0/0", "13-gram"), ("k/1/0", "exact")]
    )
    config = ReportConfig(
        title="A made-up study: how general and medical Dialogues share a budget of tokens",
        cells={name: Recipe(amount=amount) for name, amount in AMOUNTS.items()},
        contamination=contamination_report,
        training=synthetic_runs.write_training(root, tuple(AMOUNTS)),
    )
    write_report(folders, root / "report", config)
    return root / "report" / "report.html"


def shoot(page: Path, out: Path) -> None:
    """Pictures of a page, whole."""
    with chromium.browser() as window:
        for name, dark in (("desktop-light", False), ("desktop-dark", True)):
            window.size(1280, dark=dark)
            window.open(page)
            window.tab.screenshot(path=out / f"{name}.png", full_page=True)
        window.size(390, 844, mobile=True)
        window.open(page)
        window.tab.screenshot(path=out / "phone.png", full_page=True)
        window.tab.pdf(path=out / "print.pdf", print_background=True)


def main() -> None:
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "bench/out/report-shots")
    if chromium.find() is None:
        print("No Chromium here: nothing is shown. Install chromium, or set MEDCTX_CHROMIUM to a browser.")
        return
    shoot(make(out), out)
    print(f"pictures in {out}")


if __name__ == "__main__":
    main()
