"""Who may import whom: every import of every module, and what a fresh interpreter loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import espshell
from tests.rows import every

SOURCE = Path(espshell.__file__).parent

FLOORS: tuple[tuple[str, ...], ...] = (
    ("messages",),
    ("errors", "units", "records", "span", "clock", "signals", "tables"),
    ("files", "lazy"),
    ("protocol", "chips", "nor", "image", "registers", "efuse", "pins"),
    ("link", "sim"),
    ("loader",),
    ("device",),
    ("ops",),
    ("render",),
    ("shell",),
    ("api", "boards", "completion", "subcommands"),
    ("options", "pytest_plugin"),
    ("cli",),
    ("__main__",),
)
"""Bottom up.  The package's own names (``from espshell import Target``) come after ``ops``."""

PUBLIC = "__init__"
PUBLIC_FLOOR = FLOORS.index(("ops",)) + 0.5

EXCEPTIONS = {("chips", "protocol.dialect"), ("__init__", "api")}
"""Imports that are meant: a chip names the dialect of its ROM, the package its facade."""

FORBIDDEN = {"render": {"link", "sim", "loader", "device"}}
"""Lower floors that are not a floor's business all the same."""

LAZY = {("subcommands", "sim"), ("sim", "unicorn")}
"""Imports that may not stand at the top: a simulator is not wanted at every start, and an emulator
for what a simulated chip executes need not be installed.
"""

THIRD_PARTY = {
    "image": {"elftools", "intelhex"},
    "link": {"serial"},
    "sim": {"serial"},
    "render": {"rich"},
    "shell": {"prompt_toolkit", "pygments", "rich", "platformdirs", "tomli", "tomlkit"},
    "cli": {"rich"},
    "completion": {"shtab"},
    "pytest_plugin": {"pytest"},
}


@dataclass(frozen=True)
class Import:
    """``module`` imports ``name``, at its top or not; both dotted, ``name`` absolute."""

    module: str
    name: str
    line: int
    top: bool


def package(dotted: str) -> str:
    """Return the part of a dotted name below ``espshell`` that has a floor."""
    return dotted.split(".")[0]


def floor(dotted: str) -> float:
    """Return the floor of a module, dotted, without ``espshell``; -1 if it stands on none."""
    if dotted == PUBLIC:
        return PUBLIC_FLOOR
    return next((n for n, names in enumerate(FLOORS) if package(dotted) in names), -1)


def modules() -> list[str]:
    """Return all modules and packages, dotted, without ``espshell``."""
    parts = [path.relative_to(SOURCE).with_suffix("").parts for path in SOURCE.rglob("*.py")]
    return sorted(".".join(p[:-1] if p[-1] == PUBLIC and len(p) > 1 else p) for p in parts)


def path_of(module: str) -> Path:
    """Return the file of a module."""
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def imports(module: str, known: frozenset[str]) -> tuple[Import, ...]:
    """Return every import of a module: at the top, in functions, for type checkers."""
    return tuple(_imports(module, known))


def _imports(module: str, known: frozenset[str]) -> Iterator[Import]:
    tree = ast.parse(path_of(module).read_text("utf-8"))
    tops = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} line {node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(module, resolved(name, known), node.lineno, id(node) in tops)


def resolved(name: str, known: frozenset[str]) -> str:
    """Cut the name of a class or function off a dotted name of ours; leave others alone."""
    if package(name) != "espshell":
        return name
    below = name.split(".")[1:]
    while below and ".".join(below) not in known:
        below = below[:-1]
    return ".".join(["espshell", *(below or [PUBLIC])])


def fault(found: Import) -> str:
    """Return what is wrong with an import, as a sentence; empty if it may stand."""
    where = f"espshell.{found.module} (line {found.line})"
    own = package(found.module)
    if package(found.name) != "espshell":
        other = package(found.name)
        if other in sys.stdlib_module_names or other in THIRD_PARTY.get(own, set()):
            return ""
        if (own, other) in LAZY and not found.top:
            return ""
        return f"{where} imports {other}, which is not for {own}."
    name = found.name.removeprefix("espshell.")
    other = package(name)
    if other == own or (own, name) in EXCEPTIONS:
        return ""
    if other in FORBIDDEN.get(own, set()):
        return f"{where} imports espshell.{name}; {own} has no business with {other}."
    if floor(name) > floor(found.module):
        return f"{where} imports espshell.{name}, which is on a higher floor."
    if floor(name) == floor(found.module):
        return f"{where} imports espshell.{name}; neighbours on a floor do not know each other."
    if (own, other) in LAZY and found.top:
        return f"{where} imports espshell.{name} at its top, and so at every start."
    return ""


@every(modules())
def test_every_module_stands_on_a_floor(module: str) -> None:
    """A new package must say where it belongs."""
    assert floor(module) >= 0, f"espshell.{module} stands on no floor; give it one in FLOORS."


def test_nobody_imports_upwards() -> None:
    """A module imports from lower floors or from its own package, and from nobody else."""
    known = frozenset(modules())
    faults = [fault(each) for module in sorted(known) for each in imports(module, known)]
    assert not any(faults), "\n".join(filter(None, faults))


def circle(package_name: str) -> list[str]:
    """Return modules of a package that import each other in a circle, in functions or not."""
    known = frozenset(modules())
    inside = {module for module in known if package(module) == package_name}
    graph = {
        module: {found.name.removeprefix("espshell.") for found in imports(module, known)}
        & inside - {module, module.rpartition(".")[0]}
        for module in inside
    }
    while free := [module for module, needs in graph.items() if not needs & graph.keys()]:
        for module in free:
            del graph[module]
    return sorted(graph)


@pytest.mark.parametrize(
    "name",
    ["shell", "render", "ops", "device", "loader", "link", "sim", "protocol", "nor", "image"],
)
def test_nobody_imports_in_a_circle(name: str) -> None:
    """Inside a package, too, imports go one way: at the top, in functions and for types."""
    assert circle(name) == []


@pytest.mark.parametrize(
    ("module", "name", "top"),
    [
        ("link.port", "espshell.sim", False),
        ("sim.rom", "espshell.loader.loader", True),
        ("protocol.packet", "espshell.chips", True),
        ("chips.esp32", "espshell.protocol.commands", True),
        ("ops.memory", "rich.text", False),
        ("render.text", "espshell.device", True),
        ("ops.memory", "espshell.__init__", True),
        ("subcommands", "espshell.sim.serve", True),
        ("link.port", "esptool", True),
        ("sim.handler", "unicorn", True),
    ],
)
def test_what_is_forbidden_is_found(module: str, name: str, top: bool) -> None:
    """The rules themselves: each of these imports would be a fault."""
    assert fault(Import(module, name, 1, top))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("chips.esp32", "espshell.protocol.dialect"),
        ("subcommands", "espshell.sim.serve"),
        ("shell.session", "espshell.link.trace"),
        ("cli", "espshell.__init__"),
        ("link.port", "serial.rfc2217"),
        ("ops.save", "espshell.image.intel_hex"),
        ("loader.loader", "dataclasses"),
        ("sim.handler", "unicorn.riscv_const"),
    ],
)
def test_what_is_meant_passes(module: str, name: str) -> None:
    """The exceptions are exceptions and no more."""
    assert not fault(Import(module, name, 1, False))


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        (
            "import espshell.ops.memory.words, espshell.ops.chip.info, espshell.ops.memory.save",
            {"rich", "prompt_toolkit", "pygments", "platformdirs", "espshell.sim"},
        ),
        (
            "from espshell.cli import main; main(['-c', 'echo hi'])",
            {"rich", "prompt_toolkit", "pygments", "platformdirs", "tomllib", "espshell.sim"},
        ),
        (
            "from espshell.shell.terminal import greeting; greeting.greet",
            {"rich", "prompt_toolkit", "pygments", "tomllib", "espshell.sim"},
        ),
        ("import espshell.protocol.commands, espshell.chips", {"serial", "espshell.link"}),
    ],
    ids=["ops", "echo", "greeting", "tables"],
)
def test_what_a_fresh_interpreter_loads(code: str, unwanted: set[str]) -> None:
    """What is not used is not imported, and nobody waits for it."""
    loaded = fresh_modules(code)
    assert "espshell" in loaded
    assert not unwanted & loaded


def test_reading_memory_runs_nothing_for_flash() -> None:
    """What only flash and the stub need is not run by a peek on the ROM."""
    code = "from espshell.cli import main; main(['-p', 'sim://esp32c3', '-c', 'peek DRAM'])"
    names = {"loader.digest", "loader.flash", "loader.stub", "protocol.flash"}
    assert not {f"espshell.{name}" for name in names} & fresh_modules(code)


def fresh_modules(code: str) -> set[str]:
    """Return the modules that a new interpreter has run after running code."""
    tail = """
import sys
lazy = {name for name, module in sys.modules.items() if type(module).__name__ == "LazyModule"}
print("\\n", *(sys.modules.keys() - lazy))
"""
    done = subprocess.run(
        [sys.executable, "-c", code + tail],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())
