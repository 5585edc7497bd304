"""The commands, a module a group; each is a thin face of an operation."""

from __future__ import annotations

from espshell.shell.commands import (
    chip,
    chip_code,
    compare,
    efuse,
    esptool,
    flash,
    gpio,
    image,
    journal,
    memory,
    pasted,
    ram,
    registers,
    report,
    script,
    search,
    shell,
    spi,
    status,
    system,
    topics,
    values,
    watch,
)
from espshell.shell.registry import COMMANDS

VERBS = COMMANDS
"""Every command there is, filled below."""

for _module in (
    memory,
    values,
    flash,
    esptool,
    image,
    spi,
    status,
    search,
    journal,
    watch,
    chip,
    efuse,
    gpio,
    ram,
    chip_code,
    compare,
    registers,
    report,
    pasted,
    script,
    topics,
    shell,
    system,
):
    VERBS.include(_module.VERBS)
