"""The utility that a recommendation maximises: a small formula over the scores, evaluated from its syntax tree."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from medctx.errors import MedctxError
from study.law.evidence.points import FloatArray

NAMES = ("knowledge", "reading", "base_knowledge", "base_reading")
"""Names of a formula: accuracies in [0, 1] of the composition and of the untouched model."""

_LARGEST = 1e15
_BINARY: Mapping[type[ast.operator], Callable[[FloatArray, FloatArray], FloatArray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CALLS: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {"min": np.minimum, "max": np.maximum}


class Utility:
    """A formula such as ``0.5*knowledge + 0.5*reading`` or ``min(knowledge, reading)``.

    It holds numbers, the names in ``NAMES``, ``+ - * /``, parentheses, and ``min`` and ``max`` of two or more
    values. Raises MedctxError if it holds anything else.

    Attributes:
        text: The formula.
        names: The names in it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
            self._evaluate(dict.fromkeys(NAMES, np.asarray(0.5)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise MedctxError(
                f"The utility {text!r} is no formula; write for example 0.5*knowledge + 0.5*reading."
            ) from None
        self.names = frozenset(NAMES) & {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}
        if not self.names & {"knowledge", "reading"}:
            raise MedctxError(
                f"The utility {text!r} names neither knowledge nor reading, so it is the same for every composition; "
                "write for example 0.5*knowledge + 0.5*reading."
            )

    def __call__(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Return the utility at arrays of equal shape, one for each name."""
        utility = self._evaluate(values)
        if not np.isfinite(utility).all():
            raise MedctxError(
                f"The utility {self.text!r} divides by zero at some compositions; choose a formula that does not."
            )
        return utility

    def _evaluate(self, values: Mapping[str, FloatArray]) -> FloatArray:
        with np.errstate(all="ignore"):
            return np.asarray(self._value(self._tree, values), dtype=np.float64)

    def _value(self, node: ast.expr, values: Mapping[str, FloatArray]) -> FloatArray:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool) and number <= _LARGEST:
                return np.asarray(number, dtype=np.float64)
            case ast.Name(id=name) if name in NAMES:
                return values[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand, values)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._value(operand, values)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](self._value(left, values), self._value(right, values))
            case ast.Call(func=ast.Name(id="min" | "max" as name), args=[_, _, *_] as arguments, keywords=[]):
                return reduce(_CALLS[name], [self._value(argument, values) for argument in arguments])
        raise MedctxError(
            f"The utility {self.text!r} holds {ast.unparse(node)!r}, which is not understood; use numbers up to "
            f"{_LARGEST:g}, {', '.join(NAMES)}, + - * /, min and max."
        )
