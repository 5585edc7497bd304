"""The options of the program: their parser, and what a wrong command line may have meant."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from espshell import __version__, completion
from espshell.errors import UsageError
from espshell.files import path_of
from espshell.link.reset import AFTER, BEFORE
from espshell.shell.registry import COMMANDS
from espshell.subcommands import ArgumentParser

STREAM = "-"
"""Stands for standard input as SCRIPT, and for standard error as the file of ``--trace``."""


def program_parser() -> argparse.ArgumentParser:
    """Return the parser of the options that the program itself takes."""
    folder = os.environ.get("ESPSHELL_STUB_DIR")
    port = os.environ.get("ESPSHELL_PORT", "")
    options = ArgumentParser(
        prog="espshell",
        description="An interactive shell for the serial bootloader of Espressif chips.",
        epilog="espshell sim CHIP serves a simulated chip; espshell check SCRIPT parses one; "
        "espshell ports lists the serial ports.",
    )
    add = options.add_argument
    script_help = "a file of commands (.espsh); - for standard input"
    add("script", nargs="?", metavar="SCRIPT", help=script_help)
    add(
        "arguments",
        nargs="*",
        metavar="ARG",
        help="become $1 to $9; after -- they may begin with -",
    )
    add("-p", "--port", action=_Once, default=port, help="device or URL; again for more boards")
    add(
        "--ports", metavar="SELECTION", help="all boards that match, such as serial=A5*,kind=CP210x"
    )
    add("--all-likely", action="store_true", help="all boards plugged in")
    baud = os.environ.get("ESPSHELL_BAUD", "")
    add(
        "-b",
        "--baud",
        action=_Once,
        default=baud,
        help="baud rate, or auto: the highest without errors",
    )
    add("--chip", action=_Once, help="refuse any other chip")
    add("--before", default="default-reset", help=f"how to reset it: {', '.join(BEFORE)}")
    add("--after", choices=AFTER, default="hard-reset", help="how to leave the chip")
    add("--stub", choices=("auto", "always", "never"), default="auto", help="the flasher stub")
    stub_dir = path_of(folder) if folder else None
    add("--stub-dir", type=path_of, default=stub_dir, help="folder with the stub files")
    add("--stub-version", type=int, choices=(1, 2), help="generation of the flasher stub")
    add("--config", type=path_of, metavar="FILE", help="use this file instead of any espshell.toml")
    add("--profile", default="", metavar="NAME", help="[profile.NAME] of espshell.toml")
    add("-c", "--command", action="append", default=[], metavar="LINE", help="run a line")
    add("-i", "--interactive", action="store_true", help="stay after -c and SCRIPT")
    add("--yes", action="store_true", help="answer yes to questions about destructive commands")
    add("--keep-going", action="store_true", help="run all lines; exit with the worst status")
    add("--dry-run", action="store_true", help="show what would be written; write nothing")
    add("--json", action="store_true", help="print one JSON object per command")
    add("--transcript", type=path_of, metavar="FILE", help="write commands and their results")
    add("--log", type=path_of, metavar="FILE", help="append commands and output with time stamps")
    add("--junit", type=path_of, metavar="FILE", help="write test results as JUnit XML")
    add("--report", type=path_of, metavar="FILE", help="write what the board is: html, md or json")
    add("--trace", metavar="[=FILE]", help="show every frame, or record them in a file")
    add("--color", choices=("auto", "always", "never"), default="auto", help="when to colour")
    add("--elf", type=path_of, metavar="FILE", help="ELF file whose symbols name addresses")
    add("--svd", type=path_of, metavar="FILE", help="take register definitions from an SVD file")
    add("--print-completion", action=_Completion, choices=completion.SHELLS, help="a script for it")
    add("--version", action="version", version=f"espshell {__version__}")
    return options


class _Completion(argparse.Action):
    """An option that prints the completion script of a shell, and ends the program."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Print the script. Raises: UsageError without what makes it, SystemExit."""
        print(completion.script(program_parser(), str(values)), end="")  # noqa: T201
        parser.exit()


class _Once(argparse.Action):
    """An option that may be given once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Store the value. Raises: UsageError for a second one."""
        if self.dest in vars(namespace).setdefault("given", set()):
            raise UsageError(f"{option_string} is given twice", hint="give it once")
        namespace.given.add(self.dest)
        setattr(namespace, self.dest, values)


def parsed(
    arguments: Sequence[str], defaults: Mapping[str, str] = MappingProxyType({})
) -> argparse.Namespace:
    """Return the options. Raises: UsageError; a command in place of a script gets a hint."""
    words, parser = _joined(arguments), program_parser()
    parser.set_defaults(**defaults)
    try:
        return parser.parse_intermixed_args(words)
    except UsageError as error:
        hints = filter(None, (command_hint(word, ["..."]) for word in words))
        raise UsageError(error.message, hint=next(hints, error.hint)) from error


def command_hint(word: str, rest: Sequence[str]) -> str:
    """Return the hint for a command in place of a script; empty if the word is not a command."""
    if not word or word.startswith("-") or not (COMMANDS.get(word) or COMMANDS.family(word)):
        return ""
    return f"`{word}` is a command: -c '{' '.join((word, *rest))}' runs it"


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join -c to its line, which may begin with a dash, and a lone --trace to its target."""
    joined: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            return [*joined, argument, *remaining]
        if argument in ("-c", "--command"):
            line = next(remaining, None)
            joined.append(argument if line is None else f"--command={line}")
        else:
            joined.append(f"--trace={STREAM}" if argument == "--trace" else argument)
    return joined
