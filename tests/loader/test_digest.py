"""Digests: which may be believed, each line of defence alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from espshell.device import Target
from espshell.errors import ReadsDiffer, Refused
from espshell.loader import digest, flash, flash_read
from espshell.loader.loader import READINGS, agreed
from espshell.protocol.commands import ReadReg
from espshell.protocol.flash import SpiFlashMd5, SpiSetParams
from espshell.units import KIB
from tests.loader.support import open_sim, wire_of

CONTENTS = bytes(range(256)) * 256


def opened(chip: str = "esp32c3", stub: bool = True) -> Target:
    """Return a chip whose flash holds something."""
    target = open_sim(chip=chip)
    if stub:
        target.start_stub()
    assert target.flash.size
    wire_of(target).chip.flash.load(CONTENTS)
    return target


def answered(target: Target, answers: list[bytes | Exception]) -> list[tuple[type, bool]]:
    """Have digests answered from a list; return the commands as they are asked."""
    asked: list[tuple[type, bool]] = []
    execute = target.loader.execute

    def answer(command: object, **options: object) -> object:
        asked.append((type(command), target.loader.in_step))
        if not isinstance(command, SpiFlashMd5):
            return execute(command, **options)  # type: ignore[arg-type]
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    target.loader.execute = answer  # type: ignore[method-assign, assignment]
    return asked


@pytest.mark.parametrize(
    ("readings", "value", "read"),
    [([1, 1], 1, 2), ([1, 2, 1, 1], 1, 4), ([1, 2, 3, 3, 4], 3, 4)],
)
def test_two_readings_in_a_row(readings: list[int], value: int, read: int) -> None:
    """A reading counts when it is equal to the one right before it, and no more are made."""
    left = list(readings)
    assert agreed(lambda: left.pop(0), "it") == value
    assert len(readings) - len(left) == read


def test_readings_that_never_agree() -> None:
    """They end in an error that names what was read, after so many."""
    values = iter(range(100))
    with pytest.raises(ReadsDiffer, match=f"{READINGS} readings of the id do not agree"):
        agreed(lambda: next(values), "the id")
    assert next(values) == READINGS


def test_a_confirmed_digest_comes_twice_behind_fences() -> None:
    """Each time another command goes first; two in a row have to be equal."""
    target = opened()
    a, b = bytes(16), bytes(15) + b"b"
    asked = answered(target, [a, b, b])

    assert digest.confirmed_digest(target.loader, 0, 4096) == b
    assert [kind for kind, _ in asked] == [ReadReg, SpiFlashMd5] * 3


def test_a_digest_is_confirmed_while_replies_may_be_overdue() -> None:
    """And only then."""
    target = opened()
    a, b = bytes(16), bytes(15) + b"b"
    answered(target, [a, b, b, a])
    target.loader.doubtful_until = target.link.clock.now() + 1

    assert digest.digest(target.loader, 0, 4096) == b
    target.loader.doubtful_until = 0
    assert digest.digest(target.loader, 0, 4096) == a


def test_after_a_refused_digest_the_link_is_brought_into_step() -> None:
    """A refusal may be that of a block that came twice, so what follows it must not be believed."""
    target = opened()
    right = digest.md5(CONTENTS[:4096])
    asked = answered(target, [Refused("no", code=0xC100), right])

    assert digest.digest(target.loader, 0, 4096) == right
    assert asked[-1] == (SpiFlashMd5, False)


def test_a_second_digest_that_differs_is_confirmed() -> None:
    """One that is asked for again and differs counts when two in a row agree."""
    target = opened()
    a, b = bytes(16), bytes(15) + b"b"
    answered(target, [a, b, a, b, b])

    assert digest.ask(target.loader, 0, 4096, lambda answer: answer == a) == b


def test_one_answer_does_not_make_a_range_blank() -> None:
    """Blank flash is never read, so its digest is asked for three times."""
    target = opened()
    blank = digest.blank_digest(4096)
    for answers, is_blank in (([blank] * 3, True), ([blank, *[bytes(16)] * 2], False)):
        answered(target, list(answers))
        assert flash_read._is_blank(target.loader, 0, 4096) is is_blank


def test_the_part_that_is_asked_about_again_tells_most() -> None:
    """It is that with most different bytes; of a piece of one byte it is everything."""
    noise = bytes(range(256)) * 2
    for before in (0, 512, 1024):
        data = bytes(before) + noise + bytes(512)
        assert flash_read._distinctive_part(data) == range(before, before + 512)
    assert flash_read._distinctive_part(bytes(2048)) == range(2048)
    assert flash_read._distinctive_part(bytes(512) + b"abc") == range(512, 515)


@pytest.mark.parametrize("trouble", [True, False])
def test_a_read_with_trouble_ends_with_a_digest_of_all(
    trouble: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces that are not what the flash holds are an error then; without trouble nobody asks."""
    target = opened()

    def chunks(loader: object, offset: int, size: int, *, slower: Callable[[], bool]) -> object:
        if trouble:
            target.loader.resynchronise()
        return iter([bytes(size)])

    monkeypatch.setattr(flash_read, "read_chunks", chunks)
    before = wire_of(target).count.requests
    if trouble:
        with pytest.raises(ReadsDiffer, match="does not match its digest"):
            target.flash.read(0, 4 * KIB)
    else:
        target.flash.read(0, 4 * KIB)
        assert wire_of(target).count.requests == before


def test_a_digest_like_the_last_is_asked_for_again_behind_a_fence() -> None:
    """It may be the last one's reply, come twice: the second answer counts."""
    target = opened()
    a, b = bytes(16), bytes(15) + b"b"
    asked = answered(target, [a, a, b, b, b])
    digest.digest(target.loader, 0, 4096)

    assert digest.ask(target.loader, 4096, 4096, lambda _: False) == b
    kinds = [SpiFlashMd5, SpiFlashMd5, ReadReg, SpiFlashMd5]
    assert [kind for kind, _ in asked] == kinds
    assert digest.ask(target.loader, 8192, 4096, lambda _: True) == b  # it came twice already
    assert [kind for kind, _ in asked] == kinds + kinds[1:]


def test_the_refusal_behind_a_limit_is_fenced_off() -> None:
    """One that comes twice would be taken for that of the next digest."""
    target = opened()
    asked = answered(target, [Refused("no", code=0xC4)])

    assert flash.limit(target.loader, 0x10000)
    assert [kind for kind, _ in asked] == [SpiSetParams, SpiFlashMd5, ReadReg]
