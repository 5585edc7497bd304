"""The commands, a module a group; each is a thin face of an operation."""

from __future__ import annotations

from espshell.shell.commands import (
    chip,
    flash,
    journal,
    memory,
    registers,
    script,
    search,
    shell,
    watch,
)
from espshell.shell.registry import Registry

VERBS = Registry()
"""Every command there is."""

for _module in (memory, flash, search, journal, watch, chip, registers, script, shell):
    VERBS.include(_module.VERBS)
