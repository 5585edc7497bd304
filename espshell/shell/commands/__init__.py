"""The commands, a module a group; each is a thin face of an operation."""

from __future__ import annotations

from importlib import import_module

from espshell.shell.registry import COMMANDS

VERBS = COMMANDS
"""Every command there is, filled below."""

_GROUPS = """
    memory values flash esptool image spi status search journal watch chip efuse gpio ram
    compare registers report pasted script topics shell
"""
for _name in _GROUPS.split():
    VERBS.include(import_module(f"{__name__}.{_name}").VERBS)
