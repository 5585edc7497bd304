"""``espshell.toml``: what a person would otherwise type at every start.

Read are the file in the user's configuration directory and the one in the current folder, whose
values come first; or only the one that ``--config`` names.  Each may have profiles.  Keys, types
and values are checked before any of it is used; see docs/reference/configuration.md.

Scripts read none of it unless they are asked to: what a bench does must be written down with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from platformdirs import user_config_path, user_state_path

from espshell import files
from espshell.errors import UsageError, printable
from espshell.link import reset
from espshell.records import dataclass, field, replace
from espshell.shell.arguments.types import chip_named, did_you_mean
from espshell.shell.output import Output
from espshell.shell.script import Script
from espshell.shell.settings import SAVED, SWITCHES
from espshell.units import parse_number

FILE_NAME = "espshell.toml"

ENVIRONMENT = {"port": "ESPSHELL_PORT", "baud": "ESPSHELL_BAUD"}
"""Variables that go before what files say outside of a profile."""

_MOST_SHOWN = 60
"""Characters of a wrong value in a message."""

_Values = dict[str, Any]  # what TOML gives
_BARE = frozenset(["startup", "settings", "aliases", "profile"])


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as it is typed, and where it stands: ``espshell.toml: settings.check``."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Config:
    """What files say: of the command line's options, settings, aliases and start-up lines."""

    options: Mapping[str, str] = field(default_factory=dict)
    """Texts by the names that the options have in ``cli``."""
    settings: Mapping[str, Entry] = field(default_factory=dict)
    aliases: Mapping[str, Entry] = field(default_factory=dict)
    startup: Script | None = None

    def over(self, other: Config) -> Config:
        """Return both as one, of which this goes before, key by key."""
        return Config(
            {**other.options, **self.options},
            {**other.settings, **self.settings},
            {**other.aliases, **self.aliases},
            other.startup if self.startup is None else self.startup,
        )

    def without(self, options: Collection[str]) -> Config:
        """Return it without some options."""
        kept = {name: text for name, text in self.options.items() if name not in options}
        return replace(self, options=kept)


def load(
    *,
    file: Path | None = None,
    profile: str = "",
    ask: Callable[[Sequence[str]], bool] | None = None,
) -> Config:
    """Return what the files say; ``file`` is the only one then.

    ``ask`` shows a person the values of a file in the current folder and asks whether to use them;
    None: nobody can be asked.

    Raises: UsageError for a file that cannot be read or has something wrong in it, for a profile
    that no file has, and for a file that nobody has agreed to and nobody can be asked about.
    """
    paths = (
        [file]
        if file
        else [path for path in (user_file(), Path(FILE_NAME)) if os.path.lexists(path)]
    )
    if len(set(map(os.path.realpath, paths))) < len(paths):
        paths.pop()
    base, chosen, names = Config(), None, list[str]()
    for path in paths:
        data = files.read_bytes(path, files.CONFIG)
        values = _parsed(path, data)
        sections = _sections(path, values)
        if path == Path(FILE_NAME) and not file and not _may_use(path, data, values, ask):
            continue
        base = sections.pop("").over(base)
        names += sections
        if profile in sections:
            chosen = sections[profile].over(chosen or Config())
    if profile and chosen is None:
        where = " and ".join(map(str, paths)) or f"{user_file()} or {FILE_NAME}"
        hint = did_you_mean(profile, names) or (f"profiles: {', '.join(names)}" if names else "")
        raise UsageError(f"there is no profile `{printable(profile)}` in {where}", hint=hint)
    present = [name for name, variable in ENVIRONMENT.items() if os.environ.get(variable)]
    return (chosen or Config()).over(base.without(present))


@contextlib.contextmanager
def located(where: str) -> Iterator[None]:
    """Put the place before the message of a UsageError."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", hint=error.hint) from error


def agree(output: Output, values: Sequence[str]) -> bool:
    """Ask a person at the terminal whether the values of a file are to be used."""
    output.note(f"{FILE_NAME} in this folder is new, or has changed since you agreed to it:")
    for value in values:
        output.plain(f"    {value}")
    with contextlib.suppress(EOFError):
        if input("use it? [y/N] ").strip().lower() in ("y", "yes"):
            return True
    output.note(f"{FILE_NAME} is not used")
    return False


def user_file() -> Path:
    """Return the path of the file in the user's configuration directory."""
    return Path(user_config_path("espshell", appauthor=False)) / FILE_NAME


def save(
    values: Mapping[str, bool | str], defaults: Mapping[str, bool | str] = MappingProxyType({})
) -> Path:
    """Put settings into the user's file, whose comments and order stay; return its path.

    A value that is the default is only put where the file has one already.
    Raises: UsageError if it cannot be read or written, or is not right as it is.
    """
    import tomlkit

    path = user_file()
    data = files.read_bytes(path, files.CONFIG) if os.path.lexists(path) else b""
    _sections(path, _parsed(path, data))
    document = tomlkit.parse(data.decode("utf-8-sig"))
    settings = document.setdefault("settings", tomlkit.table())
    settings.update(
        {
            name: value
            for name, value in values.items()
            if name in settings or defaults.get(name) != value
        }
    )
    files.make_folder(path.parent)
    files.write_bytes(path, tomlkit.dumps(document).encode())
    return path


def _may_use(
    path: Path, data: bytes, values: _Values, ask: Callable[[Sequence[str]], bool] | None
) -> bool:
    """Return whether a file of the current folder may be used: agreed to before, or now.

    It may be a stranger's: it came with a repository.  Its port can write a file
    (``sim://...?flash-file=``), its aliases and start-up lines can run a shell.  So nothing of it
    is used before a person has seen it and said yes; a file that has changed since is a new one.
    """
    state, place = (
        Path(user_state_path("espshell", appauthor=False)) / "agreed",
        os.path.realpath(path),
    )
    digest = hashlib.sha256(os.fsencode(place) + b"\0" + data).hexdigest()
    with contextlib.suppress(UsageError):  # there is none yet, or it is damaged
        lines = files.read_text(state, files.HISTORY).splitlines()
        if any(line.startswith(digest) for line in lines):
            return True
    if ask is None:
        raise UsageError(
            f"the {path} of this folder has not been approved yet",
            hint=f"`--config {path}` uses it; at a terminal you are asked",
        )
    if not ask([f"{key} = {_shown(value)}" for key, value in _flat(values)]):
        return False
    with contextlib.suppress(UsageError):  # then the next start asks again
        # In JSON, so that a line end in the path begins no line of its own.
        files.append_private(state, f"{digest}  {json.dumps(place)}\n".encode())
    return True


def _flat(values: _Values, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield values by keys as one line has them: ``settings.check``."""
    for key, value in values.items():
        is_bare = key.replace("-", "").isidentifier() and key.isascii()
        name = prefix + (key if is_bare else _shown(key))
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _shown(value: object) -> str:
    return printable(json.dumps(value, default=str))


# Checking ----------------------------------------------------------------------------------------


def _parsed(path: Path, data: bytes) -> _Values:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values: _Values = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text (UTF-8): byte {error.start} is wrong") from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deeply") from error
    except ValueError as error:
        raise UsageError(
            f"{path} is not TOML: {error}", hint='a line is `key = "value"`'
        ) from error
    return values


def _sections(path: Path, values: _Values) -> dict[str, Config]:
    """Return what stands outside of profiles under the name "", and each profile."""
    sections = {"": _section(path, "", values)}
    for name, section in _table(path, "profile", values.get("profile", {})).items():
        key = f"profile.{printable(name)}"
        section = _table(path, key, section)
        if "profile" in section:
            raise _wrong(path, f"{key}.profile", "profiles cannot be nested", section["profile"])
        if not name:
            raise _wrong(path, "profile", "profiles with names", name)
        sections[name] = _section(path, f"{key}.", section)
    return sections


def _section(path: Path, prefix: str, values: _Values) -> Config:
    for key in values:
        if key not in _OPTIONS and key not in _BARE:
            possible = (*_OPTIONS, *sorted(_BARE))
            hint = did_you_mean(key, possible) or f"possible keys: {', '.join(possible)}"
            raise UsageError(f"{path}: {prefix}{printable(key)}: there is no such key", hint=hint)
    options = {
        key: option.text(path, prefix + key, values[key])
        for key, option in _OPTIONS.items()
        if key in values
    }
    settings = dict(_settings(path, prefix, values.get("settings", {})))
    if color := settings.pop("color", None):
        options["color"] = color.text
    lines = values.get("startup", [])
    if not isinstance(lines, list) or not all(type(line) is str for line in lines):
        raise _wrong(path, f"{prefix}startup", 'a list of lines such as ["sr"]', lines)
    startup = Script(f"{path} startup", "\n".join(lines), path.parent)
    aliases = dict(_aliases(path, prefix, values.get("aliases", {})))
    return Config(options, settings, aliases, startup if "startup" in values else None)


def _settings(path: Path, prefix: str, values: object) -> Iterator[tuple[str, Entry]]:
    for name, value in _table(path, f"{prefix}settings", values).items():
        key = f"{prefix}settings.{printable(name)}"
        if name not in SAVED:
            hint = did_you_mean(name, SAVED) or f"there are {', '.join(SAVED)}"
            raise UsageError(f"{path}: {key}: there is no such setting", hint=hint)
        is_switch = name in SWITCHES
        if type(value) not in ((bool,) if is_switch else (int, str)):
            expected = "true or false" if is_switch else "a text as `set` takes it"
            raise _wrong(path, key, expected, value)
        text = ("on" if value else "off") if is_switch else str(value)
        if name == "parttable" and parse_number(text) is None:
            text = str(path.parent / files.path_of(text))
        if name == "color" and text not in ("auto", "always", "never"):
            raise _wrong(path, key, "auto, always or never", value)
        yield name, Entry(text, f"{path}: {key}")


def _aliases(path: Path, prefix: str, values: object) -> Iterator[tuple[str, Entry]]:
    for name, line in _table(path, f"{prefix}aliases", values).items():
        key = f"{prefix}aliases.{printable(name)}"
        if not (name.isascii() and name.isidentifier()):
            raise _wrong(path, key, "a name of letters, digits and _", name)
        if type(line) is not str or not line.strip() or "\n" in line:
            raise _wrong(path, key, "a line of the shell", line)
        yield name, Entry(line, f"{path}: {key}")


def _table(path: Path, key: str, value: object) -> _Values:
    if not isinstance(value, dict):
        raise _wrong(path, key, f"a table [{key}]", value)
    return value


def _wrong(path: Path, key: str, expected: str, value: object) -> UsageError:
    try:
        shown = _shown(value)
    except RecursionError:
        shown = "something nested"
    if len(shown) > _MOST_SHOWN:
        shown = f"{shown[:_MOST_SHOWN]}..."
    return UsageError(f"{path}: {key}: expected {expected}, not {shown}")


@dataclass(frozen=True, slots=True)
class _Option:
    """A key that is an option of the command line; ``check`` raises UsageError."""

    expected: str
    check: Callable[[str], object] = len
    kinds: tuple[type, ...] = (str,)
    is_path: bool = False

    def text(self, path: Path, key: str, value: object) -> str:
        """Return a value as the command line takes it; a path is relative to the file."""
        if type(value) not in self.kinds or not value:
            raise _wrong(path, key, self.expected, value)
        text = str(value)
        with located(f"{path}: {key}"):
            self.check(text)
            return str(path.parent / files.path_of(text)) if self.is_path else text


def _only(expected: str, is_right: Callable[[str], bool]) -> Callable[[str], object]:
    def check(text: str) -> None:
        if not is_right(text):
            raise UsageError(f"expected {expected}, not `{printable(text)}`")

    return check


def _one_of(*words: str) -> Callable[[str], object]:
    return _only(", ".join(words), words.__contains__)


_RATE = "a rate such as 460800, or auto"
_OPTIONS = {
    "port": _Option('a text such as "/dev/ttyUSB0" or "usb:SERIAL"'),
    "baud": _Option(
        _RATE,
        _only(_RATE, lambda text: text == "auto" or (text.isdecimal() and int(text) > 0)),
        (int, str),
    ),
    "chip": _Option('a chip such as "esp32c3"', chip_named),
    "before": _Option('a way to reset such as "default-reset"', reset.plan),
    "after": _Option('a way to leave such as "hard-reset"', _one_of(*reset.AFTER)),
    "stub": _Option("auto, always or never", _one_of("auto", "always", "never")),
    "elf": _Option('the name of a file such as "build/app.elf"', is_path=True),
    "svd": _Option('the name of a file such as "chip.svd"', is_path=True),
}
"""By their names in ``cli``, where the command line and the environment go before them."""
