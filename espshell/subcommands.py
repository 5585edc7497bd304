"""The words that stand first on the command line and are programs of their own."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from espshell.errors import EspError, UsageError
from espshell.files import path_of
from espshell.shell import script
from espshell.shell.check import every_error
from espshell.shell.output import Output
from espshell.shell.replay import quoted
from espshell.shell.runner import Runner
from espshell.shell.session import Session


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser whose errors are usage errors like all others."""

    def __init__(self, prog: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=functools.partial(argparse.HelpFormatter, width=_columns() - 2),
        )

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError with the message of argparse."""
        raise UsageError(message, hint="`espshell --help` shows the options")


def _columns() -> int:
    """Return the columns of the terminal as ``shutil`` does, which takes 3 ms to import."""
    with contextlib.suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    return 80


def check_scripts(arguments: Sequence[str]) -> int:
    """Parse scripts; return the worst status."""
    parser = ArgumentParser(prog="espshell check", description="Parse scripts without a device.")
    parser.add_argument("scripts", nargs="+", metavar="SCRIPT")
    parser.add_argument(
        "--several",
        action="store_true",
        help="they run on several boards at once: each must write files of its own",
    )
    options = parser.parse_args(arguments)
    output, worst = Output(), 0
    for name in options.scripts:
        try:
            for error in every_error(
                Session(output), script.read(path_of(name)), several=options.several
            ):
                output.error(error.at_column())
                output.plain(f"    {error.source}")
                worst = max(worst, error.status)
        except EspError as error:
            script.report(output, error)
            worst = max(worst, error.status)
    return worst


def comparison(arguments: Sequence[str]) -> list[str]:
    """Return the command line that compares the flash of two boards."""
    parser = ArgumentParser("espshell compare", "Compare the flash of two boards by digests.")
    parser.add_argument("one", metavar="PORT1")
    parser.add_argument("other", metavar="PORT2")
    parser.add_argument("region", nargs="*", metavar="REGION", help="such as flash:app0")
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    options = parser.parse_args(arguments)
    line = " ".join(["compare", quoted(options.other), *options.region])
    return ["-p", options.one, *["--json"] * options.json, "-c", line]


def list_ports(arguments: Sequence[str]) -> int:
    """List the serial ports."""
    parser = ArgumentParser("espshell ports", "List the serial ports, likely boards first.")
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    options = parser.parse_args(arguments)
    return Runner(Session(Output(as_json=options.json))).run_line("ports")


def simulate(arguments: Sequence[str]) -> int:
    """Serve a simulated chip until it is interrupted."""
    from espshell.sim import serve, url

    parser = ArgumentParser(prog="espshell sim", description="Serve a simulated chip in real time.")
    add = parser.add_argument
    add("chip", metavar="CHIP", help="esp32c3, demo, also with options: 'esp32c3?flash=8M'")
    place = parser.add_mutually_exclusive_group().add_argument
    place("--pty", action="store_true", help="on a pseudo-terminal (the default)")
    place("--tcp", metavar="HOST:PORT", help="on a TCP port, for socket://; loopback if no HOST")
    place("--rfc2217", metavar="HOST:PORT", help="likewise, for rfc2217://: with resets and rates")
    add("--flash-file", type=path_of, help="contents of the flash, read and written")
    add("--fault", action="append", default=[], metavar="RULE", help="such as drop@reply:37")
    options = parser.parse_args(arguments)
    chip = options.chip if "://" in options.chip else f"{url.SCHEME}{options.chip}"
    chip = url.with_faults(chip, options.fault)
    announce = functools.partial(print, flush=True)
    if address := options.tcp or options.rfc2217:
        serve_network = serve.serve_tcp if options.tcp else serve.serve_rfc2217
        serve_network(chip, *_address(address), announce, flash_file=options.flash_file)
    else:
        serve.serve_pty(chip, announce, flash_file=options.flash_file)
    return 0


def _address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``PORT``; loopback by default."""
    host, _, port = text.rpartition(":")
    host, bracketed = host.removeprefix("[").removesuffix("]"), host[:1] + host[-1:] == "[]"
    if not port.isdecimal() or int(port) > 65535 or bracketed != (":" in host):
        hint = "such as 127.0.0.1:5555 or [::1]:5555; 0 takes any port"
        raise UsageError(f"expected HOST:PORT, not `{text}`", hint=hint)
    return host or "127.0.0.1", int(port)
