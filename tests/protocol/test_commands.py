"""Every command against the recording: the bytes it sends, and what the answer means."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.protocol import commands, dialect, flash, packet, slip
from espshell.protocol.commands import Action, LoaderCommand, RegisterWrite, SecurityInfo
from espshell.protocol.packet import Opcode

RECORDING = Path(__file__).parents[1] / "data" / "esp32-rom.json"
RAM = 0x3FFB_0000
SIXTEEN = bytes(range(16))
KILOBYTE = bytes(7 * i & 0xFF for i in range(1024))
MAGIC = 0x00F0_1D83

GOLDEN: list[tuple[str, LoaderCommand[Any]]] = [
    ("sync", commands.Sync()),
    ("read_reg magic 0x40001000", commands.ReadReg(0x4000_1000)),
    (
        "write_reg 0x3ffb0000=0xcafef00d mask all delay 0",
        commands.WriteReg((RegisterWrite(RAM, 0xCAFE_F00D),)),
    ),
    (
        "write_reg mask 0xff value 0x42",
        commands.WriteReg((RegisterWrite(RAM, 0x42, mask=0xFF),)),
    ),
    (
        "write_reg two sets in one",
        commands.WriteReg((RegisterWrite(RAM, 0x1111_1111), RegisterWrite(RAM + 4, 0x2222_2222))),
    ),
    (
        "write value with c0 db bytes",
        commands.WriteReg((RegisterWrite(RAM, 0xC0DB_C0DB),)),
    ),
    ("mem_begin 16 bytes 1 blk", commands.MemBegin(16, 1, 0x1800, RAM)),
    ("mem_data seq0 good", commands.MemData(0, SIXTEEN)),
    ("mem_data extra seq1 (past end)", commands.MemData(1, SIXTEEN)),
    ("mem_end no exec (1,0)", commands.MemEnd()),
    ("spi_attach 8 bytes", flash.SpiAttach(2)),
    ("spi_attach 4 bytes", flash.SpiAttach(1)),
    ("read_flash_slow 0x20000 64", flash.ReadFlashSlow(0x2_0000, 64)),
    ("flash_begin 0x400 at 0x20000", flash.FlashBegin(0x400, 1, 0x400, 0x2_0000)),
    ("change_baud 230400 old 0 ", commands.ChangeBaudrate(230400)),
    ("spi_set_params 4MB", flash.SpiSetParams(0x40_0000)),
    ("flash_data seq0", flash.FlashData(0, KILOBYTE)),
    ("flash_defl_begin", flash.FlashDeflBegin(0x400, 1, 0x400, 0x2_1000)),
    ("flash_defl_data", flash.FlashDeflData(0, zlib.compress(KILOBYTE, 9))),
    ("md5 0x0+0x1000", flash.SpiFlashMd5(0, 0x1000)),
    ("flash_end stay", flash.FlashEnd(run=True)),
    ("opcode 0x14 security info", commands.GetSecurityInfo()),
]
"""The note of an entry in the recording, and the command that sends the same."""


def recorded() -> dict[str, tuple[bytes, bytes]]:
    entries = json.loads(RECORDING.read_text("utf-8"))
    return {e["note"]: (bytes.fromhex(e["tx"]), bytes.fromhex(e["rx"])) for e in entries}


KINDS: list[type[LoaderCommand[Any]]] = [
    each
    for each in (*vars(commands).values(), *vars(flash).values())
    if isinstance(each, type) and issubclass(each, LoaderCommand) and "opcode" in vars(each)
]
"""All commands, without what they derive from."""


def first_reply(rx: bytes) -> packet.Response:
    found = slip.Decoder(packet.is_response).feed(rx)[0]
    return packet.parse_response(found.data)


@pytest.mark.parametrize(("note", "command"), GOLDEN, ids=[note for note, _ in GOLDEN])
def test_golden_requests(note: str, command: LoaderCommand[Any]) -> None:
    """A command sends what the ROM was sent when it was recorded, byte for byte."""
    assert command.encode() == recorded()[note][0]


def test_every_command_has_a_golden_request() -> None:
    """A new command comes with a recording, unless no ROM knows it."""
    recorded = {type(command) for _, command in GOLDEN}
    assert set(KINDS) == recorded | {type(command) for command, _ in OF_STUBS}


OF_STUBS: list[tuple[LoaderCommand[Any], str]] = [
    (commands.ReadMemory(0x4000_1000, 2), "00 ef 0800 00000000 00100040 02000000"),
    (commands.Unknown(), "00 55 0000 00000000"),
    (flash.EraseFlash(), "00 d0 0000 00000000"),
    (flash.RunUserCode(), "00 d3 0000 00000000"),
    (flash.EraseRegion(0x1_0000, 0x2000), "00 d1 0800 00000000 00000100 00200000"),
    (
        flash.ReadFlash(0x2_0000, 0x400, 0x200, 1),
        "00 d2 1000 00000000 00000200 00040000 00020000 01000000",
    ),
]
"""Commands that no ROM knows, and what they send; READ_FLASH as in the stub's recording."""


@pytest.mark.parametrize(("command", "wire"), OF_STUBS)
def test_requests_to_stubs(command: LoaderCommand[Any], wire: str) -> None:
    """A command of a stub is its header and words, little endian."""
    assert command.encode() == slip.encode(bytes.fromhex(wire))


ANSWERED = [(n, c) for n, c in GOLDEN if n not in ("flash_end stay", "opcode 0x14 security info")]
"""The first leaves the loader without an answer; the second is refused by an ESP32."""


@pytest.mark.parametrize(("note", "command"), ANSWERED, ids=[note for note, _ in ANSWERED])
def test_recorded_answers(note: str, command: LoaderCommand[Any]) -> None:
    """The ROM's answer carries the command's opcode, and its payload can be parsed."""
    reply = first_reply(recorded()[note][1])
    payload = reply.body[:-4]
    expected = {
        Opcode.SYNC: 0x2012_0707,
        Opcode.READ_REG: MAGIC,
        Opcode.READ_FLASH_SLOW: payload,
        Opcode.SPI_FLASH_MD5: bytes.fromhex("8ceb421222388db17a599d419de67745"),
    }
    value = command.parse(reply.value, payload)
    assert reply.opcode == command.opcode
    assert value == expected.get(command.opcode)


def test_flash_begin_with_a_fifth_word() -> None:
    """Where the dialect wants it, "not encrypted" follows the four words."""
    short, long = (flash.FlashBegin(1, 2, 3, 4, words).payload() for words in (4, 5))
    assert short == bytes.fromhex("01000000 02000000 03000000 04000000")
    assert long == short + bytes(4)


def test_mem_end_with_an_entry_jumps_there() -> None:
    """The flag "stay" is only set without an entry."""
    assert commands.MemEnd(0x4008_0000).payload() == bytes.fromhex("00000000 00000840")


def test_sync_is_answered_as_often_as_it_says() -> None:
    """One SYNC brings eight replies."""
    found = slip.Decoder(packet.is_response).feed(recorded()["sync"][1])
    assert len(found) == commands.Sync.REPLIES


@given(st.binary(max_size=64))
def test_only_the_data_commands_have_a_checksum(data: bytes) -> None:
    """It covers the data and not the four words before it."""
    for command, expected in (
        (commands.MemData(3, data), packet.checksum(data)),
        (commands.MemBegin(1, 1, 1, 1), 0),
    ):
        request = slip.unescape(command.encode().strip(slip.END)) or b""
        assert packet.HEADER.unpack_from(request)[-1] == expected
    assert commands.MemData(3, data).payload()[16:] == data


@given(st.integers(0, 0xFFFF_FFFF), st.binary(max_size=70))
def test_deeds_ignore_leftovers(value: int, payload: bytes) -> None:
    """A ROM puts what it likes into value and payload; a deed was done all the same."""
    for command in (each for _, each in GOLDEN if isinstance(each, Action)):
        command.parse(value, payload)


@given(st.binary(max_size=70), st.integers(0, 16))
def test_memory_is_as_long_as_was_asked_for(payload: bytes, count: int) -> None:
    """Words that are missing or too many are said to be wrong."""
    command = commands.ReadMemory(0, count)
    if len(payload) == 4 * count:
        total = sum(struct.unpack(f"<{count}I", payload)) & 0xFFFF_FFFF
        assert command.parse(total, payload) == payload
        with pytest.raises(ValueError, match="a sum of"):
            command.parse(total ^ 0x400, payload)
    else:
        with pytest.raises(ValueError, match="bytes of memory"):
            command.parse(0, payload)


SHORT = bytes.fromhex("05000000 01 0001020304050600"[:26])
LONG = SHORT + bytes.fromhex("05000000 03000000")


def test_security_info_of_20_bytes() -> None:
    """Flags, counter, purposes, chip id and the version of the interface."""
    info = commands.GetSecurityInfo().parse(0, LONG)
    assert info == SecurityInfo(5, 1, (0, 1, 2, 3, 4, 5, 6), 5)


def test_security_info_of_12_bytes() -> None:
    """An ESP32-S2 leaves id and version out."""
    info = commands.GetSecurityInfo().parse(0, SHORT)
    assert info == SecurityInfo(5, 1, (0, 1, 2, 3, 4, 5, 6), None)


@given(st.binary(max_size=40))
def test_security_info_of_any_other_size(payload: bytes) -> None:
    """Another size is said to be wrong, and nothing else is raised."""
    if len(payload) in (12, 20):
        assert commands.GetSecurityInfo().parse(0, payload).flags == int.from_bytes(
            payload[:4], "little"
        )
    else:
        with pytest.raises(ValueError, match="not 12 or 20"):
            commands.GetSecurityInfo().parse(0, payload)


def test_every_command_is_in_some_dialect() -> None:
    """A command that no loader knows could never be sent."""
    known = dialect.ESP32_ROM.commands | dialect.ROM.commands | dialect.STUB.commands
    assert {kind.opcode for kind in KINDS} <= known


def test_one_command_an_opcode() -> None:
    """No two commands share an opcode, and each waits a sensible time."""
    assert len({kind.opcode for kind in KINDS}) == len(KINDS)
    assert all(0 < kind.timeout_s <= 300 for kind in KINDS)
