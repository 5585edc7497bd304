"""Commands and their answers, with everything that real ROM code was seen to do."""

from __future__ import annotations

import pytest

from espshell.errors import DeviceError, NoReply, Refused, UsageError
from espshell.loader.dialogue import Marker
from espshell.loader.loader import Loader
from espshell.protocol import slip
from espshell.protocol.commands import (
    ChangeBaudrate,
    GetSecurityInfo,
    MemBegin,
    MemData,
    ReadReg,
    RegisterWrite,
    Sync,
    WriteReg,
)
from espshell.protocol.dialect import ESP32_ROM, ROM, STUB
from espshell.protocol.packet import Opcode
from tests.loader.support import open_sim, scripted, wire_of


def reply(opcode: int, value: int = 0, status: bytes = bytes(4), payload: bytes = b"") -> bytes:
    """Return a framed response."""
    body = payload + status
    head = bytes([1, opcode]) + len(body).to_bytes(2, "little") + value.to_bytes(4, "little")
    return slip.encode(head + body)


STALE = 0x00F01D83
REFUSED = b"\x01\x05\x00\x00"


def test_only_the_first_status_byte_decides() -> None:
    """A good reply whose second status byte is left over from a refusal is a good reply."""
    link, _ = scripted(reply(Opcode.WRITE_REG, STALE, b"\x00\x07\x31\x64"))

    assert Loader(link, ESP32_ROM).execute(WriteReg((RegisterWrite(0x3FFB0000, 1),))) is None


def test_stale_value_means_nothing() -> None:
    """The value field of anything but READ_REG is ignored."""
    link, _ = scripted(reply(Opcode.MEM_BEGIN, STALE))

    assert Loader(link, ESP32_ROM).execute(MemBegin(4, 1, 4, 0x3FFB0000)) is None


def test_refusal_under_its_own_opcode() -> None:
    """A bad checksum is refused with 07 under the command's opcode."""
    link, _ = scripted(reply(Opcode.MEM_DATA, STALE, b"\x01\x07\x00\x00"))

    with pytest.raises(Refused, match=r"MEM_DATA: bad checksum \(0x0107\)") as caught:
        Loader(link, ESP32_ROM).execute(MemData(0, b"data"))
    assert caught.value.code == 0x0107


def test_refusal_under_a_foreign_opcode() -> None:
    """An unknown command is refused under the opcode of the one before, and nobody waits longer."""
    link, port = scripted(reply(Opcode.READ_REG, STALE, REFUSED))

    with pytest.raises(Refused) as caught:
        Loader(link, ROM).execute(GetSecurityInfo())
    assert caught.value.code == 0x0105
    assert port.clock.now() == 0


def test_refusal_repeated_eight_times_after_a_sync() -> None:
    """The seven echoes of a refusal after SYNC are not taken for refusals of the next command."""
    refusals = reply(Opcode.SYNC, 0x20120707, REFUSED) * 8
    link, port = scripted(refusals[:16], refusals[16:] + reply(Opcode.READ_REG, 42))
    loader = Loader(link, ROM)

    with pytest.raises(Refused):
        loader.execute(GetSecurityInfo())
    assert loader.execute(ReadReg(0x40001000)) == 42
    assert port.clock.now() == 0


def test_good_reply_under_a_foreign_opcode_is_stale() -> None:
    """A good reply to another command is a late one and is passed over."""
    link, _ = scripted(reply(Opcode.WRITE_REG) + reply(Opcode.READ_REG, 7))

    assert Loader(link, ESP32_ROM).execute(ReadReg(0x40001000)) == 7


def test_noise_before_a_reply() -> None:
    """Text before a reply is kept apart and disturbs nothing."""
    link, _ = scripted(b"ets Jun  8 2016\r\n\xc0\xc0" + reply(Opcode.READ_REG, 7))

    assert Loader(link, ESP32_ROM).execute(ReadReg(0x40001000)) == 7
    assert b"ets Jun" in link.noise


def test_what_came_unasked_is_forgotten() -> None:
    """A doubled reply to one command is not taken for the reply to the next."""
    link, port = scripted(reply(Opcode.READ_REG, 1), reply(Opcode.READ_REG, 2))
    loader = Loader(link, ESP32_ROM)

    assert loader.execute(ReadReg(0x40001000)) == 1
    port.say(reply(Opcode.READ_REG, 1))
    assert loader.execute(ReadReg(0x40001004)) == 2


def test_unknown_command_is_not_sent() -> None:
    """A command that the dialect does not have is refused before a byte is sent."""
    link, port = scripted()

    with pytest.raises(UsageError, match="GET_SECURITY_INFO"):
        Loader(link, ESP32_ROM).execute(GetSecurityInfo())
    assert port.written == []


def test_reply_that_makes_no_sense() -> None:
    """A payload of another size than promised is an error of the device, not a crash."""
    link, _ = scripted(reply(Opcode.GET_SECURITY_INFO, payload=bytes(7)))

    with pytest.raises(DeviceError, match="is invalid"):
        Loader(link, ROM).execute(GetSecurityInfo())


def test_silence_leaves_the_link_dirty() -> None:
    """After a command without an answer the next one resynchronises first: C0, SYNC, fence."""
    link, port = scripted(b"", b"", reply(Opcode.SYNC) * 8, reply(Opcode.READ_REG, 5))
    loader = Loader(link, ESP32_ROM)
    with pytest.raises(NoReply):
        loader.execute(ReadReg(0x40001000))

    assert not loader.in_step
    assert loader.execute(ReadReg(0x40001004)) == 5
    assert port.written[1:] == [b"\xc0", Sync().encode(), ReadReg(0x40001004).encode()]


def test_stub_status_is_two_bytes() -> None:
    """A stub's errors start with C0 and its status has two bytes."""
    link, _ = scripted(reply(Opcode.READ_REG, 9, b"\x00\x00"), reply(0x55, 0, b"\xc3\x00"))
    loader = Loader(link, STUB)

    assert loader.execute(ReadReg(0x40001000)) == 9
    with pytest.raises(Refused, match="0xc300"):
        loader.execute(ReadReg(0x40001000))


MARKERS = (Marker(0x40001000, 0xABCD), Marker(0x40001004, 0xBCDE))


def test_late_reply_is_no_proof() -> None:
    """A late reply that arrives after a resynchronisation is not taken for the answer to it."""
    late = reply(Opcode.READ_REG, 1)
    first, second = reply(Opcode.READ_REG, 0xBCDE), reply(Opcode.READ_REG, 0xABCD)
    link, port = scripted(b"", late + first, second)
    loader = Loader(link, ESP32_ROM)
    loader.markers = MARKERS

    loader.resynchronise()

    assert loader.in_step
    assert len(port.written) == 3
    assert link.receive(0) is None


def test_one_proof_is_not_enough() -> None:
    """One right answer may be a late one; the second has to be right, too."""
    first = reply(Opcode.READ_REG, 0xBCDE)
    link, _ = scripted(b"", first, first, b"")
    loader = Loader(link, ESP32_ROM)
    loader.markers = MARKERS

    with pytest.raises(NoReply):
        loader.resynchronise()
    assert not loader.in_step


def test_cut_request_swallows_one_and_no_more() -> None:
    """After a request that was cut, the next command is answered right."""
    target = open_sim()
    target.link.send(ReadReg(0x40001004).encode()[:-4])
    target.loader.distrust()

    assert target.loader.execute(ReadReg(0x40001000)) == STALE


def test_resynchronisation_costs_few_requests() -> None:
    """Getting back into step is one SYNC and one read."""
    target = open_sim()
    before = wire_of(target).count.requests
    target.loader.distrust()
    target.loader.execute(ReadReg(0x40001000))

    assert wire_of(target).count.requests - before == 3


def test_baud_is_changed_at_both_ends() -> None:
    """After a change both ends talk at the new rate, proven by a read."""
    target = open_sim()

    target.loader.change_baud(921600)

    assert (target.link.port.baud, wire_of(target).chip.baud) == (921600, 921600)
    assert target.loader.execute(ReadReg(0x40001000)) == STALE


def test_baud_that_fails_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the loader does not change its rate, the host goes back and says so."""
    target = open_sim()
    answer = target.loader.execute
    change = ChangeBaudrate(115200)
    monkeypatch.setattr(
        target.loader, "execute", lambda c: answer(change if c.opcode == change.opcode else c)
    )
    with pytest.raises(DeviceError, match="no answer at 921600 baud; back at 115200"):
        target.loader.change_baud(921600)
    assert target.link.port.baud == 115200
    assert target.loader.execute(ReadReg(0x40001000)) == STALE


@pytest.mark.parametrize("rule", ["drop@request:{}", "flip@request:{}:1.4", "cut@request:{}:0"])
def test_a_change_of_rate_that_is_damaged_is_asked_for_again(rule: str) -> None:
    """A request that is lost, or refused as what it is not, does not end in another rate."""
    number = wire_of(open_sim()).count.requests + 1
    target = open_sim(f"fault={rule.format(number)}")
    target.loader.change_baud(921600)

    assert (target.link.port.baud, wire_of(target).chip.baud) == (921600, 921600)
    assert target.loader.execute(ReadReg(0x40001000)) == STALE


def test_baud_whose_answer_is_lost() -> None:
    """If only the answer is lost, both ends are at the new rate, and that is found out."""
    number = wire_of(open_sim()).count.replies + 1
    target = open_sim(f"fault=drop@reply:{number}")
    target.loader.change_baud(921600)

    assert (target.link.port.baud, wire_of(target).chip.baud) == (921600, 921600)
    assert target.loader.execute(ReadReg(0x40001000)) == STALE


@pytest.mark.parametrize(("lost", "when"), [(False, 0), (True, 0), (False, 1), (True, 1)])
def test_a_change_that_is_interrupted_is_looked_for_at_both_rates(
    lost: bool, when: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before or after the host has changed: whichever the chip has, it is found."""
    number = wire_of(open_sim()).count.requests + 1
    target = open_sim(f"fault=drop@request:{number}" * lost)
    loader, rates = target.loader, (115200, 921600)

    def press(baud: int, *, quick: bool) -> bool:
        target.link.port.baud = rates[when]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loader, "_answers_at", press)
        with pytest.raises(KeyboardInterrupt):
            loader.change_baud(921600)
    assert loader.execute(ReadReg(0x40001000)) == STALE
    assert target.link.port.baud == rates[not lost]


def test_baud_request_names_the_old_rate_to_a_stub_only() -> None:
    """A ROM wants 0 as the old rate, a stub the rate."""
    assert ChangeBaudrate(921600).payload() == bytes.fromhex("00100e0000000000")
    assert ChangeBaudrate(921600, 115200).payload() == bytes.fromhex("00100e0000c20100")


@pytest.mark.parametrize("stub", [False, True])
def test_a_rom_is_told_of_no_old_rate(stub: bool) -> None:
    """CHANGE_BAUDRATE carries 0 for a ROM and the rate of now for a stub."""
    target = open_sim(chip="esp32c3")
    if stub:
        target.start_stub()
    sent: list[bytes] = []
    target.link.taps.append(lambda _now, way, data: sent.append(data) if way == "tx" else None)
    target.change_baud(460800)

    assert ChangeBaudrate(460800, 115200 if stub else 0).encode() in sent
