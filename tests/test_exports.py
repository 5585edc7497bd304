"""The public API: ``espshell.NAME`` is complete, sorted, typed, and cheap to import."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import espshell
from espshell import errors, lazy, ops
from tests.rows import every

NAMES = dir(espshell)
HOMES = lazy.homes("espshell")


def test_no_name_twice() -> None:
    """A name is imported from one place, and stands in the list in order."""
    listed = re.findall(r"^    from \S+ import (\w+)", source(), re.MULTILINE)
    assert [*NAMES] == sorted({*listed, "__version__"})
    assert len(listed) == len(set(listed))


@every(sorted(HOMES.keys() - {"__version__", "chips"}))
def test_every_name_resolves_to_the_thing_itself(name: str) -> None:
    """A name of the package is the same object as at its home, also the second time."""
    value = getattr(espshell, name)
    assert value is getattr(importlib.import_module(HOMES[name]), name)
    assert getattr(espshell, name) is value


def test_import_of_all_names() -> None:
    """``from espshell import *`` gives every name."""
    namespace: dict[str, object] = {}
    exec("from espshell import *", namespace)
    assert {*NAMES} <= namespace.keys()


def test_nothing_else_is_there() -> None:
    """A name that does not exist is an AttributeError."""
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(espshell, "no_such_name")  # noqa: B009


def test_every_error_is_exported() -> None:
    """A script can catch each error by its name."""
    defined = {n for n, e in vars(errors).items() if isinstance(e, type) and n != "ClassVar"}
    assert defined <= set(NAMES)


def test_every_verb_and_its_result_is_exported() -> None:
    """Results (frozen, with ``ok``) of all ops, and the functions that return them."""
    wanted = set()
    for module in pkgutil.iter_modules(ops.__path__, "espshell.ops."):
        names = vars(importlib.import_module(module.name))
        own = {n: o for n, o in names.items() if getattr(o, "__module__", "") == module.name}
        results = {n for n, o in own.items() if dataclasses.is_dataclass(o) and hasattr(o, "ok")}
        verbs = {n for n, o in own.items() if inspect.isfunction(o) and returned(o) in results}
        wanted |= {n for n in results | verbs if not n.startswith("_")}
    missing = sorted(wanted - set(NAMES))
    assert not missing, f"espshell does not export {', '.join(missing)}"


def test_the_version_is_a_plain_line() -> None:
    """The build reads it without running the file."""
    assert f'\n__version__ = "{espshell.__version__}"\n' in source()


def test_the_example_works() -> None:
    """What the module's text shows is what happens."""
    examples = doctest.DocTestFinder().find(espshell, "espshell", globs={"espshell": espshell})
    (example,) = [each for each in examples if each.examples]
    assert len(example.examples) == 4
    assert doctest.DocTestRunner().run(example) == (0, 4)


def test_importing_the_package_imports_nothing_else() -> None:
    """``import espshell`` costs no more than its own file and some of the standard library."""
    code = "import sys; old = {*sys.modules}; import espshell; print(*{*sys.modules} - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    assert ours == {"espshell", "espshell.lazy", "espshell.signals"}


def source() -> str:
    return Path(espshell.__file__).read_text("utf-8")


def returned(function: object) -> str:
    """Return the annotation of what a function returns, as written."""
    return str(getattr(function, "__annotations__", {}).get("return", ""))
