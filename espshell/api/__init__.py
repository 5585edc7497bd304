"""A connected chip for programs: the verbs of the shell as methods, results as values.

>>> with connect("sim://esp32c3") as chip:
...     chip.poke("DRAM", 0xCAFE_F00D).ok
...     hex(chip.peek("DRAM").last_value)
True
'0xcafef00d'

Every method is a line of the shell: the same checks, the same words for places (``DRAM+16``,
``UART0.STATUS``, ``flash:app0``), the same results.  A finding that one dislikes is a result whose
``ok`` is False, as in the shell, and ``require_ok`` makes an exception of it; what could not be
found out raises an ``EspError``, whose subclass says who must act:

    EspError            its ``message``, ``hint``, and ``status``: what the shell would exit with
        UsageError      the program: no such place, not allowed without ``force``; nothing was sent
        DeviceError     the chip: it has answered, and refuses or contradicts itself
        BenchError      port, cable or power: nobody answers (PortError, NoSync, NoReply)
        ScriptError     any of these in a script, with file and line

Nobody is asked: what the shell would ask for is done, and only what needs ``force`` there needs it
here.  Notes go to the logger ``espshell``, progress to the function that ``connect`` was given.

A chip may be used from several threads, which take turns, a line each; several chips work at the
same time.  In asyncio, ``await asyncio.to_thread(chip.load, ...)``.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from espshell.api.chip import ConnectedChip as ConnectedChip
from espshell.api.words import FilePlace as FilePlace
from espshell.api.words import Place as Place
from espshell.errors import BenchError, EspError
from espshell.link import ports as port_list
from espshell.ops.result import Report, Result, Step
from espshell.render import render
from espshell.render.view import View
from espshell.shell.arguments.types import chip_named
from espshell.shell.quiet_output import QuietOutput
from espshell.shell.session import Session
from espshell.shell.settings import Bench

_log = logging.getLogger("espshell")


def connect(
    port: str = "",
    *,
    baud: int | str | None = None,
    chip: str | None = None,
    before: str = "default-reset",
    after: str = "hard-reset",
    stub: str = "auto",
    progress: Report | None = None,
) -> ConnectedChip:
    """Connect to a chip by a device or URL; without one by ``ESPSHELL_PORT`` or the only board.

    Args:
        port: such as ``/dev/ttyUSB0``, ``rfc2217://host:5555`` or ``sim://esp32c3``.
        baud: the rate after the first contact, or ``auto``: the highest that is clean; without it
            the rate is raised before long transfers over a bridge.
        chip: refuse any other chip, such as ``esp32c3``.
        before, after: how to reset it first, and how closing leaves it, as ``--before``.
        stub: when the flasher stub is started: ``auto``, ``always`` or ``never``.
        progress: gets a ``Step`` (action, bytes done, bytes in all) as long operations go on.

    Raises: UsageError (another chip, no such mode), BenchError (no port, no answer).
    """
    bench = Bench(
        port=port or os.environ.get("ESPSHELL_PORT", "") or _only_board(),
        chip=chip_named(chip) if chip else None,
        before=before,
        after=after,
        stub=stub,
    )
    bench = bench if baud is None else bench.at_rate(baud)
    session = Session(QuietOutput(progress), assume_yes=True)
    try:
        session.connect(bench)
    except BaseException:
        session.close()
        raise
    return ConnectedChip(session)


@contextlib.contextmanager
def open_all(
    ports: Sequence[str],
    *,
    baud: int | str | None = None,
    chip: str | None = None,
    before: str = "default-reset",
    after: str = "hard-reset",
    stub: str = "auto",
    progress: Callable[[str, Step], None] | None = None,
) -> Iterator[dict[str, ConnectedChip]]:
    """Connect to several chips at the same time; yield those that answer, by their ports.

    The options are those of ``connect``; ``progress`` gets the port, too.  A board that does not
    answer is missing, and the logger is told why.  All are closed at the end, at the same time.
    """

    def attempt(port: str) -> ConnectedChip | None:
        report = progress and partial(progress, port)
        try:
            return connect(
                port, baud=baud, chip=chip, before=before, after=after, stub=stub, progress=report
            )
        except EspError as error:
            _log.error("%s: %s", port, error.one_line())
            return None

    with ThreadPoolExecutor(max_workers=max(1, len(ports))) as pool:
        answers = zip(ports, pool.map(attempt, ports), strict=True)
        chips = {port: answer for port, answer in answers if answer is not None}
        try:
            yield chips
        finally:
            list(pool.map(ConnectedChip.close, chips.values()))


def text_of(result: Result, *, width: int = 80) -> str:
    """Return a result as the shell shows it, in lines of at most ``width`` columns."""
    return str(render(result, View(width)))


def _only_board() -> str:
    """Return the device of the only likely board. Raises: BenchError if there is none, or more."""
    likely = [port.device for port in port_list.list_ports() if port.is_likely]
    if len(likely) != 1:
        there = f"there are several boards: {', '.join(likely)}" if likely else "there is no board"
        raise BenchError(there, hint="name the port, or set ESPSHELL_PORT")
    return likely[0]
