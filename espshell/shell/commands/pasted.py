"""esptool and espefuse: whole lines of theirs, and what esptool has that is unlike ours."""

from __future__ import annotations

from typing import Annotated

from espshell import __version__
from espshell.errors import UsageError
from espshell.ops.chip import efuse as efuse_ops
from espshell.ops.chip import info as ops
from espshell.ops.result import Result
from espshell.records import dataclass, replace
from espshell.shell.arguments.types import TEXTS
from espshell.shell.esptool import line as lines
from espshell.shell.esptool.line import ChipOrAuto, GlobalOptions, PortName
from espshell.shell.lines import Held
from espshell.shell.outcome import Outcome
from espshell.shell.registry import Registry, needs_chip
from espshell.shell.session import Session

VERBS = Registry("esptool")

LIKE = "5.6"
"""The version of esptool whose lines are understood."""


_FUSES_HINT = "`efuse` shows what is burnt, `dump efuse:0 0x100` the bits"


@dataclass(frozen=True, slots=True)
class Version(Result):
    """Versions of this program, and of the esptool whose lines it understands."""

    espshell: str
    esptool: str


@VERBS.add("esptool", rest="command")
def esptool(session: Session, command: Held, *, line: GlobalOptions) -> Outcome:
    """Run a complete esptool command line, as it stands in a manual.

    Or as a build prints it: global options, old spellings and argument files included.
    esptool.py -p PORT -b 460800 write_flash 0x10000 app.bin; python -m esptool ..., @FILE.
    The session stays connected: another chip is refused; before another port is used you are asked.
    Commands: chip-id, dump-mem, elf2image, erase-flash, erase-region, flash-id, get-security-info,
    image-info, load-ram, make-image, merge-bin, read-flash, read-flash-sfdp, read-flash-status,
    read-mac, read-mem, run, verify-flash, version, write-flash, write-flash-status, write-mem.

    Example: esptool --chip esp32c3 flash-id
    """
    if line.silent and (line.trace or line.verbose):
        raise UsageError("--silent excludes --trace and --verbose")
    needs = needs_chip(command.prepared.verb, command.prepared.bound)
    with lines.applied(session, line, needs_chip=needs):
        outcome = command.run()
    return replace(outcome, result=None) if line.silent else outcome


@VERBS.add("espefuse", needs="chip")
def espefuse(
    session: Session,
    words: Annotated[tuple[str, ...], TEXTS],
    *,
    chip: ChipOrAuto = None,
    port: PortName = "",
) -> efuse_ops.Fuses | efuse_ops.FuseDetail | ops.SecurityReport:
    """Run `espefuse summary` as `efuse`.

    Commands that burn eFuses are refused.

    Example: espefuse summary
    """
    if words[0] != "summary":
        raise UsageError("espshell does not burn eFuses", hint=_FUSES_HINT)
    with lines.applied(session, GlobalOptions(chip, port), needs_chip=True):
        session.output.note("here the command is `efuse`; espefuse is a separate program")
        return efuse_ops.secure_report(session.chip) or efuse_ops.show(session.chip)


@VERBS.add("espsecure")
def espsecure(session: Session, words: Annotated[tuple[str, ...], TEXTS]) -> None:
    """Explain that espshell does not sign, encrypt or generate keys.

    Example: fails espsecure generate-signing-key key.pem
    """
    raise UsageError("espsecure is a separate program; espshell does not sign or generate keys")


@VERBS.add("get-security-info", needs="chip")
def get_security_info(session: Session) -> ops.SecurityReport:
    """Show the ROM's report on secure boot and flash encryption.

    Example: get-security-info
    """
    return ops.security_report(session.chip)


@VERBS.add("version")
def version(session: Session) -> Version:
    """Show the version, and the esptool version whose commands are understood.

    Example: version
    """
    return Version(__version__, LIKE)
