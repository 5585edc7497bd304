"""``espshell esptool ARGS...``: esptool's arguments, environment, settings and exit status.

The arguments become one line, which runs like any other; like esptool, it asks no questions.
``docs/howto/esptool.md`` lists what differs.
"""

from __future__ import annotations

import configparser
import contextlib
import os
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from espshell import files
from espshell.errors import EspError, UsageError
from espshell.records import dataclass, replace
from espshell.shell import registry
from espshell.shell.esptool import spelling
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

SECTION = "esptool"
"""Of a configuration file.  Source: esptool's manual, "configuration file"."""
NAMES = ("esptool.cfg", "setup.cfg", "tox.ini")
VARIABLE = "ESPTOOL_CFGFILE"

SETTINGS = {"connect_attempts": "--connect-attempts", "open_port_attempts": "--open-port-attempts"}
"""Settings with an option."""

BEFORE, AFTER = "custom_reset_sequence", "custom_hard_reset_sequence"
"""Settings with the sequences of default-reset and hard-reset."""

UNUSED = (
    "chip_erase_timeout", "erase_region_timeout_per_mb", "erase_write_timeout_per_mb",
    "max_timeout", "md5_timeout_per_mb", "mem_end_rom_timeout", "reset_delay",
    "serial_write_timeout", "sync_timeout", "timeout", "write_block_attempts",
)  # fmt: skip
"""Settings without a counterpart: timeouts and attempts are decided at run time."""


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
            config = load_settings(environment)
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


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The settings of a configuration file; empty where it has none."""

    options: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    notes: tuple[str, ...] = ()


def load_settings(environment: Mapping[str, str] = os.environ) -> ConfigFile:
    """Return the settings of the first file that has any."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or ".")
    own = home / ("AppData/Local" if os.name == "nt" else ".config") / SECTION
    paths = [folder / name for folder in (Path(), own, home) for name in NAMES]
    if path_text := environment.get(VARIABLE):
        paths.insert(0, Path(path_text))
    for path in paths:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(files.read_text(path, files.SCRIPT), str(path))
        except (UsageError, configparser.Error):
            continue  # a file of another tool
        if parser.has_section(SECTION):
            return _parsed(path, dict(parser.items(SECTION)))
    return ConfigFile()


def _parsed(path: Path, values: Mapping[str, str]) -> ConfigFile:
    strange = [name for name in values if name not in (*SETTINGS, BEFORE, AFTER, *UNUSED)]
    unused = [name for name in values if name in UNUSED]
    notes = [f"settings of {path} hold"]
    notes += [f"{path}: not used here: {', '.join(unused)}"] * bool(unused)
    notes += [f"{path}: no settings of esptool's: {', '.join(strange)}"] * bool(strange)
    options = tuple(
        word for name in values if name in SETTINGS for word in (SETTINGS[name], values[name])
    )
    return ConfigFile(options, values.get(BEFORE, ""), values.get(AFTER, ""), tuple(notes))
