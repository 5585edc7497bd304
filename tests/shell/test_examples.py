"""Every command shows an example, and every example runs."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from espshell.shell.commands import VERBS
from espshell.shell.declaration import Verb
from espshell.shell.session import Quit
from espshell.shell.settings import Bench
from espshell.sim import protocol_sim
from tests.rows import every
from tests.shell import example_files
from tests.shell.support import Shell

TYPED = {"sr edit"}
"""Wants a terminal: tests/shell/test_grid.py drives it."""

COMMANDS = list({verb.run: verb for verb in VERBS.verbs()}.values())
EXAMPLES = [
    pytest.param(example, id=example.replace("\n", ";"))
    for verb in COMMANDS
    for example in verb.examples
    if verb.name not in TYPED
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the examples name."""
    path = tmp_path_factory.mktemp("examples")
    example_files.write(path)
    return path


@every(VERBS.verbs(), lambda verb: verb.name)
def test_every_command_has_an_example(verb: Verb) -> None:
    """Help on a command shows it at work, by its own name or that of its family's function."""
    names = {other.name for other in VERBS.verbs() if other.run is verb.run}
    assert verb.examples
    assert any(name in example for example in verb.examples for name in names)
    assert all(len(line) <= 72 for example in verb.examples for line in example.splitlines())


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(
    offline: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch, example: str
) -> None:
    """An example comes to a good end, whatever ran before, on the board that anybody has."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(protocol_sim, "_kept", {})  # a new board
    offline.session.folder = folder
    offline.session.assume_yes = True
    offline.session.settings.shell = True  # as at the prompt
    offline.session.connect(Bench(port="sim://demo"))
    with contextlib.suppress(Quit):
        ran = offline.script(example)
        assert (ran.status, ran.err.count(" error")) == (0, 0), ran
