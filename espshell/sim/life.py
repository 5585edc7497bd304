"""What a simulated chip is doing: in reset, starting, in a loader, running or crashing.

The host sees of it what the chip prints, and whether somebody answers.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from espshell.chips import Quirk
from espshell.sim import stub_image
from espshell.sim.agenda import Agenda
from espshell.sim.chip import SimChip
from espshell.sim.fault import Action
from espshell.sim.line import Line
from espshell.sim.models import APPLICATION_TEXT, BROWNOUT_TEXT, PANIC_TEXT, ROM_BAUD
from espshell.sim.program import Next, Program
from espshell.sim.rom import RomLoader
from espshell.sim.stub import HELLO, StubLoader
from espshell.sim.url import Boot, Setup

LOG_S = 5e-3
"""From leaving reset to the first letter of the boot log."""

BOOT_S = 30e-3
"""From leaving reset to a loader that listens."""

LOOP_S = 0.5
"""From one boot log to the next of a chip that never gets further."""

SAY_S = 1.0
"""From one line of a program in RAM to the next; real ones loop, too."""

WATCHDOG_S = 15e-3
"""From setting the RTC watchdog off to its reset."""

_PROGRAMS = (0xE9, 0xEA)
"""First bytes of an image: of all chips, and of a version 2 image of an ESP8266."""

Say = Callable[[bytes, float], None]


class Mode(Enum):
    """What the chip is doing."""

    RESET = "held in reset"
    BOOTING = "starting"
    DOWNLOAD = "in a loader"
    APPLICATION = "running something else"
    HUNG = "hung"
    DARK = "without a supply"


class Life:
    """One chip from power-on on.

    ``say`` prints, now or later; ``restarted`` is told of each start.
    """

    def __init__(
        self,
        setup: Setup,
        agenda: Agenda,
        line: Line,
        *,
        say: Say,
        restarted: Callable[[float], None],
    ) -> None:
        self.chip = SimChip(setup)
        self.mode = Mode.DOWNLOAD
        self.program: Program = RomLoader(self.chip)
        self.autobaud = True
        """Whether the next SYNC sets the chip's rate."""
        self.resets = 0
        """What was planned before the last of them is void."""
        self._boot = setup.boot
        self._says = setup.says
        self._returns = setup.returns
        self._agenda = agenda
        self._line = line
        self._say = say
        self._restarted = restarted

    def power_on(self, at: float) -> None:
        """Begin as the setup says, past all starting."""
        self.resets += 1
        self.chip.power_off()
        self.chip.reset()
        self.program = RomLoader(self.chip)
        self.autobaud = True
        if self._boot is Boot.LOOP:
            self._loop(at, self.chip.model.log.power_on)
            return
        if self._boot is Boot.APPLICATION:
            self._application(at)
        else:
            self.mode = Mode.DOWNLOAD

    def return_to_download(self, now: float) -> None:
        """Be in the ROM loader as after a reset, without its text and its time."""
        if self.mode is Mode.DARK:
            return
        self.stop(now)
        self._reset(download=True, by_lines=True)
        self.program = RomLoader(self.chip)
        self.autobaud = True
        self._restarted(now)
        self.mode = Mode.DOWNLOAD

    def stop(self, now: float) -> None:
        """Hold the chip in reset."""
        if self.mode is Mode.DARK:
            return
        self.resets += 1
        self.mode = Mode.RESET
        self._line.cut(now)

    def start(self, at: float, *, download: bool, reason: bytes | None = None) -> None:
        """Leave reset; the reason that is printed is power-on if none is given."""
        if self.mode is Mode.DARK:
            return
        self.resets += 1
        download = self._reset(download, by_lines=reason is None)
        self.mode = Mode.BOOTING
        self.program = RomLoader(self.chip)
        self.autobaud = True
        self._restarted(at)
        model = self.chip.model
        self._say(model.boot_log(reason or model.log.power_on, download=download), at + LOG_S)
        self._plan(at + BOOT_S, lambda then: self._run(then, download=download))

    def leave(self, at: float) -> None:
        """Go on with what a command has asked for: boot, what was downloaded, or nothing."""
        wanted = self.program.next
        if wanted in (Next.BOOT, Next.RESET):
            download = wanted is Next.RESET
            self.start(at, download=download, reason=self.chip.model.log.software)
        elif wanted is Next.NOTHING:
            self.mode = Mode.HUNG
        elif wanted is Next.DARK:
            self.end(Action.KILL, at)
        elif wanted is Next.RAM:
            self._jump(at)

    def after_command(self, at: float) -> None:
        """Look whether a command has set the watchdog off."""
        if self.chip.watchdog_is_set:
            self.chip.watchdog_is_set = False
            reason = self.chip.model.log.watchdog
            self._plan(
                at + WATCHDOG_S, lambda then: self.start(then, download=False, reason=reason)
            )

    def end(self, ending: Action, at: float) -> None:
        """Do what a fault says; for good, or until the next reset."""
        self.resets += 1
        log = self.chip.model.log
        if ending is Action.RESET:
            self.start(at, download=False)
        elif ending is Action.PANIC:
            self._say(PANIC_TEXT[self.chip.facts.isa], at)
            self.start(max(at, self._line.free_at), download=False, reason=log.software)
        elif ending is Action.BROWNOUT:
            self.chip.flash.power_cycle()
            self._say(BROWNOUT_TEXT, at)
            self.start(max(at, self._line.free_at), download=False, reason=log.brownout)
        elif ending is Action.BOOTLOOP:
            self._loop(at, log.power_on)
        elif ending is Action.KILL:
            self.chip.power_off()
            self.mode = Mode.DARK
        else:
            self.mode = Mode.HUNG
            if ending is Action.GARBAGE:
                self._line.babble(at)

    def _reset(self, download: bool, *, by_lines: bool) -> bool:
        """Reset the chip; return whether it goes to its loader, which a register can force."""
        bit = self.chip.facts.force_download
        forced = bit is not None and bool(bit.of(self.chip.memory.word(bit.address)))
        if by_lines and Quirk.FORCED_DOWNLOAD_STAYS not in self.chip.facts.quirks:
            forced = False
        self.chip.reset()
        if forced and bit is not None:
            self.chip.memory.set_register(bit.address, bit.mask)
        return download or forced

    def _run(self, at: float, *, download: bool) -> None:
        if self.mode is not Mode.BOOTING:
            return
        if download:
            self.mode = Mode.DOWNLOAD
        elif self._boot is Boot.APPLICATION or self.chip.boot_word & 0xFF in _PROGRAMS:
            self._application(at)
        else:
            self.mode = Mode.APPLICATION
            self._say(self._complaint, at)
            self._plan(at + LOOP_S, lambda then: self._loop(then, self.chip.model.log.watchdog))

    @property
    def _complaint(self) -> bytes:
        """What the ROM says to what it finds in flash."""
        word = b"0x%08x" % self.chip.boot_word
        return self.chip.model.log.blank.replace(b"0xffffffff", word)

    def _application(self, at: float) -> None:
        self.mode = Mode.APPLICATION
        self.chip.set_baud(ROM_BAUD)
        self._say(APPLICATION_TEXT, at)

    def _jump(self, at: float) -> None:
        """Start a stub, or something else, which prints what the setup says."""
        program, chip = self.program, self.chip
        image = stub_image.find(chip.download, chip.memory, program.entry)
        if image is not None:
            chip.start_stub()
            self.program = StubLoader(chip, image)
            self._say(HELLO, at)
        elif self._says:
            if self._returns and isinstance(program, StubLoader) and program.goes_on():
                self._say(self._says, at)
            else:
                self.mode = Mode.APPLICATION
                self._repeat(at)
        elif not (isinstance(program, StubLoader) and program.call(program.entry)):
            self.mode = Mode.APPLICATION

    def _repeat(self, at: float) -> None:
        self._say(self._says, at)
        self._plan(at + SAY_S, self._repeat)

    def _loop(self, at: float, reason: bytes) -> None:
        self._reset(False, by_lines=True)
        self._restarted(at)
        self.mode = Mode.APPLICATION
        log = self.chip.model.log
        text = self.chip.model.boot_log(reason, download=False) + self._complaint
        self._say(text, at + LOG_S)
        self._plan(at + LOOP_S, lambda then: self._loop(then, log.watchdog))

    def _plan(self, at: float, happen: Callable[[float], None]) -> None:
        """Have something happen, unless a reset comes first."""
        resets = self.resets

        def unless_reset(then: float) -> None:
            if resets == self.resets:
                happen(then)

        self._agenda.plan(at, unless_reset)
