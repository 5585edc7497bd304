"""Machine code that a host has put into RAM and has a stub call.

RISC-V code is executed (``core``); of Xtensa code what is known is imitated (``imitation``), and
anything else crashes.

A handler of the plugin table gets the opcode, the payload, its size, and where its response goes.
It returns 0, or the error byte of the reply.  It may leave a function that runs when the reply has
gone out, and sends frames: that is a *stream*.

Source: esp-flasher-stub's plugin interface, seen working on an ESP32-C3 and an ESP32.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property

from espshell.chips import Isa
from espshell.sim import imitation
from espshell.sim.chip import SimChip
from espshell.sim.core import POLL, RELEASE, SCRATCH, SEND, Core, Crash
from espshell.sim.imitation import HandlerResult

_RESPONSE = struct.Struct("<I64sHxxI")
"""Value, data, how many bytes of it count, and what runs after the reply."""
_CONTEXT = struct.Struct("<BBHIII")
"""Opcode, direction, size, checksum, payload, functions of the transport."""
_CONTEXT_AT, _TRANSPORT_AT = SCRATCH + 0x100, SCRATCH + 0x200
_PAYLOAD_AT = SCRATCH + 0x1000


class Caller:
    """Calls code on a chip's core, emulated or imitated.

    Both methods raise PortError if they need an emulator that is not installed.
    """

    def __init__(self, chip: SimChip) -> None:
        self._chip = chip

    def run(self, pointer: int, opcode: int, payload: bytes) -> HandlerResult | None:
        """Call a handler of the plugin table; None if it crashes."""
        if self._chip.facts.isa is Isa.RISCV:
            try:
                return self._execute(pointer, opcode, payload)
            except Crash:
                return None
        name = imitation.recognise(self._chip, pointer)
        done = imitation.run(self._chip, name, opcode, payload) if name else None
        if done is not None:
            self._chip.access.now += done.cost / self._chip.core_hz
        return done

    def returns(self, entry: int) -> bool:
        """Call code without arguments; return whether it comes back."""
        if self._chip.facts.isa is Isa.RISCV:
            try:
                self._core.call(entry)
            except Crash:
                return False
            return True
        # What is not blank is taken to do nothing and return.
        return self._chip.memory.word(entry & ~3) != 0

    @cached_property
    def _core(self) -> Core:
        return Core(self._chip)

    def _execute(self, pointer: int, opcode: int, payload: bytes) -> HandlerResult:
        """Call a handler, and what it leaves for after the reply. Raises: Crash."""
        core = self._core
        core.write(SCRATCH, bytes(_RESPONSE.size))
        core.write(_PAYLOAD_AT, payload)
        status = core.call(pointer, opcode, _PAYLOAD_AT, len(payload), SCRATCH) & 0xFF
        value, data, size, after = _RESPONSE.unpack(core.read(SCRATCH, _RESPONSE.size))
        if status or not after:
            return HandlerResult(status, value, data[:size])
        size_of_payload = len(payload)
        context = _CONTEXT.pack(opcode, 0, size_of_payload, 0, _PAYLOAD_AT, _TRANSPORT_AT)
        core.write(_CONTEXT_AT, context)
        core.write(_TRANSPORT_AT, struct.pack("<III", POLL, RELEASE, SEND))
        began, crashes = self._chip.access.now, False
        try:
            core.call(after, _CONTEXT_AT)
        except Crash:
            crashes = True
        stream = tuple(_paced(core.sent, began))
        self._chip.access.now = began
        return HandlerResult(status, value, data[:size], stream, crashes)


def _paced(sent: list[tuple[float, bytes]], began: float) -> Iterator[tuple[float, bytes]]:
    for at, frame in sent:
        yield at - began, frame
        began = at
