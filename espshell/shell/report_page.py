"""A report of a board as HTML, Markdown or JSON.

Colours of the page are those of the themes ``light`` and ``dark``: rich exports the light ones, and
a rule for each style puts the dark one in its place where the reader's system is dark.
"""

from __future__ import annotations

import html
import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from espshell import __version__, files
from espshell.errors import UsageError, printable
from espshell.records import replace
from espshell.render import render, to_json
from espshell.render.document import Block, Document, Labelled, Styled, Text
from espshell.render.theme import STYLES, rich_style, themed_console
from espshell.render.view import View
from espshell.shell.board_report import WIDTH, BoardReport, gather

if TYPE_CHECKING:
    from rich.terminal_theme import TerminalTheme

    from espshell.shell.session import Session

_PAPER = {"light": "#f6f8fa", "dark": "#161b22"}
_INK = {"light": "#1f2328", "dark": "#e6edf3"}

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
body {{ margin: 2em auto; max-width: 62em; padding: 0 1em; font-family: sans-serif }}
pre {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px;
  line-height: 1.3; overflow-x: auto; padding: 1em;
  background: {paper[light]}; color: {ink[light]} }}
h2 {{ margin-bottom: 0.3em }}
.bad {{ border-left: 0.4em solid #cf222e; padding-left: 0.6em }}
span[style*="background-color"] {{ color: {paper[light]} }}
@media print {{ pre {{ white-space: pre-wrap }} }}
@media (prefers-color-scheme: dark) {{
body {{ background: #0d1117; color: {ink[dark]} }}
pre {{ background: {paper[dark]}; color: {ink[dark]} }}
span[style*="background-color"] {{ color: {paper[dark]} }}
{dark}
}}
</style></head>
<body><h1>{title}</h1>
{about}
{sections}
<script type="application/json" id="report">{data}</script>
</body></html>
"""


def require_format(path: Path) -> None:
    """Check that the name of a file says what is to be written. Raises: UsageError."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"expected a file name ending in {', '.join(_FORMATS)}, not `{path.name}`",
            hint="the suffix selects the format",
        )


def write(session: Session, path: Path, stopped: str = "") -> BoardReport:
    """Write and return a report of the connected board; see ``board_report.gather``."""
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
    about = [f"<p{' class=bad' * number}>{html.escape(line)}" for number, line in _marked(report)]
    return _PAGE.format(
        title=html.escape(report.title),
        about="</p>\n".join([*about, ""]).rstrip(),
        sections="\n".join(sections),
        data=_json(report).replace("<", "\\u003c"),
        dark=_dark_rules(),
        paper=_PAPER,
        ink=_INK,
    )


def _marked(report: BoardReport) -> list[tuple[bool, str]]:
    """Return the lines above the sections, and whether each is bad news."""
    return [(line in report.bad_news, line) for line in report.about]


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
