"""load and erase: what is sent, what is left alone, and what is true after power fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from espshell.device import Target
from espshell.errors import DeviceError, ReadsDiffer, UsageError
from espshell.ops.flash.erase import Erased, erase, finish, prepare
from espshell.ops.flash.load import Written, compare, facts_of, load, write
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.plan import plan_write
from espshell.ops.flash.write_job import WriteJob
from espshell.ops.result import Step
from espshell.protocol.flash import FlashBegin
from espshell.span import Span
from espshell.units import KIB, MIB
from tests.loader.support import held as word_at
from tests.loader.support import open_sim, wire_of
from tests.ops.support import (
    AT,
    NEW,
    OLD,
    SECTOR,
    changes,
    every_loader,
    held,
    image,
    noise,
    nor,
    opened,
    requests_of,
    with_new,
)


@every_loader
def test_only_what_differs_is_written(chip: str, stub: bool) -> None:
    """The sectors of an image that differ are, all others are as before, whatever the loader."""
    target = opened(chip, stub, OLD)
    new = bytearray(OLD[AT : AT + 5 * SECTOR])
    new[2 * SECTOR + 7] ^= 1
    new[4 * SECTOR :] = noise(SECTOR, 3)
    result = load(target, image(bytes(new)))
    assert result.ok
    assert result.verified
    assert held(target) == with_new(OLD, (AT, bytes(new)))
    assert set(nor(target).data[len(OLD) :]) == {0xFF}
    count = 2 if target.flash.has_digest else 5
    first = 0 if target.flash.has_digest else 5  # what looks equal is erased, to see it written
    assert changes(target) == (first + count, 16 * count)
    assert result.sectors_written == count


@every_loader
def test_again_there_is_nothing_to_do(chip: str, stub: bool) -> None:
    """A second load of the same finds it equal; ``everything`` sends it all the same."""
    new = NEW[: 3 * SECTOR]
    target = opened(chip, stub, OLD)
    load(target, image(new))
    before = changes(target)
    result = load(target, image(new))
    assert result.ok
    if target.flash.has_digest:
        assert (result.sectors_written, changes(target)) == (0, before)
    result = load(target, image(new), everything=True)
    assert result.sectors_written == result.sectors == -(-len(new) // SECTOR)
    assert held(target) == with_new(OLD, (AT, new))


@every_loader
def test_blank_sectors_are_erased_only(chip: str, stub: bool) -> None:
    """No page of FF is programmed."""
    target = opened(chip, stub, OLD)
    new = NEW[:SECTOR] + b"\xff" * 3 * SECTOR + NEW[:SECTOR]
    assert load(target, image(new)).ok
    assert held(target) == with_new(OLD, (AT, new))
    assert changes(target) == (5, 32)


@every_loader
@pytest.mark.parametrize("address", [AT, AT + 0x234])
def test_edges_are_kept_if_wanted(chip: str, stub: bool, address: int) -> None:
    """What else is in the first and the last sector is as before, every byte of it."""
    target = opened(chip, stub, OLD)
    assert load(target, image(NEW[:5001], address), keep_edges=True).ok
    assert held(target) == with_new(OLD, (address, NEW[:5001]), filled=False)


def test_an_edge_between_two_images_that_covers_two_sectors() -> None:
    """If only the second image differs, what is between them is kept also in its sector."""
    target = opened(contents=OLD)
    first, second = Payload(0x1000, OLD[0x1000:0x1800], "a"), Payload(0x2800, NEW[:100], "b")
    result = load(target, [first, second], keep_edges=True)
    assert result.sectors_written == 1
    assert held(target) == with_new(OLD, (0x2800, NEW[:100]), filled=False)


def test_an_edge_that_is_not_kept_is_erased() -> None:
    """The rest of the last sector is, and a note says so."""
    target = opened(contents=OLD)
    result = load(target, image(NEW[:5001]))
    assert held(target) == with_new(OLD, (AT, NEW[:5001]))
    assert any("0x00007389..0x00008000 is not blank" in note for note in result.notes)
    assert load(target, image(NEW[:5002])).notes == ()  # now it is blank, and nothing is lost


def test_several_images() -> None:
    """Each comes to its place, also where two share a sector."""
    target = opened(contents=OLD)
    images = [Payload(0x10000, NEW, "b"), Payload(0x1000, NEW[:0x800], "a")]
    images.append(Payload(0x1800, NEW[:0x100], "c"))
    assert load(target, images, keep_edges=True).ok
    placed = [(each.address, each.data) for each in images]
    assert held(target) == with_new(OLD, *placed, filled=False)


@pytest.mark.parametrize(
    ("address", "size", "why"),
    [(AT + 1, 10, "not the start"), (4 * MIB - SECTOR, SECTOR + 1, "past the end")],
)
def test_refusals_change_nothing(address: int, size: int, why: str) -> None:
    """What cannot be is refused before anything is erased or written."""
    target = opened(contents=OLD)
    with pytest.raises(UsageError, match=why):
        load(target, image(bytes(size), address))
    with pytest.raises(UsageError):
        erase(target, address, size)
    assert changes(target) == (0, 0)


@pytest.mark.parametrize(("chip", "flags"), [("esp32", "flags=1"), ("esp32c3", "flags=1")])
def test_secure_boot_is_seen(chip: str, flags: str) -> None:
    """Also in the eFuses of a chip whose ROM does not tell."""
    target = opened(chip, stub=False, contents=OLD, options=flags)
    assert facts_of(target).secure_boot
    for deed in (lambda: load(target, image(NEW, 0x1000)), lambda: erase(target, 0, SECTOR)):
        with pytest.raises(UsageError, match="secure boot is on"):
            deed()
    assert changes(target) == (0, 0)


@pytest.mark.parametrize(("chip", "bits"), [("esp32", 7), ("esp32c3", 3)])
def test_encryption_is_on_with_an_odd_number_of_bits(chip: str, bits: int) -> None:
    """Each bit of the count turns it on or off, by security info as by the eFuses."""
    for count in range(bits + 1):
        target = opened(chip, stub=False, options=f"crypt={(1 << count) - 1:#x}")
        assert facts_of(target).encrypted is bool(count % 2), count


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
@pytest.mark.parametrize("off", [False, True])
def test_encryption_of_downloads_that_is_off(chip: str, off: bool) -> None:
    """With flash encryption on, plain files need force where an eFuse forbids to encrypt them."""
    target = opened(chip, stub=False, contents=OLD, options="crypt=1")
    fuse = target.chip.no_download_encryption
    assert fuse is not None
    if off:
        word = word_at(target, fuse.address)
        wire_of(target).chip.memory.set_register(fuse.address, word | fuse.mask)
    facts = facts_of(target)
    assert (facts.encrypted, facts.plain_only) == (True, off)
    if off:
        with pytest.raises(UsageError, match="the loader does not encrypt"):
            load(target, image(NEW, 0x1_0000))
    else:
        assert "unencrypted" in load(target, image(NEW, 0x1_0000)).notes[0]


def test_beyond_what_a_loader_reaches() -> None:
    """A ROM addresses 16 MiB; behind that nothing is sent, for it would come to another place."""
    target = open_sim("flash=32M", "esp32s3")
    facts = facts_of(target)
    for deed in (
        lambda: load(target, image(NEW, 17 * MIB)),
        lambda: erase(target, 17 * MIB, SECTOR),
        lambda: prepare(target, 16 * MIB - SECTOR, 2 * SECTOR, facts),
    ):
        with pytest.raises(UsageError, match="can only access the first 16 MiB"):
            deed()
    assert changes(target) == (0, 0)


@every_loader
def test_a_dry_run_changes_nothing(chip: str, stub: bool) -> None:
    """It says what would be done, and is verified by nothing."""
    target = opened(chip, stub, OLD)
    target.flash.dry_run = True
    result = load(target, image(NEW))
    assert (result.sectors_written, result.verified, result.dry_run) == (25, None, True)
    erased = erase(target, 0, 64 * KIB)
    assert (erased.verified, erased.dry_run) == (None, True)
    assert erase(target, 0, 4 * MIB).dry_run
    assert changes(target) == (0, 0)
    assert held(target) == OLD


def planned(data: bytes, options: str = "") -> tuple[Target, WriteJob]:
    """Return a ROM, and the work of a load at the start of its flash."""
    target = opened("esp32", False, OLD, options=options)
    return target, compare(target, plan_write(image(data, 0), facts_of(target)))


def test_what_is_kept_is_right_without_digests(stride: Callable[[int], int]) -> None:
    """A bit that flips while a loader without digests reads it is found out, and nothing sent."""

    def kept(options: str = "") -> tuple[Target, int]:
        target = opened("esp8266", False, OLD[:SECTOR], options=options)
        before = wire_of(target).count.replies
        plan = plan_write(image(NEW[:3800], 100), facts_of(target), keep_edges=True)
        write(target.flash, compare(target, plan))
        assert bytes(nor(target).data[:SECTOR]) == OLD[:100] + NEW[:3800] + OLD[3900:SECTOR]
        return target, before

    _, first = kept()
    for number in range(first + 1, first + 200, stride(16)):
        with contextlib.suppress(ReadsDiffer):
            kept(f"fault=flip@reply:{number}:5.2")


def test_a_refused_block_begins_anew() -> None:
    """A ROM goes on behind one as if it were there; the flash is right all the same."""
    data = NEW[: 15 * SECTOR]

    target, work = planned(data)
    (begin,) = requests_of(target, FlashBegin, lambda: write(target.flash, work))
    assert changes(target) == (15, 240)
    for number in range(10):
        target, work = planned(data, f"fault=flip@request:{begin + 1 + number}:99.1")
        assert write(target.flash, work).ok
        assert held(target) == with_new(OLD, (0, data))
        assert changes(target) == (30, 240 + 24 * number)


def change(target: Target, name: str) -> Written | Erased:
    """Load three sectors, or erase nine."""
    return (
        load(target, image(NEW[: 3 * SECTOR])) if name == "load" else erase(target, AT, 9 * SECTOR)
    )


@cache
def frames(chip: str, stub: bool, name: str) -> dict[str, tuple[int, int]]:
    """Return how many frames have gone each way before and after a change without faults."""
    target = opened(chip, stub, OLD)
    count = wire_of(target).count
    before = count.requests, count.replies
    assert change(target, name).ok
    after = count.requests, count.replies
    return dict(zip(("request", "reply"), zip(before, after, strict=True), strict=True))


@every_loader
@pytest.mark.parametrize(
    "fault",
    [
        "drop@reply",
        pytest.param("double@reply", marks=pytest.mark.long),
        "drop@request",
        pytest.param("double@request", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("name", ["load", "erase"])
def test_a_bad_link(
    chip: str, stub: bool, fault: str, name: str, stride: Callable[[int], int]
) -> None:
    """Whatever frame is lost or comes twice, the flash is as wanted and nothing else is touched."""
    expected = NEW[: 3 * SECTOR] if name == "load" else b"\xff" * 9 * SECTOR
    first, last = frames(chip, stub, name)[fault.partition("@")[2]]
    step = stride(3) * max(1, (last - first) // (3 if chip == "esp8266" else 12))
    for number in range(first + 1, last + 1, step):
        target = opened(chip, stub, OLD, options=f"fault={fault}:{number}")
        assert change(target, name).ok
        assert held(target) == with_new(OLD, (AT, expected))


def test_a_protected_part() -> None:
    """Where the flash refuses in silence, the sectors that are as before are named."""
    target = opened(contents=OLD, options="flash=W25Q32JV&sr=24")  # the first 64 KiB
    result = load(target, image(NEW))
    assert not result.ok
    assert result.failed == (Span.of(AT, 64 * KIB - AT),)
    assert f"{AT:#010x}..0x00010000 not as wanted" in result.state
    assert f"{AT:#010x}..0x00010000 still as before: is it write-protected?" in result.state
    assert "0x00010000..0x0001f000 as before" in result.state
    assert held(target) == OLD


def test_a_protected_sector_at_the_end_of_an_image() -> None:
    """Also a sector that the image does not fill is seen to be as before."""
    target = opened(contents=OLD, options="flash=W25Q32JV&sr=24")
    result = load(target, image(NEW[:5000]))
    assert "0x00006000..0x00008000 still as before" in result.state


def test_a_protected_part_is_not_erased() -> None:
    """Erase says which blocks are not blank, and does the others."""
    target = opened(contents=OLD, options="flash=W25Q32JV&sr=24")
    result = erase(target, 0, 128 * KIB)
    assert not result.ok
    assert result.failed == (Span.of(0, 64 * KIB),)
    assert held(target) == OLD


def test_protected_facts_refuse_at_once() -> None:
    """What the status registers are known to protect is refused before anything is sent."""
    target = opened(contents=OLD)
    with pytest.raises(DeviceError, match="write-protected"):
        erase(target, 0, 128 * KIB, protected=[Span.of(0x1_0000, SECTOR)])
    assert changes(target) == (0, 0)


def test_secure_download_mode() -> None:
    """Written without a look at what is there, and said not to be verified."""
    target = open_sim("sdm=1", "esp32c3")
    target.flash.declared_size = 4 * MIB
    nor(target).load(OLD)
    result = load(target, image(NEW))
    assert (result.ok, result.verified) == (True, None)
    assert "not verified: this loader cannot read flash" in result.notes
    assert held(target) == with_new(OLD, (AT, NEW))
    with pytest.raises(UsageError, match="the rest of a sector cannot be kept"):
        load(target, image(NEW, AT + 1), keep_edges=True)
    erased = erase(target, 0x1000, 0x2000)
    assert (erased.verified, erased.skipped) == (None, 0)
    assert held(target)[0x1000:0x3000] == b"\xff" * 0x2000


# -- erase


@every_loader
@pytest.mark.parametrize(
    ("address", "size"), [(0x1000, 0x1000), (0x3000, 0x5000), (0xF000, 0x12000), (0xD000, 0x3000)]
)
def test_erase_only_the_range(chip: str, stub: bool, address: int, size: int) -> None:
    """Whole sectors, however they lie in blocks: also the ESP8266, whose ROM erases too much."""
    target = opened(chip, stub, OLD)
    result = erase(target, address, size)
    assert result.ok
    assert held(target) == with_new(OLD, (address, b"\xff" * size))


@every_loader
def test_erase_a_range_of_any_alignment(chip: str, stub: bool) -> None:
    """With kept edges exactly the bytes are blank afterwards."""
    target = opened(chip, stub, OLD)
    assert erase(target, 0x1234, 0x3003, keep_edges=True).ok
    assert held(target) == with_new(OLD, (0x1234, b"\xff" * 0x3003), filled=False)


def test_erase_leaves_alone_what_is_blank() -> None:
    """Blocks that are blank are not erased again, unless everything is wanted."""
    target = opened(contents=OLD)
    result = erase(target, 0, 512 * KIB)
    assert result.skipped == 512 * KIB - len(OLD)
    assert changes(target) == (48, 0)
    assert erase(target, 0, 512 * KIB).skipped == 512 * KIB
    assert changes(target) == (48, 0)
    assert erase(target, 0, 512 * KIB, everything=True).skipped == 0
    assert changes(target) == (48 + 128, 0)


def test_what_was_left_alone_is_looked_at_once_more() -> None:
    """A piece that was taken for blank, and is not in the end, makes the erase fail."""
    target = opened(contents=noise(SECTOR) + b"\xff" * 60 * KIB + b"\xff" * 64 * KIB)
    job = prepare(target, 0, 128 * KIB, facts_of(target))
    assert [segment.span for segment in job.segments] == [Span(0, 64 * KIB)]
    nor(target).data[100 * KIB] = 0
    result = finish(target.flash, job)
    assert (result.ok, result.verified) == (False, False)
    assert result.failed == (Span(64 * KIB, 128 * KIB),)


def test_an_image_is_verified_whole_where_sectors_were_left_alone() -> None:
    """One that was taken for equal, and is not in the end, makes the write fail."""
    target = opened(contents=with_new(OLD, (AT, NEW)))
    nor(target).data[AT] ^= 1
    plan = plan_write(image(NEW), facts_of(target))
    job = compare(target, plan)
    assert job.sectors == 1
    nor(target).data[AT + 5 * SECTOR] ^= 1
    result = write(target.flash, job)
    assert (result.ok, result.failed) == (False, (Span.of(AT, len(NEW)),))
    assert result.state == "file has a different digest"


def test_images_are_verified_whole_where_a_try_went_astray() -> None:
    """A first try that hit what had been verified before is found, though the second was right."""
    target = opened()
    program, tried = target.flash.program, list[int]()

    def astray(address: int, data: bytes) -> Iterator[int]:
        tried.append(address)
        if tried == [0x1_0000, 0x3_0000]:
            nor(target).data[0x1_0000] ^= 1
            return iter((len(data),))
        return program(address, data)

    target.flash.program = astray  # type: ignore[method-assign]
    result = load(target, [Payload(at, NEW[:SECTOR], "x") for at in (0x1_0000, 0x3_0000)])
    assert tried == [0x1_0000, 0x3_0000, 0x3_0000]
    assert (result.ok, result.failed) == (False, (Span.of(0x1_0000, SECTOR),))


def test_a_doubled_answer_does_not_pass_for_blank() -> None:
    """A block that looks blank because the answer of the block before came twice is found out."""
    contents = OLD[: 64 * KIB] + b"\xff" * 64 * KIB + OLD[: 64 * KIB]
    clean = opened(contents=contents)
    count = wire_of(clean).count
    first = count.replies
    erase(clean, 0, 192 * KIB)
    for number in range(first + 1, count.replies + 1):
        target = opened(contents=contents, options=f"fault=double@reply:{number}")
        result = erase(target, 0, 192 * KIB)
        assert result.ok is (set(held(target)) == {0xFF})


@every_loader
def test_erase_the_whole_chip(chip: str, stub: bool) -> None:
    """By one command where there is one, else by blocks; nothing is done if it is blank."""
    target = opened(chip, stub, OLD)
    assert erase(target, 0, 4 * MIB).ok
    assert nor(target).count.chips == stub
    assert set(nor(target).data) == {0xFF}
    if target.flash.has_digest:
        before = changes(target)
        assert erase(target, 0, 4 * MIB).skipped == 4 * MIB
        assert changes(target) == before


def test_progress_is_told() -> None:
    """Every step says how much of how much is done, and the last one all."""
    target = opened(contents=OLD)
    steps: list[Step] = []
    load(target, image(NEW), report=steps.append)
    assert {step.action for step in steps} == {"comparing", "writing"}
    assert (steps[-1].done, steps[-1].total) == (100 * KIB, 100 * KIB)
    erase(target, 0, 128 * KIB, report=steps.append)
    assert (steps[-1].action, steps[-1].done) == ("erasing", 128 * KIB)
