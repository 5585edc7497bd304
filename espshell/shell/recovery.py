"""Find a lost chip again: the same device, with the same loader.

An interrupted command is never repeated: it is not known how far it came.  Values read from the
chip before (the last value, earlier dumps) are dropped, because they may have changed.
"""

from __future__ import annotations

from espshell.clock import Clock, SystemClock
from espshell.device import Target
from espshell.errors import BenchError, EspError, PortError, PortStalled
from espshell.link import ports
from espshell.link.ports import PortInfo
from espshell.records import replace
from espshell.shell.session import Session

PATIENCE_S = 30.0
"""How long the prompt waits for a lost device to come back."""

_POLL_S = 0.3


def is_lost(session: Session, error: PortError) -> bool:
    """Return whether an error says that the connected port is gone, and not that of another."""
    if session.target is None or isinstance(error, PortStalled):
        return False
    return error.port in ("", session.target.link.port.url)


def lose(session: Session) -> None:
    """Drop the connection after its port is gone, and keep what identifies the device."""
    if session.connection is not None:
        session.lost = session.connection.as_lost()
        session.disconnect(after="no-reset")


def slow_down(session: Session) -> None:
    """Go back to the rate before the shell raised it; note it if the loader is lost by that."""
    try:
        session.lower_rate()
    except EspError as error:
        session.output.note(error.one_line())


def reconnect(session: Session) -> Target:
    """Connect to the same chip again, with its stub if one was running.

    Raises: BenchError if the device is not there; else as ``Session.connect``.
    """
    before, bench = session.lost, session.bench
    loader = session.chip.loader if session.connection is not None else None
    if loader is not None and loader.on_trial and not loader.in_step:
        session.without_handlers.add(session.chip.chip.name)
        session.output.note(
            "one of espshell's handlers was on trial: the stub is started without them"
        )
    lost = session.connection.as_lost() if session.connection else before
    if lost is not None and lost.usb is not None:
        device = _current_name(lost.usb)
        if device is None:
            raise BenchError(f"{lost.usb.device} is not there", hint="plug it in, then `reconnect`")
        bench = replace(bench, port=device)
    try:
        session.connect(bench)
    except BaseException:
        session.lost = before  # so that the next try looks for it
        raise
    if lost is not None and lost.had_stub and not session.chip.loader.dialect.is_stub:
        session.start_stub()
    session.variables.pop("_", None)
    session.output.note("what was read before may be stale: $_ and the marks in dumps were dropped")
    return session.chip


def wait_and_reconnect(session: Session, clock: Clock | None = None) -> bool:
    """Wait for a lost device and reconnect; return whether it came back. Ctrl-C stops waiting."""
    lost, output = session.lost, session.output
    if lost is None:
        return False
    output.note(
        f"waiting for {session.bench.port} to come back; after Ctrl-C only `reconnect` tries again"
    )
    clock = clock or SystemClock()
    end = clock.now() + PATIENCE_S
    while clock.now() < end:
        if lost.usb is None or _current_name(lost.usb) is not None:
            try:
                reconnect(session)
                return True
            except BenchError:
                pass  # not there yet, or not ready
            except EspError as error:  # it is another chip, or refuses
                output.error(error.one_line())
                return False
        clock.sleep(_POLL_S)
    output.note("it did not come back")
    return False


def _current_name(usb: PortInfo) -> str | None:
    """Return the present name of a device, or None if it is not there."""
    return next((port.device for port in ports.list_ports() if port.is_same_as(usb)), None)
