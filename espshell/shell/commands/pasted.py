"""esptool and espefuse: whole lines of theirs, and what esptool has that is unlike ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from espshell import __version__
from espshell.chips import by_name
from espshell.errors import UsageError
from espshell.link.reset import AFTER, BEFORE
from espshell.ops.chip import efuse as efuse_ops
from espshell.ops.chip import info as ops
from espshell.ops.result import Result
from espshell.shell.arguments.types import NUMBER, POSITIVE, TEXTS, choice
from espshell.shell.declaration import Option
from espshell.shell.esptool import line as lines
from espshell.shell.esptool.line import PORT_FILTER, ChipOrAuto, PortName, mode
from espshell.shell.registry import Registry, needs_chip

if TYPE_CHECKING:
    from espshell.shell.lines import Held
    from espshell.shell.outcome import Outcome
    from espshell.shell.session import Session

VERBS = Registry()

GROUP = "esptool"

LIKE = "5.6"
"""The version of esptool whose lines are understood."""


_FUSES_HINT = "`efuse` shows what is burnt, `dump efuse:0 0x100` the bits"


@dataclass(frozen=True, slots=True)
class Version(Result):
    """Versions of this program, and of the esptool whose lines it understands."""

    espshell: str
    esptool: str


@VERBS.add("esptool", group=GROUP, rest="command")
def esptool(
    session: Session,
    command: Held,
    *,
    chip: ChipOrAuto = lines.AUTO,
    port: PortName = "",
    baud: Annotated[
        int | None, Option("--baud", "change to this rate", POSITIVE, short="-b")
    ] = None,
    port_filter: Annotated[
        tuple[str, ...], Option("--port-filter", "take only such a port", PORT_FILTER, many=True)
    ] = (),
    before: Annotated[
        str, Option("--before", "how to reset the chip when connecting", mode(*BEFORE))
    ] = "",
    after: Annotated[
        str, Option("--after", "how to leave the chip at the end", mode(*AFTER), short="-a")
    ] = "",
    no_stub: Annotated[bool, Option("--no-stub", "start no flasher stub for this command")] = False,
    stub_version: Annotated[
        str, Option("--stub-version", "which generation of stubs", choice("1", "2"))
    ] = "",
    trace: Annotated[
        bool, Option("--trace", "show every frame of this command", short="-t")
    ] = False,
    verbose: Annotated[
        bool, Option("--verbose", "is accepted: results are shown whole", short="-v")
    ] = False,
    silent: Annotated[bool, Option("--silent", "show errors only", short="-s")] = False,
    override_vddsdio: Annotated[
        str,
        Option(
            "--override-vddsdio", "set the flash's voltage (ESP32)", choice("1.8v", "1.9v", "off")
        ),
    ] = "",
    connect_attempts: Annotated[
        int, Option("--connect-attempts", "how often to try to connect; 0: until it works", NUMBER)
    ] = 1,
    open_port_attempts: Annotated[
        int,
        Option(
            "--open-port-attempts", "how often to try to open the port; 0: until it works", NUMBER
        ),
    ] = 1,
) -> Outcome:
    """Run a line of esptool's, whole, as it stands in a manual.

    Or as a build prints it: with global options, old spellings and files of arguments.
    esptool.py -p PORT -b 460800 write_flash 0x10000 app.bin; python -m esptool ..., @FILE.
    The session stays connected: another chip is refused, another port asked about.
    Commands: chip-id, dump-mem, elf2image, erase-flash, erase-region, flash-id, get-security-info,
    image-info, load-ram, make-image, merge-bin, read-flash, read-flash-sfdp, read-flash-status,
    read-mac, read-mem, run, verify-flash, version, write-flash, write-flash-status, write-mem.
    """
    line = lines.GlobalOptions(
        chip=by_name(chip),
        port=port,
        baud=baud,
        port_filter=port_filter,
        before=before,
        after=after,
        no_stub=no_stub,
        stub_version=int(stub_version) if stub_version else None,
        trace=trace,
        silent=silent,
        override_vddsdio=override_vddsdio,
        connect_attempts=connect_attempts,
        open_port_attempts=open_port_attempts,
    )
    if silent and (trace or verbose):
        raise UsageError("--silent excludes --trace and --verbose")
    needs = needs_chip(command.prepared.verb, command.prepared.bound)
    with lines.applied(session, line, needs_chip=needs):
        outcome = command.run()
    return replace(outcome, result=None) if silent else outcome


@VERBS.add("espefuse", group=GROUP, needs="chip")
def espefuse(
    session: Session,
    words: Annotated[tuple[str, ...], TEXTS],
    *,
    chip: ChipOrAuto = lines.AUTO,
    port: PortName = "",
) -> efuse_ops.Fuses | efuse_ops.FuseDetail | ops.SecurityReport:
    """Answer `espefuse summary` with `efuse`.

    The rest, which burns fuses, is refused.
    """
    if words[0] != "summary":
        raise UsageError("nothing here burns fuses", hint=_FUSES_HINT)
    with lines.applied(
        session, lines.GlobalOptions(chip=by_name(chip), port=port), needs_chip=True
    ):
        session.output.note("this is `efuse`; espefuse is another program")
        return efuse_ops.secure_report(session.chip) or efuse_ops.show(session.chip)


@VERBS.add("espsecure", group=GROUP)
def espsecure(session: Session, words: Annotated[tuple[str, ...], TEXTS]) -> None:
    """Say that nothing here signs, encrypts or makes keys."""
    raise UsageError("espsecure is another program; nothing here signs or makes keys")


@VERBS.add("get-security-info", group=GROUP, needs="chip")
def get_security_info(session: Session) -> ops.SecurityReport:
    """Tell what the ROM says of secure boot and flash encryption."""
    return ops.security_report(session.chip)


@VERBS.add("version", group=GROUP)
def version(session: Session) -> Version:
    """Tell the version, and which esptool's lines are understood."""
    return Version(__version__, LIKE)
