"""From an open port to a loader that is known: reset, synchronise, ask which chip it is.

No pause anywhere.  GET_SECURITY_INFO names every chip since the ESP32-S3 at once; the older ROMs
refuse it, and that refusal (eight frames, under the opcode of SYNC) is counted off by the loader
and not waited out.  Only then is the magic word read, so that a chip with something else at that
address is never asked for it.

A chip that was not reset may run a stub, and nobody knows in which state (``dialogue``): so SYNC
goes out without its first C0.  What else is only known of a stub that we start ourselves is found
out: its version by its answer to a command that does not exist, the handler for bulk reads by its
answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import chain

from espshell import chips
from espshell.chips import MAGIC_ADDRESS, Chip
from espshell.errors import DeviceError, NoReply, NoSync, Refused, UsageError
from espshell.link import reset
from espshell.link.link import Link
from espshell.loader import stream, transfer
from espshell.loader.dialogue import SYNC_TIMEOUTS_S
from espshell.loader.loader import Loader
from espshell.protocol import dialect, slip
from espshell.protocol.bootlog import recognise
from espshell.protocol.commands import GetSecurityInfo, ReadReg, SecurityInfo, Unknown
from espshell.records import dataclass

ROUNDS = 2
"""Times that all reset sequences of a mode are tried."""

OTHER_RATES = (921_600, 460_800, 230_400, 115_200, 1_500_000, 2_000_000, 3_000_000)
"""Rates at which a loader may have been left; tried where it cannot be reset and nobody answers."""

_DETECT_TRIES = 3
_QUIET_S = 0.05


@dataclass(frozen=True, slots=True)
class Connected:
    """A loader, the chip it runs on, and what there is to say about how it was reached."""

    loader: Loader
    chip: Chip
    security: SecurityInfo | None
    notes: tuple[str, ...] = ()


def connect(
    link: Link,
    *,
    before: str = "default-reset",
    expected: Chip | None = None,
    usb_serial_jtag: bool = False,
) -> Connected:
    """Reach the loader on a link, as ``before`` says, and find out which chip it is.

    Raises: NoSync if no loader answers, with what was heard instead; UsageError if the chip is not
    the expected one; DeviceError if it is none that is known.
    """
    notes: list[str] = []
    loader = Loader(link, dialect.ROM)
    if before == "no-reset-no-sync":
        is_stub = _overhear_stub(link, notes)
    else:
        sequences = reset.plan(
            before,
            usb_serial_jtag=usb_serial_jtag,
            one_line_at_a_time=link.port.url.startswith("rfc2217:"),
        )
        is_stub = _reach(loader, sequences, notes) == dialect.STUB.sync_value
    if is_stub:
        loader.dialect = dialect.STUB
        loader.resynchronise()
    chip, security = _detect(loader)
    if expected is not None and chip != expected:
        raise UsageError(f"this is an {chip.title}, not an {expected.title}", hint="check --chip")
    if is_stub:
        loader.dialect = _stub_dialect(loader)
    else:
        secure = security is not None and security.secure_download
        loader.dialect = dialect.secure_download(chip.rom) if secure else chip.rom
    if not loader.dialect.is_secure:
        transfer.learn_markers(loader, chip.markers)
    if loader.dialect == dialect.STUB and transfer.enable_bulk(loader):
        stream.enable(loader)
    link.forget_noise()  # the boot log; what is heard from now on is news
    return Connected(loader, chip, security, tuple(notes))


def _reach(loader: Loader, sequences: tuple[reset.Sequence, ...], notes: list[str]) -> int:
    """Reset by one sequence after another until SYNC is answered; return its value field."""
    link = loader.link
    for sequence in (sequences or ((), ())) * ROUNDS:
        link.forget_noise()  # or the boot logs of our own resets would look like a boot loop
        if sequence and not reset.play(link.port, sequence):
            notes[:] = [f"{link.port.url} has no control lines: the chip was not reset"]
        for wait_s in SYNC_TIMEOUTS_S[:-1]:
            link.discard()
            value = loader.sync(wait_s, opened=True)
            if value is not None:
                link.forget_noise()
                return value
    silence = NoSync(f"no loader answers on {link.port.url}: {_heard(link)}", hint=_advice(link))
    if (sequences and link.port.has_lines) or recognise(link.noise).sentence:
        raise silence
    for wait_s in _at_other_rates(link, notes):
        value = loader.sync(wait_s, opened=True)
        if value is not None:
            return value
    raise silence


def _at_other_rates(link: Link, notes: list[str]) -> Iterator[float]:
    """Yield how long to wait for an answer at one rate after another; note the one that stays.

    If nobody answers at any, the port has its old rate again.
    """
    own, before = link.port.baud, list(notes)
    for baud in (rate for rate in OTHER_RATES if rate != own):
        link.port.baud = baud
        notes[:] = [*before, f"the loader was left at {baud} baud"]
        for wait_s in SYNC_TIMEOUTS_S[:2]:
            link.discard()
            yield wait_s
    link.port.baud, notes[:] = own, before


def _overhear_stub(link: Link, notes: list[str]) -> bool:
    """Return whether a stub is running, by how long the status of a reply is, without SYNC."""
    silence: NoSync | None = None
    for wait_s in chain([GetSecurityInfo.timeout_s], _at_other_rates(link, notes)):
        link.discard()
        link.send(2 * GetSecurityInfo().encode().removeprefix(slip.END))
        response = link.receive(wait_s)
        if response is not None:
            link.drain(_QUIET_S, limit_s=1.0)  # an ESP32 may repeat its refusal
            return len(response.body) % 4 == dialect.STUB.status_size
        silence = silence or NoSync(
            f"no loader answers on {link.port.url}: {_heard(link)}", hint=_advice(link)
        )
    assert silence is not None
    raise silence


def _stub_dialect(loader: Loader) -> dialect.Dialect:
    """Return the dialect of a stub that was running already, by how it refuses a command."""
    try:
        loader.execute(Unknown())
    except Refused as refused:
        if refused.code == Unknown.STUB_V1_REFUSAL:
            return dialect.STUB_V1
    return dialect.STUB


def _heard(link: Link) -> str:
    """Describe in a few words the bytes that came instead of an answer."""
    if link.bytes_received == 0:
        return "nothing was heard"
    sentence = recognise(link.noise).sentence
    return sentence or f"{link.bytes_received} bytes were received, none of them an answer"


def _advice(link: Link) -> str:
    heard = recognise(link.noise)
    if heard.brownout and not heard.panic:
        return "it needs more current: a better cable, no hub, or a supply of its own"
    if heard.in_download_mode:
        return "the chip does not receive: check the wire to its RX pin"
    if heard.resets:
        return "hold BOOT (IO0 low) while it resets, then `connect --before no-reset`"
    if link.bytes_received == 0:
        return "check power, cable and port, and that the chip is in download mode (IO0 low)"
    return "wrong baud rate, or not an Espressif bootloader"


def _detect(loader: Loader) -> tuple[Chip, SecurityInfo | None]:
    """Identify the chip; a lost or damaged reply on the way costs a resynchronisation."""
    for _ in range(_DETECT_TRIES - 1):
        try:
            return _ask(loader)
        except (NoReply, DeviceError):
            loader.resynchronise()
    return _ask(loader)


def _ask(loader: Loader) -> tuple[Chip, SecurityInfo | None]:
    security = None
    with contextlib.suppress(Refused):  # by an ESP8266 or ESP32
        security = loader.execute(GetSecurityInfo())
    if security is not None and security.chip_id is not None:
        chip = chips.by_id(security.chip_id)
        if chip is None:
            raise _unknown(f"chip id {security.chip_id}")
        return chip, security
    if security is not None and security.secure_download:
        short = GetSecurityInfo.WITHOUT_ID  # the one ROM that tells all but its id
        return next(c for c in chips.CHIPS if c.rom.security_info_size == short), security
    word = loader.execute(ReadReg(MAGIC_ADDRESS))
    chip = chips.by_magic(word)
    if chip is None:
        raise _unknown(f"magic word 0x{word:08x}")
    return chip, security


def _unknown(what: str) -> DeviceError:
    names = ", ".join(chips.NAMES)
    return DeviceError(f"unknown chip: {what}", hint=f"known are {names}")
