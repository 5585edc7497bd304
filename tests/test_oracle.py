"""The simulator examined by a client that we have not written: esptool, run as a program.

Every chip has one server and one list of esptool runs, so that each run is also the next client of
a chip that others have used, at other baud rates.  The lists run side by side, as many as there are
processors; a test waits for those that it looks at.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from espshell.chips import CHIPS
from espshell.sim import url
from espshell.sim.chip import SimChip
from tests.oracle_support import esptool, held_open, served

pytest.importorskip("esptool")
pytest.importorskip("termios")

pytestmark = pytest.mark.oracle

SEEN = {
    "esp8266": ("ESP8266EX", "Wi-Fi, 160MHz", "26MHz", "18:fe:34:d4:e5:f6"),
    "esp32": (
        "ESP32-D0WD-V3 (revision v3.1)",
        "Wi-Fi, BT, Dual Core + LP Core, 240MHz, Coding Scheme None",
        "40MHz",
        "24:6f:28:a1:b2:c3",
    ),
    "esp32s2": (
        "ESP32-S2 (revision v1.0)",
        "Wi-Fi, Single Core, 240MHz, No Embedded Flash, No Embedded PSRAM,"
        " No calibration in BLK2 of efuse",
        "40MHz",
        "7c:df:a1:0b:0c:0d",
    ),
    "esp32s3": (
        "ESP32-S3 (QFN56) (revision v0.2)",
        "Wi-Fi, BT 5 (LE), Dual Core + LP Core, 240MHz, Embedded PSRAM 8MB (AP_3v3)",
        "40MHz",
        "34:85:18:a2:b3:c4",
    ),
    "esp32c2": (
        "ESP8684H (revision v1.2)",
        "Wi-Fi, BT 5 (LE), Single Core, 120MHz",
        "26MHz",
        "08:3a:8d:c2:d3:e4",
    ),
    "esp32c2?crystal=40": (
        "ESP8684H (revision v1.2)",
        "Wi-Fi, BT 5 (LE), Single Core, 120MHz",
        "40MHz",
        "08:3a:8d:c2:d3:e4",
    ),
    "esp32c3": (
        "ESP32-C3 (QFN32) (revision v0.4)",
        "Wi-Fi, BT 5 (LE), Single Core, 160MHz, Embedded Flash 4MB (XMC)",
        "40MHz",
        "7c:df:a1:b4:c5:d6",
    ),
    "esp32c5?crystal=40": (
        "ESP32-C5N (revision v1.0)",
        "Wi-Fi 6 (dual-band), BT 5 (LE), IEEE802.15.4, Single Core + LP Core, 240MHz,"
        " No Embedded Flash, No Embedded PSRAM",
        "40MHz",
        "3c:dc:75:ff:fe:91:a2:b3",
    ),
    "esp32c5": (
        "ESP32-C5N (revision v1.0)",
        "Wi-Fi 6 (dual-band), BT 5 (LE), IEEE802.15.4, Single Core + LP Core, 240MHz,"
        " No Embedded Flash, No Embedded PSRAM",
        "48MHz",
        "3c:dc:75:ff:fe:91:a2:b3",
    ),
    "esp32c6": (
        "ESP32-C6 (QFN40) (revision v0.1)",
        "Wi-Fi 6, BT 5 (LE), IEEE802.15.4, Single Core + LP Core, 160MHz, Unknown Embedded Flash",
        "40MHz",
        "40:4c:ca:ff:fe:51:62:73",
    ),
    "esp32c61": (
        "ESP32-C61N (revision v1.0)",
        "Wi-Fi 6, BT 5 (LE), Single Core, 160MHz, No Embedded Flash, No Embedded PSRAM",
        "40MHz",
        "d0:cf:13:61:a2:b3",
    ),
    "esp32h2": (
        "ESP32-H2 (revision v0.1)",
        "BT 5 (LE), IEEE802.15.4, Single Core, 96MHz, No Embedded Flash",
        "32MHz",
        "60:55:f9:ff:fe:f7:a1:b2",
    ),
    "esp32p4": (
        "ESP32-P4 (revision v1.3)",
        "Dual Core + LP Core, 400MHz",
        "40MHz",
        "60:e2:e7:d1:e2:f3",
    ),
    "esp32p4?rev=3.1": (
        "ESP32-P4 (revision v3.1)",
        "Dual Core + LP Core, 400MHz",
        "40MHz",
        "60:e2:e7:d1:e2:f3",
    ),
}
"""Type, features, crystal and MAC, in esptool's words."""

WITH_STUB = (
    ("esp8266", 2),
    ("esp32", 1),
    ("esp32", 2),
    ("esp32s3", 2),
    ("esp32c3", 1),
    ("esp32c3", 2),
)
"""Chips of every kind, each with a stub."""

SECURED = ("esp32s2?sdm=1", "esp32c3?sdm=1", "esp32c3?flags=1&crypt=7", "esp32s3?flags=1")

FIRMWARE = hashlib.shake_128(b"firmware").digest(70_000)

Texts = dict[str, str]
Pool = ThreadPoolExecutor


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """As many workers as there are processors; each waits for the programs that it has started."""
    with ThreadPoolExecutor(os.cpu_count()) as found:
        yield found


def rom_words(chip: str) -> int:
    """Return the address of words of ROM that differ from each other."""
    return SimChip(url.parse(f"sim://{chip}")).facts.markers[4]


def with_rom(chip: str) -> Texts:
    """Let esptool look at a chip through its ROM loader, also at a higher rate, and after that."""
    with served(chip, "--pty") as port:
        address = hex(rom_words(chip))
        # The ROM of an ESP8266 cannot change its rate; esptool raises it with the stub only.
        rate = () if chip == "esp8266" else ("--baud", "460800")
        texts = {
            "flash-id": esptool(port, "--no-stub", "flash-id"),
            "read-mem": esptool(port, "--no-stub", *rate, "read-mem", address),
        }
        if SimChip(url.parse(f"sim://{chip}")).facts.rom.security_info_size:
            texts["security"] = esptool(port, "--no-stub", "get-security-info")
    return texts


def with_stub(chip: str, version: int, folder: Path) -> Texts:
    """Let esptool work through its stub."""
    image, back = folder / f"{chip}.{version}.bin", folder / f"{chip}.{version}.back"
    image.write_bytes(FIRMWARE)
    options = ("--stub-version", str(version), "--baud", "921600")
    with served(f"{chip}?flash=W25Q128", "--pty") as port, held_open(port):
        return {
            "write": esptool(port, *options, "write-flash", "0x10000", str(image)),
            "read": esptool(port, "read-flash", "0x10000", str(len(FIRMWARE)), str(back)),
            "read-mem": esptool(port, "read-mem", hex(rom_words(chip))),
            "flash-id": esptool(port, "flash-id"),
            "run": esptool(port, "run"),
            "same": str(back.read_bytes() == FIRMWARE),
        }


def secured(chip: str, folder: Path) -> Texts:
    """Let esptool meet a chip that somebody has locked."""
    with served(chip, "--pty") as port:
        texts = {"security": esptool(port, "--no-stub", "get-security-info")}
        if chip == "esp32s3?flags=1":
            # Its ROM starts no stub; esptool has another way to do so.
            texts["read"] = esptool(port, "read-flash", "0", "0x1000", str(folder / "secured"))
    return texts


@pytest.fixture(scope="module")
def roms(pool: Pool) -> dict[str, Future[Texts]]:
    """Begin what is to be seen of each chip through its ROM."""
    return {chip: pool.submit(with_rom, chip) for chip in SEEN}


@pytest.fixture(scope="module")
def stubs(
    pool: Pool, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], Future[Texts]]:
    """Begin what is done through each stub."""
    folder = tmp_path_factory.mktemp("stubs")
    return {each: pool.submit(with_stub, *each, folder) for each in WITH_STUB}


@pytest.fixture(scope="module")
def locked(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Texts]]:
    """Begin what is to be seen of chips that are locked."""
    folder = tmp_path_factory.mktemp("locked")
    return {chip: pool.submit(secured, chip, folder) for chip in SECURED}


@pytest.fixture(scope="module", autouse=True)
def _all_at_once(roms: object, stubs: object, locked: object) -> None:
    """Have everything start with the first test."""


def test_every_chip_is_examined() -> None:
    """Each chip of the tables stands in the list."""
    assert {name.partition("?")[0] for name in SEEN} == {chip.name for chip in CHIPS}


@pytest.mark.parametrize("chip", SEEN)
def test_esptool_knows_the_chip(chip: str, roms: dict[str, Future[Texts]]) -> None:
    """Type, revision, features, crystal and MAC are those of the model, and the flash answers."""
    text = roms[chip].result()["flash-id"]
    found = dict(re.findall(r"^([\w ]+): +(.+)$", text, re.MULTILINE))
    names = ("Chip type", "Features", "Crystal frequency", "MAC")
    assert tuple(found.get(name) for name in names) == SEEN[chip]
    assert (found["Manufacturer"], found["Device"]) == ("ef", "4016")
    assert found["Detected flash size"] == "4MB"


@pytest.mark.parametrize("chip", SEEN)
def test_esptool_reads_memory(chip: str, roms: dict[str, Future[Texts]]) -> None:
    """A word of ROM is what the simulator holds, at a higher rate on every crystal."""
    address = rom_words(chip)
    word = SimChip(url.parse(f"sim://{chip}")).memory.word(address)
    assert f"{address:#010x} = {word:#010x}" in roms[chip].result()["read-mem"]


@pytest.mark.parametrize("chip", SEEN)
def test_esptool_asks_for_security(chip: str, roms: dict[str, Future[Texts]]) -> None:
    """An open chip says so, and its id if it knows one."""
    text = roms[chip].result().get("security")
    facts = SimChip(url.parse(f"sim://{chip}")).facts
    assert (text is None) == (facts.rom.security_info_size == 0)
    if text is not None:
        assert "Secure Boot: Disabled" in text
        assert ("Chip ID: " in text) == (facts.rom.security_info_size == 20)


@pytest.mark.parametrize(("chip", "version"), WITH_STUB)
def test_esptool_works_through_its_stub(
    chip: str, version: int, stubs: dict[tuple[str, int], Future[Texts]]
) -> None:
    """It is uploaded and greets, writes, reads back, and is found again by the next run."""
    texts = stubs[chip, version].result()
    assert "Stub flasher running" in texts["write"]
    assert "Hash of data verified" in texts["write"]
    assert texts["same"] == "True"
    # At its end esptool asks a stub to go back to the ROM; only the old ones can.
    assert ("already running" in texts["read"]) == (version == 2)
    address = rom_words(chip)
    word = SimChip(url.parse(f"sim://{chip}")).memory.word(address)
    assert f"{address:#010x} = {word:#010x}" in texts["read-mem"]
    assert "Device: 4018" in texts["flash-id"]


@pytest.mark.parametrize(
    ("chip", "said"),
    [
        ("esp32s2?sdm=1", "in Secure Download Mode"),
        ("esp32c3?sdm=1", "in Secure Download Mode"),
        ("esp32c3?flags=1&crypt=7", "Flash Encryption: Enabled"),
        ("esp32s3?flags=1", "Secure Boot: Enabled"),
    ],
)
def test_esptool_sees_what_is_locked(
    chip: str, said: str, locked: dict[str, Future[Texts]]
) -> None:
    """Secure download mode, secure boot and flash encryption."""
    texts = locked[chip].result()
    assert said in texts["security"]
    assert "Stub flasher running" in texts.get("read", "Stub flasher running")


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_esptool_writes_and_dumps_memory(chip: str, tmp_path: Path) -> None:
    """All that SLIP must escape comes back; a dump is what the simulator holds."""
    ram = {"esp32": "0x3ffb0000", "esp32c3": "0x3fc90000"}[chip]
    dumped = tmp_path / "dump.bin"
    with served(chip, "--pty") as port:
        esptool(port, "--no-stub", "write-mem", ram, "0xdbc0c0db")
        esptool(port, "--no-stub", "write-mem", ram, "0x12", "0xff")
        assert f"{ram} = 0xdbc0c012" in esptool(port, "--no-stub", "read-mem", ram)
        esptool(port, "--no-stub", "dump-mem", "0x40000000", "0x2000", str(dumped))
        # A pty has no lines: esptool says so, and the chip is found all the same.
        text = esptool(port, "--no-stub", "chip-id", before="default-reset")
        assert SEEN[chip][3] in text
    memory = SimChip(url.parse(f"sim://{chip}")).memory
    assert dumped.read_bytes() == memory.read(0x4000_0000, 0x2000)


def test_esptool_over_tcp() -> None:
    """The same chip, as ``socket://``, for two clients."""
    with served("esp32c3", "--tcp", "127.0.0.1:0") as address:
        for command in ("read-mac", "chip-id"):
            assert SEEN["esp32c3"][3] in esptool(f"socket://{address}", "--no-stub", command)


LEAVING = ("hard-reset", "no-reset-stub")
"""How clients leave the chip, one after another."""


@pytest.mark.parametrize("place", ["--rfc2217", "--pty"])
def test_esptool_one_client_after_another(place: str, tmp_path: Path) -> None:
    """Whatever the one before leaves running, the next finds the loader, and may change the rate.

    Over RFC 2217 by the lines; on a pty because the chip is reset when the last client has left.
    """
    image = tmp_path / "x.bin"
    image.write_bytes(os.urandom(8192))
    where = ("127.0.0.1:0",) if place == "--rfc2217" else ()
    with served("esp32c3?boot=app" if where else "esp32c3", place, *where) as name:
        port = f"rfc2217://{name}?ign_set_control" if where else name
        if not where:
            esptool(port, "--no-stub", "run")  # no application answers a loader's commands
        words = ("--baud", "460800", "write-flash", "0x10000", str(image))
        for after in LEAVING:
            text = esptool(port, *words, before="default-reset", after=after)
            assert "Changed." in text
            assert "Hash of data verified" in text
        text = esptool(
            port, "--no-stub", "verify-flash", "0x10000", str(image), before="default-reset"
        )
        assert "Verification successful" in text
