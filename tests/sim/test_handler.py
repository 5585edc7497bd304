"""Code that a host has put into RAM: what the plugin table and MEM_END lead to."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable

import pytest

from espshell.chips.esp32 import ESP32 as CHIP
from espshell.chips.esp32c3 import ESP32C3 as C3_CHIP
from espshell.errors import PortError
from espshell.loader.plugins import install
from espshell.protocol.commands import MemEnd, ReadReg, RegisterWrite, WriteReg
from espshell.sim.protocol_sim import Serial
from tests.sim import support
from tests.sim.support import request, small

Answers = Callable[..., list[str]]
Exchange = Callable[..., bytes]
Start = Callable[..., Serial]

C3, ESP32 = small("esp32c3", 2), small("esp32", 2)
AT = 0x4038_8000
DRAM = 0x3FC9_0000
READ = ReadReg(0x4000_1000).encode()
FIRST, LAST = 0xD5, 0xEF

WORDS = install.handler("words", CHIP).code  # type: ignore[union-attr]

# Assembled with binutils 2.40 (-march=rv32imc).
RISCV = {
    "copy": (
        "83a2050003a3450093834600131e23002392c605630a030083ae020023a0d301910291037d13fdb701458280"
    ),
    # sw a0, 0(a3); lw t0, 0(a1); sw t0, 4(a3); sh a2, 68(a3); li a0, 7; ret
    "echo": "88c283a2050023a256002392c604" + "1d458280",
    "loop": "01a0",  # j .
    "illegal": "0000",
    "fault": "0325000082" + "80",  # lw a0, 0(zero); ret
    # lui t0, 0x3fc90; li t1, 42; sw t1, 0(t0); ret
    "store": "b702c93f1303a002" + "23a062008280",
}


@pytest.fixture
def start(open_sim: Callable[..., Serial], exchange: Exchange) -> Start:
    """Start a small stub of version 2 with machine code behind it, in one slot of its table."""

    def started(code: str, slot: int = LAST, url: str = "sim://esp32c3") -> Serial:
        stub = small(url[6:].split("?")[0], 2)
        at = AT if stub == C3 else 0x400A_9000
        port = support.running(exchange, open_sim, url, stub.with_slot(slot - FIRST, at))
        data = bytes.fromhex(code)
        support.load(exchange, port, at, data + bytes(-len(data) % 4))
        return port

    return started


def in_slot(pointer: int) -> bytes:
    address = C3.table + 4 * (LAST - FIRST)
    return WriteReg((RegisterWrite(address, pointer),)).encode()


@pytest.mark.parametrize("slot", [FIRST, 0xDD, LAST])
def test_a_handler_reads_memory(start: Start, answers: Answers, slot: int) -> None:
    """Sixteen words in one reply, from the address in the payload."""
    port = start(RISCV["copy"], slot)
    expected = port.wire.chip.memory.read(0x4000_1FF0, 64)
    found = answers(port, request(slot, 0x4000_1FF0, 16))
    assert found == [f"{slot:02x} 00000000+{expected.hex()}0000"]
    assert answers(port, request(slot, 0x4000_1000, 0)) == [f"{slot:02x} 00000000+0000"]


def test_a_handler_sees_its_arguments(start: Start, answers: Answers) -> None:
    """Opcode, payload and its size arrive; value, data and error go back."""
    port = start(RISCV["echo"])
    assert answers(port, request(LAST, 0xCAFE_F00D)) == ["ef 000000ef+0df0feca0700"]


def test_a_handler_sees_memory_as_it_is_now(start: Start, answers: Answers) -> None:
    """Also after the first call has made copies of it."""
    port = start(RISCV["copy"])
    for value in (0x11, 0x22):
        port.wire.chip.memory.write_word(DRAM, value)
        assert answers(port, request(LAST, DRAM, 1)) == [f"ef 00000000+{value:02x}0000000000"]


def test_what_a_handler_writes_stays(start: Start, answers: Answers) -> None:
    """The stub's next command finds it."""
    port = start(RISCV["store"])
    answers(port, request(LAST))
    assert answers(port, ReadReg(DRAM).encode()) == ["0a 0000002a+0000"]


@pytest.mark.parametrize("code", ["loop", "illegal", "fault"])
def test_a_handler_that_goes_wrong_ends_the_stub(
    start: Start, exchange: Exchange, code: str
) -> None:
    """It never comes back, and nothing is answered from there on."""
    port = start(RISCV[code])
    assert exchange(port, request(LAST)) == b""
    assert exchange(port, READ) == b""


def test_slots_that_nobody_has_taken(start: Start, answers: Answers) -> None:
    """They answer FF00, opcodes beyond the table C300; a slot can be taken and given back."""
    port = start(RISCV["copy"], FIRST)
    assert answers(port, request(0xD6)) == ["d6 00000000+ff00"]
    assert answers(port, request(0xF0)) == ["f0 00000000+c300"]
    assert answers(port, request(LAST)) == ["ef 00000000+ff00"]
    answers(port, in_slot(AT))
    assert answers(port, request(LAST, DRAM, 0)) == ["ef 00000000+0000"]
    answers(port, in_slot(C3.text_start + 16))
    assert answers(port, request(LAST)) == ["ef 00000000+ff00"]


def test_a_handler_that_is_known_for_xtensa(start: Start, answers: Answers) -> None:
    """Its code is recognised, and what it says is done."""
    port = start(WORDS.hex(), url="sim://esp32")
    expected = port.wire.chip.memory.read(0x4000_1000, 64)
    total = 0x4000_1000 + sum(struct.unpack("<16I", expected)) & 0xFFFF_FFFF
    value = total.to_bytes(4, "big").hex()
    assert answers(port, request(LAST, 0x4000_1000, 16)) == [f"ef {value}+{expected.hex()}0000"]


@pytest.mark.parametrize("byte", [0, 20, 43])
def test_other_xtensa_code_crashes(start: Start, exchange: Exchange, byte: int) -> None:
    """One byte is enough."""
    code = bytearray(WORDS)
    code[byte] ^= 1
    port = start(code.hex(), url="sim://esp32")
    assert exchange(port, request(LAST, 0x4000_1000, 1)) == b""
    assert exchange(port, READ) == b""


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_more_words_than_a_reply_holds(start: Start, answers: Answers, chip: str) -> None:
    """They are refused, and nothing behind the reply is written over."""
    words = install.handler("words", CHIP if chip == "esp32" else C3_CHIP)
    assert words is not None
    port = start(words.code.hex(), url=f"sim://{chip}")
    assert answers(port, request(LAST, 0x4000_1000, 17)) == ["ef 00000000+c000"]
    assert answers(port, request(LAST, 0x4000_1000, 0)) == ["ef 40001000+0000"]


def test_mem_end_calls_and_comes_back(start: Start, answers: Answers, exchange: Exchange) -> None:
    """A version 2 stub calls the entry and goes on; a version 1 stub is gone."""
    port = start(RISCV["store"])
    assert answers(port, MemEnd(AT).encode()) == ["06 00000000+0000"]
    assert answers(port, ReadReg(DRAM).encode()) == ["0a 0000002a+0000"]
    lost = start(RISCV["loop"])
    answers(lost, MemEnd(AT).encode())
    assert exchange(lost, READ) == b""


def test_a_version_1_stub_does_not_come_back(
    open_sim: Callable[..., Serial], exchange: Exchange
) -> None:
    """It jumps."""
    port = support.running(exchange, open_sim, "sim://esp32c3", small("esp32c3", 1))
    support.load(exchange, port, AT, bytes.fromhex(RISCV["store"]) + b"\0\0")
    exchange(port, MemEnd(AT).encode())
    assert exchange(port, READ) == b""


def test_without_an_emulator(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what is missing, and only when code is to be run."""
    monkeypatch.setitem(sys.modules, "unicorn", None)
    port = start(RISCV["copy"])
    with pytest.raises(PortError, match="emulator") as caught:
        port.write(request(LAST, DRAM, 1))
    assert "pip install unicorn" in caught.value.hint
