#!/usr/bin/env python3
"""Print the sentences of the sources that say what is wrong, and that no section explains.

A sentence is the message of an error class, or what a result, an objection or a refusal says.
What changes in it is …; what no text is seen of, as a message that is passed on, is left out.
A new sentence goes below the heading of its section in ``espshell/data/messages.md``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path

from espshell import messages
from espshell.messages import ANY

SOURCES = Path(messages.__file__).parent
CLASSES = re.compile(
    r"(Usage|Device|Bench|Port|Esp|Internal)Error|PortStalled|NoSync|NoReply|Refused|ReadsDiffer"
    r"|OtherPort|HandlerFailed|Interrupted"
)
SAYING = re.compile(r"failure|doubt|twice|_applied|_open|_forbidden|_encrypted|\w*_objections?")
"""Functions whose texts are sentences."""

Names = Mapping[str, list[ast.expr]]


@cache
def sentences(root: Path = SOURCES) -> dict[str, str]:
    """Return each sentence of the sources with the place that says it first."""
    told: dict[str, str] = {}
    for path in sorted(root.rglob("*.py")):
        for line, text in _in_module(ast.parse(path.read_text("utf-8"))):
            if re.search(r"[a-z]{2}", text):
                told.setdefault(text, f"{path.relative_to(root)}:{line}")
    return told


def _in_module(tree: ast.Module) -> Iterator[tuple[int, str]]:
    constants = _assigned(tree.body)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        nodes = list(ast.walk(function))
        names = {**constants, **_assigned(nodes)}
        for node in nodes:
            if (said := _said(node, is_saying=bool(SAYING.fullmatch(function.name)))) is not None:
                for text in set(_texts(said, names)):
                    yield node.lineno, text  # type: ignore[attr-defined]


def _assigned(nodes: object) -> dict[str, list[ast.expr]]:
    names: dict[str, list[ast.expr]] = {}
    for node in nodes:  # type: ignore[attr-defined]
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).append(node.value)
    return names


def _said(node: ast.AST, *, is_saying: bool) -> ast.expr | None:
    """Return the expression of a sentence that a node says, None if it says none."""
    if isinstance(node, ast.Call) and node.args:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if CLASSES.fullmatch(name):
            return node.args[0]
        if name == "_wrong" and len(node.args) > 2:  # that of the blocks of a script
            return node.args[2]
        if is_saying and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            return node.args[0]
    if is_saying and isinstance(node, ast.Return | ast.Yield):
        return node.value
    return None


def _texts(node: ast.expr, names: Names) -> list[str]:
    """Return what an expression of text can be, with … for what changes."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else [ANY]
    if isinstance(node, ast.JoinedStr):
        return _joined([_texts(value, {}) for value in node.values])
    if isinstance(node, ast.FormattedValue):
        return _texts(node.value, names) if isinstance(node.value, ast.IfExp) else [ANY]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([_texts(node.left, names), _texts(node.right, names)])
    if isinstance(node, ast.IfExp):
        return _texts(node.body, names) + _texts(node.orelse, names)
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in _texts(value, names)]
    if isinstance(node, ast.Name) and node.id in names:
        return [text for value in names[node.id] for text in _texts(value, {})]
    return [ANY]


def _joined(choices: list[list[str]]) -> list[str]:
    return [re.sub(f"{ANY}+", ANY, "".join(pieces)).strip() for pieces in product(*choices)]


def undocumented(root: Path = SOURCES) -> dict[str, str]:
    """Return the sentences that no section has, each with its place."""
    explained = {text for section in messages.sections().values() for text in section.sentences}
    return {text: place for text, place in sentences(root).items() if text not in explained}


def main() -> int:
    """Print what is missing; return the exit status."""
    missing = undocumented()
    sys.stdout.writelines(f"{place}\n    {text}\n" for text, place in missing.items())
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
