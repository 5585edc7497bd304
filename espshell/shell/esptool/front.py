"""``espshell esptool ARGS...``: esptool's arguments, environment, settings and exit status.

The arguments become one line, which runs like any other; like esptool, it asks no questions.
``docs/howto/esptool.md`` lists what differs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Mapping, Sequence

from espshell.errors import EspError
from espshell.records import replace
from espshell.shell import registry
from espshell.shell.esptool import settings, spelling
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import PlainText, Word
from espshell.shell.output import Output
from espshell.shell.registry import COMMANDS
from espshell.shell.runner import Runner
from espshell.shell.session import Session

FAILED, LOST, INTERRUPTED = 2, 1, 2
"""esptool's exit status after an error, after the loss of the port in use, and after Ctrl-C."""

ENVIRONMENT = {
    "ESPTOOL_CHIP": "--chip",
    "ESPTOOL_PORT": "--port",
    "ESPTOOL_BAUD": "--baud",
    "ESPTOOL_BEFORE": "--before",
    "ESPTOOL_AFTER": "--after",
    "ESPTOOL_STUB_VERSION": "--stub-version",
    "ESPTOOL_CONNECT_ATTEMPTS": "--connect-attempts",
    "ESPTOOL_OPEN_PORT_ATTEMPTS": "--open-port-attempts",
}
"""Variables for global options."""

FLASH_ENVIRONMENT = {
    "ESPTOOL_FM": "--flash-mode",
    "ESPTOOL_FF": "--flash-freq",
    "ESPTOOL_FS": "--flash-size",
}
"""Variables for options of the commands that have them."""


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] = os.environ,
    output: Output | None = None,
) -> int:
    """Run a command line of esptool; return esptool's exit status."""
    session = Session(output or Output(), assume_yes=True)
    with contextlib.closing(session):
        try:
            config = settings.load(environment)
            for note in config.notes:
                session.output.note(note)
            before, after = session.bench.before, session.bench.after
            session.bench = replace(
                session.bench, before=config.before or before, after=config.after or after
            )
            error = Runner(session).run(line(arguments, environment, config.options)).error
        except EspError as raised:
            error = raised
        except KeyboardInterrupt:
            session.output.error("interrupted")
            return INTERRUPTED
        if error is None:
            return 0
        session.output.error(f"espshell: {error.with_link()}")
        return LOST if session.lost is not None else FAILED


def line(
    arguments: Sequence[str], environment: Mapping[str, str], options: Sequence[str] = ()
) -> Command:
    """Return arguments as a line, after the options of settings and environment.

    Raises: UsageError if there is no command.
    """
    front = [*options, *_from(environment, ENVIRONMENT)]
    holder = COMMANDS.find("esptool")
    whole = spelling.modern(holder.name, _command((*front, *arguments)))
    if spelling.asks_help(holder.name, whole):
        return whole
    inside = registry.inner(holder, whole)
    spelling.require_command(holder.name, inside.name)
    flags = {option.flag for option in COMMANDS.find(inside.name.expand({})).options}
    defaults = _from(environment, FLASH_ENVIRONMENT, flags)
    if not defaults:
        return whole
    index = whole.words.index(inside.name) + 1
    words = (*whole.words[:index], *spelling.words_of(defaults), *whole.words[index:])
    return replace(whole, words=words)


def _from(
    environment: Mapping[str, str], table: Mapping[str, str], flags: Container[str] | None = None
) -> list[str]:
    """Return the options of a table whose variables are set, with their values."""
    return [
        word
        for variable, flag in table.items()
        if environment.get(variable) and (flags is None or flag in flags)
        for word in (flag, environment[variable])
    ]


def _command(arguments: Sequence[str]) -> Command:
    """Return the command ``esptool`` with its arguments."""
    name = Word("esptool", 1, (PlainText("esptool", "esptool"),))
    words = spelling.words_of(arguments, column=len(name.raw) + 2)
    text = " ".join(word.raw for word in (name, *words))
    return Command(name, words, ignore_failure=False, redirect=None, text=text, column=1)
