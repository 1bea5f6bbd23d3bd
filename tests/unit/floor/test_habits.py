"""One version everywhere; hooks, CI and `make check` run the same checks."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise

import pytest
import yaml

from tests.support.paths import ROOT


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_packages_citation_and_changelog_are_of_one_version() -> None:
    versions = {
        tomllib.loads(text(f"packages/medctx-{name}/pyproject.toml"))["project"]["version"]
        for name in ("data", "train", "eval")
    }
    assert versions == {str(yaml.safe_load(text("CITATION.cff"))["version"])}
    assert f"## [{versions.pop()}]" in text("CHANGELOG.md")


def test_ci_runs_what_the_makefile_runs() -> None:
    (job,) = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make check"]
    assert text(".ci/run").rstrip().endswith("exec make test")


def test_hooks_run_the_checks_of_make_check_with_the_tools_of_the_environment() -> None:
    (local,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert local["repo"] == "local"
    hooks = [hook["entry"].split()[:2] for hook in local["hooks"]]
    makefile = text("Makefile")
    quick = re.search(r"^define LINT\n(.*?)^endef", makefile, flags=re.M | re.S)
    recipe = re.search(r"^test: install.*?\n\n", makefile, flags=re.M | re.S)
    assert quick and recipe and "\t$(LINT)\n" in recipe[0]
    beside = re.findall(r"^\t(\w+) >.*&", recipe[0], flags=re.M)
    checks = [line.split()[:2] for line in quick[1].splitlines() if line.strip()] + [[name] for name in beside]
    assert len(checks) == 4
    assert sorted(checks) == sorted(hooks)


@pytest.mark.parametrize(("name", "entry"), [("CHANGELOG.md", "- "), ("DECISIONS.md", "## ")])
def test_every_entry_is_listed_once_and_whole(name: str, entry: str) -> None:
    """Merges that keep both sides repeat entries, also in two wordings: no two entries begin alike."""
    lines = text(name).splitlines()
    beginnings = [line[:60] for line in lines if line.startswith(entry)]
    assert len(beginnings) == len(set(beginnings))
    sentences = [line for line in lines if len(line) > 60]
    assert len(sentences) == len(set(sentences))
    assert not [line for before, line in pairwise(lines) if line.startswith("## ") and before]
    assert not [line for line in lines if line.startswith(("<<<<<<<", "=======", ">>>>>>>"))]
