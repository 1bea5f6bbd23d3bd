"""What is to be made large: a small formula over the scores, read without ever being executed."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

import numpy as np

from medctx.errors import MedctxError
from study.law.evidence.points import FloatArray

NAMES = ("knowledge", "reading", "base_knowledge", "base_reading")
"""What a formula may name: accuracies in [0, 1] of the composition and of the untouched model."""

_BINARY: Mapping[type[ast.operator], Callable[[FloatArray, FloatArray], FloatArray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CALLS: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {"min": np.minimum, "max": np.maximum}


class Utility:
    """A formula such as ``0.5*knowledge + 0.5*reading`` or ``min(knowledge, reading)``.

    Numbers, the names in :data:`NAMES`, ``+ - * /``, parentheses, and ``min`` and ``max`` of two or more. Raises
    MedctxError where it holds anything else.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise MedctxError(
                f"The utility {text!r} is no formula; write for example 0.5*knowledge + 0.5*reading."
            ) from None
        self.names: frozenset[str] = frozenset(_names(self._tree, text))
        if not self.names & {"knowledge", "reading"}:
            raise MedctxError(f"The utility {text!r} names neither knowledge nor reading, so no composition is better.")

    def __call__(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """The utility at arrays of equal shape, one for each name."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.asarray(_value(self._tree, values), dtype=np.float64)
        if not np.isfinite(found).all():
            raise MedctxError(
                f"The utility {self.text!r} divides by nothing somewhere; choose a formula that does not."
            )
        return found


def _names(node: ast.expr, text: str) -> set[str]:
    """The names below a node; raises MedctxError where something is not allowed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return set()
    if isinstance(node, ast.Name) and node.id in NAMES:
        return {node.id}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _names(node.operand, text)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _names(node.left, text) | _names(node.right, text)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _CALLS
        and len(node.args) > 1
        and not node.keywords
    ):
        return set().union(*(_names(argument, text) for argument in node.args))
    raise MedctxError(
        f"The utility {text!r} holds {ast.unparse(node)!r}, which is not understood; use numbers, {', '.join(NAMES)}, "
        "+ - * /, min and max."
    )


def _value(node: ast.expr, values: Mapping[str, FloatArray]) -> FloatArray:
    """The value of a node that :func:`_names` has let through."""
    if isinstance(node, ast.Constant):
        return np.asarray(node.value, dtype=np.float64)
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, values)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_value(node.left, values), _value(node.right, values))
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    combine, arguments = _CALLS[node.func.id], [_value(argument, values) for argument in node.args]
    value = arguments[0]
    for argument in arguments[1:]:
        value = combine(value, argument)
    return value
