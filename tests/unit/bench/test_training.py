"""Benchmarks that take training steps call the loop as it is; a run of them needs minutes or data."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

pytest.importorskip("torch")

from medctx_train.sft.loop import optimize
from medctx_train.sft.setup import ModelSetup


def _nodes() -> Iterator[tuple[str, ast.AST]]:
    for file in (ROOT / "bench").rglob("*.py"):
        yield from ((file.name, node) for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def test_steps_are_taken_with_every_argument_of_the_loop() -> None:
    named = {name for name, value in inspect.signature(optimize).parameters.items() if value.kind == value.KEYWORD_ONLY}
    calls = [(file, {word.arg for word in node.keywords}) for file, node in _nodes() if _calls(node, "optimize")]  # type: ignore[attr-defined]
    assert len(calls) >= 3
    assert [(file, named - words) for file, words in calls if words != named] == []


def test_a_model_that_is_set_up_is_unpacked_whole() -> None:
    targets = [
        (file, len(node.targets[0].elts))
        for file, node in _nodes()
        if isinstance(node, ast.Assign)
        and _calls(node.value, "set_up_model")
        and isinstance(node.targets[0], ast.Tuple)
    ]
    assert len(targets) >= 2 and {size for _, size in targets} == {len(ModelSetup._fields)}, targets
