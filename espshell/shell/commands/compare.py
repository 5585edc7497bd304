"""compare: this board with another."""

from __future__ import annotations

import contextlib
from typing import Annotated

from espshell.errors import UsageError
from espshell.ops.flash import compare as ops
from espshell.records import replace
from espshell.shell.arguments.flash import erasable
from espshell.shell.arguments.places import PORT, Extent
from espshell.shell.declaration import Trait
from espshell.shell.outcome import Presentation
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.span import Span

VERBS = Registry()

REGION = replace(erasable(), kind="region of flash", label="REGION")


@VERBS.add("compare", group="Flash", needs="memory", traits=Trait.VERDICT)
def compare(
    session: Session,
    port: Annotated[str, PORT],
    region: Annotated[Extent | None, REGION] = None,
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
    other = Session(session.output, bench, settings=session.settings)
    with contextlib.ExitStack() as stack:
        stack.callback(other.disconnect)
        other.connect(bench)
        here, there = (one.flash(one.chip.flash.size) for one in (session, other))
        smallest = min(here.size, there.size)
        span = Span.of(region.address, region.size) if region else Span(0, smallest)
        if span.end > smallest:
            raise UsageError(f"flash {span} is not on both boards: the smaller has {smallest:#x}")
        titles = session.bench.port, port
        result = ops.compare(here, there, span, titles, session.output.progress)
    return Presentation(result, partitions=lambda: session.connected.known_partitions)
