"""compare: this board with another."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

from espshell.errors import EspError, UsageError
from espshell.ops.flash import compare as ops
from espshell.records import replace
from espshell.shell.arguments.flash import erasable
from espshell.shell.arguments.places import PORT, Extent
from espshell.shell.declaration import Trait
from espshell.shell.outcome import Presentation
from espshell.shell.output import Output
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.span import Span

VERBS = Registry("Flash")

REGION = replace(erasable(), kind="region of flash", label="REGION")


@contextlib.contextmanager
def _speaking_of(output: Output, port: str) -> Iterator[None]:
    """Let notes and errors name their board meanwhile: there are two."""
    worded = output.worded

    def named(text: str) -> str:
        said = worded(text)
        return said if not said or port in said else f"{port}: {said}"

    output.worded = named
    try:
        with ops.of_board(port):
            yield
    finally:
        output.worded = worded


@contextlib.contextmanager
def _hinted(port: str) -> Iterator[None]:
    """Let no hint name `reconnect` for the other board: the session is not on it."""
    try:
        yield
    except EspError as error:
        if port in error.message and "`reconnect`" in error.hint:
            error.hint = "`compare` resets it when it connects again"
        raise


def _left(other: Session) -> None:
    with _speaking_of(other.output, other.bench.port):
        other.disconnect()


@VERBS.add("compare", needs="memory", traits=Trait.VERDICT)
def compare(
    session: Session, port: Annotated[str, PORT], region: Annotated[Extent | None, REGION] = None
) -> Presentation:
    """Compare the flash of two boards by digests, down to sectors.

    compare /dev/ttyUSB1; compare sim://demo flash:app0. Without REGION the flash is compared up to
    the smaller size. The other board is reset first and left as --after says. Fails if anything
    differs.

    Example: -compare sim://esp32c3
    """
    if session.bench.is_on(port):
        raise UsageError(f"{port} is this board", hint="name the port of another one")
    bench = replace(session.bench, port=port, chip=None)
    other, own_port = Session(session.output, bench, settings=session.settings), session.bench.port
    with contextlib.ExitStack() as stack:
        stack.enter_context(_hinted(port))
        stack.callback(_left, other)
        with _speaking_of(session.output, port):
            other.connect(bench)
            there = other.flash(other.chip.flash.size)
        with _speaking_of(session.output, own_port):
            here = session.flash(session.chip.flash.size)
        smallest = min(here.size, there.size)
        span = Span.of(region.address, region.size) if region else Span(0, smallest)
        if span.end > smallest:
            raise UsageError(f"flash {span} is not on both boards: the smaller has {smallest:#x}")
        result = ops.compare(here, there, span, (own_port, port), session.output.progress)
    return Presentation(result, partitions=lambda: session.connected.known_partitions)
