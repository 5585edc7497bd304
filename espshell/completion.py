"""Completion scripts for bash, zsh and fish, made by shtab from the parser of the command line.

shtab (1.13) knows all three and needs only what argparse has; what it cannot know is put onto the
actions here: which values are files, and words for those that are not choices of the parser.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from espshell import chips
from espshell.errors import UsageError
from espshell.link.reset import BEFORE
from espshell.shell.registry import COMMANDS

SHELLS = ("bash", "zsh", "fish")

COMMANDS_OF_PROGRAM = ("sim", "check", "ports", "esptool")
"""What can stand in the place of a script."""

_FILES = ("config", "transcript", "log", "junit", "report", "elf", "svd", "trace")
_RATES = ("auto", "115200", "230400", "460800", "921600")


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that a shell sources; the parser is of no use afterwards.

    Raises: UsageError without shtab.
    """
    try:
        import shtab
    except ImportError:
        hint = "pip install 'espshell[completion]'"
        raise UsageError("completion scripts are made by shtab", hint=hint) from None
    _describe({action.dest: action for action in parser._actions}, shtab)  # noqa: SLF001
    return str(shtab.complete(parser, shell))


def _describe(actions: dict[str, argparse.Action], shtab: ModuleType) -> None:
    """Say what values actions can have."""
    for name in _FILES:
        _complete(actions[name], shtab.FILE)
    _complete(actions["stub_dir"], shtab.DIRECTORY)
    _complete(actions["port"], shtab.FILE)
    actions["chip"].choices = chips.NAMES
    actions["before"].choices = tuple(BEFORE)
    actions["baud"].choices = _RATES
    actions["command"].choices = tuple(
        dict.fromkeys(verb.name.partition(" ")[0] for verb in COMMANDS.verbs() if verb.name != "?")
    )
    _complete(actions["script"], _file_or(COMMANDS_OF_PROGRAM))
    _complete(actions["arguments"], shtab.FILE)


def _complete(action: argparse.Action, how: object) -> None:
    setattr(action, "complete", how)  # noqa: B010 - shtab looks for it


def _file_or(words: Sequence[str]) -> dict[str, Any]:
    """Return how a file or one of some words is completed, in each shell."""
    listed = " ".join(words)
    return {
        "bash": "_espshell_script",
        "zsh": "_espshell_script",
        "fish": f"(__fish_complete_path (commandline -ct)) {listed}",
        "preamble": {
            "bash": f'_espshell_script() {{\n  compgen -W "{listed}" -- "$1"\n'
            '  compgen -f -- "$1"\n}\n',
            "zsh": f"_espshell_script() {{\n  compadd {listed}\n  _files\n}}\n",
        },
    }
