"""Every row of every chip, and the two things that are computed: fields and look-ups."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise, product

import pytest

from espshell import chips
from espshell.chips import CHIPS, Bits, Chip, Feature, Field, Kind, Region
from espshell.chips.esp32 import ESP32
from espshell.chips.esp32c3 import ESP32C3
from espshell.errors import UsageError
from espshell.loader import stub_file
from espshell.span import Span
from espshell.units import WORD

SPACE = 1 << 32
EACH = pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)


def fields(chip: Chip) -> Iterator[Field]:
    yield from (chip.major, chip.minor, chip.package)
    yield from (feature.field for feature in chip.features)
    if chip.single_core is not None:
        yield chip.single_core


def words(**values: int) -> dict[int, int]:
    """Return words by address, from names such as ``x10``."""
    return {int(name[1:], 16): value for name, value in values.items()}


def peripheral(chip: Chip, address: int, size: int = WORD) -> bool:
    region = chip.region_at(address, size)
    return region is not None and region.kind is Kind.PERIPHERAL


def sorted_apart(regions: tuple[Region, ...]) -> bool:
    return all(a.end <= b.start for a, b in pairwise(regions))


@EACH
def test_regions(chip: Chip) -> None:
    """The memory map is sorted, without overlap, of whole words, inside 32 bits."""
    assert sorted_apart(chip.regions)
    assert all(0 <= r.start < r.end <= SPACE for r in chip.regions)
    assert all(r.start % WORD == r.end % WORD == 0 for r in chip.regions)
    assert {Kind.ROM, Kind.RAM, Kind.PERIPHERAL} <= {r.kind for r in chip.regions}


@EACH
def test_names_of_regions(chip: Chip) -> None:
    """A region can be typed: upper case, once, and with a note that says what it is."""
    names = [r.name for r in chip.regions]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.upper() for name in names)
    assert all(r.note for r in chip.regions)


@EACH
def test_shared_ram(chip: Chip) -> None:
    """Both addresses are RAM throughout, of whole words, no row touches another, none itself."""
    starts = [(a, r.size) for r in chip.shared_ram for a in (r.data, r.instruction)]
    spans = sorted((start, start + size) for start, size in starts)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    for start, end in spans:
        assert start % WORD == end % WORD == 0
        assert {Kind.RAM} == {
            region.kind if (region := chip.region_at(at, WORD)) else None
            for at in range(start, end, 0x400)
        }
    for row in chip.shared_ram:
        there = Span.of(row.instruction, row.size)
        assert chip.same_ram(Span.of(row.data, row.size))[1:] == (there,)


@EACH
def test_buses_are_in_pairs(chip: Chip) -> None:
    """RAM whose note names a bus, and not a cache, is shared; no other RAM is."""
    alone = {"SRAM0, instruction bus", "SRAM2, data bus"} if chip is ESP32 else set()
    ram = [r for r in chip.regions if r.kind is Kind.RAM]
    named = {r.name for r in ram if " bus" in r.note and r.note not in alone}
    assert named == {r.name for r in ram if len(chip.same_ram(r.span)) > 1}


@EACH
def test_registers_that_change_when_read(chip: Chip) -> None:
    """They are peripherals, of whole words, sorted, apart, each with a name of its own."""
    assert sorted_apart(chip.read_effects)
    assert all(peripheral(chip, r.start, r.size) for r in chip.read_effects)
    assert all(r.start % WORD == 0 and r.size % WORD == 0 for r in chip.read_effects)
    assert len({r.name for r in chip.read_effects}) == len(chip.read_effects)


@EACH
def test_markers(chip: Chip) -> None:
    """Words of ROM, aligned, all different, and enough to choose from."""
    assert len(set(chip.markers)) == len(chip.markers) >= 8
    for address in chip.markers:
        region = chip.region_at(address, WORD)
        assert region is not None
        assert region.kind is Kind.ROM
        assert address % WORD == 0


@EACH
def test_efuses_and_fields(chip: Chip) -> None:
    """Everything that ``info`` reads is an aligned word of a peripheral that reading leaves."""
    assert peripheral(chip, chip.efuse.start, chip.efuse.size)
    assert all(chip.efuse.holds(address, WORD) for address in chip.mac)
    addresses = [a for field in fields(chip) for a in field.addresses]
    for address in (*addresses, *chip.mac, chip.uart_divider.address):
        assert address % WORD == 0
        assert peripheral(chip, address)
        assert chip.changes_when_read(address) is None


@EACH
def test_bits(chip: Chip) -> None:
    """Every part of a field lies in its word, and no two parts of one are the same bits."""
    for field in fields(chip):
        bits = [(p.address, p.low + i) for p in field.parts for i in range(p.width)]
        assert len(set(bits)) == len(bits)
        assert all(0 <= bit < 32 for _, bit in bits)
    assert chip.uart_divider.low + chip.uart_divider.width <= 32


@EACH
def test_decoded_values(chip: Chip) -> None:
    """What a field is mapped from fits into its bits, once each."""
    for field in fields(chip):
        raw = [key for key, _ in field.decode]
        assert len(set(raw)) == len(raw)
        assert all(0 <= key < 1 << field.width for key in raw)


@EACH
def test_features(chip: Chip) -> None:
    """Every text belongs to a value that its field can have, and no value has two."""
    for feature in chip.features:
        values = [value for value, _ in feature.texts]
        assert len(set(values)) == len(values)
        assert all(0 <= value < 1 << feature.field.width for value in values)
        assert all(text for _, text in feature.texts)


@EACH
def test_every_package_can_be_met(chip: Chip) -> None:
    """No row of the packages is hidden by one before it, for every number its field can give."""
    numbers = {dict(chip.package.decode).get(n, n) for n in range(1 << chip.package.width)}
    revisions = {*product(range(4), (0,)), *(row.since for row in chip.packages)}
    met = set()
    for number, revision, single in product(numbers, revisions, (False, True, None)):
        rows = (row for row in chip.packages if row.agrees(number, revision, single))
        met.add(next(rows, None))
    assert met - {None} == set(chip.packages)


@EACH
def test_a_chip_has_a_crystal_and_a_loader(chip: Chip) -> None:
    """The small facts: a rate in MHz, a ROM that is not a stub, a title that is its name."""
    assert chip.crystals_mhz
    assert all(20 <= mhz <= 50 for mhz in chip.crystals_mhz)
    assert not chip.rom.is_stub
    assert chip.title.lower().replace("-", "") == chip.name


@EACH
def test_words_that_are_written(chip: Chip) -> None:
    """Watchdog and supply registers: aligned words of peripherals, values and masks of 32 bits."""
    writes = [*chip.watchdogs, *chip.watchdog_reset]
    writes += [write for step in chip.flash_power for write in step.writes]
    for write in writes:
        assert write.address % WORD == 0
        assert peripheral(chip, write.address)
        assert 0 <= write.value & write.mask <= write.mask < SPACE
        assert 0 <= write.delay_us <= 1_000_000


@EACH
def test_flash_controller(chip: Chip) -> None:
    """Its registers are different aligned words of peripherals, the data registers after them."""
    spi = chip.spi
    control = {spi.cmd, spi.addr, spi.user, spi.user1, spi.user2, spi.mosi_dlen, spi.miso_dlen}
    assert len(control) == (5 if spi.lengths_in_user1 else 7)
    assert max(control) < spi.w0
    for offset in (*control, spi.w0, spi.w0 + WORD * (spi.w_words - 1)):
        assert offset % WORD == 0
        assert peripheral(chip, spi.base + offset)


@EACH
def test_codes_in_image_headers(chip: Chip) -> None:
    """Sizes have the upper half of a byte, one each; frequencies the lower (a C6 shares one)."""
    codes = [size.code for size in chip.flash_sizes]
    assert len(set(codes)) == len(codes)
    assert all(code & ~0xF0 == 0 for code in codes)
    assert all(size.size % (256 << 10) == 0 for size in chip.flash_sizes)
    assert len(dict(chip.flash_frequencies)) == len(chip.flash_frequencies)
    assert all(0 <= code <= 0xF for _, code in chip.flash_frequencies)


@EACH
def test_single_bits(chip: Chip) -> None:
    """What was strapped and what forces download mode are bits of aligned peripheral words."""
    for bits in filter(None, (chip.boot_strap, chip.force_download)):
        assert bits.address % WORD == 0
        assert peripheral(chip, bits.address)
        assert bits.low + bits.width <= 32


@EACH
def test_names_by_number(chip: Chip) -> None:
    """Key purposes have one name each, security eFuses different ones."""
    numbers = [number for number, _ in chip.key_purposes]
    assert len(set(numbers)) == len(numbers)
    names = [(fuse.name, fuse.since) for fuse in chip.security_fuses]
    assert len(set(names)) == len(names)


@EACH
def test_every_revision_has_one_stub(chip: Chip) -> None:
    """Ranges of revisions do not overlap, so that the order of the rows does not matter."""
    for revision in product(range(4), range(8)):
        assert sum(row.fits(revision) for row in chip.stub_names) <= 1


@EACH
def test_what_info_reads(chip: Chip) -> None:
    """Sorted, once each, whole words of the memory map that reading does not change."""
    addresses = chip.info_addresses
    assert list(addresses) == sorted(set(addresses))
    assert set(chip.mac_addresses) <= set(addresses)
    for address in addresses:
        assert address % WORD == 0
        assert chip.region_at(address, WORD)
        assert chip.changes_when_read(address) is None


@EACH
def test_the_simplest_chip_has_a_name(chip: Chip) -> None:
    """With all eFuses blank it is revision 0.0 and described by a row or by none."""
    assert chip.revision(lambda _: 0) == (0, 0)
    names = {row.name for row in chip.packages}
    assert chip.description(lambda _: 0) in names | {None}


def test_chips_are_told_apart() -> None:
    """Names, ids and magic words are unique."""
    assert len({chip.name for chip in CHIPS}) == len(CHIPS)
    assert len({chip.id for chip in CHIPS}) == len(CHIPS)
    assert len({chip.uf2_family for chip in CHIPS}) == len(CHIPS)
    magics = [chip.magic for chip in CHIPS if chip.magic is not None]
    assert len(set(magics)) == len(magics)


@EACH
def test_by_name_in_all_spellings(chip: Chip) -> None:
    """As typed, as printed, in any case, with dashes or underscores."""
    spellings = {chip.name, chip.title, chip.name.upper(), chip.title.lower()}
    spellings.add(chip.title.replace("-", "_"))
    assert {chips.by_name(each) for each in spellings} == {chip}


@EACH
def test_by_what_the_chip_says(chip: Chip) -> None:
    """A chip is found by its id where its ROM tells it, else by its magic word."""
    if chip.magic is None:
        assert chips.by_id(chip.id) is chip
    else:
        assert chips.by_magic(chip.magic) is chip
        assert chips.by_id(chip.id) is None


@pytest.mark.parametrize("name", ["", "esp", "esp32-c33", "esp 32", "c3"])
def test_no_such_name(name: str) -> None:
    """A name must be whole."""
    assert chips.by_name(name) is None


def test_no_such_chip() -> None:
    """An id or a word that is not known is None."""
    assert chips.by_id(0xFFFF) is None
    assert chips.by_magic(0xFFFF_FFFF) is None


# -- what is computed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (Bits(0, 0), 0),
        (Bits(0, 1), 1),
        (Bits(0, 4, 8), 0xDE),
        (Bits(0, 28, 4), 0x8),
        (Bits(0, 0, 32), 0x8765_4DEA),
    ],
)
def test_bits_of_a_word(bits: Bits, expected: int) -> None:
    """``width`` bits from bit ``low`` on."""
    assert bits.of(0x8765_4DEA) == expected


def test_a_field_that_is_spread() -> None:
    """The first part is the least significant: 101 from one word, 1 from another, 01 from that."""
    field = Field((Bits(0x10, 4, 3), Bits(0x14, 31), Bits(0x10, 0, 2)))
    found = words(x10=0b101_0001, x14=0x8000_0000)
    assert field.value(found.__getitem__) == 0b01_1_101
    assert field.addresses == (0x10, 0x14, 0x10)


def test_a_field_that_is_decoded() -> None:
    """What the table names is replaced, all else stays."""
    field = Field((Bits(0x10, 0, 3),), decode=((3, 2), (7, 3)))
    values = [field.value(words(x10=n).__getitem__) for n in range(8)]
    assert values == [0, 1, 2, 2, 4, 5, 6, 3]


@pytest.mark.parametrize(
    ("word3", "word5", "date", "major"),
    [(0, 0, 0, 0), (0x8000, 0, 0, 1), (0x8000, 0x10_0000, 0, 2), (0x8000, 0x10_0000, 1 << 31, 3)],
)
def test_major_revision_of_an_esp32(word3: int, word5: int, date: int, major: int) -> None:
    """Three bits in three words, set one after another with each revision."""
    found = words(x3FF5A00C=word3, x3FF5A014=word5, x3FF6607C=date)
    assert ESP32.major.value(found.__getitem__) == major


def test_package_of_an_esp32() -> None:
    """Three bits from bit 9 and a fourth, the highest, at bit 2."""
    values = [0, 1 << 9, 0b101 << 9, 1 << 2, 0b111 << 9 | 1 << 2]
    found = [ESP32.package.value(words(x3FF5A00C=v).__getitem__) for v in values]
    assert found == [0, 1, 5, 8, 15]


def test_minor_revision_of_an_esp32c3() -> None:
    """Three bits of one word and the highest of another."""
    low, high = 0x6000_8850, 0x6000_8858
    found = {low: 0b011 << 18, high: 1 << 23}
    assert ESP32C3.minor.value(found.__getitem__) == 0b1011


def test_mac_of_an_esp32c3() -> None:
    """Low 32 bits in the first word, high 16 in the second, whatever stands above them."""
    low, high = ESP32C3.mac
    assert ESP32C3.base_mac({low: 0x2233_4455, high: 0xFFFF_0011}.__getitem__) == 0x0011_2233_4455
    assert ESP32C3.eui64({low: 0, high: 0}.__getitem__) is None


def test_crystal_of_an_esp32() -> None:
    """The one whose frequency divider and baud rate come nearest to."""
    assert ESP32.crystal_mhz(347, 115200) == 40
    assert ESP32.crystal_mhz(226, 115200) == 26


def test_text_of_a_feature() -> None:
    """A value without a text says nothing."""
    feature = Feature(Field((Bits(0x10, 0, 2),)), ((1, "one"), (2, "two")))
    assert [feature.text(words(x10=n).__getitem__) for n in range(4)] == ["", "one", "two", ""]


def test_where_an_address_is() -> None:
    """A range is in a region if all of it is; its neighbours are the nearest ones."""
    chip = ESP32C3
    rom, cache = (next(r for r in chip.regions if r.name == name) for name in ("ROM0", "CACHE"))
    assert chip.region_at(rom.end - 4, 4) is rom
    assert chip.region_at(rom.end - 4, 5) is None
    assert chip.region_at(rom.end) is None
    before, after = chip.neighbours(rom.end)
    assert before is rom
    assert after is cache
    assert chip.neighbours(0)[0] is None
    assert chip.neighbours(SPACE)[1] is None
    assert [*chip.walk(Span(rom.end - 4, rom.end + 4))] == [(rom.end - 4, rom), (rom.end, None)]
    assert [*chip.walk(Span(rom.end, rom.end))] == []


@pytest.mark.parametrize(
    ("chip", "span", "others"),
    [
        (ESP32C3, (0x3FC8_4000, 0x3FC8_4005), ((0x4038_4000, 0x4038_4005),)),
        (ESP32C3, (0x4038_4000, 0x4038_4005), ((0x3FC8_4000, 0x3FC8_4005),)),
        (ESP32C3, (0x4037_F000, 0x4038_0010), ((0x3FC8_0000, 0x3FC8_0010),)),
        (ESP32C3, (0x4037_C000, 0x4038_0000), ()),
        (ESP32C3, (0x4038_4000, 0x4038_4000), ()),
        (ESP32, (0x3FFE_0000, 0x3FFE_0004), ((0x400B_FFFC, 0x400C_0000),)),
        (ESP32, (0x3FFE_0003, 0x3FFE_0005), ((0x400B_FFF8, 0x400C_0000),)),
        (ESP32, (0x400A_0000, 0x400A_0008), ((0x3FFF_FFF8, 0x4000_0000),)),
        (ESP32, (0x3FFD_0000, 0x3FFE_0004), ((0x400B_FFFC, 0x400C_0000),)),
        (ESP32, (0x3FF8_0000, 0x3FF8_0004), ((0x400C_0000, 0x400C_0004),)),
        (ESP32, (0x3FFA_E000, 0x3FFE_0000), ()),
    ],
)
def test_the_same_ram(
    chip: Chip, span: tuple[int, int], others: tuple[tuple[int, int], ...]
) -> None:
    """A range is the same RAM as itself and as its part on the other bus, reversed on an ESP32."""
    assert chip.same_ram(Span(*span)) == (Span(*span), *(Span(*other) for other in others))


@pytest.mark.parametrize(
    ("offset", "size", "hit"),
    [(-4, 4, False), (-4, 5, True), (0, 1, True), (3, 1, True), (4, 4, False), (-8, 16, True)],
)
def test_a_range_that_touches_a_fifo(offset: int, size: int, hit: bool) -> None:
    """One byte of it is enough; beside it is not."""
    fifo = ESP32C3.read_effects[1]
    found = ESP32C3.changes_when_read(fifo.start + offset, size)
    assert found == (fifo if hit else None)


def test_rows_say_what_the_literals_say() -> None:
    """What is known of a chip before its module is imported agrees with the module."""
    rows = {(chip.name, chip.id if chip.magic is None else None, chip.magic) for chip in CHIPS}

    assert rows == set(chips._ROWS)
    assert [chip.name for chip in CHIPS] == list(chips.NAMES)


@EACH
def test_every_chip_has_dram(chip: Chip) -> None:
    """A script may say DRAM or RAM on every chip: a large block of RAM, which holds no second."""
    names = {r.name: r for r in (*chip.synonyms, *chip.regions)}
    assert names["DRAM"].size == names["RAM"].size >= 96 * 1024
    assert len(names) == len(chip.synonyms) + len(chip.regions)


@EACH
def test_where_code_runs(chip: Chip) -> None:
    """Stubs start where code runs; data RAM, flash and registers are not places for it."""
    for version, revision in product((1, 2), ((0, 0), (3, 0))):
        with contextlib.suppress(UsageError):  # there is none of that generation
            stub = stub_file.find(chip, chip.stub_name(revision) or "", version=version)
            assert chip.is_code(stub.entry)
            is_split = any(region.name == "IRAM" for region in chip.regions)
            assert not (is_split and chip.is_code(stub.data_start))
    for region in chip.regions:
        plain = region.kind in (Kind.RAM, Kind.ROM)
        assert chip.is_code(region.start) == (plain and region.executable)
    assert not chip.is_code(SPACE - WORD)
