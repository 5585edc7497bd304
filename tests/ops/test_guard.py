"""Commands about flash that a flipped bit leads to another place: never silent, and named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from espshell.device import Target
from espshell.loader import digest
from espshell.loader.dialogue import OVERDUE_S
from espshell.loader.loader import Loader
from espshell.ops.flash import guard
from espshell.ops.flash.erase import Erased, erase
from espshell.ops.flash.load import Written, load
from espshell.protocol.flash import EraseRegion, FlashBegin
from espshell.sim import fault
from espshell.sim.fault import Direction, Faults
from espshell.span import Span, merged
from espshell.units import KIB
from tests.loader.support import open_sim, wire_of
from tests.ops.support import NEW, SECTOR, image, noise, nor, requests_of

FULL = noise(512 * KIB, 3)
SPARSE = b"".join(noise(SECTOR, n) if n % 7 in (0, 5) else b"\xff" * SECTOR for n in range(128))
"""Most of it blank."""

PLACE, SIZE = 0x2_3000, 2 * SECTOR

HEADER = 8  # bytes of a request before its payload

Do = Callable[[Target], Written | Erased]


def opened(chip: str, stub: bool, contents: bytes) -> Target:
    """Return a chip whose flash of 512 KiB is full of something."""
    target = open_sim("flash=512K", chip)
    if stub:
        target.start_stub()
    assert target.flash.size == len(contents)
    nor(target).load(contents)
    return target


def flip(target: Target, request: int, byte: int, bit: int) -> None:
    """Have one bit of a request flipped, counted from the next one on."""
    rule = fault.parse(f"flip@request:{request}:{byte}.{bit}")
    wire_of(target)._requests = Faults([rule], Direction.REQUEST)


def write(target: Target) -> Written:
    """Write a file of two sectors."""
    return load(target, image(NEW[:SIZE], PLACE))


def write_again(target: Target) -> Written:
    """Write what is there already."""
    nor(target).data[PLACE : PLACE + SIZE] = NEW[:SIZE]
    return load(target, image(NEW[:SIZE], PLACE), everything=True)


def clear(target: Target) -> Erased:
    """Erase two sectors of which the first is not blank."""
    return erase(target, PLACE, SIZE)


def clear_blank(target: Target) -> Erased:
    """Erase what is blank already."""
    nor(target).data[PLACE : PLACE + SIZE] = b"\xff" * SIZE
    return erase(target, PLACE, SIZE, everything=True)


CASES = [
    pytest.param("esp32", False, FlashBegin, 12, write, FULL, id="rom-write"),
    pytest.param("esp32", False, FlashBegin, 12, write_again, SPARSE, id="rom-again"),
    pytest.param("esp32", False, FlashBegin, 12, clear, SPARSE, id="rom-erase"),
    pytest.param("esp32c3", True, FlashBegin, 12, write, FULL, id="stub-write"),
    pytest.param("esp32c3", True, FlashBegin, 12, write_again, SPARSE, id="stub-again"),
    pytest.param("esp32c3", True, EraseRegion, 0, clear, SPARSE, id="stub-erase"),
    pytest.param("esp32c3", True, EraseRegion, 0, clear_blank, FULL, id="stub-blank"),
]
"""Chip, whether through the stub, the command that is hit, where its address is, what is done, and
what is in the flash."""


def is_said(target: Target, before: bytes, result: Written | Erased) -> bool:
    """Check that a result is not good if another place has changed; return whether one has."""
    data, end = bytes(nor(target).data), PLACE + SIZE
    is_changed = data[:PLACE] + data[end:] != before[:PLACE] + before[end:]
    if is_changed:
        assert not result.ok
        assert not result.verified
        assert result.elsewhere
    if result.ok:
        assert result.verified
    return is_changed


@pytest.mark.parametrize(("chip", "stub", "command", "field", "do", "contents"), CASES)
def test_a_flipped_bit_in_address_or_size(
    chip: str,
    stub: bool,
    command: type,
    field: int,
    do: Do,
    contents: bytes,
    stride: Callable[[int], int],
) -> None:
    """Of all 64 bits, none leads to a result that says it is well while another place changed."""
    target = opened(chip, stub, contents)
    do(target)  # what is asked once a connection
    nor(target).load(contents)
    before_it = wire_of(target).count.requests
    first, *_ = requests_of(target, command, lambda: do(target))
    size_field = 4 if command is EraseRegion else 0
    changed = 0
    for bit in range(0, 64, stride(3)):
        byte = HEADER + (field if bit < 32 else size_field) + bit % 32 // 8
        nor(target).load(contents)
        target.link.clock.sleep(OVERDUE_S)  # after which nothing is asked twice because of it
        flip(target, first - before_it, byte, bit % 8)
        changed += is_said(target, contents, do(target))
    assert changed or stride(3) > 1


def test_an_erase_of_a_region_that_becomes_one_of_everything() -> None:
    """D1 and D0 are one bit apart: that all the rest is blank afterwards is never silent."""
    target = opened("esp32c3", True, FULL)
    clear(target)
    nor(target).load(FULL)
    before = wire_of(target).count.requests
    first, *_ = requests_of(target, EraseRegion, lambda: clear(target))
    nor(target).load(FULL)
    target.link.clock.sleep(OVERDUE_S)
    flip(target, first - before, 1, 0)
    assert is_said(target, FULL, clear(target))


def test_the_look_at_an_erase_costs_little() -> None:
    """Of 512 KiB in a full flash a twentieth is read, and each piece costs three requests."""
    target = open_sim("flash=4M", "esp32c3")
    target.start_stub()
    nor(target).load(noise(4 * 1024 * KIB, 3))
    erase(target, 0, SECTOR)
    digests: list[int] = []
    asked = digest._asked

    def counted(loader: Loader, offset: int, size: int) -> bytes:
        digests.append(size)
        return asked(loader, offset, size)

    before = wire_of(target).count.requests
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digest, "_asked", counted)
        assert erase(target, 0x10_0000, 512 * KIB).ok
    assert sum(digests) <= 512 * KIB // 20
    assert wire_of(target).count.requests - before <= 30


def test_where_guards_are_posted() -> None:
    """In front of what does not begin at a block, and behind where the loader takes no limit."""
    flash = opened("esp32c3", True, FULL).flash
    guards = partial(guard.post, flash, end=flash.size, far=False)
    inside, block = Span(0x11000, 0x12000), Span(0x20000, 0x21000)

    assert list(guards(inside, limited=True)) == [Span(0x10000, 0x11000)]
    assert guards(block, limited=True) == {}
    assert list(guards(block, limited=False)) == [
        Span(0x1F000, 0x20000),
        Span(0x21000, 0x22000),
    ]


def test_the_first_place_far_behind_that_holds_something_is_a_guard() -> None:
    """Where an erase may run past the range and takes no limit, it would be the first to go."""
    target = opened("esp32c3", True, b"\xff" * (512 * KIB))
    nor(target).data[0x4_2345] = 0
    flash, block = target.flash, Span(0, 0x1000)
    guards = guard.post(flash, block, flash.size, far=True, limited=False)
    assert list(guards) == [Span(0x1000, 0x2000), Span.of(0x4_2000, SECTOR)]
    assert list(guard.post(flash, block, 0x4_2000, far=True, limited=False)) == [
        Span(0x1000, 0x2000)
    ]


def test_a_flipped_bit_may_lead_to_the_very_end() -> None:
    """The last sector of the flash is one of the places, what is behind it is none."""
    places = list(guard.flipped(Span.of(0x3_F000, SECTOR), 512 * KIB))
    assert Span.of(0x7_F000, SECTOR) in places
    assert max(place.end for place in places) == 512 * KIB


def test_each_piece_of_an_erase_may_have_gone_elsewhere() -> None:
    """An erase is sent in pieces: one of them alone may be a bit away."""
    target = opened("esp32c3", True, FULL)
    nor(target).data[0x50000:0x51000] = b"\xff" * 0x1000
    strays = guard.search(target.flash, Span(0x0F000, 0x11000), None)
    assert [stray.span for stray in strays] == [Span(0x50000, 0x51000)]


def test_the_first_bytes_alone_prove_nothing() -> None:
    """A place holds the same data, or is blank, if all of it is."""
    target = opened("esp32c3", True, FULL)
    place, data = Span(0x3000, 0x4000), FULL[0x3000:0x4000]
    assert guard.holds(target.flash, place, data)
    assert not guard.holds(target.flash, place, data[:0x800] + bytes(0x800))
    nor(target).data[0x3000:0x3800] = b"\xff" * 0x800
    assert not guard.holds(target.flash, place, None)


def test_all_is_erased_only_if_nothing_is_left() -> None:
    """One sector of the rest that holds something says that it was not everything."""
    target = opened("esp32c3", True, b"\xff" * (512 * KIB))
    done = [Span(0x1000, 0x2000)]
    rest = [Span(0, 0x1000), Span(0x2000, 512 * KIB)]
    assert [stray.span for stray in guard.erased_all(target.flash, done)] == rest
    nor(target).data[0x40000] = 0
    assert guard.erased_all(target.flash, done) == ()


def test_an_erase_beforehand_that_goes_elsewhere_is_named() -> None:
    """What is there already is erased first: where it stays, a place a bit away may be blank."""
    target = opened("esp32c3", True, FULL)
    flash = target.flash
    erase_at = flash.erase
    flash.erase = lambda address, size: erase_at(address ^ 0x2_0000, size)  # type: ignore[method-assign]
    result = write_again(target)
    assert not result.ok
    strays = merged(stray.span for stray in result.elsewhere)
    assert strays == (Span.of(PLACE ^ 0x2_0000, SIZE),)


def test_the_mark_of_a_guard_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """One doubled answer would make a place that has changed look as before."""
    target = opened("esp32c3", True, FULL)
    place, asked = Span.of(PLACE, SECTOR), list[bool]()
    right = target.flash.digest

    def digest_once_late(address: int, size: int, *, confirmed: bool = False) -> bytes:
        asked.append(confirmed)
        return right(address, size, confirmed=True) if confirmed else bytes(16)

    monkeypatch.setattr(target.flash, "digest", digest_once_late)
    guards = guard.guards_at(target.flash, [place, place])
    assert asked == [True]
    assert not guard.changed(target.flash, guards)
    nor(target).data[PLACE] ^= 1
    assert [stray.span for stray in guard.changed(target.flash, guards)] == [place]
