"""Status registers changed on simulated parts: what is done, what is refused, what faults do.

Truth is what the simulated flash holds, never what the code under test says of it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from espshell.device import Target
from espshell.errors import DeviceError, EspError, NoReply, ReadsDiffer, UsageError
from espshell.loader.spi import FlashCommand
from espshell.nor import settings
from espshell.nor.parts import Identified, volatile_possible
from espshell.nor.plan import ConfirmationKind, StatusPlan
from espshell.ops.flash import load as flash_ops
from espshell.ops.flash.payload import Payload
from espshell.ops.status import raw_bytes as status_bytes
from espshell.ops.status import registers as ops
from espshell.ops.status.registers import Status, StatusChange
from espshell.protocol import slip
from espshell.protocol.packet import Opcode
from espshell.sim.fault import Direction, Faults, Passage, parse
from espshell.sim.nor import Nor
from espshell.sim.parts import PARTS as PARTS_OF_THE_SIMULATOR
from tests.loader.support import open_sim, wire_of

PARTS = {
    "W25Q32JV": "W25Q32JV",
    "W25Q128JV": "W25Q128JV",
    "W25Q64BV": "W25Q64BV",
    "GD25Q32C": "GD25Q32C",
    "GD25LQ32": "GD25LQ32",
    "XM25QH64C": "XM25QH64C",
    "MX25L3233F": "MX25L3233F",
    "IS25LP032": "IS25LP032",
    "EN25QH32": "EN25QH32",
    "BY25Q32ES": "BY25Q32ES",
    "P25Q32H": "P25Q32H",
    "ZB25VQ32": "ZB25VQ32",
}
"""What is simulated, and what a person reads on it: some ids leave it open."""

TWO_BYTES = ("W25Q64BV", "GD25LQ32", "P25Q32H")
"""Parts on which a write of SR1 alone clears SR2."""

NO_VOLATILE = ("W25Q64BV", "MX25L3233F", "EN25QH32")
"""Parts that do not know 50h."""

LOADERS = (("esp32", False), ("esp32c3", True))
"""A ROM and a stub."""

AT = 0x9000
DATA = bytes(range(256)) * 16


@dataclass
class Bench:
    """A simulated chip whose flash is identified."""

    target: Target
    identified: Identified
    log: list[bytes] = field(default_factory=list)
    """What the flash was sent, command by command."""

    @property
    def nor(self) -> Nor:
        """The simulated flash."""
        return wire_of(self.target).chip.flash

    @property
    def active(self) -> list[int]:
        """What the flash goes by."""
        return list(self.nor.status.active)

    @property
    def stored(self) -> list[int]:
        """What survives without power."""
        return list(self.nor.status.stored)

    @property
    def status(self) -> Status:
        """What is read of it now."""
        return ops.read_status(self.target.flash, self.identified)

    @property
    def opcodes(self) -> set[int]:
        """The opcodes that it was sent."""
        return {sent[0] for sent in self.log}

    @property
    def volatile(self) -> bool:
        """Whether a change can be volatile."""
        return volatile_possible(self.identified)[0]

    def plan(self, *texts: str, volatile: bool = False) -> StatusPlan:
        """Plan settings."""
        wanted = settings.parse(self.identified.part, texts)
        return ops.plan_change(self.target.flash, self.identified, wanted, volatile=volatile)

    def set(self, *texts: str, volatile: bool = False) -> StatusChange:
        """Change settings."""
        return ops.change_status(self.target.flash, self.plan(*texts, volatile=volatile))

    def protect(self, start: int, end: int, *, volatile: bool = False) -> StatusChange:
        """Protect a range."""
        flash = self.target.flash
        made = ops.plan_protection(flash, self.identified, start, end, volatile=volatile)
        return ops.change_status(flash, made)

    def load(self, data: bytes = DATA, at: int = AT) -> flash_ops.Written:
        """Write flash without a look at what is protected."""
        return flash_ops.load(self.target, [Payload(at, data, "data")], force=True)


def opened(
    part: str = "W25Q32JV",
    *,
    chip: str = "esp32",
    stub: bool = False,
    sr: str = "",
    name: str | None = None,
    options: str = "",
) -> Bench:
    """Connect to a part; ``name`` is what a person reads on it."""
    target = open_sim(f"flash={part}" + f"&sr={sr}" * bool(sr) + options, chip)
    if stub:
        target.start_stub()
    nor, log = wire_of(target).chip.flash, list[bytes]()
    transfer = nor.transfer

    def logged(sent: bytes, size: int, now: float) -> bytes:
        log.append(sent)
        return transfer(sent, size, now)

    nor.transfer = logged  # type: ignore[method-assign]
    return Bench(target, ops.identify(target.flash, name=name), log)


@contextmanager
def through(nor: Nor, change: Callable[[bytes, bytes], bytes]) -> Iterator[None]:
    """Let something see what is sent and change what is answered."""
    transfer = nor.transfer

    def changed(sent: bytes, size: int, now: float) -> bytes:
        return change(sent, transfer(sent, size, now))

    nor.transfer = changed  # type: ignore[method-assign]
    yield
    nor.transfer = transfer  # type: ignore[method-assign]


@pytest.fixture(params=PARTS)
def named(request: pytest.FixtureRequest) -> Bench:
    """Each part, with the name that a person gives; on a ROM."""
    return opened(request.param, name=PARTS[request.param])


# set, clear, protect -----------------------------------------------------------------------------


def qe_of(bench: Bench) -> int:
    """Return QE as the flash holds it."""
    bit = bench.nor.part.qe
    assert bit is not None
    return bit.of(bench.active)


def test_quad_enable(named: Bench) -> None:
    """It is set and cleared for good, survives a power cycle, and nothing else changes."""
    if named.nor.part.qe is None:
        with pytest.raises(UsageError, match="has no QE"):
            named.plan("QE=1")
        return
    before = named.active
    for value in (1 - qe_of(named), qe_of(named)):
        assert named.set(f"QE={value}").ok
        assert qe_of(named) == value
        assert named.stored == named.active
        named.nor.power_cycle()
        assert qe_of(named) == value
    assert named.active == before
    assert named.nor.count.offences == []


def test_quad_enable_for_a_while(named: Bench) -> None:
    """Where the part can, a change is gone after a power cycle; elsewhere it is refused."""
    before = named.active
    if not named.volatile:
        made = named.plan("BP=1", volatile=True)
        assert "a volatile write is not possible" in made.refusals[0]
        with pytest.raises(UsageError):
            ops.change_status(named.target.flash, made)
        assert named.active == before
        return
    value = 1 - qe_of(named)
    assert named.set(f"QE={value}", volatile=True).ok
    assert qe_of(named) == value
    assert named.stored == before
    assert named.nor.count.status_writes == 0
    named.nor.power_cycle()
    assert named.active == before


@pytest.mark.parametrize("part", ["W25Q32JV", "GD25LQ32", "MX25L3233F", "IS25LP032"])
def test_through_the_stub(part: str) -> None:
    """The flasher stub does the same as a ROM."""
    bench = opened(part, chip="esp32c3", stub=True, name=part)
    assert bench.set("QE=1", "BP=1").ok
    assert qe_of(bench) == 1
    assert bench.set("QE=0", "BP=0").ok
    assert qe_of(bench) == 0
    assert bench.nor.count.offences == []


def test_protected_flash_keeps_its_contents(named: Bench) -> None:
    """What is protected cannot be written, and `load` says so; unprotected, it can."""
    choices = ops.protection_ranges(named.target.flash, named.identified).choices
    fitting = [c.span for c in choices if c.span.start <= AT and AT + len(DATA) <= c.span.end]
    chosen = min(fitting, key=lambda each: each.size)
    assert named.protect(chosen.start, chosen.end).ok
    assert (named.nor.guarded.start, named.nor.guarded.stop) == (chosen.start, chosen.end)
    assert ops.protected_spans(named.status) == (chosen,)
    result = named.load()
    assert not result.ok
    assert "still as before: is it write-protected?" in result.state
    assert named.nor.read(AT, len(DATA)) == b"\xff" * len(DATA)
    assert named.protect(0, 0).ok
    assert len(named.nor.guarded) == 0
    assert named.load().ok
    assert named.nor.read(AT, len(DATA)) == DATA
    assert named.nor.count.offences == []


def test_every_range_is_what_the_flash_protects(named: Bench) -> None:
    """Whatever range is offered, its settings make the flash protect exactly that."""
    found = ops.protection_ranges(named.target.flash, named.identified)
    assert len(found.choices) > 2
    layout = named.identified.part.layout
    names = [register.name for register in layout.registers]
    before = dict(named.status.registers)
    for choice in found.choices:
        registers = before
        for setting in choice.settings:
            wanted = layout.field(setting.name)
            assert wanted is not None
            registers = wanted.put(registers, setting.value)
        reads = [register.read for register in named.nor.part.registers]
        values = list(named.active)
        for name in names:
            register = layout.register(name)
            if register and register.read_opcode in reads:
                values[reads.index(register.read_opcode)] = registers[name]
        named.nor.status.active = values
        guarded = named.nor.guarded
        assert (len(guarded), guarded.start * bool(guarded)) == (
            choice.span.size,
            choice.span.start,
        )
        named.nor.status.reset()


def test_an_impossible_range(named: Bench) -> None:
    """It is refused with the nearest that exist, and nothing is written."""
    with pytest.raises(UsageError, match=r"cannot protect exactly 0x1000\.\.0x1800") as caught:
        named.protect(0x1000, 0x1800)
    assert "larger: " in caught.value.hint
    assert named.nor.count.status_writes == 0


def test_nothing_is_unprotected_in_doubt() -> None:
    """Where it is not known what BP does, lifting protection is refused, and says what helps."""
    bench = opened("W25Q64BV", sr="1c")
    with pytest.raises(UsageError, match="cannot be unprotected with certainty") as caught:
        bench.protect(0, 0)
    assert "--part" in caught.value.hint


def test_what_may_be_protected_is_not_said_to_be() -> None:
    """Of several parts that protect different ranges none is taken for certain."""
    bench = opened("W25Q64BV", sr="1c")
    assert bench.status.protected.ranges
    assert not bench.status.protected.known
    assert ops.protected_spans(bench.status) == ()


@pytest.mark.parametrize("part", [each.name for each in PARTS_OF_THE_SIMULATOR])
def test_every_part_is_recognised(part: str) -> None:
    """The part is among those that its flash may be, and what is said to be protected is."""
    bench = opened(part, sr="1c")
    names = [name for each in bench.identified.part.alternatives for name in each.names]
    assert any(name.startswith(part.removesuffix("-B")[:8]) for name in names)
    protected = bench.status.protected
    if protected.known:
        (found,) = protected.ranges
        assert range(found.start, found.end) == bench.nor.guarded


# incidents ---------------------------------------------------------------------------------------


def test_nothing_to_do_sends_nothing() -> None:
    """No enable and no write, not even a frame, when everything is as wanted."""
    bench = opened(sr="00,02")
    made = bench.plan("QE=1", "BP=0")
    before = wire_of(bench.target).count.requests
    result = ops.change_status(bench.target.flash, made)
    assert result.ok
    assert made.nothing_to_do
    assert wire_of(bench.target).count.requests == before
    assert not bench.opcodes & {0x01, 0x04, 0x06, 0x11, 0x31, 0x50}


def test_a_dry_run_writes_nothing() -> None:
    """Registers are read and a plan is made, no enable is sent."""
    bench = opened()
    bench.target.flash.dry_run = True
    result = bench.set("QE=1")
    assert result.dry_run
    assert result.got["SR2"] == 0
    written = status_bytes.write_status_bytes(bench.target.flash, 0x0240, 2, non_volatile=True)
    assert (written.dry_run, written.value, written.wanted) == (True, 0, 0x0240)
    assert not bench.opcodes & {0x01, 0x06, 0x31, 0x50}


def test_all_ones() -> None:
    """Writing FF everywhere is refused for a while, and stands behind both gates for good."""
    bench = opened()
    ones = ("SR1=0xff", "SR2=0xff", "SR3=0xff")
    assert bench.plan(*ones, volatile=True).refusals
    made = bench.plan(*ones)
    assert made.needs(ConfirmationKind.ONE_WAY)
    assert made.needs(ConfirmationKind.DANGER)
    asked = {each.name for each in made.confirmations if each.kind is ConfirmationKind.ONE_WAY}
    assert asked == {"SRP1", "LB1", "LB2", "LB3"}
    assert bench.nor.count.status_writes == 0


def test_complement_with_no_block() -> None:
    """CMP=1 with BP=0 protects everything; what lifts protection clears CMP (fpdoom#48)."""
    bench = opened(sr="00,42")
    assert [s.size for s in ops.protected_spans(bench.status)] == [bench.nor.size]
    assert bench.protect(0, 0).ok
    assert bench.active[:2] == [0x00, 0x02]
    assert len(bench.nor.guarded) == 0


@pytest.mark.parametrize("part", TWO_BYTES)
@pytest.mark.parametrize("is_named", [True, False])
def test_quad_enable_is_not_lost(part: str, is_named: bool) -> None:
    """A change of SR1 keeps SR2 where one byte would clear it, also while it is not sure which."""
    bench = opened(part, sr="00,02", name=PARTS[part] if is_named else None)
    text, after = ("SRP0=1", 0x80) if bench.identified.part.is_open else ("BP=1", 0x04)
    assert bench.set(text).ok
    assert bench.active[:2] == [after, 0x02]
    assert [sent for sent in bench.log if sent[0] == 0x01] == [bytes([0x01, after, 0x02])]


def test_a_range_that_is_not_known() -> None:
    """While one of the parts that it may be could have WPS set, BP is not touched."""
    bench = opened("W25Q64BV")
    assert not bench.status.protected.known
    assert "WPS is set, or may be" in bench.plan("BP=1").refusals[0]


@pytest.mark.parametrize("part", ["W25Q32JV", "GD25LQ32", "XM25QH64C"])
def test_stale_enable(part: str) -> None:
    """A WEL that somebody has left set does not make a volatile write a permanent one."""
    bench = opened(part)
    bench.target.flash.command(FlashCommand(0x06))
    assert bench.nor.write_enabled
    assert bench.set("QE=1", volatile=True).ok
    assert qe_of(bench) == 1
    assert bench.stored[1] == 0
    assert bench.nor.count.status_writes == 0
    bench.target.flash.command(FlashCommand(0x06))
    assert status_bytes.write_status_bytes(bench.target.flash, 0, 2, non_volatile=False).ok
    assert (bench.stored[1], bench.nor.count.status_writes) == (0, 0)


@pytest.mark.parametrize("part", PARTS)
def test_no_opcode_that_is_another_here(part: str) -> None:
    """Of no part is read, or to it written, by a command that it has not or means otherwise."""
    bench = opened(part)
    assert bench.status.registers
    if part == "W25Q64BV":  # or BP is not touched
        bench.identified = ops.identify(bench.target.flash, name=part)
    for volatile in {False, bench.volatile}:
        for text in ("BP=1", "BP=0"):
            assert bench.set(text, volatile=volatile).ok
    ops.protection_ranges(bench.target.flash, bench.identified)
    assert bench.nor.count.offences == []
    if part in ("MX25L3233F", "IS25LP032"):
        assert 0x35 not in bench.opcodes
    if part in ("IS25LP032", "EN25QH32"):
        assert 0x15 not in bench.opcodes
    if part in NO_VOLATILE:
        assert 0x50 not in bench.opcodes


def test_hardware_lock() -> None:
    """With WP# low and SRP0 set the write is ignored: before, wanted and got are told."""
    bench = opened(sr="80", options="&wp=low")
    result = bench.set("QE=1")
    assert not result.ok
    assert result.failure == "the flash did not accept the write: SR2.QE was 0, wanted 1, got 0"
    assert "WEL was still set after 31h: the flash ignored the write of SR2" in result.notes
    assert bench.active[:2] == [0x80, 0x00]
    assert not bench.nor.write_enabled


@pytest.mark.parametrize(("sr", "mode"), [("00,01", "power cycle"), ("80,01", "permanent")])
def test_locked_registers(sr: str, mode: str) -> None:
    """Where the registers say that they cannot be written, nothing is sent."""
    bench = opened(sr=sr)
    made = bench.plan("QE=1")
    assert made.refusals[0].startswith(f"lock mode {mode}")
    with pytest.raises(UsageError):
        ops.change_status(bench.target.flash, made)
    assert 0x06 not in bench.opcodes


def test_lock_until_power_cycle() -> None:
    """SRP1 stands behind the gate of what is for ever; set, it holds until the power is off."""
    bench = opened()
    made = bench.plan("SRP1=1")
    assert [each.kind for each in made.confirmations] == [ConfirmationKind.ONE_WAY]
    assert ops.change_status(bench.target.flash, made).ok
    assert bench.plan("BP=1").refusals
    bench.nor.power_cycle()
    assert bench.set("BP=1").ok


@pytest.mark.parametrize("name", ["LB1=1", "SRP1=1"])
def test_no_one_way_bit_for_a_while(name: str) -> None:
    """A one-way bit is not written by a volatile write, and a set one is not cleared."""
    bench = opened()
    made = bench.plan(name, volatile=True)
    assert made.refusals or made.needs(ConfirmationKind.ONE_WAY)
    assert opened(sr="00,08").plan("LB1=0").refusals == ("LB1 is one-way: it is 1 and stays 1",)


def test_boot_hazards_ask() -> None:
    """What can stop a board from booting stands behind a gate; what cannot does not."""
    xmc = opened("XM25QH64C", sr="00,02,00")
    for text in ("QE=0", "DC=1", "HRSW=1"):
        assert [each.kind for each in xmc.plan(text).confirmations] == [ConfirmationKind.DANGER], (
            text
        )
    for text in ("BP=1", "DRV=1"):
        assert xmc.plan(text).confirmations == (), text


def test_unstable_reads() -> None:
    """A register that reads differently each time is not planned on."""
    bench = opened()
    turn = iter(range(1000))

    def unsteady(sent: bytes, answer: bytes) -> bytes:
        return bytes([next(turn) % 2 << 2]) if sent[0] == 0x05 else answer

    with through(bench.nor, unsteady), pytest.raises(ReadsDiffer, match="readings of SR1 differ"):
        bench.plan("QE=1")
    unsettled = pytest.raises(ReadsDiffer, match="readings of SR1 differ")
    with through(bench.nor, unsteady), unsettled:
        ops.protection_ranges(bench.target.flash, bench.identified)
    assert 0x06 not in bench.opcodes


def test_bits_that_the_flash_sets_may_change_between_readings() -> None:
    """WEL that comes and goes is no reason to refuse a plan."""
    bench, turn = opened(), iter(range(1000))

    def toggled(sent: bytes, answer: bytes) -> bytes:
        return bytes([answer[0] ^ next(turn) % 2 << 1]) if sent[0] == 0x05 else answer

    with through(bench.nor, toggled):
        assert bench.plan("QE=1").ok


def test_a_write_that_was_done_is_not_done_again() -> None:
    """That its answer was lost is no reason: what reads back shows that it came to the flash."""
    bench = opened()
    flash, run = bench.target.flash, bench.target.flash.command

    def lost(command: FlashCommand) -> bytes:
        answer = run(command)
        if command.data:
            raise NoReply("the answer was lost")
        return answer

    flash.command = lost  # type: ignore[method-assign]
    result = bench.set("QE=1")
    assert result.ok
    assert result.notes == ("the answer was lost; the value read back decides",)
    assert [sent for sent in bench.log if sent[0] in (0x01, 0x31)] == [b"\x31\x02"]


def test_a_write_that_did_not_come_is_sent_once_more() -> None:
    """Trouble on the link that has kept it from the flash once is no failure."""
    bench = opened()
    flash, run, lost = bench.target.flash, bench.target.flash.command, list[int]()

    def drop(command: FlashCommand) -> bytes:
        if command.data and not lost:
            lost.append(command.opcode)
            raise NoReply("the answer was lost")
        return run(command)

    flash.command = drop  # type: ignore[method-assign]
    assert bench.set("QE=1").ok
    assert (lost, bench.active[1]) == ([0x31], 0x02)


def test_a_flash_that_takes_no_write_enable() -> None:
    """Without WEL after 06h nothing that writes is sent."""
    bench = opened()

    def deaf(sent: bytes, answer: bytes) -> bytes:
        bench.nor.write_enabled &= sent[0] != 0x06
        return answer

    with through(bench.nor, deaf):
        result = bench.set("QE=1", volatile=False)
    assert not result.ok
    assert "the flash does not set WEL after 06h; the value read back decides" in result.notes
    assert bench.active[:2] == [0, 0]
    assert not {0x01, 0x31} & set(bench.opcodes)


@pytest.mark.parametrize("wrong", [1, 2])
def test_one_wrong_reading_of_what_was_written_is_not_believed(wrong: int) -> None:
    """One of two readings is wrong: more are taken, and the change is there."""
    bench = opened()
    readings: list[int] = []

    def flipped(sent: bytes, answer: bytes) -> bytes:
        if sent[0] != 0x35 or not bench.active[1]:
            return answer
        readings.append(answer[0])
        return bytes([answer[0] ^ 0x02]) if len(readings) == wrong else answer

    with through(bench.nor, flipped):
        assert bench.set("QE=1").ok
    assert bench.active[1] == 0x02


def test_unstable_id() -> None:
    """A flash that gives another id each time is not identified, nor one that gives none."""
    bench = opened()
    turn = iter(range(1000))

    def unsteady(sent: bytes, answer: bytes) -> bytes:
        return bytes([0xEF, 0x40, 0x16 + next(turn) % 2]) if sent[0] == 0x9F else answer

    with through(bench.nor, unsteady), pytest.raises(ReadsDiffer, match=r"ef401\d, then"):
        ops.identify(bench.target.flash)
    silent = through(bench.nor, lambda _sent, answer: b"\xff" * len(answer))
    with silent, pytest.raises(DeviceError, match="no flash chip answers"):
        ops.identify(bench.target.flash)


def test_busy_for_ever() -> None:
    """A flash that does not finish is an error that says what may have been written."""
    bench = opened()

    def stuck(sent: bytes, answer: bytes) -> bytes:
        if sent[0] == 0x31:
            bench.nor.busy_until = float("inf")
        return answer

    expected = "still busy after 5 s; SR2 may or may not have been written"
    begin = bench.target.link.clock.now()
    with through(bench.nor, stuck), pytest.raises(DeviceError, match=expected):
        bench.set("QE=1")
    assert bench.target.link.clock.now() - begin < 4 * 5


def test_every_command_is_checked() -> None:
    """What a flash that may be writing is sent is read back in the controller before it starts."""
    bench = opened()
    flash, sent, run = bench.target.flash, list[FlashCommand](), bench.target.flash.command

    def logged(command: FlashCommand) -> bytes:
        sent.append(command)
        return run(command)

    flash.command = logged  # type: ignore[method-assign]
    assert bench.set("QE=1", "BP=1").ok
    assert status_bytes.write_status_bytes(flash, 0, 2, non_volatile=True).ok
    assert {each.opcode for each in sent} >= {0x01, 0x04, 0x05, 0x06, 0x15, 0x31, 0x35}
    assert {each.opcode for each in sent if not each.checked} <= {0x9F}


def test_an_enable_that_cannot_be_taken_back() -> None:
    """Where WEL stays set after 04h, a volatile write would be one for good, and is not sent."""
    bench = opened()
    bench.target.flash.command(FlashCommand(0x06))

    def stuck(sent: bytes, answer: bytes) -> bytes:
        bench.nor.write_enabled |= sent[0] == 0x04
        return answer

    with through(bench.nor, stuck):
        with pytest.raises(DeviceError, match="WEL stays set after 04h"):
            bench.set("QE=1", volatile=True)
        with pytest.raises(DeviceError, match="WEL stays set after 04h"):
            status_bytes.write_status_bytes(bench.target.flash, 0x0200, 2, non_volatile=False)
    assert not {0x01, 0x31, 0x50} & bench.opcodes


@pytest.mark.parametrize("is_raw", [False, True])
def test_a_write_that_is_not_sent_leaves_no_enable(is_raw: bool) -> None:
    """Where the link fails between 06h and the write, WEL is taken back."""
    bench = opened()
    flash, run = bench.target.flash, bench.target.flash.command

    def lost(command: FlashCommand) -> bytes:
        if command.data:
            raise NoReply("the answer was lost")
        return run(command)

    flash.command = lost  # type: ignore[method-assign]
    if is_raw:
        assert not status_bytes.write_status_bytes(flash, 0x0200, 2, non_volatile=True).ok
    else:
        assert not bench.set("QE=1").ok
    assert 0x06 in bench.opcodes
    assert not bench.nor.write_enabled


@pytest.mark.parametrize("is_raw", [False, True])
def test_one_answer_that_is_not_busy_is_not_believed(is_raw: bool) -> None:
    """While a write is under way nothing is sent but 05h, although one answer has lost its bit."""
    bench = opened()
    answers: list[int] = []

    def slow(sent: bytes, answer: bytes) -> bytes:
        if sent[0] in (0x01, 0x31):
            bench.nor.busy_until = bench.target.link.clock.now() + 0.5
            answers.clear()
        elif sent[0] == 0x05:
            answers.append(answer[0])
            return bytes([answer[0] & ~0x01]) if len(answers) == 2 else answer
        return answer

    with through(bench.nor, slow):
        if is_raw:
            status_bytes.write_status_bytes(bench.target.flash, 0x0200, 2, non_volatile=True)
        else:
            assert bench.set("QE=1").notes == ()
    assert any(answer & 0x01 for answer in answers[1:])
    assert bench.active[1] == 0x02
    assert bench.nor.count.offences == []


@pytest.mark.parametrize("is_raw", [False, True])
def test_what_came_of_a_write_is_asked_twice(is_raw: bool) -> None:
    """One lost answer behind a write does not leave it open what the flash holds."""
    bench = opened()
    flash, run, lost = bench.target.flash, bench.target.flash.command, list[int]()

    def unsure(command: FlashCommand) -> bytes:
        if command.opcode == 0x35 and bench.active[1] and not lost:
            lost.append(command.opcode)
            raise NoReply("the answer was lost")
        return run(command)

    flash.command = unsure  # type: ignore[method-assign]
    if is_raw:
        assert status_bytes.write_status_bytes(flash, 0x0200, 2, non_volatile=True).ok
    else:
        assert bench.set("QE=1").ok
    assert lost


def test_interrupt_of_bytes() -> None:
    """Ctrl-C waits until all of esptool's writes are over and read back."""
    bench = opened()

    def pressed(sent: bytes, answer: bytes) -> bytes:
        if sent[0] == 0x01 and len(sent) == 3:
            signal.raise_signal(signal.SIGINT)
        return answer

    with through(bench.nor, pressed), pytest.raises(KeyboardInterrupt):
        status_bytes.write_status_bytes(bench.target.flash, 0x0204, 2, non_volatile=True)
    assert bench.stored[:2] == [0x04, 0x02]
    assert bench.log[-1][0] == 0x35


def test_interrupt() -> None:
    """Ctrl-C waits until the write is over and read back; one that is cut ruins registers."""
    bench = opened()

    def pressed(sent: bytes, answer: bytes) -> bytes:
        if sent[0] == 0x01:
            signal.raise_signal(signal.SIGINT)
        return answer

    with through(bench.nor, pressed), pytest.raises(KeyboardInterrupt):
        bench.set("BP=1", "DRV=0")
    assert bench.stored == [0x04, 0x00, 0x00]
    assert bench.log[-1][0] == 0x15
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_unknown_id() -> None:
    """Of a part that is not in the table QE can be written if SFDP says how, and nothing else."""
    bench = opened("W25Q32JV")
    bench.nor.part = replace(bench.nor.part, jedec_id=0x424242)
    bench.identified = ops.identify(bench.target.flash)
    assert not bench.identified.known
    assert bench.status.settings == ("QE=0",)
    with pytest.raises(UsageError, match="has no BP"):
        bench.plan("BP=1")
    assert bench.plan("SR1=0x1c").refusals
    assert bench.set("QE=1").ok
    assert qe_of(bench) == 1
    blind = opened("P25Q32H")
    blind.nor.part = replace(blind.nor.part, jedec_id=0x424242)
    blind.identified = ops.identify(blind.target.flash)
    assert blind.status.settings == ()
    assert blind.plan("SR1=0x1c").refusals
    assert not blind.status.protected.known


@pytest.mark.parametrize("name", ["LB1", "LB", "DRV0", "SR3"])
def test_candidates(name: str) -> None:
    """As long as an id leaves several parts, only bits that mean the same on all can be written."""
    bench = opened("GD25Q32C")
    assert bench.identified.part.is_open
    assert "LB1" not in " ".join(bench.status.settings)
    value = "0xff" if name == "SR3" else "1"
    assert bench.plan(f"{name}={value}").refusals
    assert bench.set("QE=1").ok
    assert bench.active[:2] == [0x00, 0x02]


def test_two_ways_are_tried_in_order() -> None:
    """Where candidates are written in two ways, that of the newer kind follows if need be."""
    bench = opened("GD25Q32C", sr="00,02")
    assert len(bench.plan("BP=1").attempts) == 2
    assert bench.set("BP=1").ok
    assert bench.active[:2] == [0x04, 0x02]
    writes = [sent for sent in bench.log if sent[0] in (0x01, 0x31)]
    assert writes == [b"\x01\x04\x02", b"\x01\x04"]


def test_no_second_way_once_sr2_has_changed() -> None:
    """A part that took SR2 and not SR1 is of the older kind: SR1 alone would clear SR2."""
    bench = opened("GD25Q32C")
    made, transfer = bench.plan("BP=1", "QE=1"), bench.nor.transfer
    assert len(made.attempts) == 2

    def stuck(sent: bytes, size: int, now: float) -> bytes:
        if sent[0] == 0x01 and len(sent) == 3:
            bench.nor.status.active[1] = sent[2]
        return transfer(sent, size, now)

    bench.nor.transfer = stuck  # type: ignore[method-assign]
    assert not ops.change_status(bench.target.flash, made).ok
    assert bench.active[:2] == [0x00, 0x02]
    assert [sent for sent in bench.log if sent[0] in (0x01, 0x31)] == [b"\x01\x04\x02"]


# faults of the link ------------------------------------------------------------------------------

BYTES = (1, 2, 8, 12, 13, 16, 24, 28, 40, 44, 56, 60, 76, 92)
"""Of a request: its opcode, its size, then entries of 16: address, value, mask, delay."""


class Recorded(Faults):
    """No faults, but the opcodes of what goes by."""

    def __init__(self) -> None:
        super().__init__([], Direction.REQUEST)
        self.opcodes: list[int] = []

    def __bool__(self) -> bool:
        return True

    def apply(self, raw: bytes) -> list[Passage]:
        """Let a frame pass."""
        self.opcodes.append((slip.unescape(raw.strip(slip.END)) or b"??")[1])
        return super().apply(raw)


class Faulty:
    """A planned change, done again and again, each time with another fault."""

    def __init__(self, chip: str, stub: bool, volatile: bool, text: str) -> None:
        self._how = (chip, stub, volatile, text)
        self._open()
        wire, recorded = wire_of(self.bench.target), Recorded()
        wire._requests = recorded
        replies = wire.count.replies
        assert ops.change_status(self.bench.target.flash, self.made).ok
        wire._requests = Faults([], Direction.REQUEST)
        self.replies = wire.count.replies - replies
        self.opcodes = recorded.opcodes

    def _open(self) -> None:
        chip, stub, self.volatile, text = self._how
        self.bench = opened(chip=chip, stub=stub)
        self.before = self.bench.active
        self.made = self.bench.plan(text, volatile=self.volatile)

    def run(self, rule: str) -> None:
        """Do it with a fault, and see that what is said is what the flash holds."""
        bench, nor = self.bench, self.bench.nor
        nor.status.stored = list(self.before)
        nor.power_cycle()
        wanted = [each.after for each in self.made.registers]
        wire, loader = wire_of(bench.target), bench.target.loader
        wire._requests, wire._replies = (Faults([parse(rule)], each) for each in WAYS)
        try:
            result = ops.change_status(bench.target.flash, self.made)
        except EspError as error:
            assert "may or may not have been written" in error.message, rule  # noqa: PT017
        else:
            got = list(result.got.values())
            assert [got[0] & ~3, *got[1:]] == bench.active, rule
            assert result.ok is (bench.active == wanted), rule
        assert bench.active in (self.before, wanted), rule
        assert bench.stored == (self.before if self.volatile else bench.active), rule
        # An enable that was lost makes the write an ignored one; nothing else may come of a fault.
        assert all(each.endswith("without WEL") for each in nor.count.offences), rule
        wire._requests, wire._replies = (Faults([], each) for each in WAYS)
        try:
            loader.resynchronise()
            loader.doubtful_until = 0.0
        except EspError:  # the chip hangs
            self._open()


WAYS = (Direction.REQUEST, Direction.REPLY)


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
@pytest.mark.parametrize(("volatile", "text"), [(True, "QE=1"), (False, "BP=3")])
def test_a_fault_of_any_request(
    chip: str, stub: bool, volatile: bool, text: str, stride: Callable[[int], int]
) -> None:
    """Lost, cut or with a flipped bit: it ends verified, or told as it is; never as another."""
    faulty = Faulty(chip, stub, volatile, text)
    step = stride(3)
    for index, opcode in list(enumerate(faulty.opcodes, 1))[::step]:
        flip = f"flip@request:{{}}:{BYTES[index % len(BYTES)]}.{index % 8}"
        rules = ["drop@request:{}", flip, "cut@request:{}:14"]
        if opcode != Opcode.WRITE_REG or volatile is stub or index % stride(4):
            rules = [rules[index % 3]]
        for rule in rules:
            faulty.run(rule.format(index))


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
def test_a_fault_of_any_reply(chip: str, stub: bool, stride: Callable[[int], int]) -> None:
    """Lost, cut, twice, late or with a flipped bit: as above."""
    faulty = Faulty(chip, stub, not stub, "QE=1")
    rules = ("drop@reply:{}", "cut@reply:{}:9", "double@reply:{}", "late@reply:{}:2")
    for index in range(1, faulty.replies + 1, stride(3)):
        flip = f"flip@reply:{{}}:{4 + index % 4 * 3}.{index % 8}"
        faulty.run((*rules, flip)[index % 5].format(index))


def test_no_flipped_opcode_is_sent(stride: Callable[[int], int]) -> None:
    """Whatever bit of an opcode flips in whatever set-up, the flash never sees that opcode."""
    faulty = Faulty("esp32", False, False, "QE=1")
    known = {0x01, 0x04, 0x05, 0x06, 0x15, 0x31, 0x35, 0x5A, 0x9F}
    writes = [i for i, each in enumerate(faulty.opcodes, 1) if each == Opcode.WRITE_REG]
    # The opcode is the value of the last entry: the fourth, or the fifth where a length is set.
    for index in writes[:: stride(1)]:
        for byte in (8 + 16 * 3 + 4, 8 + 16 * 4 + 4):
            faulty.run(f"flip@request:{index}:{byte}.{index // 2 % 8}")
    assert faulty.bench.opcodes <= known


# as esptool does ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["W25Q32JV", "GD25LQ32", "XM25QH64C"])
@pytest.mark.parametrize("for_good", [True, False])
def test_status_bytes(part: str, for_good: bool) -> None:
    """Two bytes are written by a 16-bit 01h and one by one, each with its enable, none while busy.

    On the older kind that loses SR2, which is told.
    """
    bench = opened(part)
    bench.log.clear()
    flash, identified = bench.target.flash, bench.identified
    result = status_bytes.write_status_bytes(
        flash, 0x0204, 2, non_volatile=for_good, identified=identified
    )
    enable = b"\x06" if for_good else b"\x50"
    writes = [sent for sent in bench.log if sent[0] in (0x06, 0x50, 0x01, 0x31)]
    assert writes == [enable, b"\x01\x04\x02", enable, b"\x01\x04", enable, b"\x31\x02"]
    assert bench.nor.count.offences == []
    assert not bench.nor.write_enabled
    lost = part in TWO_BYTES
    assert result.ok is not lost
    assert result.value == (0x0004 if lost else 0x0204)
    assert bench.active[:2] == [0x04, 0x00 if lost else 0x02]
    assert (bench.stored[:2] == [0, 0]) is not for_good
    assert result.changed == (("BP0 0→1",) if lost else ("BP0 0→1", "QE 0→1"))


def test_status_bytes_without_volatile_writes() -> None:
    """Where 50h means nothing, nothing is written, and that is told."""
    bench = opened("W25Q64BV")
    result = status_bytes.write_status_bytes(bench.target.flash, 0x0200, 2, non_volatile=False)
    assert not result.ok
    assert result.failure == (
        "the flash did not accept the write: was 0x0000, wanted 0x0200, got 0x0000"
    )
    assert bench.active[:2] == [0, 0]


@pytest.mark.parametrize("for_good", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_fault_while_bytes_are_written(for_good: bool, stride: Callable[[int], int]) -> None:
    """Whatever request is lost or garbled, what is told is what the flash holds."""
    bench = opened()
    wire, loader = wire_of(bench.target), bench.target.loader
    before = wire.count.requests
    assert status_bytes.write_status_bytes(bench.target.flash, 0x0204, 2, non_volatile=for_good).ok
    for index in range(1, wire.count.requests - before + 1, 3 * stride(1) - 1):
        bench.nor.status.stored = [0, 0, 0x60]
        bench.nor.power_cycle()
        flip = f"flip@request:{{}}:{BYTES[index % len(BYTES)]}.{index % 8}"
        rule = ("drop@request:{}", flip)[index % 2].format(index)
        wire._requests = Faults([parse(rule)], Direction.REQUEST)
        try:
            result = status_bytes.write_status_bytes(
                bench.target.flash, 0x0204, 2, non_volatile=for_good
            )
        except EspError:
            held = None
        else:
            held = bench.active[0] | bench.active[1] << 8
            assert (result.value, result.ok) == (held, held == 0x0204), rule
        if not for_good:
            assert bench.stored == [0, 0, 0x60], rule
        wire._requests = Faults([], Direction.REQUEST)
        loader.resynchronise()
        loader.doubtful_until = 0.0


def test_bytes_that_changed_another_register() -> None:
    """What came of a write beside the bytes that were meant is no success."""
    bench = opened()

    def spilled(sent: bytes, answer: bytes) -> bytes:
        bench.nor.status.active[2] |= (sent[0] == 0x31) << 5
        return answer

    bench.nor.status.active[2] = 0
    with through(bench.nor, spilled):
        result = status_bytes.write_status_bytes(
            bench.target.flash, 0x0200, 2, non_volatile=True, identified=bench.identified
        )
    assert result.value == result.wanted
    assert "other registers of the flash changed as well: DRV" in result.failure


def test_bytes_of_another_opcode() -> None:
    """Where 35h or 15h is another command, bytes are neither read nor written by it."""
    for part, count in (("MX25L3233F", 2), ("IS25LP032", 3), ("EN25QH32", 2)):
        bench = opened(part)
        with pytest.raises(UsageError, match="35h is"):
            status_bytes.read_status_bytes(bench.target.flash, count)
        with pytest.raises(UsageError, match="35h is"):
            status_bytes.write_status_bytes(bench.target.flash, 0, count, non_volatile=True)
        assert bench.nor.count.offences == []
        assert status_bytes.read_status_bytes(bench.target.flash, 1).value == 0


def test_bits_that_nobody_knows() -> None:
    """A raw write that sets an unknown bit stands behind the gate of one-way bits."""
    jv, open_gd = opened(), opened("GD25Q32C")
    unknown = opened()
    unknown.nor.part = replace(unknown.nor.part, jedec_id=0x424242)
    unknown.identified = ops.identify(unknown.target.flash)
    for bench, value, names in (
        (jv, 0x02FC, []),
        (jv, 0x0400, ["bit 10"]),
        (open_gd, 0x0C00, ["LB", "LB1"]),
        (unknown, 0x0304, ["bit 2", "bit 8"]),
    ):
        found = status_bytes.unknown_bits(bench.identified, 0, value, 2)
        assert [each.name for each in found] == names
        assert {each.kind for each in found} <= {ConfirmationKind.ONE_WAY}
    eon = opened("EN25QH32").identified  # which has no second register
    assert [each.name for each in status_bytes.unknown_bits(eon, 0, 0x0100, 2)] == ["bit 8"]
    assert status_bytes.unknown_bits(jv.identified, 0x0400, 0, 2) == ()
