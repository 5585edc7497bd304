"""set, alias, history, log, quit: the shell itself; ! and cd: the system around it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from espshell.device.board import parse_pads
from espshell.errors import UsageError, system_reason
from espshell.files import path_of, require_readable
from espshell.ops.result import Result
from espshell.records import dataclass, replace
from espshell.shell import config, lines, replay
from espshell.shell.arguments.types import (
    ANY_PATH,
    BARE_NUMBER,
    FILE,
    POSITIVE,
    TEXT,
    Completed,
    Offer,
    Unfinished,
    complete_files,
    did_you_mean,
)
from espshell.shell.declaration import Option, Trait
from espshell.shell.language.assignment import assigned
from espshell.shell.language.grammar import Command
from espshell.shell.output import Output, require_system_command
from espshell.shell.registry import COMMANDS, Registry
from espshell.shell.session import Quit, Session
from espshell.shell.settings import ABOUT, CHOICES, MOST_FLASH, SAVED, SETTINGS, SWITCHES, Settings
from espshell.shell.transcript import Record
from espshell.signals import exit_status
from espshell.units import KIB, parse_number, size_text

VERBS = Registry("Shell")

_SWITCH = {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False}
_CHOICES = {**CHOICES, "color": ("auto", "always", "never")}


@dataclass(frozen=True, slots=True)
class NamedValues(Result):
    """Names and what belongs to them."""

    rows: tuple[tuple[str, bool | str], ...]


@dataclass(frozen=True, slots=True)
class History(Result):
    """Lines that were typed; ``first`` is the number of the first, counted from 1."""

    first: int
    lines: tuple[str, ...]


SETTING_NAME = replace(
    TEXT, complete=lambda text, scope: ((name, ABOUT.get(name, "")) for name in SETTINGS)
)

_OFFERS = {
    **_CHOICES,
    "flash-size": ("auto",),
    "pager": ("auto", "off"),
    "spi-connection": ("auto", "SPI", "HSPI"),
}


def _complete_value(at: Unfinished) -> Iterable[Completed]:
    name = at.words[0]
    if name in _OFFERS:
        return _OFFERS[name]
    if name == "parttable":
        return complete_files(at.word, at.scope)
    return ("on", "off") if name in (*SWITCHES, "dry-run") else ()


SETTING_VALUE = replace(TEXT, complete_at=_complete_value)
"""What the setting before it can be."""


@VERBS.add("set", traits=Trait.PARTITIONS)
def set_setting(
    session: Session,
    name: Annotated[str, SETTING_NAME] = "",
    value: Annotated[str, SETTING_VALUE] = "",
    *,
    save: Annotated[
        bool, Option("--save", "store it in your espshell.toml; without NAME, all of them")
    ] = False,
) -> NamedValues | None:
    """Show the settings, or change one.

    check: read everything twice. squeeze: fold repeated rows into one line.
    verify: read back after writing. color: auto, always or never.
    dry-run: show what would be written; write nothing.
    confirm: ask before flash is changed. slower: lower the baud rate if flash reads are unreliable.
    flash-size: auto, or the size: 4M. spi-connection: auto, SPI, HSPI, or the flash pins:
    CLK,Q,D,HD,CS. parttable: the partition table's flash offset, or a file. rate: auto raises a
    baud rate that was not chosen by you before more than 256 KiB go through a bridge; fixed never
    does. compress: auto lets the stub compress reads of 128 KiB of flash and more where that is
    faster, which overwrites 170 KiB of RAM; off leaves the RAM alone.
    complete: offer names on tab, or with every key (typing). editing: key bindings, emacs or vi.
    theme: auto, dark, light, mono, or terminal (its own 16 colours). pager: for results longer than
    the screen: auto ($PAGER, or less), off, or a command. pipe: an empty Enter after `dump ... |
    less` uses less again. shell: allow `!COMMAND` and `cd` in scripts. aliases: command names of
    uboot (md, mw) or gdb (x/16xw, p).

    Example: set verify on
    Example: set
    """
    if name and name not in SETTINGS:
        names = ", ".join(SETTINGS)
        raise UsageError(
            f"there is no setting `{name}`",
            hint=did_you_mean(name, SETTINGS) or f"there are {names}",
        )
    if save and name and name not in SAVED:
        raise UsageError(f"`{name}` is not saved: it applies to one session")
    if value:
        _change(session, name, value)
    if save:
        values = {key: _saved(session, key) for key in ((name,) if name else SAVED)}
        first = replace(session, output=Output(), settings=Settings())
        path = config.save(values, {} if name else {key: _saved(first, key) for key in SAVED})
        session.output.note(f"saved in {path}")
    if value or save:
        return None
    shown = (name,) if name else SETTINGS
    return NamedValues(tuple((key, _setting(session, key)) for key in shown))


def _change(session: Session, name: str, value: str) -> None:
    setattr(*_place(session, name), _parsed(name, value))
    if name == "parttable" and session.connection is not None:
        session.connection.partitions = None
    session.apply_settings()


def _place(session: Session, name: str) -> tuple[object, str]:
    """Return the object that keeps a setting, and the name of its attribute there."""
    if name == "color":
        return session.output, "color_when"
    return session if name == "dry-run" else session.settings, name.replace("-", "_")


def _parsed(name: str, value: str) -> object:
    """Return the value that a text stands for. Raises: UsageError with what was expected."""
    if name == "flash-size":
        return _flash_size(value)
    if name == "spi-connection":
        parse_pads(value)
    elif name == "parttable" and parse_number(value) is None:
        require_readable(path_of(value))
    elif name == "pager":
        require_system_command(value)
    if name in ("pager", "parttable", "spi-connection"):
        return value
    choices, word = _CHOICES.get(name, tuple(_SWITCH)), value.lower()
    if word not in choices:
        raise UsageError(f"`{name}` is {' or '.join(choices)}, not `{value}`")
    return word if name in _CHOICES else _SWITCH[word]


def _saved(session: Session, name: str) -> bool | str:
    """Return a setting as a file has it: as `set` takes it, in every folder."""
    if name == "flash-size":
        size = session.settings.flash_size
        return f"{size // KIB}k" if size else "auto"
    if name == "parttable" and parse_number(session.settings.parttable) is None:
        return str(path_of(session.settings.parttable).absolute())
    return _setting(session, name)


def configure(session: Session, loaded: config.Config) -> None:
    """Give a session the settings and aliases of files. Raises: UsageError with the place."""
    for name, entry in loaded.settings.items():
        with config.located(entry.where):
            _change(session, name, entry.text)
    for name, entry in loaded.aliases.items():
        with config.located(entry.where):
            define(session, name, entry.text)


@VERBS.add("alias", rest="assignment", traits=Trait.ALIAS)
def alias(session: Session, assignment: Command) -> NamedValues | None:
    """Give a command line a name: alias NAME = COMMAND.

    Without arguments, lists the aliases. Arguments after the alias are appended to the command.

    Example: alias look = peek DRAM; look 4
    """
    if not assignment.words:
        return NamedValues(tuple(sorted(session.aliases.items())))
    setting = assigned(assignment)
    define(session, setting.name, setting.source)
    return None


def define(session: Session, alias: str, line: str) -> None:
    """Let an alias stand for a line. Raises: UsageError if that is not a command."""
    commands = tuple(lines.parse(session, line))
    if not commands:
        raise UsageError(f"`{alias}` would be empty")
    for command in commands:
        name = command.name.expand({}) if command.name.is_plain else ""
        if name and not COMMANDS.family(name):
            COMMANDS.find(name, prefixes=session.interactive)
    session.aliases[alias] = line


@VERBS.add("history")
def history(session: Session, count: Annotated[int, POSITIVE] = 20) -> History:
    """Show the last lines typed.

    Example: history 5
    """
    lines = session.history()
    first = max(0, len(lines) - count)
    return History(first + 1, tuple(lines[first:]))


LOG_TARGET = replace(
    FILE,
    complete=lambda text, scope: ("off", *complete_files(text, scope)),
    outputs=lambda path: () if str(path) == "off" else (path,),
)
"""A file, or ``off``."""


@VERBS.add("log", traits=Trait.ONCE)
def log(session: Session, file: Annotated[Path | None, LOG_TARGET] = None) -> NamedValues:
    """Write a transcript to a file (log FILE), or stop (log off).

    Commands are written as typed and their output as comments, so the file can be run as a script.
    It is appended to.

    Example: log session.log
    """
    if file is not None:
        session.log_to(None if str(file) == "off" else file)

        def begin(record: Record) -> None:  # what its lines may use and do not set
            for name, value in session.variables.items():
                if name.isidentifier() and name != "_":
                    record.command(replay.assignment(name, value))

        session.output.logged(begin)
    transcript = session.output.transcript
    return NamedValues((("log", str(transcript.path) if transcript else "off"),))


@VERBS.add("quit", aliases=["exit"], traits=Trait.ONCE)
def leave(session: Session, status: Annotated[int | None, BARE_NUMBER] = None) -> None:
    """Leave the shell, optionally with an exit status.

    The chip is left as --after says.

    Example: quit
    """
    if status is not None and not 0 <= status <= 255:
        raise UsageError(f"an exit status is 0 to 255, not {status}")
    raise Quit(status)


def _setting(session: Session, name: str) -> bool | str:
    value = getattr(*_place(session, name))
    if name == "flash-size":
        return size_text(value) if value else "auto"
    return value if isinstance(value, bool) else str(value)


def _flash_size(value: str) -> int | None:
    """Return a size in bytes, None for ``auto``."""
    if value.lower() == "auto":
        return None
    size = parse_number(value.upper().removesuffix("B"))
    if not size or size % (64 * KIB) or size > MOST_FLASH:
        raise UsageError(
            f"`{value}` is not a size of a flash", hint="4M, 512k, or auto; at most 256M"
        )
    return size


FOLDER = replace(
    ANY_PATH,
    complete=lambda text, scope: (
        one
        for one in complete_files(text, scope)
        if isinstance(one, Offer) and one.text.endswith("/")
    ),
)


@VERBS.add("!", traits=Trait.ONCE)
def run_system(session: Session, command: Annotated[str, TEXT]) -> None:
    """Run a system command: !ls -l.

    The rest of the line belongs to it. In scripts only after `set shell on`.

    Example: !ls -l
    """
    _require_permission(session, "!")
    require_system_command(command)
    session.output.finished()
    status = exit_status(subprocess.run(command, shell=True).returncode)
    if status:
        raise UsageError(f"`{command}` ended with status {status}")


@VERBS.add("cd", traits=Trait.ONCE)
def change_folder(session: Session, folder: Annotated[Path | None, FOLDER] = None) -> None:
    """Change the working folder; without FOLDER, to your home folder.

    In scripts only after `set shell on`.

    Example: cd ..
    """
    _require_permission(session, "cd")
    settings = session.settings
    if parse_number(settings.parttable) is None:
        settings.parttable = str(path_of(settings.parttable).absolute())
    try:
        os.chdir(folder or Path.home())
    except OSError as error:
        raise UsageError(f"cannot go to {folder}: {system_reason(error)}") from error
    session.output.note(str(Path.cwd()))


def _require_permission(session: Session, name: str) -> None:
    if not (session.interactive or session.settings.shell):
        raise UsageError(
            f"`{name}` works at the prompt, not in scripts", hint="`set shell on` allows it"
        )
