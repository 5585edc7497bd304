"""Every chip of the tables can be simulated, and its eFuses say what its model says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from espshell.chips import CHIPS, Chip, Quirk
from espshell.protocol.commands import ChangeBaudrate, GetSecurityInfo, Sync
from espshell.sim import models, url
from espshell.sim.chip import SimChip
from espshell.sim.protocol_sim import Serial
from tests.sim.support import request

Opener = Callable[..., Serial]
Answers = Callable[..., list[str]]


@pytest.fixture(params=models.MODELS, ids=lambda model: model.chip)
def model(request: pytest.FixtureRequest) -> models.Model:
    found = request.param
    assert isinstance(found, models.Model)
    return found


def test_there_is_a_model_of_every_chip() -> None:
    """In the order of the tables, each with a MAC of its own."""
    assert [model.chip for model in models.MODELS] == [chip.name for chip in CHIPS]
    assert len({model.mac for model in models.MODELS}) == len(CHIPS)


def test_a_chip_that_nobody_has_described() -> None:
    """Its tables are enough."""
    made = models._generic(CHIPS[-1])
    assert CHIPS[-1].name.encode() in made.application_log
    assert made.mac != models.MODELS[-1].mac


def test_words_of_the_efuses(model: models.Model) -> None:
    """MAC, revision, name, features and the word that tells the chip, by the chip's own tables."""
    sim = SimChip(url.parse(f"sim://{model.chip}"))
    chip, words = sim.facts, sim.memory.word
    assert chip.base_mac(words) == model.mac
    assert chip.revision(words) == model.revision
    assert chip.description(words)
    assert chip.stub_name(chip.revision(words))
    assert set(model.features) <= {feature.text(words) for feature in chip.features}
    assert chip.magic in (None, words(0x4000_1000))
    assert chip.mac_ext is None or chip.mac_ext.value(words) == 0xFFFE
    for field, number in models.feature_values(model):
        assert field.value(words) == number


def test_every_package_can_be_asked_for(model: models.Model) -> None:
    """The number is what the chip's field reads."""
    chip = models.chip_of(model)
    for package in chip.packages:
        sim = SimChip(url.parse(f"sim://{chip.name}?package={package.number}"))
        assert chip.package.value(sim.memory.word) == package.number
        assert chip.base_mac(sim.memory.word) == model.mac


def test_the_crystal_can_be_told(model: models.Model, open_sim: Opener, answers: Answers) -> None:
    """The divider of UART0 gives it, whichever it is, after a SYNC at the host's rate."""
    chip = models.chip_of(model)
    for mhz in chip.crystals_mhz:
        port = open_sim(f"sim://{chip.name}?crystal={mhz}")
        assert len(answers(port, Sync().encode())) == 8
        divider = chip.uart_divider.of(port.wire.chip.memory.word(chip.uart_divider.address))
        assert chip.crystal_mhz(divider, 115_200) == mhz


def test_a_rom_that_is_wrong_about_its_crystal(open_sim: Opener, answers: Answers) -> None:
    """The rate that was asked for comes out wrong in proportion, and can be corrected for."""
    for chip in CHIPS:
        if chip.rom_clock is None:
            continue
        for mhz in chip.crystals_mhz:
            port = open_sim(f"sim://{chip.name}?crystal={mhz}")
            answers(port, Sync().encode())
            words = port.wire.chip.memory.word
            asked = chip.rom_clock.asked_baud(460_800, mhz * 1_000_000, words)
            answers(port, ChangeBaudrate(asked).encode())
            assert port.wire.chip.baud == pytest.approx(460_800, rel=1e-4)
            if round(chip.rom_clock.hz(words) / 1e6) != mhz:
                assert asked != 460_800


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_security(open_sim: Opener, answers: Answers, chip: Chip) -> None:
    """Flags and counts stand in the ROM's answer, or in eFuses where it has none."""
    port = open_sim(f"sim://{chip.name}?flags=0x1&crypt=1")
    answers(port, Sync().encode())
    words = port.wire.chip.memory.word
    if chip.rom.security_info_size:
        found = answers(port, GetSecurityInfo().encode())[0]
        assert found.startswith("14 20120707+0100000001")
        assert len(found) == len("14 20120707+") + 2 * (chip.rom.security_info_size + 4)
    if chip.flash_crypt_count is not None:
        assert chip.flash_crypt_count.value(words) == 1
        found_set = {fuse.name for fuse in chip.security_fuses if fuse.field.value(words)}
        assert found_set == {"ABS_DONE_0"}


@pytest.mark.parametrize("chip", ["esp32s2", "esp32c3", "esp32c2"])
def test_secure_download_mode(open_sim: Opener, answers: Answers, chip: str) -> None:
    """A few commands work; memory is refused under the previous opcode, without its payload."""
    port = open_sim(f"sim://{chip}?sdm=1")
    answers(port, Sync().encode())
    found = answers(port, GetSecurityInfo().encode())[0]
    assert found.startswith("14 20120707+04000000")
    for opcode in (0x05, 0x06, 0x07, 0x09, 0x0A, 0x0E, 0x10, 0x13):
        refused = answers(port, request(opcode, 0x4000_1000, 0, 0, 0))[0]
        assert refused.startswith("14 20120707+0105")
        assert len(refused) == len("14 20120707+01050000")
    assert answers(port, request(0x0D, 0, 0))[0].startswith("0d 20120707+00")
    assert answers(port, request(0x02, 1024, 1, 1024, 0, 0))[0].startswith("02 20120707+00")
    changed = answers(port, ChangeBaudrate(230_400).encode())[0]
    fixed = Quirk.BAUD_FIXED_IN_SECURE_DOWNLOAD in port.wire.chip.facts.quirks
    assert changed.startswith("0f 20120707+" + ("0105" if fixed else "00"))


def test_an_esp8266_rom(open_sim: Opener, answers: Answers) -> None:
    """Two bytes of status, few commands, a boot log at 74880 baud, and erasing too much."""
    port = open_sim("sim://esp8266")
    assert port.wire.chip.baud == 74_880
    assert answers(port, Sync().encode()) == ["08 20120707+0000"] * 8
    for opcode in (0x0B, 0x0D, 0x0F, 0x10, 0x13, 0x14):
        assert answers(port, request(opcode, 0, 0, 0, 0))[-1] == "08 20120707+0105"
    flash = port.wire.chip.flash
    for start, asked, erased in ((0, 0x8000, 0x10000), (0, 0x18000, 0x28000), (0xF000, 4096, 8192)):
        flash.load(bytes(0x40000))
        answers(port, request(0x02, asked, 1, 1024, start))
        found = bytes(flash.data[start:0x40000])
        assert found == b"\xff" * erased + bytes(0x40000 - start - erased)
