"""Ports as arguments: those of this machine, and simulated ones."""

from __future__ import annotations

from collections.abc import Iterable

from espshell import chips
from espshell.link import ports
from espshell.records import replace
from espshell.shell.arguments.types import TEXT, Completed, Scope


def _complete(text: str, scope: Scope) -> Iterable[Completed]:
    for port in ports.list_ports():
        yield port.device, " ".join(filter(None, (port.product, port.serial)))
    yield "sim://demo", "simulated, with firmware in its flash"
    yield from ((f"sim://{name}", "simulated") for name in chips.NAMES)


PORT = replace(TEXT, complete=_complete)
"""A port by its name or URL."""
