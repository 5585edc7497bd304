"""Connecting to the simulator and looking behind it."""

from __future__ import annotations

from collections import Counter

from espshell.clock import Clock, VirtualClock
from espshell.device import Target
from espshell.link.link import Link
from espshell.sim.wire import Wire


def wire_of(target: Target) -> Wire:
    """Return the simulated chip and cable behind a target."""
    wire = target.link.port._device.wire  # type: ignore[attr-defined]
    assert isinstance(wire, Wire)
    return wire


def held(target: Target, address: int) -> int:
    """Return the word that the simulated chip holds at an address."""
    return int.from_bytes(wire_of(target).chip.memory.read(address, 4), "little")


def open_sim(options: str = "", chip: str = "esp32") -> Target:
    """Connect to a simulated chip."""
    return Target.open(f"sim://{chip}{'?' if options else ''}{options}")


def counted(target: Target) -> Counter[int]:
    """Return a counter of the writes to each address of the simulated chip, from now on."""
    memory, count = wire_of(target).chip.memory, Counter[int]()
    write = memory.write_word

    def write_word(address: int, value: int, mask: int = 0xFFFF_FFFF) -> None:
        count[address] += 1
        write(address, value, mask)

    memory.write_word = write_word  # type: ignore[method-assign]
    return count


class ScriptedPort:
    """A port that answers each write with the next of some prepared answers."""

    url = "scripted"
    has_lines = False

    def __init__(self, *answers: bytes) -> None:
        self.baud = 115200
        self.clock: Clock = VirtualClock()
        self.written: list[bytes] = []
        self._answers = list(answers)
        self._arrived = b""

    def read(self, wait_s: float) -> bytes:
        """Return what has arrived; else let the time pass."""
        data, self._arrived = self._arrived, b""
        if not data:
            self.clock.sleep(wait_s)
        return data

    def write(self, data: bytes) -> None:
        """Keep what was written; the next answer arrives."""
        self.written.append(data)
        if self._answers:
            self._arrived += self._answers.pop(0)

    def say(self, data: bytes) -> None:
        """Let bytes arrive that nobody asked for."""
        self._arrived += data

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def scripted(*answers: bytes) -> tuple[Link, ScriptedPort]:
    """Return a link on a scripted port, and the port."""
    port = ScriptedPort(*answers)
    return Link(port), port
