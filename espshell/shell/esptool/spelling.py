"""The spelling of esptool's lines: the program, its commands, old names of options, @files.

One table for each kind, as esptool 5 maps them itself.  Underscores for hyphens in the names of
commands and options, and ``--option=value``, need no table: ``registry`` takes them everywhere.

Source: esptool's manuals, versions 1 to 5, and ``esptool COMMAND --help`` of 5.6.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from espshell import files, regex
from espshell.errors import UsageError
from espshell.records import replace
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import PlainText, Word

COMMANDS = (
    "chip-id", "dump-mem", "elf2image", "erase-flash", "erase-region", "flash-id",
    "get-security-info", "image-info", "load-ram", "make-image", "merge-bin", "read-flash",
    "read-flash-sfdp", "read-flash-status", "read-mac", "read-mem", "run", "verify-flash",
    "version", "write-flash", "write-flash-status", "write-mem",
)  # fmt: skip
"""The commands of esptool 5 that exist here, and ``make-image`` of 4."""

ABSENT = {
    "dump-bbm": "NAND flash is not supported",
    "read-nand-spare": "NAND flash is not supported",
    "write-nand-spare": "NAND flash is not supported",
    "read-sdc-chip-info": "the ESP32-S31 is not supported",
    "verify-sdc-certificate": "the ESP32-S31 is not supported",
}
"""The commands of esptool 5.6 that do not exist here, with the reasons."""

OPTIONS = {
    "--fill-flash-size": "--pad-to-size",
    "--ignore-flash-encryption-efuse-setting": "--ignore-flash-enc-efuse",
    "--no-diff-verify": "--trust-flash-content",
}
"""Renamed options: the old names, with hyphens, and the new ones."""

SWITCHES = {("verify-flash", "--diff"): {"yes": True, "no": False}}
"""Flags that once took a value: whether a value sets the flag."""

EXCLUSIVE = {
    "write-flash": (
        ("--compress", "--no-compress"),
        ("--skip-flashed", "--diff-with"),
        ("--skip-flashed", "--trust-flash-content"),
    )
}
"""Options that exclude each other."""

MANY = {"--port-filter": "=", "--encrypt-files": "", "--diff-with": ""}
"""Options that take all words up to the next option, if they contain a character."""

_SHORT = {"--compress": "-z", "--no-compress": "-u", "--skip-flashed": "-s"}

_PROGRAM = regex.late(r"(?:.*[/\\:])?(esptool|espefuse|espsecure)(?:\.py|\.exe)?", re.IGNORECASE)
_PYTHON = regex.late(r"(?:.*[/\\:])?py(?:thon)?[\d.]*w?(?:\.exe)?", re.IGNORECASE)


def program(command: Command) -> Command:
    """Return a line of esptool, espefuse or espsecure as a command with the program's name.

    ``esptool.py``, ``/path/to/esptool.py``, ``python -m esptool``, ``python3 esptool.py``; the
    ``$`` of a prompt in front is dropped.  Any other command is returned unchanged.
    """
    raw = [word.raw.strip("\"'") for word in (command.name, *command.words[:3])]
    first = 1 if raw[0] == "$" else 0
    last = first
    if last < len(raw) and _PYTHON.fullmatch(raw[last]):
        last += 2 if raw[last + 1 : last + 2] == ["-m"] else 1
    match = _PROGRAM.fullmatch(raw[last]) if last < len(raw) else None
    if match is None:
        return command
    end = command.words[last - 1] if last else command.name
    text = command.text[: end.column - command.column + len(end.raw)]
    name = Word(text, command.column, (PlainText(text, match[1].lower()),))
    return replace(command, name=name, words=command.words[last:])


def modern(name: str, command: Command, *, expand: bool = True) -> Command:
    """Return a command of esptool's with the present spelling of its words.

    ``name`` is its name here.  ``@FILE`` is replaced by the words in the file, if ``expand``.

    Raises: UsageError if such a file cannot be read, or options exclude each other.
    """
    if name != "esptool" and name not in COMMANDS:
        return command
    given = _expanded(command.words) if expand else command.words
    words = tuple(_spelled(name, list(given)))
    flags = {word.raw.partition("=")[0] for word in words}
    for pair in EXCLUSIVE.get(name, ()):
        if all(flags & {flag, _SHORT.get(flag, flag)} for flag in pair):
            raise UsageError(f"{' and '.join(pair)} exclude each other")
    return command if words == command.words else replace(command, words=words)


def require_command(holder: str, word: Word) -> None:
    """Check that the command inside of ``esptool`` is one of esptool's. Raises: UsageError."""
    name = word.expand({}).lower().replace("_", "-") if word.is_plain else COMMANDS[0]
    if holder != "esptool" or name in COMMANDS:
        return
    if name in ABSENT:
        raise UsageError(f"`{name}` is not supported: {ABSENT[name]}")
    raise UsageError(
        f"esptool has no command `{name}`", hint=f"its commands here: {', '.join(COMMANDS)}"
    )


def asks_help(name: str, command: Command) -> str:
    """Return the command for which a line with ``--help`` wants help; empty for other lines.

    For a line of esptool, it is the command inside; there ``-h`` is ``--help``, too.
    """
    words = [word.raw for word in command.words]
    signs = {"--help", "-h"} if name in ("esptool", *COMMANDS) else {"--help"}
    if name == "help" or not signs.intersection(words):
        return ""
    inside = (word.replace("_", "-") for word in words if name == "esptool")
    return next((word for word in inside if word in COMMANDS), name)


def words_of(arguments: Iterable[str], column: int = 1) -> tuple[Word, ...]:
    """Return arguments as words of a line."""
    words = []
    for argument in arguments:
        raw = shlex.quote(argument)
        words.append(Word(raw, column, (PlainText(raw, argument),)))
        column += len(raw) + 1
    return tuple(words)


def _expanded(words: Sequence[Word]) -> Iterator[Word]:
    """Yield words; ``@FILE`` is replaced by the words in the file."""
    for word in words:
        name = word.expand({}) if word.is_plain else ""
        if not name.startswith("@"):
            yield word
            continue
        path = files.path_of(name[1:])
        try:
            arguments = shlex.split(files.read_text(path, files.SCRIPT))
        except ValueError as error:
            raise UsageError(f"{path} is not an argument file: a quote is not closed") from error
        yield from (replace(argument, column=word.column) for argument in words_of(arguments))


def _spelled(command: str, words: list[Word]) -> Iterator[Word]:
    """Yield words with the present names of options, and switches without their old values."""
    while words:
        word = words.pop(0)
        if not word.raw.startswith("-"):
            yield word
            continue
        flag, mark, value = word.raw.partition("=")
        long = flag.replace("_", "-") if flag.startswith("--") else flag
        flag = OPTIONS.get(long, long)
        switch = SWITCHES.get((command, "--diff" if flag == "-d" else flag), {})
        if switch and not mark and words and words[0].raw.lower() in switch:
            value, mark = words.pop(0).raw, "="
        if switch and value.lower() in switch:
            if switch[value.lower()]:
                yield _named(word, flag, len(word.raw))
            continue
        yield _named(word, flag, len(word.raw.partition("=")[0]))
        character = MANY.get(flag)
        if character is not None and words:
            if not mark:
                yield words.pop(0)
            while words and character in words[0].raw and not words[0].raw.startswith("-"):
                yield _named(words[0], flag, 0)
                yield words.pop(0)


def _named(word: Word, flag: str, size: int) -> Word:
    """Return a word with a flag in place of its first ``size`` characters; 0: the flag only."""
    first, *rest = word.pieces
    if not isinstance(first, PlainText):
        return word
    kept = (
        PlainText(flag + first.raw[size:], flag + first.cooked[size:])
        if size
        else PlainText(flag, flag)
    )
    raw = flag + word.raw[size:] if size else flag
    return Word(raw, word.column, (kept, *rest) if size else (kept,))
