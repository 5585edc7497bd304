"""The verbs on the connection: who is there, changing the rate, resetting, leaving the loader."""

from __future__ import annotations

from espshell.device import Target
from espshell.ops.result import Result
from espshell.records import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionInfo(Result):
    """A chip whose loader answers."""

    chip: str
    loader: str
    port: str
    baud: int


@dataclass(frozen=True, slots=True)
class Left(Result):
    """The loader was left; ``how`` is ``reset`` or ``command``."""

    chip: str
    how: str


def describe(target: Target) -> ConnectionInfo:
    """Return the chip, loader and port of a connection."""
    port = target.link.port
    return ConnectionInfo(target.chip.name, target.loader.dialect.name, port.url, port.baud)


def change_baud(target: Target, baud: int) -> ConnectionInfo:
    """Change the rate at both ends; see ``Loader.change_baud`` for what is proven and raised."""
    target.change_baud(baud)
    return describe(target)


def run_application(target: Target) -> Left:
    """Leave the loader and start the application."""
    by_reset = target.run_application()
    return Left(target.chip.name, "reset" if by_reset else "command")
