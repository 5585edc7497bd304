"""What a board is, as a page to read and to parse: HTML, Markdown or JSON of the same document.

A section is the result of a command (``info``, ``efuse``, ``sr``, ...) or why there is none: a
board that does not tell something gets a report all the same.  The HTML page carries the JSON as
well, in ``<script type="application/json" id="report">``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from itertools import chain

from espshell import __version__
from espshell.errors import BenchError, EspError, printable
from espshell.ops.chip import efuse as fuses
from espshell.ops.chip.info import Info
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.render import render, to_json
from espshell.render.document import Document
from espshell.render.view import View
from espshell.shell.arguments.places import Location
from espshell.shell.commands import chip as chip_commands
from espshell.shell.commands import flash, gpio, image, status
from espshell.shell.language.scope import not_connected
from espshell.shell.outcome import Presentation
from espshell.shell.session import Session

WIDTH = 100
"""Columns of a report."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report: a result, or why there is none."""

    name: str
    """Its key in JSON."""
    title: str
    result: Result | Presentation | None = None
    error: str = ""
    is_asked: bool = True
    """Whether the board was asked: not one that is lost."""

    @property
    def document(self) -> Document | None:
        """The form of the result."""
        if self.result is None:
            return None
        shown = self.result
        if not isinstance(shown, Presentation):
            shown = Presentation(shown)
        view = View(WIDTH, every_row=True, partitions=shown.partitions())
        return render(shown.result, view)

    @property
    def json(self) -> object:
        """All of it as JSON values."""
        if self.result is None:
            return {"error": self.error}
        shown = self.result
        return to_json(shown.result if isinstance(shown, Presentation) else shown)


@dataclass(frozen=True, slots=True)
class BoardReport:
    """What a board is, and what a script has found so far."""

    port: str
    time: str
    sections: tuple[Section, ...]
    verdicts: tuple[tuple[str, int, str], ...]
    """Lines that have judged the chip or failed: the line, its status, what it says."""

    findings: tuple[tuple[str, Result], ...] = ()
    """The last results that were not as expected, each with its line."""
    lost: str = ""
    """Why nobody answers, or the script has ended early: sections may be missing then."""

    fault: BenchError | None = None
    """The error by which the board was lost while it was asked."""

    @property
    def title(self) -> str:
        """Which board it is."""
        result = self.sections[0].result
        if not isinstance(result, Info):
            return f"Board on {printable(self.port)}"
        return f"{result.description}  {result.mac or ''}".rstrip()

    @property
    def bad_news(self) -> tuple[str, ...]:
        """What a reader must see first."""
        failed = sum(bool(number) for _, number, _ in self.verdicts)
        news = f"{failed} of {len(self.verdicts)} results of the script are failures"
        titles = ", ".join(section.title for section in self.sections if not section.is_asked)
        lost = (printable(self.lost), f"not asked: {titles}")
        return (*lost * bool(self.lost), *[news] * bool(failed))

    @property
    def about(self) -> tuple[str, ...]:
        """When and by what it was made, and what is wrong."""
        return f"{printable(self.port)}, {self.time}, espshell {__version__}", *self.bad_news


def gather(session: Session, stopped: str = "") -> BoardReport:
    """Ask a chip for all sections; one that does not answer is asked no further.

    stopped: why the script was ended from outside: the chip is asked nothing then.
    """
    lost = stopped or ("" if session.target else _reason(session))
    fault: BenchError | None = None
    sections: list[Section] = []
    for name, title, ask in chain(_questions(session), _applications(session)):
        if lost:
            identity = session.identity if name == "info" else None
            sections.append(Section(name, title, identity, error=lost, is_asked=bool(identity)))
            continue
        try:
            sections.append(Section(name, title, ask()))
        except EspError as error:
            sections.append(Section(name, title, error=error.one_line()))
            if isinstance(error, BenchError):
                lost, fault = error.one_line(), error
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    port = session.target.link.port.url if session.target else session.bench.port
    verdicts, findings = tuple(session.verdicts), tuple(session.findings)
    return BoardReport(port, now, tuple(sections), verdicts, findings, lost, fault)


def _reason(session: Session) -> str:
    """Return why no chip is connected: the last error of the bench, if there was one."""
    for _, number, message in reversed(session.verdicts):
        if number == BenchError.exit_status:
            return message
    return not_connected().message


Question = tuple[str, str, Callable[[], Result | Presentation]]
"""The key of a section, its title, and what asks the chip for it."""


def _questions(session: Session) -> Iterator[Question]:
    yield "info", "Chip", lambda: chip_commands.info(session)
    yield (
        "efuse",
        "eFuses",
        lambda: fuses.secure_report(session.chip) or fuses.show(session.chip, "", keys=False),
    )
    yield "flash", "Flash", lambda: flash.flash_id(session)
    yield "status", "Status registers of the flash", lambda: status.show(session)
    yield "sfdp", "SFDP parameters of the flash", lambda: status.show_sfdp(session)
    yield "partitions", "Partitions", lambda: flash.list_parts(session)
    yield "pins", "Pins", lambda: gpio.gpio(session)


def _applications(session: Session) -> Iterator[Question]:
    """Yield a section for the bootloader and for each application partition, if they are known."""
    if session.target is None:
        return
    places = [("bootloader", session.chip.chip.bootloader_offset)]
    with contextlib.suppress(EspError):
        table = session.connected.partition_table()
        places += [(row.name, row.offset) for row in table.partitions if row.type_name == "app"]
    for name, offset in places:
        place = Location(offset, "flash")
        yield (
            f"image {name}",
            f"Firmware in {name}",
            lambda place=place: image.image_info(session, place),  # type: ignore[misc]
        )
