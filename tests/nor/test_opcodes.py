"""Opcodes: what only reads, and what the same opcode is elsewhere."""

from __future__ import annotations

import pytest

from espshell.nor import makers, opcodes
from espshell.nor.opcodes import Effect, describe

WINBOND = 0xEF


def test_an_unknown_maker_is_the_worst_maker() -> None:
    """What writes on any maker's parts needs to be insisted on while the maker is not known."""
    makers_ = {maker for maker, _ in opcodes._rows()} - {None}
    for opcode in range(256):
        anywhere = any(describe(opcode, maker).writes for maker in makers_)
        assert describe(opcode).writes or not anywhere


@pytest.mark.parametrize("opcode", [0x03, 0x05, 0x35, 0x15, 0x9F, 0x5A, 0x4B, 0x48])
def test_reads_are_safe(opcode: int) -> None:
    """A Winbond part can be asked all this."""
    assert not describe(opcode, WINBOND).writes


@pytest.mark.parametrize(
    ("opcode", "effect"),
    [
        (0x01, Effect.WRITES),
        (0x02, Effect.WRITES),
        (0x20, Effect.ERASES),
        (0xC7, Effect.ERASES),
        (0x42, Effect.WRITES),
        (0x06, Effect.MODE),
        (0x99, Effect.MODE),
        (0xB9, Effect.MODE),
        (0xDE, Effect.UNKNOWN),
    ],
)
def test_what_must_be_insisted_on(opcode: int, effect: Effect) -> None:
    """What writes, erases or changes the mode says so, and so does what is not known."""
    assert describe(opcode, WINBOND).effect is effect
    assert describe(opcode, WINBOND).writes


@pytest.mark.parametrize(
    ("opcode", "maker", "effect"),
    [
        (0x35, makers.ISSI, Effect.MODE),
        (0x35, makers.MACRONIX, Effect.MODE),
        (0x35, makers.ESMT, Effect.MODE),
        (0x15, makers.ISSI, Effect.WRITES),
        (0x15, makers.MACRONIX, Effect.READS),
        (0x2F, makers.ISSI, Effect.LOCKS),
        (0x2F, makers.MACRONIX, Effect.LOCKS),
        (0x3A, makers.EON, Effect.LOCKS),
        (0x85, makers.EON, Effect.READS),
        (0x85, makers.ISSI, Effect.WRITES),
    ],
)
def test_the_same_opcode_elsewhere(opcode: int, maker: int, effect: Effect) -> None:
    """35h, 15h, 2Fh, 3Ah and 85h are other commands by maker."""
    assert describe(opcode, maker).effect is effect


def test_every_row_has_a_name() -> None:
    """Each opcode of the tables is a byte and is called something."""
    assert all(0 <= row.opcode <= 0xFF and row.name for row in opcodes._rows().values())


@pytest.mark.parametrize(
    ("jedec_id", "size"),
    [
        (0xEF4016, 4 << 20),
        (0xEF4020, 64 << 20),
        (0xC22537, 8 << 20),
        (0xC22817, 8 << 20),
        (0x1F8701, 4 << 20),
        (0xBF254A, 4 << 20),
        (0xFFFFFF, None),
        (0x000000, None),
    ],
)
def test_sizes_by_id(jedec_id: int, size: int | None) -> None:
    """The third byte is log2 of the size, but for the makers and codes that are known otherwise."""
    assert makers.size(jedec_id) == size


def test_makers() -> None:
    """A maker is named by its byte; a flash that does not answer has none."""
    assert makers.name(0xEF4016) == "Winbond"
    assert not makers.name(0x774016)
    assert [makers.answers(each) for each in (0xEF4016, 0, 0xFFFFFF)] == [True, False, False]
