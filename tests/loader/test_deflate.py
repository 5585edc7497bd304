"""Flash that comes compressed: right whatever happens, and never slower than a stream."""

from __future__ import annotations

import random
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from espshell.device import Target
from espshell.loader import deflate
from espshell.loader.dialogue import OVERDUE_S
from espshell.loader.loader import Deflating, Fault
from espshell.protocol.commands import ReadReg
from espshell.sim.fault import Direction
from espshell.span import Span
from espshell.units import KIB
from tests.loader.support import held, wire_of
from tests.loader.test_flash_read import interrupt
from tests.loader.test_stream import ROM, spoil

NOISE = random.Random(9).randbytes(64 * KIB)
CODE = b"".join(random.Random(n).randbytes(8) * 4 for n in range(8 * KIB))
BLANK = b"\xff" * 64 * KIB


def opened(contents: bytes, *, baud: int = 921600, core: int = 160, latency: str = "1ms") -> Target:
    """Return a chip with a stub, whose flash has been asked for its size."""
    target = Target.open(f"sim://esp32c3?latency={latency}&core={core}", baud=baud)
    target.start_stub()
    wire_of(target).chip.flash.load(contents)
    assert target.flash.size
    return target


def seconds(contents: bytes, *, plain: bool = False, core: int = 160) -> float:
    """Read 320 KiB of flash; return the time that it took on the wire at 921600 baud."""
    target = opened(contents, core=core)
    if plain:
        target.loader.deflating = Deflating(faults=9)
    began = target.link.clock.now()
    data = target.flash.read(0, 320 * KIB)
    assert data == contents.ljust(320 * KIB, b"\xff")[: 320 * KIB]
    return target.link.clock.now() - began


def test_what_becomes_smaller_is_quicker() -> None:
    """Code 1.6 and blank flash 17 times the wire; noise, or a slow core, as a plain stream."""
    wire_s = 320 * KIB * 10 / 921600
    assert seconds(CODE * 2) < wire_s / 1.6
    assert seconds(b"") < wire_s / 17
    for contents, core in ((NOISE * 8, 160), (NOISE * 8, 20), (CODE * 2, 20)):
        plain = seconds(contents, plain=True, core=core)
        assert seconds(contents, core=core) < 1.015 * plain


def test_neither_latency_nor_one_poor_part_ends_it() -> None:
    """At 16 ms code with 64 KiB of noise in it comes compressed, all but the noise smaller."""
    contents = CODE + NOISE + CODE * 2
    target = opened(contents, latency="16ms")
    before, began = wire_of(target).count.bytes_to_host, target.link.clock.now()
    assert target.flash.read(0, len(contents)) == contents
    assert target.loader.deflating
    assert not target.loader.deflating.plain_until
    assert wire_of(target).count.bytes_to_host - before < 0.55 * len(contents)
    assert target.link.clock.now() - began < target.link.wire_s(len(contents)) / 1.4


@pytest.mark.long
def test_contents_that_change() -> None:
    """After noise it is tried again, and code behind it is quick."""
    contents = NOISE * 16 + CODE * 2 + NOISE * 4
    target = opened(contents)
    assert target.flash.read(3, len(contents) - 5) == contents[3:-2]
    assert target.loader.deflating
    assert not target.loader.deflating.faults


@pytest.mark.long
@pytest.mark.parametrize("action", ["drop", "double", "flip", "cut"])
def test_a_fault_in_any_frame(action: str) -> None:
    """Costs the reading of its part; after three nothing is compressed any more."""
    contents = BLANK + CODE
    target = opened(contents)
    replies = wire_of(target).count.replies
    assert target.flash.read(0, 192 * KIB) == contents[: 192 * KIB]
    frames = wire_of(target).count.replies - replies
    argument = {"flip": ":7.3", "cut": ":3"}.get(action, "")
    for number in (1, 2, 3, 4, 7, 20, frames - 1):
        target.link.clock.sleep(OVERDUE_S)
        target.loader.streams_ahead, target.loader.deflating = True, None
        spoil(target, f"{action}@reply:{number}{argument}", Direction.REPLY)
        assert target.flash.read(0, 192 * KIB) == contents[: 192 * KIB]
    assert target.loader.execute(ReadReg(ROM)) == held(target, ROM)


def test_ctrl_c() -> None:
    """Wherever it is stopped the next command works, and reads right."""
    for after in (20, 40, 200):
        target = opened(CODE)
        interrupt(target, after)
        with pytest.raises(KeyboardInterrupt):
            target.flash.read(0, 256 * KIB)
        assert target.loader.execute(ReadReg(ROM)) == held(target, ROM)
        assert target.flash.read(0, 200 * KIB) == CODE[: 200 * KIB]


def test_a_handler_that_reads_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first part has another MD5, and nothing is compressed."""
    target = opened(NOISE[:100] + CODE)
    monkeypatch.setattr(deflate, "md5", lambda data: data[:16])
    assert target.flash.read(0, 130 * KIB) == (NOISE[:100] + CODE)[: 130 * KIB]
    assert target.loader.deflating is not None
    assert not target.loader.deflating.is_proven


def test_after_three_faults_nothing_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that is spoilt counts, whatever has come before it."""
    loader, span = opened(b"").loader, Span(0, 256 * KIB)

    def spoilt(*_: object) -> Iterator[bytes]:
        yield b"first"
        raise Fault("nothing came")

    monkeypatch.setattr(deflate, "_parts", spoilt)
    assert deflate.is_worth_trying(loader, span)
    assert loader.deflating
    loader.deflating.is_proven = True
    for left in (True, True, False):
        with pytest.raises(Fault):
            list(deflate.read(loader, span))
        assert deflate.is_worth_trying(loader, span) is left


@pytest.mark.parametrize(
    ("data", "behind", "good"),
    [
        (CODE[:4096], b"", True),
        (CODE[:4095], b"", False),
        (CODE[:4096] + b"x", b"", False),
        (CODE[:4096], b"more", False),
    ],
)
def test_a_part_is_as_long_as_it_was_asked_for(
    data: bytes, behind: bytes, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of another length is a fault, though its CRC-32 is right; so are bytes behind it."""
    loader = opened(b"").loader
    frames = [zlib.compress(data) + behind, zlib.crc32(data).to_bytes(4, "little")]
    monkeypatch.setattr(deflate, "await_acceptance", lambda *_: None)
    monkeypatch.setattr(loader.link, "receive_frame", lambda _: frames.pop(0))
    ends = nullcontext() if good else pytest.raises(Fault, match="does not agree")
    with ends:
        assert deflate._part(loader, deque(), Span(0, 4096), Span(0, 0))[0] == data
