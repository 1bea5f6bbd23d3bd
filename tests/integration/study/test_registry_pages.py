"""MLflow's own pages of a registered study, in a real browser against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import chromium, mlflow_pages

mlflow = pytest.importorskip("mlflow")
pytestmark = pytest.mark.skipif(
    chromium.find() is None,
    reason="no Chromium or no Playwright here (make install browser, or set MEDCTX_CHROMIUM to a browser)",
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("experiments", "runs", "study", "report", "registered-model", "version", "models", "comparison")


@pytest.fixture(scope="module")
def tab(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str]]:
    log = tmp_path_factory.mktemp("pages") / "log"
    with (
        mlflow_pages.server(f"sqlite:///{registered}/mlflow.db", registered / "mlruns", log) as url,
        mlflow_pages.visitor(url) as page,
    ):
        yield page, url


@pytest.fixture(scope="module")
def pages(registered: Path) -> dict[str, mlflow_pages.Visit]:
    client = mlflow.MlflowClient(f"sqlite:///{registered}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'medctx'")
    (study,) = [
        run for run in client.search_runs([experiment.experiment_id]) if "mlflow.parentRunId" not in run.data.tags
    ]
    return {visit.name: visit for visit in mlflow_pages.visits(client, study, "ward", ["1", "2"])}


@pytest.mark.parametrize("name", NAMES)
def test_a_visitor_reads_what_the_page_is_for(
    name: str, tab: tuple[Page, str], pages: dict[str, mlflow_pages.Visit]
) -> None:
    page, url = tab
    mlflow_pages.open_visit(page, url, pages[name])
    text = page.inner_text("body")
    assert "Evaluation" not in text.replace("\nEvaluation\n", "\n"), "runs are no evaluations; a card has the heading"
    assert "An error occurred" not in text and "undefined" not in text and "[object" not in text


def test_every_page_is_visited(pages: dict[str, mlflow_pages.Visit]) -> None:
    assert set(pages) == set(NAMES)
