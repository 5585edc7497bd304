"""Modules of ours that run when something of them is first used, and names that are found late.

``from espshell.ops.flash import load`` costs next to nothing: the module behind ``load`` runs when
an attribute of it is asked for.  So imports stand at the top of each file, and the start of the
program does not wait for what most sessions never do.  Importing a *name* from a module
(``from espshell.units import hex32``) runs the module at once, as always.

A module runs as a whole: a signal that comes meanwhile waits for its end, because half a module
would stay for the rest of the session.  ``importlib.util.LazyLoader`` runs it even when an import
statement asks for ``__spec__``, and there the interpreter drops whatever is raised.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import LazyLoader
from os.path import isfile
from threading import RLock
from types import ModuleType

from espshell import signals


class LazyModule(ModuleType):
    """A module that runs as a whole when an attribute of it is first asked for."""

    def __getattribute__(self, name: str) -> object:
        """Return an attribute; run the module before, but not for what import statements ask."""
        if name not in ("__spec__", "__class__"):
            spec = ModuleType.__getattribute__(self, "__spec__")
            lock, runs = spec.loader_state
            with lock:  # another thread waits; the one that runs the module may ask for more of it
                if not runs:
                    with signals.uninterrupted():  # before it counts as run
                        runs.append(True)
                        try:
                            spec.loader.exec_module(self)
                        except BaseException:
                            runs.clear()  # the next use runs it again, and fails alike or not
                            raise
                        self.__class__ = ModuleType  # type: ignore[assignment]
        return ModuleType.__getattribute__(self, name)


class _Loader(LazyLoader):
    """Makes modules that run later; the given loader runs them."""

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__spec__.loader = module.__loader__ = self.loader  # type: ignore[attr-defined]
        module.__spec__.loader_state = RLock(), list[bool]()
        module.__class__ = LazyModule


class LazyModules:
    """A finder of a package's modules that has each run on first use.

    Not derived from ``importlib.abc.MetaPathFinder``, whose import takes longer than all of this.
    """

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the package, with a lazy loader; packages run at once."""
        if not name.startswith(self._prefix) or name == f"{self._prefix}__main__":
            return None
        file = f"{path[0]}/{name.rpartition('.')[2]}.py" if path else ""
        if isfile(file):  # what the system's finders would find, for a fourth of the time
            found = ModuleSpec(name, _Loader(SourceFileLoader(name, file)), origin=file)
            found.has_location = True
            return found
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader and spec.submodule_search_locations is None:
            spec.loader = _Loader(spec.loader)
        return spec


def install(package: str) -> None:
    """Make the modules of a package lazy from now on."""
    sys.meta_path.insert(0, LazyModules(package))


def run(module: ModuleType) -> None:
    """Run a module now, if it has not been: for what it does and not for what it holds."""
    getattr(module, "__doc__")  # noqa: B009


def exported(package: str, name: str) -> object:
    """Return what a package exports under a name; see ``homes``. Raises: AttributeError."""
    if name == "__all__":
        return sorted(homes(package))
    home = None if name.startswith("__") else homes(package).get(name)
    if home is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = import_module(f"{home}.{name}" if home == package else home)
    value = module if home == package else getattr(module, name)
    setattr(sys.modules[package], name, value)  # found without us the next time
    return value


@cache
def homes(package: str) -> Mapping[str, str]:
    """Return the module of each name that a package imports for type checkers, and the version.

    They are read from the package's source, so that each stands in one place: a line each,
    ``from MODULE import NAME as NAME``.
    """
    spec = sys.modules[package].__spec__
    assert spec
    source = spec.loader.get_data(spec.origin).decode()  # type: ignore[union-attr]
    lines = [line.split() for line in source.splitlines() if line.startswith("    from ")]
    return {"__version__": package, **{line[3]: line[1] for line in lines}}
