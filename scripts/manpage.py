"""Write espshell.1 from the parser of the command line and the declarations of the commands.

Source of the macros: groff's man(7).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence

from espshell import __version__, options
from espshell.shell.commands import VERBS
from espshell.shell.commands.topics import groups
from espshell.shell.declaration import Verb

STATUSES = (
    ("0", "All is well."),
    ("1", "The device is wrong: expect, verify, diff, wait."),
    ("2", "The script or its usage is wrong."),
    ("3", "The bench is wrong: no port, no sync, a cable."),
    ("70", "A bug of espshell; the line names a file about it."),
    ("130", "Interrupted; 143 by SIGTERM, 129 by SIGHUP."),
)

ENVIRONMENT = (
    ("ESPSHELL_PORT", "The port, where no option names one."),
    ("ESPSHELL_BAUD", "The rate, likewise."),
    ("ESPSHELL_STUB_DIR", "Where the stub's files are."),
    ("NO_COLOR", "No colours, whatever it is set to."),
)

FILES = (
    ("./espshell.toml", "Port, rate, settings, aliases and start-up lines, of this folder."),
    ("~/.config/espshell/espshell.toml", "Yours. Scripts read neither."),
)

EXAMPLES = (
    ("espshell -p sim://demo", "A prompt on a simulated board."),
    ("espshell -p /dev/ttyUSB0 -c 'info; parts'", "Two lines on a real one."),
    ("espshell check test.espsh", "Parse a script without a device."),
)


def page() -> str:
    """Return the manual page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    parser = options.program_parser()
    yield f'.TH ESPSHELL 1 "" "espshell {__version__}" "User Commands"'
    yield from _section("NAME", ["espshell \\- " + escaped(_first(parser.description))])
    synopsis = [
        r"\fBespshell\fR [\fIOPTION\fR]... [\fB\-c\fR \fILINE\fR]... [\fISCRIPT\fR [\fIARG\fR]...]",
        r"\fBespshell sim\fR \fICHIP\fR [\fIOPTION\fR]...",
        r"\fBespshell check\fR \fISCRIPT\fR...",
        r"\fBespshell ports\fR [\fB\-\-json\fR]",
        r"\fBespshell esptool\fR \fIARG\fR...",
    ]
    yield from _section("SYNOPSIS", [line for row in synopsis for line in (row, ".br")][:-1])
    yield from _section("DESCRIPTION", _description())
    yield from _section("OPTIONS", _options(parser))
    yield from _section("COMMANDS", _commands())
    for title, rows in (
        ("EXIT STATUS", STATUSES),
        ("ENVIRONMENT", ENVIRONMENT),
        ("FILES", FILES),
        ("EXAMPLES", EXAMPLES),
    ):
        yield from _section(title, _rows(rows))


def _description() -> Sequence[str]:
    return [
        "Without a script and without \\-c it is a prompt: Tab completes,",
        "help lists the commands, Ctrl\\-D leaves.",
        "With them it runs their lines and ends with the status below.",
    ]


def _section(title: str, lines: Iterator[str] | Sequence[str]) -> Iterator[str]:
    yield f".SH {title}" if " " not in title else f'.SH "{title}"'
    yield from lines


def _first(text: str | None) -> str:
    return (text or "").partition("\n")[0].rstrip(".")


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001 - there is no other way to them
        if not action.option_strings:
            continue
        value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        if action.choices:
            value = "|".join(map(str, action.choices))
        flags = ", ".join(rf"\fB{escaped(flag)}\fR" for flag in action.option_strings)
        yield ".TP"
        yield f"{flags} \\fI{escaped(str(value))}\\fR" if value else flags
        yield escaped(_sentence(action.help or ""))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _commands() -> Iterator[str]:
    yield "One a line at the prompt, in scripts and behind \\-c."
    for group in groups():
        yield f'.SS "{escaped(group)}"'
        for verb in VERBS.verbs():
            if verb.group == group and not verb.preset and not verb.alias_of:
                yield from _command(verb)


def _command(verb: Verb) -> Iterator[str]:
    yield ".TP"
    usage = escaped(verb.usage).partition(escaped(verb.name))[2]
    yield rf"\fB{escaped(verb.name)}\fR{usage}"
    yield escaped(verb.summary)
    for example in verb.examples[:1]:
        yield ".br"
        yield "Example: " + escaped(example.replace("\n    ", "; ").replace("\n", "; "))


def _rows(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, text in rows:
        yield ".TP"
        yield rf"\fB{escaped(name)}\fR"
        yield escaped(text)


def escaped(text: str) -> str:
    """Return a text that groff prints as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    return re.sub(r"^([.'])", r"\\&\1", plain.replace("`", "\\(ga").replace("'", "\\(aq"))


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
