"""Layouts: every row, fields as numbers, and what layouts have in common."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from espshell.nor import layout
from espshell.nor.layout import WIDTH, BitKind, Layout
from tests.rows import every

WINBOND = 0xEF
ALL = tuple(layout.of(name) for name in layout.names())
EACH = every(ALL, lambda each: each.name)


@EACH
def test_registers(each: Layout) -> None:
    """Registers have eight bits in order, own names and opcodes, and SR1 comes first."""
    assert each.registers[0].name == "SR1"
    assert each.registers[0].read_opcode == 0x05
    for register in each.registers:
        assert [bit.position for bit in register.bits] == list(range(WIDTH))
        assert {bit.register for bit in register.bits} == {register.name}
    for values in ([r.name for r in each.registers], [r.read_opcode for r in each.registers]):
        assert len(set(values)) == len(values)


@EACH
def test_names_of_bits(each: Layout) -> None:
    """A bit's name is given once; BUSY and WEL are where every part has them."""
    names = [bit.name for r in each.registers for bit in r.bits if bit.name != "-"]
    assert len(set(names)) == len(names)
    assert names[:2] == ["BUSY", "WEL"]
    assert each.registers[0].mask(BitKind.READ_ONLY) & 0b11 == 0b11


@EACH
def test_fields(each: Layout) -> None:
    """Each named bit belongs to one field of one kind, and each field is explained."""
    held = [bit for field in each.fields for bit in field.bits]
    assert sorted(bit.name for bit in held) == sorted(
        bit.name for r in each.registers for bit in r.bits if bit.name != "-"
    )
    assert all({bit.kind for bit in field.bits} == {field.kind} for field in each.fields)
    assert all(field.meaning != "not described" for field in each.fields)


@EACH
def test_one_way_bits_say_so(each: Layout) -> None:
    """Whatever cannot be undone has a hazard that says it; so has whatever is dangerous."""
    for field in each.fields:
        if field.kind in (BitKind.ONE_WAY, BitKind.DANGER):
            assert field.hazard
        if field.kind is BitKind.ONE_WAY:
            assert field.hazard.startswith("one-way")


def test_every_meaning_is_used() -> None:
    """No row of the legend is about a field that no layout has."""
    assert set(layout._meanings()) == {field.name for each in ALL for field in each.fields}


@given(st.sampled_from(ALL), st.data())
def test_a_field_is_a_number(each: Layout, data: st.DataObject) -> None:
    """What is put into a field comes out, and no other bit changes."""
    field = data.draw(st.sampled_from(each.fields))
    before = {r.name: data.draw(st.integers(0, 0xFF)) for r in each.registers}
    value = data.draw(st.integers(0, field.most))
    after = field.put(before, value)
    mask = sum(bit.mask for bit in field.bits)
    assert field.value(after) == value
    changed = {name: after[name] ^ before[name] for name in before if after[name] != before[name]}
    assert changed.keys() <= {field.register}
    assert not changed.get(field.register, 0) & ~mask


def test_values_have_names_where_a_source_says_so() -> None:
    """DRV in percent is Winbond's; on another maker's part it is a number."""
    winbond, other = (layout.of("w25q", maker).field("DRV") for maker in (WINBOND, 0x68))
    assert winbond is not None
    assert other is not None
    assert [winbond.text(n) for n in range(4)] == ["100%", "75%", "50%", "25%"]
    assert winbond.number("50%") == 2
    assert (other.text(2), other.number("50%")) == ("2", None)


def test_a_register_that_was_not_read_has_no_value() -> None:
    """A field is unknown when its register is missing."""
    field = layout.of("w25q").field("qe")
    assert field is not None
    assert field.value({"SR1": 0}) is None


def test_common_keeps_what_is_the_same() -> None:
    """GD25Q32B and C share QE, BP and CMP; LB and SR3 are open."""
    both = layout.common([layout.of("gd_b"), layout.of("gd_c")])
    names = {field.name for field in both.fields}
    assert {"QE", "BP", "TB", "SEC", "CMP", "SRP0", "SRP1"} <= names
    assert not {"LB", "LB1", "DRV"} & names
    sr3 = both.register("SR3")
    assert sr3 is not None
    assert {bit.kind for bit in sr3.bits} == {BitKind.OPEN, BitKind.RESERVED}


def test_common_of_different_meanings() -> None:
    """A bit that is TB on one part and BP3 on the other is open, and BP is the bits left."""
    both = layout.common([layout.of("issi_tb"), layout.of("issi_4bp")])
    bp = both.field("BP")
    assert bp is not None
    assert [bit.name for bit in bp.bits] == ["BP0", "BP1", "BP2"]
    assert both.registers[0].bits[5].name == "TB/BP3"
    assert both.registers[0].bits[5].kind is BitKind.OPEN


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=4))
def test_common_claims_nothing_new(some: list[Layout]) -> None:
    """Whatever is named in common is the same bit of the same kind in each of the layouts."""
    named = {bit for field in layout.common(some).fields for bit in field.bits}
    for each in some:
        assert named <= {bit for r in each.registers for bit in r.bits}
