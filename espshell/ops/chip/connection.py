"""The verbs on the connection: who is there, changing the rate, resetting, leaving the loader."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.device import Target


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A chip whose loader answers."""

    chip: str
    loader: str
    port: str
    baud: int

    @property
    def ok(self) -> bool:
        """A connection that could not be made is an error, not a result."""
        return True


@dataclass(frozen=True, slots=True)
class Left:
    """The loader was left; ``how`` is ``reset`` or ``command``."""

    chip: str
    how: str

    @property
    def ok(self) -> bool:
        """That it was asked to is all that can be known."""
        return True


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
