"""A simulated chip without its loader: memory, registers, eFuses, flash and the UART's divider."""

from __future__ import annotations

import struct
from dataclasses import replace

from espshell.chips import Field, Quirk
from espshell.sim import efuse, models, moving
from espshell.sim.access import FlashAccess
from espshell.sim.fault import Direction
from espshell.sim.gpio import MODELS, Gpio
from espshell.sim.memory import AddressSpace, Download
from espshell.sim.nor import Nor
from espshell.sim.ram_fault import FaultySpace
from espshell.sim.spi import Spi
from espshell.sim.url import SECURE_BOOT, SECURE_DOWNLOAD, Setup
from espshell.units import WORD

_FRACTION = 20
"""Bit at which the sixteenths of a UART divider stand (``UART_CLKDIV_FRAG``)."""

_STUB_CLOCK_HZ = 80_000_000
"""What drives the UART while a stub runs that raises the clock."""

_SECURE_BOOT_FUSES = ("ABS_DONE_0",)


class SimChip:
    """The hardware that a loader works on."""

    def __init__(self, setup: Setup) -> None:
        self.model = setup.model
        self.facts = models.chip_of(setup.model)
        rom, words = models.rom_contents(setup.model), _words(setup)
        self.memory = (
            FaultySpace(self.facts, rom=rom, registers=words, faults=setup.ram_faults)
            if setup.ram_faults
            else AddressSpace(self.facts, rom=rom, registers=words)
        )
        self.gpio = Gpio(
            MODELS[self.facts.name],
            self.memory,
            levels=dict(setup.levels),
            wires=setup.wires,
        )
        self.memory.add_reset_values(self.gpio.first_values())
        self.flash = Nor(
            setup.part,
            data=setup.flash_data(),
            stored=setup.status,
            wp_low=setup.wp_low,
            dies_at=min(
                (rule.first for rule in setup.rules if rule.direction is Direction.FLASH),
                default=None,
            ),
        )
        self.access = FlashAccess(self.flash)
        self.download = Download(self.facts, self.memory)
        moving.connect(self.facts.name, self.memory, lambda: self.access.now)
        self.spi = Spi(self.facts, self.memory, self.flash, now=lambda: self.access.now)
        self.baud = models.ROM_BAUD
        self.stub_clock = False
        self.watchdog_is_set = False
        """Whether a host has told the RTC watchdog to reset the chip."""
        self._read_pointer = 0
        self._setup = setup
        if self.facts.watchdog_reset:
            start = self.facts.watchdog_reset[-1]

            def check_watchdog(config: int) -> None:
                self.watchdog_is_set = config & start.mask == start.value

            self.memory.watch(start.address, check_watchdog)
        self.reset()

    @property
    def core_hz(self) -> int:
        """The clock of the core; an instruction is taken for a cycle."""
        return self._setup.core_hz

    @property
    def inflight(self) -> int:
        """The most blocks of a READ_FLASH that a stub sends ahead."""
        return self._setup.inflight

    def reset(self) -> None:
        """Reset as EN does: registers get their first values, RAM and flash stay."""
        self.memory.reset()
        self.download.pieces.clear()
        self.spi.attached = False
        self.stub_clock = False
        self.set_baud(
            self.baud_for(models.ROM_BAUD) if self.facts.rom_clock else self.model.prints_at
        )
        if self._setup.over_usb and self.model.usb_console is not None:
            self.memory.write(self.model.usb_console, bytes([models.USB_SERIAL_JTAG]))
        self._read_pointer = self._read_hook()

    def latch_straps(self, *, download: bool) -> None:
        """Keep what the strapping pins are at a reset, as the boot log says it."""
        log = self.model.log
        text = (log.download if download else log.application).split(b" ")[0]
        self.gpio.latch_straps(int(text, 0))

    def power_off(self) -> None:
        """Forget what RAM holds, and what the flash does not store."""
        self.memory.clear_ram()
        self.flash.power_cycle()

    def set_baud(self, baud: int) -> None:
        """Set the UART's rate, and the divider that it follows from."""
        self.baud = baud
        uart_hz = self._setup.crystal_hz * self.facts.uart_clock_factor
        clock_hz = _STUB_CLOCK_HZ if self.stub_clock else uart_hz
        sixteenths = round(16 * clock_hz / baud)
        divider = sixteenths >> 4 | (sixteenths & 15) << _FRACTION
        self.memory.set_register(self.facts.uart_divider.address, divider)

    def baud_for(self, baud: int) -> int:
        """Return the rate that comes of CHANGE_BAUDRATE: the ROM may be wrong about its crystal."""
        clock = self.facts.rom_clock
        believed = clock.hz(self.memory.word) if clock else 0.0
        return round(baud * self._setup.crystal_hz / believed) if believed else baud

    def start_stub(self) -> None:
        """Do what a stub does to the chip when it starts."""
        self.download.pieces.clear()
        self.spi.attached = True
        if Quirk.STUB_RAISES_CLOCK in self.facts.quirks:
            self.stub_clock = True
            self.set_baud(self.baud)

    @property
    def security_info(self) -> bytes:
        """Flags, crypt count, id and version, for GET_SECURITY_INFO; empty for old ROMs."""
        info = struct.pack("<IB7xII", self._setup.flags, self._setup.crypt_count, self.facts.id, 0)
        return info[: self.facts.rom.security_info_size]

    @property
    def boot_word(self) -> int:
        """The word in flash by which the ROM knows a program."""
        return int.from_bytes(self.access.read(self.facts.bootloader_offset, WORD), "little")

    @property
    def secure_download(self) -> bool:
        """Whether the ROM takes only a few commands."""
        return bool(self._setup.flags & SECURE_DOWNLOAD)

    @property
    def baud_is_fixed(self) -> bool:
        """Whether CHANGE_BAUDRATE fails."""
        return self.secure_download and Quirk.BAUD_FIXED_IN_SECURE_DOWNLOAD in self.facts.quirks

    @property
    def starts_only_signed(self) -> bool:
        """Whether MEM_END does not start what was downloaded."""
        quirks = {Quirk.NO_STUB_WITH_SECURE_BOOT, Quirk.STUB_START_BY_READ}
        return bool(self._setup.flags & SECURE_BOOT and quirks & set(self.facts.quirks))

    @property
    def hijacked_entry(self) -> int:
        """Where READ_FLASH_SLOW jumps to, if its pointer has been changed; else 0."""
        hook = self._read_hook()
        return hook if hook != self._read_pointer else 0

    def _read_hook(self) -> int:
        pointer = self.facts.read_pointer
        return 0 if pointer is None else self.memory.word(pointer)


def _words(setup: Setup) -> dict[int, int]:
    """Return the words of eFuses and registers that are not zero after a reset."""
    model, chip = setup.model, models.chip_of(setup.model)
    words = model.words()
    if model.calibration is not None:
        address, per_mhz = model.calibration
        words[address] = per_mhz * (setup.crystal_hz // 1_000_000)
    for field, number in models.feature_values(model):
        efuse.put(words, field, number)
    efuse.put(words, chip.major, setup.revision[0])
    efuse.put(words, chip.minor, setup.revision[1])
    efuse.put(words, chip.package, setup.package)
    if chip.mac_ext is not None:
        efuse.put(words, chip.mac_ext, model.mac_ext)
    if chip.rom.security_info_size:
        for bits, number in (
            (model.crypt_count, setup.crypt_count),
            (model.secure_boot, setup.flags & SECURE_BOOT),
        ):
            field = Field((replace(bits, address=chip.efuse.start + bits.address),))
            efuse.put(words, field, number)
    if chip.flash_crypt_count is not None:
        efuse.put(words, chip.flash_crypt_count, setup.crypt_count)
    for fuse in chip.security_fuses:
        if setup.flags & SECURE_BOOT and fuse.name in _SECURE_BOOT_FUSES:
            efuse.put(words, fuse.field, 1)
    efuse.put_mac(words, chip, setup.mac, model.mac_crc)
    if setup.fuses is not None:
        efuse.clear(words, chip)
    efuse.burn(words, chip, (*(setup.fuses or ()), *setup.burnt))
    efuse.protect(words, chip)
    return words
