"""Listening to a chip at the prompt and in scripts: live on a terminal, bounded everywhere else."""

from __future__ import annotations

from espshell.clock import VirtualClock
from espshell.errors import UsageError
from espshell.link.port import Port
from espshell.ops.chip.monitor import Monitor, Monitored, SafeText
from espshell.records import dataclass, replace
from espshell.render.theme import RESET
from espshell.shell.session import Session

PATIENCE_S = 10.0
"""The default time to wait for a text."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How long to listen, and at what rate: until a text, or a time."""

    until: str = ""
    timeout_s: float | None = None
    baud: int | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether listening ends by itself."""
        return bool(self.until) or self.timeout_s is not None


def is_live(session: Session) -> bool:
    """Return whether a person sees the output and can end it with Ctrl-C."""
    return session.output.live_rows > 0


def require_end(session: Session, wish: Wish) -> None:
    """Check that listening will end. Raises: UsageError without a bound and without a person."""
    if not (wish.is_bounded or is_live(session)):
        raise UsageError(
            "monitoring would never end: without a terminal there is no Ctrl-C",
            hint="--until TEXT or --timeout S ends it",
        )


def follow(session: Session, port: Port, wish: Wish, first: bytes = b"") -> Monitored:
    """Show the output of a port until the end or Ctrl-C; ``first`` has been received already.

    The port stays at the new rate. Raises: KeyboardInterrupt if it ends the wait for a text.
    """
    output, timeout_s = session.output, wish.timeout_s
    if timeout_s is None and (wish.until or isinstance(port.clock, VirtualClock)):
        timeout_s = PATIENCE_S  # also in virtual time, which never waits for a person
    if wish.baud is not None:
        port.baud = wish.baud
    screen = _Screen(session)
    listener = Monitor(port, until=wish.until, taps=(session.tap,) if session.tap else ())
    interrupted = False
    if is_live(session):
        output.note(f"output at {port.baud} baud; Ctrl-C stops")
    try:
        if first:
            listener.take(first)
            screen.show(first)
        for data in listener.listen(timeout_s):
            screen.show(data)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        screen.end()
    result = listener.result(interrupted=interrupted)
    if interrupted and not result.ok:
        raise KeyboardInterrupt
    return result


def without_expected_reset(heard: Monitored) -> Monitored:
    """Return a result without the one reset that was intended, if nothing else happened."""
    log = heard.heard
    if log.resets != 1 or log.panic or log.brownout or log.in_download_mode:
        return heard
    return replace(heard, heard=replace(log, resets=0))


class _Screen:
    """The output for received text; it shows nothing if the output is JSON."""

    def __init__(self, session: Session) -> None:
        self._output = session.output
        self._safe = SafeText(color=session.output.color)
        self._written = ""

    def show(self, data: bytes, *, final: bool = False) -> None:
        text = self._safe.feed(data, final=final)
        if text and not self._output.as_json:
            self._output.write(text)
            self._output.finished()
            self._written = text

    def end(self) -> None:
        self.show(b"", final=True)
        if self._written:
            reset = RESET if self._output.color else ""
            self._output.write(reset if self._written.endswith("\n") else f"{reset}\n")
