"""What a board is, as a page to read and to parse: HTML, Markdown or JSON of the same document.

A section is the result of a command (``info``, ``efuse``, ``sr``, ...) or why there is none: a
board that does not tell something gets a report all the same.  The HTML page carries the JSON as
well, in ``<script type="application/json" id="report">``.  Colours
of the page are those of the themes ``light`` and ``dark``: rich exports the light ones, and a rule
for each style puts the dark one in its place where the reader's system is dark.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import pkgutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from espshell import __version__, files
from espshell.errors import BenchError, EspError, UsageError, printable
from espshell.ops.chip import efuse as fuses
from espshell.ops.chip.info import Info
from espshell.ops.result import Result
from espshell.records import dataclass, replace
from espshell.render import render, to_json
from espshell.render.document import Block, Document, Labelled, Styled, Text
from espshell.render.theme import STYLES, rich_style, themed_console
from espshell.render.view import View
from espshell.shell.arguments.places import Location
from espshell.shell.commands import chip as chip_commands
from espshell.shell.commands import flash, gpio, image, status
from espshell.shell.language.scope import not_connected
from espshell.shell.outcome import Presentation, presented
from espshell.shell.session import Session

if TYPE_CHECKING:
    from rich.terminal_theme import TerminalTheme

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
        shown = presented(self.result)
        view = View(WIDTH, every_row=True, partitions=shown.partitions())
        return render(shown.result, view)

    @property
    def json(self) -> object:
        """All of it as JSON values."""
        if self.result is None:
            return {"error": self.error}
        return to_json(presented(self.result).result)


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
    lost, fault = stopped, None
    if session.target is None and not stopped:  # why: the last error of the bench, if there was one
        of_bench = [text for _, n, text in session.verdicts if n == BenchError.exit_status]
        lost = of_bench[-1] if of_bench else not_connected().message
    sections: list[Section] = []
    for name, title, ask in _questions(session):
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


Question = tuple[str, str, Callable[[], Result | Presentation]]
"""The key of a section, its title, and what asks the chip for it."""


def _questions(session: Session) -> Iterator[Question]:
    """Yield what the chip is asked, last for each firmware in its flash if that is known."""
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


# --- the page

_PAPER = {"light": "#f6f8fa", "dark": "#161b22"}
_INK = {"light": "#1f2328", "dark": "#e6edf3"}


def require_format(path: Path) -> None:
    """Check that the name of a file says what is to be written. Raises: UsageError."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"expected a file name ending in {', '.join(_FORMATS)}, not `{path.name}`",
            hint="the suffix selects the format",
        )


def write(session: Session, path: Path, stopped: str = "") -> BoardReport:
    """Write and return a report of the connected board; see ``gather``."""
    report = gather(session, stopped)
    files.write_bytes(path, text_of(report, path).encode())
    return report


def text_of(report: BoardReport, path: Path) -> str:
    """Return a report in the format that the name of a file says."""
    return _FORMATS[path.suffix.lower()](report)


def _json(report: BoardReport) -> str:
    value = {
        "port": report.port,
        "time": report.time,
        "espshell": __version__,
        "lost": report.lost or None,
        **{section.name: section.json for section in report.sections},
        "verdicts": [
            {"line": line, "status": number, "message": message}
            for line, number, message in report.verdicts
        ],
        "findings": [{"line": line, "result": to_json(result)} for line, result in report.findings],
    }
    return json.dumps(value, indent=1) + "\n"


def _markdown(report: BoardReport) -> str:
    parts = [f"# {report.title}\n", *(f"\n{line}\n" for line in report.about)]
    for title, shown in _parts(report):
        text = str(shown)
        fence = "`" * (3 if "```" not in text else 8)
        parts.append(f"\n## {title}\n\n{fence}text\n{text}{fence}\n")
    return "".join(parts)


def _html(report: BoardReport) -> str:
    sections = [
        f"<h2>{html.escape(title)}</h2>\n<pre>{_drawn(shown)}</pre>"
        for title, shown in _parts(report)
    ]
    about = [
        f"<p{' class=bad' * (line in report.bad_news)}>{html.escape(line)}" for line in report.about
    ]
    page = (pkgutil.get_data("espshell.shell", "data/report.html") or b"").decode()
    return page.format(
        title=html.escape(report.title),
        about="</p>\n".join([*about, ""]).rstrip(),
        sections="\n".join(sections),
        data=_json(report).replace("<", "\\u003c"),
        dark=_dark_rules(),
        paper=_PAPER,
        ink=_INK,
    )


def _parts(report: BoardReport) -> list[tuple[str, Document | str]]:
    """Return titles and contents: who it is, what the script has found, everything else."""
    sections = [
        (section.title, section.document or f"{printable(section.error)}\n")
        for section in report.sections
        if section.is_asked
    ]
    findings = [
        (f"Finding: {printable(line)}", document)
        for line, result in report.findings
        if len(list((document := render(result, View(WIDTH))).lines())) > 1
    ]
    results = ("Results of the script", _results(report))
    return [*sections[:1], results, *findings, *sections[1:]]


def _drawn(shown: Document | str) -> str:
    """Return a form as HTML, by rich's export."""
    if isinstance(shown, str):
        return html.escape(shown)
    from rich.segment import Segment, Segments

    console = themed_console(io.StringIO(), width=WIDTH)
    console.record = True
    segments: list[Segment] = []
    for line in shown.lines(replace(shown.view, color=True)):
        segments += [Segment(part, rich_style(s, "light") if s else None) for part, s in line]
        segments.append(Segment.line())
    console.print(Segments(segments), end="", crop=False, soft_wrap=True)
    return console.export_html(inline_styles=True, code_format="{code}", theme=_colors("light"))


def _colors(name: str) -> TerminalTheme:
    """Return the colours of a page as rich has them, background and text first."""
    from rich.color import Color
    from rich.terminal_theme import TerminalTheme

    paper, ink = (Color.parse(text).get_truecolor() for text in (_PAPER[name], _INK[name]))
    return TerminalTheme(paper, ink, [ink] * 8)


@cache
def _dark_rules() -> str:
    """Return a rule of CSS for each style that makes the dark one of the light one."""
    themes = {name: _colors(name) for name in _PAPER}
    light, dark = (
        {name: rich_style(name, theme).get_html_style(themes[theme]) for name in STYLES}
        for theme in themes
    )
    rules = {
        f'span[style="{css}"] {{ {dark[name].replace(";", " !important;")} !important }}'
        for name, css in light.items()
        if css
    }
    return "\n".join(sorted(rules))


def _results(report: BoardReport) -> Document:
    """Return what the lines of the script have found."""

    def form(_view: View) -> Iterator[Block]:
        for line, number, message in report.verdicts:
            verdict = Styled(f"status {number}", "error") if number else Styled("ok", "ok")
            yield Labelled(verdict, line)
            if message:
                yield Labelled("", message)
        if not report.verdicts:
            yield Text("none")

    return Document(form, View(WIDTH))


_FORMATS = {".html": _html, ".htm": _html, ".md": _markdown, ".json": _json}
