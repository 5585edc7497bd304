"""What a simulated chip is doing: in reset, starting, in a loader, running or crashing.

The host sees of it what the chip prints, and whether somebody answers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import Enum
from math import inf

from espshell.chips import Quirk
from espshell.sim import stub_image
from espshell.sim.bootloader import Bootloader
from espshell.sim.chip import SimChip
from espshell.sim.fault import FaultAction
from espshell.sim.line import SerialLine
from espshell.sim.models import APPLICATION_TEXT, BROWNOUT_TEXT, PANIC_TEXT, ROM_BAUD
from espshell.sim.program import Answer, Next, Program
from espshell.sim.rom import RomLoader
from espshell.sim.stub import HELLO, StubLoader
from espshell.sim.url import Boot, Setup

LOG_S = 5e-3
"""From leaving reset to the first letter of the boot log."""

BOOT_S = 30e-3
"""From leaving reset to a loader that listens."""

LOOP_S = 0.5
"""From one boot log to the next of a chip that never gets further."""

REPEAT_S = 1.0
"""From one line of a program in RAM to the next; real ones loop, too."""

WATCHDOG_S = 15e-3
"""From setting the RTC watchdog off to its reset."""

_IMAGE_MAGICS = (0xE9, 0xEA)
"""First bytes of an image: of all chips, and of a version 2 image of an ESP8266."""


class EventQueue:
    """Events at their time; of two at the same time, the one that was added first."""

    def __init__(self) -> None:
        self.next_at = inf
        """When the next event is due."""
        self._count = 0
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []

    def add(self, at: float, event: Callable[[float], None]) -> None:
        """Have something called at a time; it is given the time that was planned."""
        self._count += 1
        heapq.heappush(self._entries, (at, self._count, event))
        self.next_at = self._entries[0][0]

    def run_due(self, now: float) -> None:
        """Call all events that have come due by now."""
        while self.next_at <= now:
            at, _, event = heapq.heappop(self._entries)
            self.next_at = self._entries[0][0] if self._entries else inf
            event(at)


class ChipMode(Enum):
    """What the chip is doing."""

    RESET = "held in reset"
    BOOTING = "starting"
    DOWNLOAD = "in a loader"
    APPLICATION = "running something else"
    HUNG = "hung"
    DARK = "without a supply"


class BootState:
    """What one chip runs, from power-on on.

    ``print_text`` prints, now or later; ``on_restart`` is called with the time of each start.
    """

    def __init__(
        self,
        setup: Setup,
        events: EventQueue,
        line: SerialLine,
        *,
        print_text: Callable[[bytes, float], None],
        on_restart: Callable[[float], None],
    ) -> None:
        self.chip = SimChip(setup)
        self.mode = ChipMode.DOWNLOAD
        self.program: Program = RomLoader(self.chip)
        self.autobaud = True
        """Whether the next SYNC sets the chip's rate."""
        self.resets = 0
        """How often it was reset; events that were planned before the last reset are dropped."""
        self._setup = setup
        self._events = events
        self._line = line
        self._print = print_text
        self._on_restart = on_restart

    def power_on(self, at: float) -> None:
        """Power the chip on, at once in the mode that the setup asks for."""
        self.resets += 1
        self.chip.power_off()
        self.chip.reset()
        self.chip.latch_straps(download=self._setup.boot is Boot.DOWNLOAD)
        self._enter_rom()
        if self._setup.boot is Boot.LOOP:
            self._boot_again(at, self.chip.model.log.power_on)
        elif self._setup.boot is Boot.APPLICATION:
            self._run_application(at)
        else:
            self.mode = ChipMode.DOWNLOAD

    def return_to_download(self, now: float) -> None:
        """Be in the ROM loader as after a reset, without its text and its time."""
        if self.mode is ChipMode.DARK:
            return
        self.stop(now)
        self._reset(download=True, by_lines=True)
        self._enter_rom()
        self._on_restart(now)
        self.mode = ChipMode.DOWNLOAD

    def stop(self, now: float) -> None:
        """Hold the chip in reset."""
        if self.mode is ChipMode.DARK:
            return
        self.resets += 1
        self.mode = ChipMode.RESET
        self._line.cut(now)

    def start(self, at: float, *, download: bool, reason: bytes | None = None) -> None:
        """Leave reset and boot; the printed reason is power-on by default."""
        if self.mode is ChipMode.DARK:
            return
        self.resets += 1
        download = self._reset(download, by_lines=reason is None)
        self.mode = ChipMode.BOOTING
        self._enter_rom()
        self._on_restart(at)
        model = self.chip.model
        self._print(model.boot_log(reason or model.log.power_on, download=download), at + LOG_S)
        self.plan(at + BOOT_S, lambda then: self._run(then, download=download))

    def leave(self, answer: Answer, at: float) -> None:
        """Go on with what a command has asked for: boot, what was downloaded, or nothing."""
        if answer.next in (Next.BOOT, Next.RESET):
            download = answer.next is Next.RESET
            self.start(at, download=download, reason=self.chip.model.log.software)
        elif answer.next is Next.NOTHING:
            self.mode = ChipMode.HUNG
        elif answer.next is Next.DARK:
            self.end(FaultAction.KILL, at)
        elif answer.next is Next.RAM:
            self._jump(answer.entry, at)

    def plan_watchdog(self, at: float) -> None:
        """Plan the reset of a watchdog that a command has set off."""
        self.chip.watchdog_is_set = False
        reason = self.chip.model.log.watchdog
        self.plan(at + WATCHDOG_S, lambda then: self.start(then, download=False, reason=reason))

    def end(self, action: FaultAction, at: float) -> None:
        """Apply a fault that ends normal operation, for good or until the next reset."""
        self.resets += 1
        log = self.chip.model.log
        if action is FaultAction.RESET:
            self.start(at, download=False)
        elif action is FaultAction.PANIC:
            self._print(PANIC_TEXT[self.chip.facts.isa], at)
            self.start(max(at, self._line.free_at), download=False, reason=log.software)
        elif action is FaultAction.BROWNOUT:
            self.chip.flash.power_cycle()
            self._print(BROWNOUT_TEXT, at)
            self.start(max(at, self._line.free_at), download=False, reason=log.brownout)
        elif action is FaultAction.BOOTLOOP:
            self._boot_again(at, log.power_on)
        elif action is FaultAction.KILL:
            self.chip.power_off()
            self.mode = ChipMode.DARK
        else:
            self.mode = ChipMode.HUNG
            if action is FaultAction.GARBAGE:
                self._line.babble(at)

    def plan(self, at: float, event: Callable[[float], None]) -> None:
        """Have something called at a time, unless a reset comes first."""
        resets = self.resets

        def unless_reset(then: float) -> None:
            if resets == self.resets:
                event(then)

        self._events.add(at, unless_reset)

    def _enter_rom(self) -> None:
        self.program = RomLoader(self.chip)
        self.autobaud = True

    def _reset(self, download: bool, *, by_lines: bool) -> bool:
        """Reset the chip; return whether it goes to its loader, which a register can force."""
        bit = self.chip.facts.force_download
        forced = bit is not None and bool(bit.of(self.chip.memory.word(bit.address)))
        if by_lines and Quirk.FORCED_DOWNLOAD_STAYS not in self.chip.facts.quirks:
            forced = False
        download = download or forced or self.chip.gpio.forces_download
        self.chip.reset()
        self.chip.latch_straps(download=download and not forced)
        if forced and bit is not None:
            self.chip.memory.set_register(bit.address, bit.mask)
        return download

    def _run(self, at: float, *, download: bool) -> None:
        if self.mode is not ChipMode.BOOTING:
            return
        if download:
            self.mode = ChipMode.DOWNLOAD
        elif self._setup.boot is Boot.APPLICATION or self.chip.boot_word & 0xFF in _IMAGE_MAGICS:
            self._run_application(at)
        else:
            self.mode = ChipMode.APPLICATION
            self._print(self._blank_text, at)
            log = self.chip.model.log
            self.plan(at + LOOP_S, lambda then: self._boot_again(then, log.watchdog))

    @property
    def _blank_text(self) -> bytes:
        """What the ROM prints about a flash without a program."""
        word = b"0x%08x" % self.chip.boot_word
        return self.chip.model.log.blank.replace(b"0xffffffff", word)

    def _run_application(self, at: float) -> None:
        self.mode = ChipMode.APPLICATION
        chip = self.chip
        chip.set_baud(ROM_BAUD)
        bootloader = Bootloader(
            chip.access.read,
            offset=chip.facts.bootloader_offset,
            chip=chip.facts.id,
            revision=self._setup.revision,
        )
        self._print(bootloader.text() or APPLICATION_TEXT, at)

    def _jump(self, entry: int, at: float) -> None:
        """Start a stub, or something else, which prints what the setup says."""
        chip = self.chip
        image = stub_image.find(chip.download, chip.memory, entry)
        stub = self.program if isinstance(self.program, StubLoader) else None
        # What a version 2 stub starts may return to it.
        caller = stub.caller if stub is not None and stub.variant.returns else None
        if image is not None:
            chip.start_stub()
            self.program = StubLoader(chip, image)
            self._print(HELLO, at)
        elif self._setup.says and self._setup.returns and caller is not None:
            self._print(self._setup.says, at)
        elif self._setup.says:
            self.mode = ChipMode.APPLICATION
            self._repeat_text(at)
        elif caller is None or not caller.returns(entry):
            self.mode = ChipMode.APPLICATION

    def _repeat_text(self, at: float) -> None:
        self._print(self._setup.says, at)
        self.plan(at + REPEAT_S, self._repeat_text)

    def _boot_again(self, at: float, reason: bytes) -> None:
        """Start, find no program, and do so again until the next reset."""
        self._reset(False, by_lines=True)
        self._on_restart(at)
        self.mode = ChipMode.APPLICATION
        model = self.chip.model
        self._print(model.boot_log(reason, download=False) + self._blank_text, at + LOG_S)
        self.plan(at + LOOP_S, lambda then: self._boot_again(then, model.log.watchdog))
