"""The flasher stub: its file, its upload, and the handler for bulk reads."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from espshell.chips.esp32 import ESP32
from espshell.chips.esp32c3 import ESP32C3
from espshell.device import Target
from espshell.errors import NoReply, UsageError
from espshell.loader import stub, stub_file, transfer
from espshell.loader.plugins import install
from espshell.protocol.commands import ReadReg
from espshell.protocol.packet import Opcode
from espshell.span import Span
from tests.loader.support import held, open_sim, wire_of


def with_stub(options: str = "", chip: str = "esp32c3", version: int | None = None) -> Target:
    """Connect to a simulated chip and start its stub."""
    target = open_sim(options, chip)
    target.start_stub(version=version)
    return target


def test_found_without_importing_esptool() -> None:
    """The second version is taken first, and esptool itself stays unimported."""
    found = stub_file.find(ESP32C3, "esp32c3")

    assert (found.version, found.text_start) == (2, 0x4038_0000)
    assert stub_file.find(ESP32C3, "esp32c3", version=1).version == 1
    code = "import sys; from espshell.chips import by_name; from espshell.loader import stub_file\n"
    code += "stub_file.find(by_name('esp32c3'), 'esp32c3'); sys.exit('esptool' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_stub_that_has_just_started_has_proven_nothing() -> None:
    """What is known of the handlers of another one does not count for it."""
    target = open_sim(chip="esp32c3")
    target.loader.proven.add(Opcode.CRC32)
    target.loader.handlers[Opcode.CRC32] = Span.of(0x4038_0000, 64)
    target.start_stub()

    assert not target.loader.proven
    assert Opcode.CRC32 not in target.loader.handlers


def test_found_in_a_folder(tmp_path: Path) -> None:
    """A folder with the files of a release is enough."""
    source = stub_file.find(ESP32C3, "esp32c3")
    (tmp_path / "esp32c3.json").write_bytes(Path(source.path).read_bytes())

    assert stub_file.find(ESP32C3, "esp32c3", folder=tmp_path).text == source.text


def damaged(tmp_path: Path, change: str) -> Path:
    """Write a stub file with something wrong in it."""
    whole = Path(stub_file.find(ESP32C3, "esp32c3").path).read_text()
    fields = json.loads(whole)
    path = tmp_path / "esp32c3.json"
    if change == "truncated":
        path.write_text(whole[: len(whole) // 2])
    elif change == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    elif change == "base64":
        path.write_text(json.dumps(fields | {"text": "%%%"}))
    elif change == "list":
        path.write_text("[]")
    elif change == "entry":
        path.write_text(json.dumps(fields | {"entry": 0x4200_0000}))
    else:
        other = stub_file.find(ESP32, "esp32")
        path.write_bytes(Path(other.path).read_bytes())
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("truncated", "is not a flasher stub, or only part of one"),
        ("binary", "is not a flasher stub"),
        ("base64", "is not a flasher stub"),
        ("list", "is not a flasher stub"),
        ("entry", "is damaged: its entry 0x42000000 is not in it"),
        ("other", "is for another chip: 0x400a8000 is not RAM of the ESP32-C3"),
    ],
)
def test_wrong_file(tmp_path: Path, change: str, message: str) -> None:
    """A file that is truncated, no stub or for another chip is refused before anything is sent."""
    damaged(tmp_path, change)

    with pytest.raises(UsageError, match=message):
        stub_file.find(ESP32C3, "esp32c3", folder=tmp_path)


def test_no_file(tmp_path: Path) -> None:
    """Where there is no stub it is said how to get one."""
    with pytest.raises(UsageError, match="no flasher stub for the ESP32-C3") as caught:
        stub_file.find(ESP32C3, "esp32c3", folder=tmp_path)
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
@pytest.mark.parametrize("version", [1, 2])
def test_stub_runs(chip: str, version: int) -> None:
    """After the upload the stub answers, in its own dialect; version 2 with bulk reads."""
    target = with_stub(chip=chip, version=version)

    assert target.loader.dialect.is_stub
    assert target.loader.has_bulk_read is (version == 2)
    assert target.memory.words(0x4000_1000, 1) == [held(target, 0x4000_1000)]


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
@pytest.mark.parametrize(("offset", "size"), [(0, 4096), (1, 1027), (2, 61), (0, 4), (3, 2)])
def test_bulk_read_is_exact(chip: str, offset: int, size: int) -> None:
    """Any range is the same through the handler as in the chip."""
    target = with_stub(chip=chip)
    expected = wire_of(target).chip.memory.read(0x4000_0000 + offset, size)

    assert target.memory.read(0x4000_0000 + offset, size) == expected


def test_bulk_read_takes_few_round_trips() -> None:
    """4 KiB are 64 requests of 16 words."""
    target = with_stub()
    target.loader.has_streams = False
    before = wire_of(target).count.requests
    target.memory.read(0x4000_0000, 4096)

    assert wire_of(target).count.requests - before == 64


def test_bulk_read_survives_faults() -> None:
    """A reply to a bulk read that is lost, doubled or late shifts nothing."""
    sound = with_stub()
    first = wire_of(sound).count.replies + 1
    for rule in ("drop@reply:{}", "double@reply:{}", "late@reply:{}:0.4", "stall@reply:{}:2"):
        for place in range(first, first + 6):
            target = with_stub(f"fault={rule.format(place)}")
            target.loader.has_streams = False
            expected = wire_of(target).chip.memory.read(0x4000_0000, 600)
            assert target.memory.read(0x4000_0000, 600) == expected


def test_bulk_read_sees_every_flipped_bit() -> None:
    """One bit that flips in a request or a reply of a bulk read costs a second reading, no word.

    Of the address only low bits: where nothing is, the chip itself would hang.
    """
    sound = with_stub()
    requests, replies = wire_of(sound).count.requests + 2, wire_of(sound).count.replies + 2
    for rule, number, places in (
        ("flip@request", requests, [8, 9, 12]),
        ("flip@reply", replies, [4, 7, 8, 30, 71]),
    ):
        for byte in places:
            target = with_stub(f"fault={rule}:{number}:{byte}.{byte % 3 + 2}")
            target.loader.has_streams = False
            expected = wire_of(target).chip.memory.read(0x4000_0000, 600)
            assert target.memory.read(0x4000_0000, 600) == expected
            assert target.loader.resynchronisations == 1


def test_handler_that_reads_wrong_is_not_used() -> None:
    """If the handler does not read what READ_REG reads, everything goes on by READ_REG."""
    target = open_sim(chip="esp32c3")
    found = install.with_handlers(stub_file.find(target.chip, "esp32c3"), target.chip)
    assert found is not None
    words = install.handler("words", target.chip)
    assert words is not None
    # The same in assembly, and in it lw t4, 4(t0): every word is the next one.
    code = bytes.fromhex(
        "83a2050003a34500968793834600131e23002392c605630b030083ae420023a0d301f69791029103"
        "7d13f5b79cc2014582800100"
    )
    broken = found.text.replace(words.code, code.ljust(len(words.code), b"\0"))
    assert broken != found.text
    stub.start(target.loader, replace(found, text=broken))

    assert not transfer.enable_bulk(target.loader)
    assert target.memory.words(0x4000_1000, 40) == [
        held(target, 0x4000_1000 + 4 * i) for i in range(40)
    ]


def opcodes_of_start(version: int = 2, chip: str = "esp32c3") -> tuple[int, list[int]]:
    """Return how many requests come before the start of a stub, and the opcodes of those in it."""
    sound = open_sim(chip=chip)
    sent: list[bytes] = []
    sound.link.taps.append(lambda _now, way, data: sent.append(data) if way == "tx" else None)
    before = wire_of(sound).count.requests
    sound.start_stub(version=version)
    return before, [piece[1] for data in sent for piece in data.split(b"\xc0") if piece]


def is_right(target: Target) -> bool:
    """Return whether a stub runs and reads what is there, with bulk reads if it has them."""
    size = target.loader.stub.version if target.loader.stub else 0
    expected = wire_of(target).chip.memory.read(0x4000_0000, 600)
    return (
        target.loader.dialect.is_stub
        and target.loader.has_bulk_read is (size == 2)
        and target.memory.read(0x4000_0000, 600) == expected
    )


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("opcode", [Opcode.MEM_BEGIN, Opcode.MEM_DATA, Opcode.MEM_END])
@pytest.mark.parametrize(
    "fault", ["drop@request:{}", "drop@reply:{}", "late@reply:{}:0.4", "flip@reply:{}:9.0"]
)
def test_start_survives_a_lost_frame(version: int, opcode: Opcode, fault: str) -> None:
    """A request or reply of the start of a stub that is lost, late or damaged does not end it."""
    before, opcodes = opcodes_of_start(version)
    target = open_sim(f"fault={fault.format(before + 1 + opcodes.index(opcode))}", "esp32c3")

    target.start_stub(version=version)

    assert is_right(target)


@pytest.mark.parametrize("byte", [8, 12, 16, 21, 22])
def test_flipped_bit_in_an_announcement(byte: int) -> None:
    """A stub whose announcement says another size or place is uploaded again, and then runs."""
    before, opcodes = opcodes_of_start()
    number = before + 1 + opcodes.index(Opcode.MEM_BEGIN)
    target = open_sim(f"fault=flip@request:{number}:{byte}.3", "esp32c3")

    target.start_stub()

    assert is_right(target)


@pytest.mark.parametrize("version", [1, 2])
def test_lost_greeting(version: int) -> None:
    """A stub whose greeting is lost is found by what it answers to SYNC."""
    target = open_sim(chip="esp32c3")
    target.link.hear = lambda text, timeout_s: False  # type: ignore[method-assign]

    target.start_stub(version=version)

    assert is_right(target)
    assert target.loader.resynchronisations == 1


def test_every_marker_decides_about_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """One right word is not enough: each marker that the handler reads has to be right."""
    target = with_stub()
    loader = target.loader
    start = min(marker.address for marker in loader.markers)
    right = target.memory.read(start, 64)
    places = [m.address - start for m in loader.markers if m.address - start < 64]
    assert len(places) > 2
    answers = [right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :] for at in places]
    answers.append(right)
    monkeypatch.setattr(loader, "execute", lambda command: answers.pop(0))
    for _ in places:
        assert not transfer.enable_bulk(loader)
    assert transfer.enable_bulk(loader)


def test_stub_that_does_not_run() -> None:
    """A stub that was loaded and neither greets nor answers is an error that says so."""
    target = open_sim(f"fault=hang@request:{opcodes_of_start()[0] + 3}", "esp32c3")
    with pytest.raises(NoReply):
        target.start_stub()
    before, opcodes = opcodes_of_start()
    jump = before + 1 + opcodes.index(Opcode.MEM_END)
    target = open_sim(f"fault=hang@request:{jump}", "esp32c3")

    with pytest.raises(NoReply, match="was loaded but does not answer"):
        target.start_stub()
    assert not target.loader.dialect.is_stub


def test_start_costs_few_round_trips() -> None:
    """Looking at what was uploaded costs as many requests as it has ends of blocks, and one."""
    _, opcodes = opcodes_of_start()
    upload = opcodes[opcodes.index(Opcode.MEM_BEGIN) : opcodes.index(Opcode.MEM_END)]

    assert upload.count(Opcode.READ_REG) <= 1 + 2 * upload.count(Opcode.MEM_DATA)


def test_bulk_read_is_nine_times_faster() -> None:
    """64 KiB through the stub at 921600 baud and 1 ms: 9 times one READ_REG at a time."""
    target = Target.open("sim://esp32c3?latency=1ms", baud=921600)
    clock = target.link.clock
    target.start_stub()
    start = clock.now()
    for i in range(64):
        target.loader.execute(ReadReg(0x4000_0000 + 4 * i))
    one_at_a_time = (clock.now() - start) / 64 * 16384
    start = clock.now()
    data = target.memory.read(0x4000_0000, 65536)

    assert one_at_a_time / (clock.now() - start) >= 9
    assert data == wire_of(target).chip.memory.read(0x4000_0000, 65536)


def test_rom_is_seven_times_faster() -> None:
    """The same through the ROM loader, with requests in flight: 7 times."""
    target = Target.open("sim://esp32c3?latency=1ms", baud=921600)
    clock = target.link.clock
    start = clock.now()
    for i in range(64):
        target.loader.execute(ReadReg(0x4000_0000 + 4 * i))
    one_at_a_time = (clock.now() - start) / 64 * 4096
    start = clock.now()
    target.memory.read(0x4000_0000, 16384)

    assert one_at_a_time / (clock.now() - start) >= 7


@pytest.mark.parametrize("at", [0, 0x1800 - 4, 0x1800, -4])
def test_a_stub_is_recognised_by_the_ends_of_each_block(at: int) -> None:
    """A block that went elsewhere, also the short last one, is seen by an end of it."""
    target = open_sim(chip="esp32c3")
    target.start_stub()
    running = target.loader.stub
    assert running is not None
    assert stub.recognise(target.loader, [running]) is running
    address = running.text_start + at % len(running.text)
    memory = wire_of(target).chip.memory
    memory.write(address, bytes(byte ^ 1 for byte in memory.read(address, 4)))
    assert stub.recognise(target.loader, [running]) is None
