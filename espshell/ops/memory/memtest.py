"""The verb ``memtest``: march C-, walking ones and address lines in RAM.

A handler in the stub tests the whole range at the speed of the core.  Without it the host writes
and reads every word over the link, which is for small ranges: its walking ones go through one word
in 64 only, because all words have the same data lines.

What the RAM held is lost, unless it is read before and written back.

Source: van de Goor, "Testing Semiconductor Memories": march C- is up (w0); up (r0, w1); up (r1,
w0); down (r0, w1); down (r1, w0); down (r0).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import reduce
from operator import or_

from espshell.chips import Kind
from espshell.device import Memory
from espshell.errors import NoReply, Refused, UsageError
from espshell.loader import digest
from espshell.loader.plugins import install
from espshell.ops.result import Report, Result, Step, silent
from espshell.protocol.commands import ReadReg, RegisterWrite
from espshell.protocol.handlers import Memtest, RamFaults, RamTest
from espshell.protocol.packet import Opcode
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import ALL_BITS, KIB, WORD, count_text, hex32, size_text

HOST_SIZE = 1 * KIB
"""The largest range that the host tests by itself (bytes)."""

TITLES = {
    RamTest.MARCH: "march C-",
    RamTest.WALK: "walking ones",
    RamTest.LINES: "address lines",
}

_WALK_PIECE = 4 * KIB  # words are tested one by one, so the range may be cut
_WALK_STEP = 64
_PLACES = 24
_FIRST = 7  # places of each test, as the handler tells them
_MARCH: tuple[tuple[int | None, int | None, int], ...] = (
    (None, 0, 1),
    (0, ALL_BITS, 1),
    (ALL_BITS, 0, 1),
    (0, ALL_BITS, -1),
    (ALL_BITS, 0, -1),
    (0, None, -1),
)
"""What each word should hold and gets, and whether upwards or downwards."""
_S_PER_BYTE = 1e-4  # of all tests, on a core at 20 MHz


@dataclass(frozen=True, slots=True)
class Fault:
    """A word that read wrong in a test, and all bits that were."""

    address: int
    bits: int
    test: str


@dataclass(frozen=True, slots=True)
class MemoryTested(Result):
    """What testing RAM has found; ``bits`` are all bits that were ever wrong.

    ``count`` is how many reads were wrong; ``faults`` are the first places of each test.
    """

    address: int
    size: int
    tests: tuple[str, ...]
    count: int
    bits: int
    faults: tuple[Fault, ...]
    on_chip: bool
    restored: bool | None
    """Whether what the RAM held is there again; None where that was not asked for."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def failure(self) -> str:
        """Where it is wrong first."""
        if not self.count:
            lost = self.restored is False
            return "the contents of the RAM could not be restored" if lost else ""
        first = self.faults[0]
        return (
            f"{count_text(self.count, 'read')} of {Span.of(self.address, self.size)} wrong, the"
            f" first at {hex32(first.address)}, bits {hex32(first.bits)} ({first.test})"
        )

    @property
    def last_value(self) -> int:
        """How many reads were wrong."""
        return self.count


def require_testable(memory: Memory, address: int, size: int, *, force: bool = False) -> None:
    """Require whole words of RAM that neither the stub nor handlers of ours use.

    Raises: UsageError; nothing was sent.
    """
    if address % WORD or size % WORD or not size:
        raise UsageError(
            f"{Span.of(address, size)} is not a whole number of words",
            hint="address and size must be multiples of 4",
        )
    if force:
        return
    memory.check(address, size, write=True)
    span = Span.of(address, size)
    for region in memory.chip.regions:
        if region.kind is not Kind.RAM and region.span.overlaps(span):
            raise UsageError(f"{region.name} ({region.note}) is not RAM: nothing to test")


def is_fast(memory: Memory) -> bool:
    """Return whether the stub that runs tests by itself; its handler comes if it is not there."""
    return install.ensure(memory.loader, Opcode.MEMTEST)


def examine(
    memory: Memory,
    address: int,
    size: int,
    *,
    restore: bool = False,
    report: Report = silent,
) -> MemoryTested:
    """Test a range that ``require_testable`` has agreed to; ``restore`` puts back what it held.

    Raises: UsageError if the host would have to test more than ``HOST_SIZE``; nothing was sent.
    """
    on_chip = not memory.dry_run and is_fast(memory)
    if not on_chip and size > HOST_SIZE and not memory.dry_run:
        raise UsageError(
            f"without the flasher stub {size_text(size)} would take too long: at most"
            f" {size_text(HOST_SIZE)}",
            hint="`stub always` starts it; it runs the test on the chip",
        )
    tests = tuple(TITLES.values())
    if memory.dry_run:
        return MemoryTested(address, size, tests, 0, 0, (), on_chip, None, dry_run=True)
    held = memory.read(address, size) if restore else None
    run = _on_chip if on_chip else _by_host
    count, bits, faults = 0, 0, dict[tuple[int, str], int]()
    try:
        for kind, part in run(memory, Span.of(address, size), report):
            count, bits = count + part.count, bits | part.bits
            for at, wrong in part.places:
                key = at, TITLES[kind]
                faults[key] = faults.get(key, 0) | wrong
    finally:
        restored = None
        if held is not None:
            for _ in memory.load(address, held):
                pass
            restored = memory.read(address, len(held)) == held
    places = tuple(Fault(at, wrong, title) for (at, title), wrong in faults.items())[:_PLACES]
    return MemoryTested(address, size, tests, count, bits, places, on_chip, restored)


Results = Iterator[tuple[RamTest, RamFaults]]


def _on_chip(memory: Memory, span: Span, report: Report) -> Results:
    """Yield what the handler finds; the whole range at once where words may act on each other."""
    for number, kind in enumerate(RamTest):
        pieces = span.pieces(_WALK_PIECE) if kind is RamTest.WALK else (span,)
        for piece in pieces:
            done = piece.end - span.start if kind is RamTest.WALK else span.size
            yield kind, _run_twice(memory, Memtest(piece.start, piece.size, kind))
            report(Step("testing", number * span.size + done, len(RamTest) * span.size))


def _run_twice(memory: Memory, command: Memtest) -> RamFaults:
    """Have a range tested; what is found must be found twice, since no sum protects the answer.

    Memory that is wrong at times only is wrong.
    """
    timeout_s = command.timeout_s + _S_PER_BYTE * command.size
    digest.fence(memory.loader)
    first = memory.loader.execute(command, timeout_s=timeout_s)
    digest.fence(memory.loader)
    again = memory.loader.execute(command, timeout_s=timeout_s)
    return max(first, again, key=lambda faults: faults.count)


def _by_host(memory: Memory, span: Span, report: Report) -> Results:
    """Yield what the host finds, word by word over the link; each test by itself."""
    for kind, test in (
        (RamTest.MARCH, _march),
        (RamTest.WALK, _walk),
        (RamTest.LINES, _test_lines),
    ):
        words = _Words(memory)
        test(words, span, report)
        if words.faults:  # a write that is damaged on its way looks alike, but not twice
            places = {address for address, _ in words.faults}
            words = _Words(memory)
            test(words, span, report)
            words.faults = [fault for fault in words.faults if fault[0] in places]
        bits = reduce(or_, (wrong for _, wrong in words.faults), 0)
        yield kind, RamFaults(len(words.faults), bits, tuple(words.faults[:_FIRST]))


def _march(words: _Words, span: Span, report: Report) -> None:
    addresses = range(span.start, span.end, WORD)
    total, done = len(_MARCH) * len(addresses), 0
    for old, new, order in _MARCH:
        for at in addresses[::order]:
            if old is not None:
                words.check(at, old)
            if new is not None:
                words.write(at, new)
            done += 1
            report(Step("testing", done, total))


def _walk(words: _Words, span: Span, _: Report) -> None:
    for at in range(span.start, span.end, WORD)[::_WALK_STEP]:
        for bit in (1 << n for n in range(32)):
            words.write(at, bit)
            words.check(at, bit)


def _test_lines(words: _Words, span: Span, _: Report) -> None:
    powers = [1 << n for n in range(WORD.bit_length() - 1, (span.size - 1).bit_length())]
    lines = {span.start: ALL_BITS, **{span.start + bit: bit for bit in powers}}
    for at, value in lines.items():
        words.write(at, value)
    for at, value in lines.items():
        words.check(at, value)


class _Words:
    """Writes and reads words, and keeps those that are wrong."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.faults: list[tuple[int, int]] = []
        """Addresses and the bits that are wrong."""

    def write(self, address: int, value: int) -> None:
        """Write a word, again if that was lost or refused as something else."""
        write = [RegisterWrite(address, value)]
        try:
            self._memory.send(write)
        except (Refused, NoReply):
            self._memory.send(write)

    def check(self, address: int, value: int) -> None:
        """Read a word that should have this value; one that is wrong is read again."""
        word = ~value
        with contextlib.suppress(Refused, NoReply):
            word = self._memory.loader.execute(ReadReg(address))
        if word != value and (wrong := self._memory.words(address, 1)[0] ^ value):
            self.faults.append((address, wrong))
