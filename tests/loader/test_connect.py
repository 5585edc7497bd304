"""From a port to a known chip, without a pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from espshell.chips import CHIPS
from espshell.chips.esp32 import ESP32
from espshell.chips.esp32c3 import ESP32C3
from espshell.device import Target, leave
from espshell.errors import NoSync, UsageError
from espshell.link.link import Link
from espshell.link.port import open_port
from espshell.loader import stub, stub_file
from espshell.loader.connect import connect
from espshell.protocol.commands import RegisterWrite, Sync
from espshell.protocol.dialect import ESP32_ROM, STUB, STUB_V1
from tests.loader.support import counted, open_sim, wire_of


@pytest.mark.parametrize("name", [chip.name for chip in CHIPS])
def test_chip_is_found(name: str) -> None:
    """Each simulated chip is recognised, with its own dialect."""
    target = open_sim(chip=name)

    assert target.chip.name == name
    whole = replace(target.loader.dialect, block_size=target.chip.rom.block_size)
    assert whole == target.chip.rom
    assert len({marker.value for marker in target.loader.markers}) == len(target.loader.markers)


def test_chip_is_found_without_a_pause() -> None:
    """From SYNC to the known chip no time passes but that of the wire: no drain, no time-out."""
    link = Link(open_port("sim://esp32?latency=0", 115200))
    start = link.clock.now()

    connect(link, before="no-reset")

    took = link.clock.now() - start
    wire_s = link.wire_s(wire_bytes(link))
    assert took < 1.5 * wire_s


def wire_bytes(link: Link) -> int:
    """Return the bytes that have gone over the wire, both ways."""
    count = link.port._device.wire.count  # type: ignore[attr-defined]
    return int(count.bytes_to_chip + count.bytes_to_host)


def test_esp32_is_asked_for_its_magic_word_after_the_refusal() -> None:
    """The ESP32 refuses GET_SECURITY_INFO eight times, and the magic word is still right."""
    target = open_sim(chip="esp32")

    assert target.security is None
    assert target.chip is ESP32


def test_expected_chip() -> None:
    """Another chip than the expected one is refused, and both are named."""
    with pytest.raises(UsageError, match="this is an ESP32-C3, not an ESP32"):
        Target.open("sim://esp32c3", expected=ESP32)


@pytest.mark.parametrize("before", ["default-reset", "usb-reset"])
def test_reset_takes_a_chip_out_of_its_application(before: str) -> None:
    """A chip that runs its application is reset into the loader."""
    usb = "&usb=jtag" if before == "usb-reset" else ""
    target = Target.open(f"sim://esp32c3?boot=app{usb}", before=before)

    assert target.chip.name == "esp32c3"


def test_no_reset_leaves_an_application_alone() -> None:
    """Without a reset a running application answers nothing, and what it says is no answer."""
    with pytest.raises(NoSync, match="bytes were received, none of them an answer"):
        Target.open("sim://esp32?boot=app", before="no-reset")


def test_no_sync_asks_at_once() -> None:
    """no-reset-no-sync sends no SYNC and still knows chip and loader."""
    link = Link(open_port("sim://esp32c3", 115200))
    sent: list[bytes] = []
    link.taps.append(lambda _now, direction, data: sent.append(data) if direction == "tx" else None)
    # A ROM that has not been synchronised does not know the rate.
    link.send(Sync().encode())
    link.drain(0.1, limit_s=1)
    sent.clear()

    connected = connect(link, before="no-reset-no-sync")

    assert connected.chip.name == "esp32c3"
    assert not connected.loader.dialect.is_stub
    assert Sync().encode() not in sent


@pytest.mark.parametrize("direction", ["request", "reply"])
@pytest.mark.parametrize("fault", ["drop", "double", "cut:5", "late:0.05", "flip:1.3"])
def test_connecting_survives_one_fault(
    fault: str, direction: str, stride: Callable[[int], int]
) -> None:
    """Any single request or reply that is lost, doubled, late or damaged does not prevent it."""
    action, _, argument = fault.partition(":")
    for index in range(1, 45, stride(3)):
        rule = f"{action}@{direction}:{index}" + (f":{argument}" if argument else "")
        target = open_sim(f"fault={rule}")
        assert target.chip is ESP32
        assert target.loader.dialect == ESP32_ROM
        assert target.memory.words(0x40001000, 1) == [0x00F01D83]


@pytest.mark.parametrize(
    ("options", "heard"),
    [
        ("fault=hang@request:1", "nothing was heard"),
        ("fault=garbage@request:1", "none of them an answer"),
    ],
)
def test_nobody_there(options: str, heard: str) -> None:
    """Silence and endless garbage both end in NoSync, with what was heard."""
    with pytest.raises(NoSync, match=heard):
        Target.open(f"sim://esp32?{options}", before="no-reset")


def test_connecting_takes_few_requests() -> None:
    """SYNC, one or two questions, and the markers, nothing else."""
    counts = {name: wire_of(open_sim(chip=name)).count.requests for name in ("esp32", "esp32c3")}

    assert counts == {"esp32": 3 + 8, "esp32c3": 2 + 8}


@pytest.mark.parametrize("name", ["esp32s2", "esp32s3", "esp32c3", "esp32c6"])
def test_secure_download_mode(name: str) -> None:
    """It is recognised at once, also where the ROM tells no id; memory is not asked for."""
    target = open_sim("sdm=1", name)
    before = wire_of(target).count.requests

    assert target.chip.name == name
    assert target.loader.dialect.is_secure
    assert target.security is not None
    assert target.security.secure_download
    with pytest.raises(UsageError, match="secure download mode"):
        target.memory.words(0x4000_0000, 1)
    assert wire_of(target).count.requests == before


DISTURBANCES = {
    "nothing": b"",
    "one C0": b"\xc0",
    "three C0": b"\xc0\xc0\xc0",
    "half a SYNC": Sync().encode()[:20],
    "no first C0": Sync().encode()[1:],
    "no last C0": Sync().encode()[:-1],
    "noise": b"\xa5\x5a\x00\xff",
}


@pytest.mark.parametrize("before", ["no-reset", "no-reset-no-sync"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("left", DISTURBANCES)
def test_running_stub_is_found(left: str, version: int, before: str) -> None:
    """A stub that runs already is found in any state, with its version, bulk reads and its RAM."""
    first = open_sim(chip="esp32c3")
    first.start_stub(version=version)
    first.memory.send([RegisterWrite(0x3FCD_0000, 1)])
    first.memory.send([RegisterWrite(0x3FCD_0000, 2)])
    first.link.send(DISTURBANCES[left])
    first.link.drain(0.1, limit_s=1)
    writes = counted(first)

    target = Target(first.link, connect(first.link, before=before))

    assert not writes
    assert target.chip.name == "esp32c3"
    assert target.loader.dialect == (STUB_V1 if version == 1 else STUB)
    assert target.loader.has_bulk_read is (version == 2)
    assert leave.ignores_commands(target) is (version == 2)
    with pytest.raises(UsageError, match="an unknown flasher stub is running"):
        target.memory.check(0x3FCD_0000, 4, write=True)
    assert target.recognise_stub()
    assert target.loader.stub == first.loader.stub
    target.memory.check(0x3FCD_0000, 4, write=True)
    with pytest.raises(UsageError, match="the running flasher stub has its code at"):
        target.memory.check(0x4038_0000, 4, write=True)


def test_stub_of_another_program_is_known() -> None:
    """One that was started without our handler has no bulk reads; its RAM is spared."""
    first = open_sim(chip="esp32c3")
    stub.start(first.loader, stub_file.find(ESP32C3, "esp32c3"))

    target = Target(first.link, connect(first.link, before="no-reset"))

    assert target.recognise_stub()
    assert not target.loader.has_bulk_read
    assert target.loader.stub == first.loader.stub
    with pytest.raises(UsageError, match="the running flasher stub has its code at"):
        target.memory.check(0x4038_0000, 4, write=True)


def test_another_stub_is_not_taken_for_ours() -> None:
    """A stub that is not the one in the file stays unknown, and RAM stays refused."""
    first = open_sim(chip="esp32c3")
    first.start_stub()
    assert first.loader.stub is not None
    end = first.loader.stub.text_start + len(first.loader.stub.text) - 4
    text = stub_file.find(ESP32C3, "esp32c3").text

    target = Target(first.link, connect(first.link, before="no-reset"))
    wire = wire_of(target)
    wire.chip.memory.write_word(end, 0x1234_5678)

    assert len(text) < len(first.loader.stub.text)
    assert not target.recognise_stub()
    with pytest.raises(UsageError, match="an unknown flasher stub is running"):
        target.memory.check(0x3FCD_0000, 4, write=True)


@pytest.mark.parametrize("before", ["no-reset", "no-reset-no-sync"])
@pytest.mark.parametrize("baud", [230_400, 921_600, 3_000_000])
@pytest.mark.parametrize("with_stub", [False, True])
def test_a_loader_at_another_rate_is_found(before: str, baud: int, with_stub: bool) -> None:
    """Where it cannot be reset, a loader that was left at another rate is looked for, and said."""
    target = open_sim(chip="esp32c3")
    if with_stub:
        target.start_stub()
    target.change_baud(baud)
    target.link.port.baud = 115_200

    found = connect(Link(target.link.port), before=before)

    assert found.chip is ESP32C3
    assert found.loader.dialect.is_stub == with_stub
    assert found.notes == (f"the loader was left at {baud} baud",)
    assert target.link.port.baud == baud


def test_where_nobody_answers_at_any_rate_the_port_keeps_its_own() -> None:
    """Looking at other rates ends in the same error as before, within seconds."""
    port = open_port("sim://esp32c3?maxbaud=300", 115_200)
    with pytest.raises(NoSync):
        connect(Link(port), before="no-reset")
    assert port.baud == 115_200
    assert port.clock.now() < 6
