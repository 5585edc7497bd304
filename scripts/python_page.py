"""The page on the API for programs: functions, methods, results and errors, from docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import espshell.ops
from espshell import api, errors, pytest_plugin
from espshell.ops.result import Result
from scripts.json_fields import docstrings, glossary
from scripts.markdown import code, prose, table


def page() -> str:
    """Return the page."""
    about, example, more = _module()
    methods = "".join(_section(name, member) for name, member in _members())
    return (
        f"# Python\n\n{about}\n\n```pycon\n>>> from espshell import connect\n{example}\n```\n\n"
        f"{more}\n\n## Connecting\n{_section('connect', api.connect)}"
        f"{_section('open_all', api.open_all)}\n## Methods of a connected chip\n{methods}"
        f"\n## Results\n\nEach has `ok`, `failure` and `notes`, too.\n{''.join(_results())}"
        f"\n## Errors\n\n```text\n{_plain(errors)}\n```\n\nEach has `message`, `hint`, `status` "
        "(the [exit status](exit-status.md)) and `slug`, the section of "
        "[troubleshooting](../howto/troubleshooting.md) that explains it.\n"
        f"\n## Fixtures for pytest\n\n```text\n{_plain(pytest_plugin)}\n```\n"
    )


def _plain(thing: object) -> str:
    return inspect.getdoc(thing) or ""


def _module() -> tuple[str, str, str]:
    """Return what the module says of itself, its example, and what stands below that."""
    first, example, *more = _plain(api).split("\n\n")
    return prose(first), example, "\n\n".join(map(prose, more))


def _members() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in vars(api.ConnectedChip).items():
        if callable(member) and not name.startswith("_"):
            yield name, member


def _section(name: str, member: Callable[..., Any]) -> str:
    """Return the section of a function: what it takes and returns, and its docstring."""
    signature = inspect.signature(member)
    taken = [p for p in signature.parameters.values() if p.name != "self"]
    shown = str(signature.replace(parameters=taken))
    text = name + re.sub(r"(?<=: |> )'([^']*)'", r"\1", shown)  # annotations, and no defaults
    first, _, rest = _plain(member).partition("\n\n")
    details = f"\n```text\n{rest}\n```\n" if rest else ""
    return f"\n### {name}\n\n{prose(' '.join(first.split()))}\n\n```python\n{text}\n```\n{details}"


def _results() -> Iterator[str]:
    """Yield a section for each class that a method returns, with what its docstrings explain."""
    annotations = " ".join(str(inspect.signature(m).return_annotation) for _, m in _members())
    names = dict.fromkeys(re.findall(r"\b[A-Z]\w+", annotations))
    classes: dict[str, Any] = {kind.__name__: kind for kind in _subclasses(Result)}
    for kind in (classes[name] for name in names if name in classes and name != "Result"):
        texts = {name: glossary().get(name, "") for name in getattr(kind, "__match_args__", ())}
        texts |= {name: text for name, text in docstrings(kind).items() if text}
        rows = [
            (code(name), prose(text.replace("null", "None")))
            for name, text in texts.items()
            if not name.startswith("_") and docstrings(Result).get(name) != text
        ]
        about = prose(_plain(kind).partition("\n\n")[0])
        fields = f"\n{table(('field', 'what it is'), rows)}" if rows else ""
        yield f"\n### {kind.__name__}\n\n{about}\n{fields}"


def _subclasses(kind: type[Result]) -> Iterator[type[Result]]:
    for module in pkgutil.walk_packages(espshell.ops.__path__, "espshell.ops."):
        vars(importlib.import_module(module.name))  # a lazy module runs when it is looked at
    for below in kind.__subclasses__():
        yield below
        yield from below.__subclasses__()
