"""What the eFuses allow and forbid, in a few sentences: pure functions of what was read."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from espshell.efuse.contents import Contents
from espshell.efuse.table import Fuse, Revision
from espshell.records import dataclass
from espshell.units import count_text

_COUNTS = ("SPI_BOOT_CRYPT_CNT", "FLASH_CRYPT_CNT")
_SIGNED = ("SECURE_BOOT_EN", "ABS_DONE_1", "ABS_DONE_0")
_CLOSED = ("DIS_PAD_JTAG", "HARD_DIS_JTAG", "JTAG_DISABLE")
_NO_DOWNLOAD = ("DIS_DOWNLOAD_MODE", "UART_DOWNLOAD_DIS")
_USB_PORTS = (
    ("USB serial/JTAG", "DIS_USB_SERIAL_JTAG", "DIS_USB_SERIAL_JTAG_DOWNLOAD_MODE"),
    ("USB-OTG", "DIS_USB_OTG", "DIS_USB_OTG_DOWNLOAD_MODE"),
    ("USB", "DIS_USB", "DIS_USB_DOWNLOAD_MODE"),
)
_ECO3 = ("ABS_DONE_1", "UART_DOWNLOAD_DIS")
"""Fuses of an ESP32 that mean something from revision 3.0 on only (ESP32 TRM, "eFuse")."""

_LIVES = 3
"""Digests of signing keys that can be revoked one after the other."""


class Tone(Enum):
    """How much a sentence should alarm."""

    OPEN = "open"
    LIMITED = "limited"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Statement:
    """What the fuses mean for one subject."""

    subject: str
    text: str
    tone: Tone = Tone.OPEN


def verdict(contents: Contents, revision: Revision | None = None) -> tuple[Statement, ...]:
    """Return what can be done with the chip, the most important first."""
    if contents.table.find("WR_DIS") is None:
        return (Statement("protection", "none: this chip has no eFuse that restricts access"),)
    judged = _Judge(contents, revision or (0, 0))
    statements = [judged.flashing(), judged.firmware(), judged.encryption(), judged.jtag()]
    statements += judged.usb()
    statements += [judged.rollback(), *judged.supply(), judged.keys(), judged.last_steps()]
    return tuple(statements)


def boot(contents: Contents, revision: Revision | None = None) -> str:
    """Return what the fuses of block 0 say about the next reset; empty for an ESP8266."""
    if contents.table.find("WR_DIS") is None:
        return ""
    judge = _Judge(contents, revision or (0, 0))
    parts = ["download mode by pins or by software"]
    if judge.burnt(*_NO_DOWNLOAD):
        parts = ["from flash only, there is no download mode"]
    elif contents.named("DIS_FORCE_DOWNLOAD"):
        parts = ["download mode by pins only"]
    if contents.named("ENABLE_SECURITY_DOWNLOAD"):
        parts.append("which is the secure one")
    if judge.burnt(*_SIGNED):
        parts.append("signed images only")
    log = contents.table.find("UART_PRINT_CONTROL")
    if log is not None:
        parts.append(f"the ROM's log {contents.text(log)}")
    return ", ".join(parts)


class _Judge:
    def __init__(self, contents: Contents, revision: Revision) -> None:
        self.contents = contents
        self.revision = revision

    def burnt(self, *names: str) -> str:
        """Return the first of some fields that is burnt and means something; else nothing."""
        for name in names:
            if name in _ECO3 and self.contents.table.chip == "esp32" and self.revision < (3, 0):
                continue
            if self.contents.named(name):
                return name
        return ""

    @property
    def count(self) -> Fuse:
        fuse = self.contents.table.first(*_COUNTS)
        assert fuse is not None
        return fuse

    @property
    def bits(self) -> int:
        return self.contents.number(self.count).bit_count()

    def flashing(self) -> Statement:
        subject = "flashing over UART"
        if fuse := self.burnt(*_NO_DOWNLOAD):
            return Statement(subject, f"no: there is no download mode ({fuse})", Tone.CLOSED)
        if self.burnt("ENABLE_SECURITY_DOWNLOAD"):
            return Statement(subject, "yes, in secure download mode: no memory, no stub, no reading"
                             " of flash (ENABLE_SECURITY_DOWNLOAD)", Tone.LIMITED)  # fmt: skip
        return Statement(subject, "yes")

    def firmware(self) -> Statement:
        subject = "plain firmware"
        fuse = self.burnt(*_SIGNED)
        encrypted = self.bits % 2
        if not fuse and not encrypted:
            return Statement(subject, "yes: neither secure boot nor flash encryption is on")
        parts = [f"must be signed: secure boot is on ({fuse})"] if fuse else []
        if encrypted:
            closed = self.burnt("DIS_DOWNLOAD_MANUAL_ENCRYPT", "DISABLE_DL_ENCRYPT")
            how = f"not by the loader ({closed})" if closed else "the loader can do it"
            parts.append(f"must be encrypted, {how}")
        return Statement(subject, f"no: it {' and '.join(parts)}", Tone.CLOSED)

    def encryption(self) -> Statement:
        count, total, on = self.bits, self.count.width, self.bits % 2
        remaining = (total - count) // 2  # of an odd number of bits
        text = f"{'on' if on else 'off'}: {count} of {total} bits of {self.count.name} are set"
        if not self.contents.is_writable(self.count):
            text += ", for good (write-protected)"
        elif on:
            times = {0: "cannot be turned off any more", 1: "can be turned off once more"}
            text += f"; it {times.get(remaining, f'can be turned off {remaining} times')}"
        return Statement("flash encryption", text, Tone.LIMITED if on else Tone.OPEN)

    def jtag(self) -> Statement:
        contents = self.contents
        soft = contents.named("SOFT_DIS_JTAG").bit_count() % 2
        usb = contents.table.find("DIS_USB_JTAG")
        if fuse := self.burnt(*_CLOSED):
            text, tone = f"pins closed for good ({fuse})", Tone.CLOSED
        elif soft:
            text, tone = "closed until the HMAC unit opens it (SOFT_DIS_JTAG)", Tone.LIMITED
        else:
            text, tone = "pins open", Tone.OPEN
        if usb:
            off = self.burnt("DIS_USB_JTAG", "DIS_USB_SERIAL_JTAG")
            text += f", USB closed ({off})" if off else ", USB open"
            tone = Tone.LIMITED if bool(off) != (tone is Tone.CLOSED) else tone
        return Statement("JTAG", text, tone)

    def usb(self) -> Iterator[Statement]:
        names = {fuse.name for fuse in self.contents.table.fuses}
        for name, off, no_download in _USB_PORTS:
            if not {off, no_download} & names:
                continue
            if self.burnt(off):
                yield Statement(name, f"off ({off})", Tone.CLOSED)
            elif self.burnt(no_download):
                yield Statement(name, f"on, but no download over it ({no_download})", Tone.LIMITED)
            else:
                yield Statement(name, "on, download over it too")

    def rollback(self) -> Statement:
        fuse = self.contents.table.find("SECURE_VERSION")
        assert fuse is not None
        version = self.contents.number(fuse).bit_count()
        text = f"any version starts (0 of {fuse.width})"
        if version:
            text = f"only versions from {version} on start, of {fuse.width}"
        if self.burnt("BOOTLOADER_ANTI_ROLLBACK_EN"):
            lowest = self.contents.named("BOOTLOADER_ANTI_ROLLBACK_SECURE_VERSION").bit_count()
            text += f"; bootloaders from {lowest} on"
        return Statement("rollback", text, Tone.LIMITED if version else Tone.OPEN)

    def supply(self) -> Iterator[Statement]:
        contents = self.contents
        force = contents.table.first("VDD_SPI_FORCE", "XPD_SDIO_FORCE")
        if force is not None:
            high = contents.named("VDD_SPI_TIEH", "XPD_SDIO_TIEH")
            powered = contents.named("VDD_SPI_XPD", "XPD_SDIO_REG")
            text = "a strapping pin selects it"
            if contents.number(force):
                level = "3.3 V" if high else "1.8 V"
                text = f"{level} by fuses" if powered else "regulator off by fuses"
            yield Statement("flash voltage", text)
        pads = [f for f in contents.table.fuses if f.name.startswith("SPI_PAD_CONFIG_")]
        chosen = [f"{f.name[15:]} {contents.value(f):g}" for f in pads if contents.number(f)]
        if pads:
            text = f"GPIO: {', '.join(chosen)}" if chosen else "the usual ones"
            yield Statement("flash pins", text)

    def keys(self) -> Statement:
        contents = self.contents
        blocks = [f for f in contents.table.fuses if f.meaning.kind == "key" and f.width >= 192]
        held = [text for fuse in blocks if (text := self._key(fuse))]
        exposed = any(contents.is_key(fuse) for fuse in blocks)
        tone = Tone.LIMITED if exposed else Tone.OPEN
        return Statement(
            "keys", "; ".join(held) or f"none in {count_text(len(blocks), 'block')}", tone
        )

    def _key(self, block: Fuse) -> str:
        contents = self.contents
        name = block.name.removeprefix("BLOCK_")
        purpose = contents.table.find(f"KEY_PURPOSE_{name.removeprefix('KEY')}")
        hidden = not contents.is_readable(block)
        if not hidden and not contents.number(block) and not (purpose and contents.number(purpose)):
            return ""
        use = f" {contents.text(purpose)}" if purpose else ""
        secret = contents.is_key(block)
        state = "read-protected" if hidden else "readable!" if secret else "readable"
        return f"{name}{use} ({state})"

    def last_steps(self) -> Statement:
        contents, steps = self.contents, []
        if contents.is_writable(self.count) and self.count.width - self.bits == 1:
            turns = "off" if self.bits % 2 else "on"
            steps.append(f"one more bit of {self.count.name} turns encryption {turns} for good")
        revoked = sum(bool(self.burnt(f"SECURE_BOOT_KEY_REVOKE{n}")) for n in range(_LIVES))
        if self.burnt("SECURE_BOOT_EN") and revoked == _LIVES - 1:
            steps.append("two of three signing keys are revoked: without the last nothing boots")
        read = contents.table.find("RD_DIS")
        signed = self.burnt("SECURE_BOOT_EN", "ABS_DONE_1")
        if signed and read and contents.is_writable(read):
            steps.append("RD_DIS can still be burnt: read-protecting the digest would end booting")
        fuse = contents.table.find("SECURE_VERSION")
        if fuse and contents.number(fuse).bit_count() == fuse.width - 1:
            steps.append("SECURE_VERSION has one bit left")
        tone = Tone.LIMITED if steps else Tone.OPEN
        return Statement("at the last step", "; ".join(steps) or "nothing", tone)
