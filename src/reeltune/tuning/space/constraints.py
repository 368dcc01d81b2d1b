"""Conditions between parameters, such as ``model.hidden_dim >= model.embedding_dim``.

A condition is a small expression over the fields of a configuration: their dotted names, numbers,
texts, ``+ - * / // %``, comparisons, ``and``, ``or``, ``not``. It is read with Python's own parser and
computed here node by node; nothing else that Python can do is understood.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reeltune.errors import ConfigError

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.And: all,
    ast.Or: any,
}
MAX_LENGTH = 1000
"""Characters of a condition."""


@dataclass(frozen=True)
class Constraint:
    """A condition that has been read."""

    text: str
    names: frozenset[str]  # the fields that it looks at
    tree: ast.expr

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether ``values`` (by dotted name) meet the condition.

        It holds where a field that it names is absent, as a field of another model is, and where it
        divides by zero it does not.

        Raises:
            ConfigError: Values of kinds that do not go together are compared or computed with.
        """
        if any(name not in values for name in self.names):
            return True
        try:
            return bool(_value(self.tree, values))
        except ZeroDivisionError:
            return False
        except TypeError as error:
            raise ConfigError(f"the constraint {self.text!r} cannot be computed: {error}") from error


@functools.lru_cache(maxsize=256)
def parse_constraint(text: str) -> Constraint:
    """Return the condition in ``text``.

    Raises:
        ConfigError: It is no condition.

    >>> parse_constraint("model.hidden_dim >= 2 * model.embedding_dim").holds(
    ...     {"model.hidden_dim": 64, "model.embedding_dim": 48}
    ... )
    False
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"a constraint of {len(text)} characters is too long; at most {MAX_LENGTH}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f"the constraint {text!r} is no expression; "
            "write one like model.hidden_dim >= model.embedding_dim"
        ) from error
    names: set[str] = set()
    _check(tree, text, names)
    if not names:
        raise ConfigError(f"the constraint {text!r} names no parameter")
    return Constraint(text, frozenset(names), tree)


def broken_constraint(constraints: list[str], values: Mapping[str, Any]) -> str | None:
    """Return the first of ``constraints`` that ``values`` (by dotted name) break, None if there is none."""
    for text in constraints:
        if not parse_constraint(text).holds(values):
            return text
    return None


def _parts(node: ast.expr) -> tuple[list[ast.AST], list[ast.expr]]:
    """Return the operators of ``node`` and what they stand between; none of either for anything else."""
    if isinstance(node, ast.BoolOp):
        return [node.op], node.values
    if isinstance(node, ast.UnaryOp):
        return [node.op], [node.operand]
    if isinstance(node, ast.BinOp):
        return [node.op], [node.left, node.right]
    if isinstance(node, ast.Compare):
        return list(node.ops), [node.left, *node.comparators]
    return [], []


def _check(node: ast.expr, text: str, names: set[str]) -> None:
    """Check that every part of a condition is understood and collect the names."""
    if isinstance(node, ast.Attribute | ast.Name):
        names.add(_dotted(node, text))
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
        return
    operators, inner = _parts(node)
    if not inner or any(type(op) not in OPERATORS for op in operators):
        part = ast.unparse(node)
        raise ConfigError(
            f"the constraint {text!r}: {part!r} is not understood; "
            "use names, numbers, texts, + - * / // %, comparisons, and, or, not"
        )
    for part_node in inner:
        _check(part_node, text, names)


def _dotted(node: ast.expr, text: str) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise ConfigError(f"the constraint {text!r}: {ast.unparse(node)!r} is no name of a parameter")
    return ".".join([node.id, *reversed(parts)])


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    operators, inner = _parts(node)
    if not inner:
        return values[_dotted(node, "")]
    sides = (_value(side, values) for side in inner)
    if isinstance(node, ast.BoolOp):  # the rest is looked at where it decides
        return OPERATORS[type(node.op)](sides)
    if isinstance(node, ast.Compare):
        found = list(sides)
        pairs = zip(operators, found, found[1:], strict=False)
        return all(OPERATORS[type(op)](left, right) for op, left, right in pairs)
    return OPERATORS[type(operators[0])](*sides)
