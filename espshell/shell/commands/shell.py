"""set, alias, history, log, quit: the shell itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

from espshell.device.board import parse_pads
from espshell.errors import UsageError
from espshell.files import path_of, require_readable
from espshell.ops.result import Result
from espshell.records import dataclass, replace
from espshell.shell import config, lines, replay
from espshell.shell.arguments.types import (
    BARE_NUMBER,
    FILE,
    POSITIVE,
    TEXT,
    Completed,
    Unfinished,
    complete_files,
    did_you_mean,
)
from espshell.shell.declaration import Option, Trait
from espshell.shell.language.assignment import assigned
from espshell.shell.language.grammar import Command
from espshell.shell.output import Output
from espshell.shell.registry import COMMANDS, Registry
from espshell.shell.session import Quit, Session
from espshell.shell.settings import ABOUT, CHOICES, MOST_FLASH, SAVED, SETTINGS, SWITCHES, Settings
from espshell.shell.transcript import Record
from espshell.units import KIB, parse_number, size_text

VERBS = Registry()

GROUP = "Shell"

_SWITCH = {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False}
_COLORS = ("auto", "always", "never")


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

_VALUES = {
    **CHOICES,
    "color": _COLORS,
    "flash-size": ("auto",),
    "pager": ("auto", "off"),
    "spi-connection": ("auto", "SPI", "HSPI"),
}


def _complete_value(at: Unfinished) -> Iterable[Completed]:
    name = at.words[0]
    if name in _VALUES:
        return _VALUES[name]
    if name == "parttable":
        return complete_files(at.word, at.scope)
    return ("on", "off") if name in (*SWITCHES, "dry-run") else ()


SETTING_VALUE = replace(TEXT, complete_at=_complete_value)
"""What the setting before it can be."""


@VERBS.add("set", group=GROUP, traits=Trait.PARTITIONS)
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
    if name == "color":
        session.output.color_when = _choice(name, value, _COLORS)
    elif name == "dry-run":
        session.dry_run = _SWITCH[_choice(name, value, tuple(_SWITCH))]
    elif name == "parttable":
        if parse_number(value) is None:
            require_readable(path_of(value))
        session.settings.parttable = value
        if session.connection is not None:
            session.connection.partitions = None
    elif name in _PARSERS:
        setattr(session.settings, name.replace("-", "_"), _PARSERS[name](value))
    else:
        setattr(session.settings, name, _SWITCH[_choice(name, value, tuple(_SWITCH))])
    session.apply_settings()


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


@VERBS.add("alias", group=GROUP, rest="assignment", traits=Trait.ALIAS)
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


@VERBS.add("history", group=GROUP)
def history(session: Session, count: Annotated[int, POSITIVE] = 20) -> History:
    """Show the last lines typed.

    Example: history 5
    """
    lines = session.history()
    first = max(0, len(lines) - count)
    return History(first + 1, tuple(lines[first:]))


LOG_TARGET = replace(FILE, complete=lambda text, scope: ("off", *complete_files(text, scope)))
"""A file, or ``off``."""


@VERBS.add("log", group=GROUP, traits=Trait.ONCE)
def log(session: Session, file: Annotated[Path | None, LOG_TARGET] = None) -> NamedValues:
    """Write a transcript to a file (log FILE), or stop (log off).

    Commands are written as typed and their output as comments, so the file can be run as a script.
    It is appended to.

    Example: log session.log
    """
    if file is not None:
        session.log_to(None if str(file) == "off" else file)
        session.output.logged(lambda log: _set_variables(log, session.variables))
    transcript = session.output.transcript
    return NamedValues((("log", str(transcript.path) if transcript else "off"),))


def _set_variables(transcript: Record, variables: Mapping[str, str]) -> None:
    """Write what the lines of a transcript may use and do not set."""
    for name, value in variables.items():
        if name.isidentifier() and name != "_":
            transcript.command(replay.assignment(name, value))


@VERBS.add("quit", group=GROUP, aliases=["exit"], traits=Trait.ONCE)
def leave(session: Session, status: Annotated[int | None, BARE_NUMBER] = None) -> None:
    """Leave the shell, optionally with an exit status.

    The chip is left as --after says.

    Example: quit
    """
    if status is not None and not 0 <= status <= 255:
        raise UsageError(f"an exit status is 0 to 255, not {status}")
    raise Quit(status)


def _setting(session: Session, name: str) -> bool | str:
    if name == "color":
        return session.output.color_when
    if name == "dry-run":
        return session.dry_run
    if name == "parttable":
        return session.settings.parttable
    if name in ("pager", "spi-connection", *CHOICES):
        return str(getattr(session.settings, name.replace("-", "_")))
    if name == "flash-size":
        size = session.settings.flash_size
        return size_text(size) if size else "auto"
    return bool(getattr(session.settings, name))


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


def _pads(value: str) -> str:
    parse_pads(value)
    return value


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value.lower() not in choices:
        raise UsageError(f"`{name}` is {' or '.join(choices)}, not `{value}`")
    return value.lower()


_PARSERS: dict[str, Callable[[str], object]] = {
    "flash-size": _flash_size,
    "spi-connection": _pads,
    "pager": str,
    **{name: partial(_choice, name, choices=words) for name, words in CHOICES.items()},
}
"""What becomes of the text of a setting that is neither a switch nor special."""
