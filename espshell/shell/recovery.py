"""Losing the chip and finding it again: the same device, the same loader, and nothing pretended.

A command that was interrupted is never run again: nobody knows how far it came.  What was seen of
the chip before (the last value, what dumps have shown) is forgotten, because it may have changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from espshell.clock import Clock, SystemClock
from espshell.errors import BenchError, EspError
from espshell.link import ports
from espshell.link.ports import PortInfo

if TYPE_CHECKING:
    from espshell.device import Target
    from espshell.shell.session import Session

PATIENCE_S = 30.0
"""How long a person's shell waits for a lost device to come back."""

_LOOK_EVERY_S = 0.3


def lose(session: Session) -> None:
    """Give up the connection after its port has gone, and keep what finds it again."""
    if session.connection is not None:
        session.lost = session.connection.as_lost()
        session.disconnect(after="no-reset")


def reconnect(session: Session) -> Target:
    """Reach the same chip again, in the same way, with its stub if one was running.

    Raises: BenchError if the device is not there; what connecting raises.
    """
    before, bench = session.lost, session.bench
    lost = session.connection.as_lost() if session.connection else before
    if lost is not None and lost.usb is not None:
        device = _found_again(lost.usb)
        if device is None:
            raise BenchError(f"{lost.usb.device} is not there", hint="plug it in, then `reconnect`")
        bench = replace(bench, port=device)
    try:
        again = session.connect(bench)
    except BaseException:
        session.lost = before  # it is still the one to be found again
        raise
    if lost is not None and lost.had_stub and not again.loader.dialect.is_stub:
        session.start_stub()
    session.variables.pop("_", None)
    session.output.note("what was read before may be stale: $_ and the marks of dumps are gone")
    return again


def wait_and_reconnect(session: Session, clock: Clock | None = None) -> bool:
    """Wait for a lost device to come back and reconnect; say whether it did. Ctrl-C stops it."""
    lost, output = session.lost, session.output
    if lost is None:
        return False
    output.note(f"waiting for {session.bench.port} to come back; Ctrl-C stops that")
    clock = clock or SystemClock()
    end = clock.now() + PATIENCE_S
    while clock.now() < end:
        if lost.usb is None or _found_again(lost.usb) is not None:
            try:
                reconnect(session)
                return True
            except BenchError:
                pass  # it is there and not ready, or not there yet
            except EspError as error:  # it is there, and it is not the same any more
                output.error(error.one_line())
                return False
        clock.sleep(_LOOK_EVERY_S)
    output.note("it has not come back; `reconnect` tries again")
    return False


def _found_again(usb: PortInfo) -> str | None:
    """Return the name that a device has now, which may be another one."""
    return next((port.device for port in ports.list_ports() if port.is_same_as(usb)), None)
