"""What a board is, as a page to read and to parse: HTML, Markdown or JSON of the same document.

A section is the result of a command (``info``, ``efuse``, ``sr``, ...) or why there is none: a
board that does not tell something gets a report all the same.  The HTML page carries the JSON as
well, in ``<script type="application/json" id="report">``.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from espshell import __version__
from espshell.errors import EspError, PortError, UsageError, printable
from espshell.ops.chip import efuse as fuses
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.render import render, to_json
from espshell.render.document import Document
from espshell.render.theme import themed_console
from espshell.render.view import View
from espshell.shell.arguments.places import Location
from espshell.shell.commands import chip, flash, gpio, image, status
from espshell.shell.outcome import Presentation
from espshell.shell.session import Session

_WIDTH = 100

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ margin: 2em auto; max-width: 62em; padding: 0 1em; font-family: sans-serif }}
pre {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px;
  line-height: 1.3; overflow-x: auto; background: #f6f8fa; padding: 1em }}
h2 {{ margin-bottom: 0.3em }}
</style></head>
<body><h1>{title}</h1>
<p>{about}</p>
{sections}
<script type="application/json" id="report">{data}</script>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report: a result, or why there is none."""

    name: str
    """Its key in JSON."""
    title: str
    result: Result | Presentation | None = None
    error: str = ""

    @property
    def document(self) -> Document | None:
        """The form of the result."""
        if self.result is None:
            return None
        shown = self.result
        if not isinstance(shown, Presentation):
            shown = Presentation(shown)
        view = View(_WIDTH, every_row=True, partitions=shown.partitions())
        return render(shown.result, view)

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return str(self.document) if self.result is not None else f"{printable(self.error)}\n"

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

    @property
    def title(self) -> str:
        """Which board it is."""
        return f"Board on {printable(self.port)}"

    @property
    def about(self) -> str:
        """When and by what it was made."""
        return f"{self.time}, espshell {__version__}"


def gather(session: Session) -> BoardReport:
    """Ask a chip for all sections."""
    sections = [_section(*row) for row in _questions(session)]
    sections += _applications(session)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    url = session.chip.link.port.url
    return BoardReport(url, now, tuple(sections), tuple(session.verdicts))


def _questions(
    session: Session,
) -> Iterator[tuple[str, str, Callable[[], Result | Presentation]]]:
    target = session.chip
    yield "info", "Chip", lambda: chip.info(session)
    yield (
        "efuse",
        "eFuses",
        lambda: fuses.secure_report(target) or fuses.show(target, "", keys=False),
    )
    yield "flash", "Flash", lambda: flash.flash_id(session)
    yield "status", "Status registers of the flash", lambda: status.show(session)
    yield "sfdp", "SFDP parameters of the flash", lambda: status.show_sfdp(session)
    yield "partitions", "Partitions", lambda: flash.list_parts(session)
    yield "pins", "Pins", lambda: gpio.gpio(session)


def _applications(session: Session) -> Iterator[Section]:
    """Yield a section for the bootloader and for each application partition."""
    places = [("bootloader", session.chip.chip.bootloader_offset)]
    with contextlib.suppress(EspError):
        table = session.connected.partition_table()
        places += [(row.name, row.offset) for row in table.partitions if row.type_name == "app"]
    for name, offset in places:
        place = Location(offset, "flash")
        yield _section(
            f"image {name}",
            f"Firmware in {name}",
            lambda place=place: image.image_info(session, place),  # type: ignore[misc]
        )


def _section(name: str, title: str, ask: Callable[[], Result | Presentation]) -> Section:
    try:
        return Section(name, title, ask())
    except PortError:
        raise
    except EspError as error:
        return Section(name, title, error=error.one_line())


def require_format(path: Path) -> None:
    """Check that the name of a file says what is to be written. Raises: UsageError."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"expected a file name ending in {', '.join(_FORMATS)}, not `{path.name}`",
            hint="the suffix selects the format",
        )


def text_of(report: BoardReport, path: Path) -> str:
    """Return a report in the format that the name of a file says."""
    return _FORMATS[path.suffix.lower()](report)


def _json(report: BoardReport) -> str:
    value = {
        "port": report.port,
        "time": report.time,
        "espshell": __version__,
        **{section.name: section.json for section in report.sections},
        "verdicts": [
            {"line": line, "status": number, "message": message}
            for line, number, message in report.verdicts
        ],
    }
    return json.dumps(value, indent=1) + "\n"


def _markdown(report: BoardReport) -> str:
    parts = [f"# {report.title}\n\n{report.about}\n"]
    blocks = [(section.title, section.text) for section in report.sections]
    for title, text in (*blocks, ("Results of the script", _verdict_lines(report))):
        fence = "`" * (3 if "```" not in text else 8)
        parts.append(f"\n## {title}\n\n{fence}text\n{text}{fence}\n")
    return "".join(parts)


def _html(report: BoardReport) -> str:
    parts = [(s.title, _drawn(s.document or s.text)) for s in report.sections]
    parts.append(("Results of the script", _drawn(_verdict_lines(report))))
    sections = "\n".join(f"<h2>{html.escape(t)}</h2>\n<pre>{body}</pre>" for t, body in parts)
    return _PAGE.format(
        title=html.escape(report.title),
        about=html.escape(report.about),
        sections=sections,
        data=_json(report).replace("<", "\\u003c"),
    )


def _drawn(shown: Document | str) -> str:
    """Return a form as HTML, by rich's export."""
    if isinstance(shown, str):
        return html.escape(shown)
    console = themed_console(io.StringIO(), width=_WIDTH)
    console.record = True
    console.print(shown, end="", crop=False)
    return console.export_html(inline_styles=True, code_format="{code}")


def _verdict_lines(report: BoardReport) -> str:
    rows = [
        f"{'ok' if not number else f'status {number}':10}{printable(line)}"
        + (f"\n{'':10}{printable(message)}" if message else "")
        for line, number, message in report.verdicts
    ]
    return "\n".join(rows or ["none"]) + "\n"


_FORMATS = {".html": _html, ".htm": _html, ".md": _markdown, ".json": _json}
