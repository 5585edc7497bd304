"""Listening to a chip at the prompt and in scripts: live on a terminal, bounded everywhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from espshell.clock import VirtualClock
from espshell.errors import UsageError
from espshell.link.port import Port
from espshell.ops.chip.monitor import Monitor, Monitored, SafeText
from espshell.render.theme import RESET

if TYPE_CHECKING:
    from espshell.shell.session import Session

PATIENCE_S = 10.0
"""How long a text is waited for, unless told."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person or a script wants to hear: until a text, for so long, at a rate."""

    until: str = ""
    timeout_s: float | None = None
    baud: int | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether it ends by itself."""
        return bool(self.until) or self.timeout_s is not None


def is_live(session: Session) -> bool:
    """Say whether somebody sees it and can end it with Ctrl-C."""
    return session.output.live_rows > 0


def require_end(session: Session, wish: Wish) -> None:
    """See that listening comes to an end. Raises: UsageError where nobody could end it."""
    if not (wish.is_bounded or is_live(session)):
        raise UsageError(
            "without a terminal nobody could end this", hint="--until TEXT or --timeout S ends it"
        )


def follow(session: Session, port: Port, wish: Wish, first: bytes = b"") -> Monitored:
    """Show what a port says until it ends, or Ctrl-C; ``first`` was said before.

    The port keeps the rate. Raises: KeyboardInterrupt where a text was waited for.
    """
    output = session.output
    if wish.baud is not None:
        port.baud = wish.baud
    screen = _Screen(session)
    listener = Monitor(port, until=wish.until, taps=(session.tap,) if session.tap else ())
    interrupted = False
    if is_live(session):
        output.note(f"what it says, at {port.baud} baud; Ctrl-C stops")
    try:
        if first:
            listener.take(first)
            screen.show(first)
        for data in listener.listen(_timeout_s(session, port, wish)):
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
    """Return what was heard, without the news that the chip was reset once, as it should be."""
    told = heard.heard
    if told.resets != 1 or told.panic or told.brownout or told.in_download_mode:
        return heard
    return replace(heard, heard=replace(told, resets=0))


def _timeout_s(session: Session, port: Port, wish: Wish) -> float | None:
    if wish.timeout_s is not None or not (wish.until or isinstance(port.clock, VirtualClock)):
        return wish.timeout_s
    return PATIENCE_S  # and in virtual time for ever would be over at once, and never


class _Screen:
    """The terminal or pipe that results go to, unless it is for JSON."""

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
            self._output.write(reset + "\n" * (self._written[-1] != "\n"))
