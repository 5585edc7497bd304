"""verify: what is found, what it costs on the wire, and that no fault makes a false verdict."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from espshell.device import Flash, Target
from espshell.errors import EspError, ReadsDiffer, UsageError
from espshell.loader import digest
from espshell.loader.digest import blank_digest, md5
from espshell.ops.flash.digest_compare import differing_sectors, sector_spans
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.verify import Verify, verify
from espshell.ops.result import Step
from espshell.span import Span
from espshell.units import MIB
from tests.loader.support import open_sim, wire_of

SECTOR = 4096
RANDOM = random.Random(5).randbytes(24 * SECTOR)
BLANK = b"\xff" * len(RANDOM)

LOADERS = [("esp32", False), ("esp32c3", True)]
"""A ROM, whose digests are text, and a stub."""


def flipped(data: bytes, *places: int) -> bytes:
    """Return data with a bit of some bytes the other way round."""
    changed = bytearray(data)
    for place in places:
        changed[place] ^= 0x10
    return bytes(changed)


def opened(chip: str, stub: bool, contents: bytes, *, options: str = "") -> Target:
    """Return a simulated chip whose flash, from its start, holds something."""
    target = open_sim(options, chip)
    if stub:
        target.start_stub()
    assert target.flash.size == 4 * MIB  # what must be asked once has been asked
    wire_of(target).chip.flash.load(contents)
    return target


def requests(target: Target, deed: Callable[[], object]) -> int:
    """Return how many frames the chip takes meanwhile."""
    before = wire_of(target).count.requests
    deed()
    return wire_of(target).count.requests - before


def image(data: bytes, address: int = 0) -> list[Payload]:
    """Return data as what is verified."""
    return [Payload(address, data, "file")]


def differing_ranges(flash: Flash, address: int, data: bytes) -> tuple[Span, ...]:
    """Return the sectors that differ as ranges."""
    return sector_spans(Span.of(address, len(data)), differing_sectors(flash, address, data))


def sectors(result: Verify) -> list[int]:
    """Return the numbers of the sectors that differ."""
    spans = [range(s.start, s.end, SECTOR) for s in result.differing]
    return [at // SECTOR for span in spans for at in span]


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
def test_equal_is_one_request(chip: str, stub: bool) -> None:
    """Flash that is as it should be costs one digest, whatever its size."""
    data = random.Random(1).randbytes(4 * MIB)
    target = opened(chip, stub, data)
    results: list[Verify] = []
    assert requests(target, lambda: results.append(verify(target.flash, image(data)))) == 1
    assert results[0].ok
    assert results[0].failure == results[0].summary == ""
    assert results[0].method == "digest"


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
@pytest.mark.parametrize("blank", [False, True], ids=["random", "blank"])
def test_one_byte_of_4_mib(chip: str, stub: bool, blank: bool) -> None:
    """It is found and shown for less than 20 KB on the wire, both ways together."""
    data = b"\xff" * 4 * MIB if blank else random.Random(1).randbytes(4 * MIB)
    place = 3 * MIB + 0x1234
    target = opened(chip, stub, flipped(data, place))
    count = wire_of(target).count
    before = count.bytes_to_chip + count.bytes_to_host
    result = verify(target.flash, image(data), diff=True)
    assert count.bytes_to_chip + count.bytes_to_host - before < 20_000
    assert result.differing == (Span.of(place - place % SECTOR, SECTOR),)
    assert [area.differing for area in result.compared] == [(Span.of(place, 1),)]


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
def test_cost_of_an_image_that_is_all_different(chip: str, stub: bool) -> None:
    """Each sector is asked about twice, or once where a first answer is enough, and few others."""
    size, count = 64 * SECTOR, 64
    data = random.Random(2).randbytes(size)
    target = opened(chip, stub, random.Random(3).randbytes(size))
    asked = requests(target, lambda: differing_ranges(target.flash, 0, data))
    assert 2 * count < asked < 2.2 * count
    asked = requests(target, lambda: differing_sectors(target.flash, 0, data, confirm=False))
    assert asked <= 3 if stub else count < asked < 1.2 * count
    assert differing_ranges(target.flash, 0, data) == (Span.of(0, size),)


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
def test_erased_flash_is_known_by_few_digests(chip: str, stub: bool) -> None:
    """A digest that is that of FF says all: nothing else is asked for, and nothing read."""
    target = opened(chip, stub, BLANK)
    data = RANDOM[: 5 * SECTOR] + BLANK[: 2 * SECTOR] + RANDOM[: 9 * SECTOR]
    results: list[Verify] = []
    deed = lambda: results.append(verify(target.flash, image(data), diff=True))  # noqa: E731
    assert requests(target, deed) < 10
    assert sectors(results[0]) == [*range(5), *range(7, 16)]
    assert results[0].needs_erase is False
    assert results[0].explanations == ("flash is blank (FF) in every sector that differs",)


@pytest.mark.parametrize("address", [0, 1, 0x1234, 0x7FFF, 0x8000])
@pytest.mark.parametrize("size", [1, 15, SECTOR, 50_001])
def test_ends_anywhere(address: int, size: int) -> None:
    """Sectors are those of the flash, cut where the data ends; what is beyond does not count."""
    end = address + size
    target = opened("esp32c3", True, RANDOM)
    data = RANDOM[address:end]
    flash = wire_of(target).chip.flash
    flash.load(flipped(RANDOM, *{max(address - 1, 0), end} - {address}))
    assert differing_ranges(target.flash, address, data) == ()
    flash.load(flipped(RANDOM, end - 1))
    first = max(address, (end - 1) // SECTOR * SECTOR)
    assert differing_ranges(target.flash, address, data) == (Span.of(first, end - first),)
    flash.load(flipped(RANDOM, address))
    stop = min(end, address // SECTOR * SECTOR + SECTOR)
    assert differing_ranges(target.flash, address, data) == (Span.of(address, stop - address),)


def test_digests_of_the_sectors_that_differ() -> None:
    """Who will write them learns what they held: the digest of each, by its start."""
    held = flipped(RANDOM, 3 * SECTOR, 11 * SECTOR)
    target = opened("esp32", False, held)
    found = differing_sectors(target.flash, 0, RANDOM)
    assert found == {
        at: target.flash.digest(at, SECTOR, confirmed=True) for at in (3 * SECTOR, 11 * SECTOR)
    }


def test_an_answer_from_before() -> None:
    """A doubled answer to what was asked before is not taken for the image's."""
    reply = frames_before("esp32", False)["reply"] + 1
    target = opened("esp32", False, RANDOM, options=f"fault=double@reply:{reply}")
    target.flash.digest(0, SECTOR)
    assert verify(target.flash, image(RANDOM)).ok


def test_nothing_of_nothing() -> None:
    """No data is equal to any flash."""
    target = opened("esp32", False, RANDOM)
    assert requests(target, lambda: differing_ranges(target.flash, 0, b"")) == 0


def test_how_much_is_compared() -> None:
    """Only so many sectors are read as are wanted, and the sum says of which it is."""
    target = opened("esp32c3", True, flipped(RANDOM, 0, 5 * SECTOR, 6 * SECTOR, 20 * SECTOR))
    some = verify(target.flash, image(RANDOM), diff=True, most=2)
    assert [area.address for area in some.compared] == [0, 5 * SECTOR]
    assert (some.sectors, some.compared_sectors) == (4, 2)
    assert "first 2 of 4 sectors compared" in some.summary
    every = verify(target.flash, image(RANDOM), diff=True, most=None)
    assert [len(area.actual) for area in every.compared] == [SECTOR, 2 * SECTOR, SECTOR]
    assert every.summary.startswith("4 bytes in 4 ranges; ")
    assert every.failure == "4 sectors of 96 KiB differ"
    none = verify(target.flash, image(RANDOM))
    assert (none.compared, none.needs_erase) == ((), None)


@pytest.mark.parametrize(
    ("expected", "found", "needs", "words"),
    [
        (0x0F, 0xFF, False, "4 bits 1 to 0 and 0 0 to 1: can be programmed without an erase"),
        (0xFF, 0x0F, True, "0 bits 1 to 0 and 4 0 to 1: needs an erase"),
        (0x01, 0x10, True, "1 bit 1 to 0 and 1 0 to 1: needs an erase"),
    ],
)
def test_bits_that_would_have_to_change(expected: int, found: int, needs: bool, words: str) -> None:
    """A bit that is 0 in flash and 1 in the file needs an erase, and no other does."""
    data = bytes([expected]) + RANDOM[1:]
    target = opened("esp32", False, bytes([found]) + RANDOM[1:])
    result = verify(target.flash, image(data), diff=True)
    assert result.needs_erase is needs
    assert result.summary == f"1 byte in 1 range; {words}"


def test_several_files() -> None:
    """Each is verified for itself; what is said about one names it."""
    target = opened("esp32c3", True, RANDOM[: 4 * SECTOR] + BLANK[: 4 * SECTOR])
    images = [
        Payload(0, RANDOM[:SECTOR], "a.bin"),
        Payload(4 * SECTOR, RANDOM[:SECTOR], "b.bin"),
    ]
    result = verify(target.flash, images)
    assert result.files == (("a.bin", 0, SECTOR), ("b.bin", 4 * SECTOR, SECTOR))
    assert sectors(result) == [4]
    assert result.explanations == (
        "b.bin: flash is blank (FF) there: nothing was written, or it was erased",
    )


def test_past_the_end() -> None:
    """What cannot be in the flash is refused before anything is asked, for all files."""
    target = opened("esp32", False, RANDOM)
    images = [*image(RANDOM), *image(RANDOM, 4 * MIB - 1)]

    def deed() -> None:
        with pytest.raises(UsageError, match="past the end of the flash: it has 4 MiB"):
            verify(target.flash, images)

    assert requests(target, deed) == 0


def test_loader_without_digests() -> None:
    """The ROM of an ESP8266 has everything read, and says so; a bit that flips is read again."""
    held = flipped(RANDOM, SECTOR + 7)
    target = opened("esp8266", False, held)
    start, end = SECTOR - 100, 2 * SECTOR + 100
    result = verify(target.flash, image(RANDOM[start:end], start))
    assert (result.method, sectors(result), result.compared) == ("read", [1], ())
    assert result.notes == ("this loader has no digests: 4.2 KiB were read",)
    some = RANDOM[start : SECTOR + 100]
    result = verify(target.flash, image(some, start), diff=True)
    assert [area.differing for area in result.compared] == [(Span.of(SECTOR + 7, 1),)]
    assert verify(target.flash, image(held[start : SECTOR + 100], start)).ok


def test_progress_reaches_its_end() -> None:
    """Steps go up to the size of the file, also where only digests were asked for."""
    target = opened("esp32", False, flipped(RANDOM, 0))
    steps: list[Step] = []
    verify(target.flash, image(RANDOM), report=steps.append)
    assert steps[-1] == Step("comparing", len(RANDOM), len(RANDOM))
    assert [step.done for step in steps] == sorted(step.done for step in steps)


# faults ------------------------------------------------------------------------------------------

FAULTS = (
    "drop@reply:{}",
    "double@reply:{}",
    "double@reply:{}+1",
    "late@reply:{}:0.5",
    "late@reply:{}:9.8",
    "late@reply:{}:20",
    "flip@reply:{}:12.3",
    "flip@reply:{}:1.0",
    "cut@reply:{}:9",
    "drop@request:{}",
    "double@request:{}",
    "flip@request:{}:9.4",
    "flip@request:{}:13.4",
    "cut@request:{}:14",
)
"""Of the fault's frame: 1 is its opcode, 8 to 11 the address, 12 to 15 the size or the digest."""

CASES = (
    (RANDOM, RANDOM),
    (RANDOM, flipped(RANDOM, 5, 9 * SECTOR, 70_000)),
    (BLANK, flipped(BLANK, 0)),
    (BLANK, flipped(BLANK, 2 * SECTOR + 5, 7 * SECTOR - 1)),
    (RANDOM[:SECTOR] * 24, flipped(RANDOM[:SECTOR] * 24, 2 * SECTOR, 3 * SECTOR, 7 * SECTOR - 1)),
)
"""Expected, and what is there: equal, different, and different among neighbours that are alike."""


@cache
def frames_before(chip: str, stub: bool) -> dict[str, int]:
    """Return how many frames go which way before something is verified."""
    count = wire_of(opened(chip, stub, b"")).count
    return {"request": count.requests, "reply": count.replies}


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_makes_a_false_verdict(
    chip: str, stub: bool, fault: str, stride: Callable[[int], int]
) -> None:
    """Whatever frame it hits, the sectors found and the bytes read are right, or it is an error."""
    direction = "request" if "request" in fault else "reply"
    verdicts = 0
    pairs, step = [*product((1, 6, 3, 11), CASES)], stride(2)
    for frame, (expected, held) in pairs[FAULTS.index(fault) % step :: step]:
        truth = [
            at // SECTOR
            for at in range(0, len(held), SECTOR)
            if expected[at:][:SECTOR] != held[at:][:SECTOR]
        ]
        rule = fault.format(frames_before(chip, stub)[direction] + frame)
        target = opened(chip, stub, held, options=f"fault={rule}")
        try:
            result = verify(target.flash, image(expected), diff=frame % 2 == 0)
        except EspError:
            continue
        verdicts += 1
        assert sectors(result) == truth, rule
        for area in result.compared:
            assert area.actual == held[area.address :][: len(area.actual)], rule
    assert verdicts > 0


class Told:
    """A flash of two sectors whose digests and bytes are what a test says."""

    has_digest = True

    def __init__(self, digests: Callable[[int, int], bytes], data: bytes = b"") -> None:
        self._digests = digests
        self._data = data

    def check(self, address: int, size: int) -> None:
        """Allow everything."""

    def digest(self, address: int, size: int, *, confirmed: bool = False) -> bytes:
        """Return what the test says."""
        return self._digests(address, size)

    def ask_digest(self, address: int, size: int, is_doubtful: Callable[[bytes], bool]) -> bytes:
        """Return what the test says; of what is doubtful what it says next."""
        answer = self._digests(address, size)
        return self._digests(address, size) if is_doubtful(answer) else answer

    digest_behind_fence = digest

    def read(self, address: int, size: int) -> bytes:
        """Return what the test says."""
        return self._data[address : address + size]


def test_answers_that_contradict_each_other() -> None:
    """A whole that differs while each of its parts is equal is not a verdict."""
    import hashlib

    data = RANDOM[: 2 * SECTOR]

    def digests(address: int, size: int) -> bytes:
        right = hashlib.md5(data[address : address + size]).digest()
        return right if size == SECTOR else bytes(16)

    with pytest.raises(ReadsDiffer, match="does not match its digest, but each of its parts does"):
        differing_sectors(Told(digests), 0, data)  # type: ignore[arg-type]


@pytest.mark.parametrize("rounds", [1, 3])
def test_parts_are_asked_about_three_times(rounds: int) -> None:
    """A sector whose digest was taken for equal, as often as twice, is found in the next round."""
    asked = 0

    def digests(address: int, size: int) -> bytes:
        nonlocal asked
        asked += address == SECTOR
        is_wrong = size > SECTOR or (address == SECTOR and asked >= rounds)
        return bytes(16) if is_wrong else md5(RANDOM[address : address + size])

    told = Told(digests)
    assert differing_sectors(told, 0, RANDOM[: 2 * SECTOR]) == {SECTOR: bytes(16)}  # type: ignore[arg-type]


@pytest.mark.parametrize("damaged", [2, 3])
def test_a_sector_is_read_three_times(damaged: int) -> None:
    """What was read with a fault twice is shown as it came the third time; after that it is not."""
    held, readings = RANDOM[:SECTOR], [flipped(RANDOM[:SECTOR], n) for n in range(damaged)]
    told = Told(lambda _address, _size: md5(held))
    told.read = lambda _address, _size: readings.pop() if readings else held  # type: ignore[method-assign, assignment]
    expected = image(flipped(held, 77))
    if damaged == 3:
        with pytest.raises(ReadsDiffer, match="do not agree"):
            verify(told, expected, diff=True)  # type: ignore[arg-type]
    else:
        (area,) = verify(told, expected, diff=True).compared  # type: ignore[arg-type]
        assert area.differing == (Span.of(77, 1),)


def test_bytes_that_are_not_what_their_digest_says() -> None:
    """What was read of a sector is not shown unless it has the digest that the chip told."""
    told = Told(lambda _address, size: bytes([size % 251]) * 16, RANDOM)
    with pytest.raises(ReadsDiffer, match="do not agree"):
        verify(told, image(RANDOM[:SECTOR]), diff=True)  # type: ignore[arg-type]


def test_verify_is_a_value() -> None:
    """A result is compared by what it says, and does not change."""
    target = opened("esp32", False, RANDOM)
    result = verify(target.flash, image(RANDOM))
    assert result == replace(result)
    assert result.equal


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_bytes_that_are_all_the_same_are_asked_about_twice(
    byte: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bit away there may be others like them: that they are equal is no news the first time."""
    flash, data = opened("esp32c3", True, RANDOM).flash, bytes([byte]) * (4 * SECTOR)
    _wrong_once(md5(data), monkeypatch)
    assert differing_sectors(flash, 0, data)


def test_a_blank_range_is_asked_about_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is believed to be blank is not looked into: one answer is not enough for that."""
    data = RANDOM[: 4 * SECTOR]
    flash = opened("esp32c3", True, RANDOM).flash
    _wrong_once(blank_digest(len(data)), monkeypatch)
    assert differing_sectors(flash, 0, data) == {}


def _wrong_once(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next digest be a wrong one."""
    ask, wrong = digest.digest, iter([answer])
    monkeypatch.setattr(digest, "digest", lambda *request: next(wrong, b"") or ask(*request))


def test_without_digests_a_difference_is_read_until_two_agree() -> None:
    """Two readings that are wrong in two ways are no difference of the flash."""
    data = RANDOM[:SECTOR]
    flash = opened("esp8266", False, RANDOM).flash
    wrong = iter((RANDOM[1 : SECTOR + 1], RANDOM[2 : SECTOR + 2]))
    read = flash.read
    flash.read = lambda address, size: next(wrong, b"") or read(address, size)  # type: ignore[method-assign]
    assert verify(flash, image(data)).ok
    assert next(wrong, None) is None
