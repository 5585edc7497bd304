"""SVD files at run time: what they can say, and what a hostile one must not do."""

from __future__ import annotations

import pytest

from espshell.errors import UsageError
from espshell.registers import svd, svd_tree

HEAD = "<device><name>X1</name><size>32</size><peripherals>"
TAIL = "</peripherals></device>"


def peripheral(registers: str, name: str = "P", base: str = "0x60000000") -> str:
    return (
        f"<peripheral><name>{name}</name><baseAddress>{base}</baseAddress>"
        f"<registers>{registers}</registers></peripheral>"
    )


def register(name: str, offset: str = "0", inside: str = "", of: str = "") -> str:
    model = f' derivedFrom="{of}"' if of else ""
    place = f"<addressOffset>{offset}</addressOffset>" if offset else ""
    return f"<register{model}><name>{name}</name>{place}{inside}</register>"


def field(name: str, place: str, inside: str = "") -> str:
    return f"<fields><field><name>{name}</name>{place}{inside}</field></fields>"


def read(*parts: str) -> svd.SvdFile:
    return svd.read("".join((HEAD, *parts, TAIL)).encode())


def test_rows_clusters_and_derived_registers() -> None:
    """Rows count on, clusters nest and repeat, derived parts keep what they do not say."""
    row = "<dim>2</dim><dimIncrement>4</dimIncrement>"
    inner = register(
        "CTRL", "0", "<resetValue>#101</resetValue>" + field("EN", "<lsb>1</lsb><msb>2</msb>")
    )
    cluster = (
        "<cluster><dim>2</dim><dimIncrement>0x20</dimIncrement><dimIndex>A,B</dimIndex>"
        f"<name>CH%s</name><addressOffset>0x100</addressOffset>{inner}"
        "<cluster><name>SUB</name><addressOffset>8</addressOffset>"
        f"{register('X')}</cluster></cluster>"
    )
    file = read(
        peripheral(
            register("W%s", "0x10", row + "<dimIndex>3-4</dimIndex>")
            + register("KEY[%s]", "0x20", row)
            + register("COPY", "0x30", of="CH%s.CTRL")
            + cluster
        ),
        '<peripheral derivedFrom="P"><name>Q</name><baseAddress>1k</baseAddress></peripheral>',
    )
    table = file.registers
    offsets = {r.name: r.address & 0xFFF for r in table.registers("P")}
    assert offsets == {
        "W3": 0x10,
        "W4": 0x14,
        "KEY_0": 0x20,
        "KEY_1": 0x24,
        "COPY": 0x30,
        "CHA_CTRL": 0x100,
        "CHA_SUB_X": 0x108,
        "CHB_CTRL": 0x120,
        "CHB_SUB_X": 0x128,
    }
    copy = table.find("Q.COPY")
    assert copy is not None
    assert (copy.address, copy.reset, copy.fields[0].bits) == (0x400 + 0x30, 5, "2:1")
    assert (file.count, table.names("Q")) == (18, table.names("P"))


def test_values_meanings_and_accesses() -> None:
    """Values have names and meanings, also those of another field; accesses go on inwards."""
    values = (
        "<enumeratedValues><name>Mode</name>"
        "<enumeratedValue><name>off</name><description>no\n clock</description><value>0</value>"
        "</enumeratedValue><enumeratedValue><name>on</name><value>0b1</value></enumeratedValue>"
        "<enumeratedValue><name>any</name><value>#1x</value></enumeratedValue></enumeratedValues>"
    )
    copied = '<enumeratedValues derivedFrom="A"/>'
    file = read(
        peripheral(
            register(
                "R",
                "0",
                "<description>What it\n  is for</description><access>read-only</access>"
                + field("A", "<bitRange>[3:2]</bitRange>", values)
                + field("B", "<bitOffset>8</bitOffset><bitWidth>2</bitWidth>", copied)
                + field("C", "<bitOffset>9</bitOffset>", "<access>writeOnce</access>"),
            )
            + register("S", "4", "<readAction>clear</readAction>")
        )
    )
    found, other = file.registers.find("P.R"), file.registers.find("P.S")
    assert found is not None
    assert other is not None
    a, b, c = found.fields
    assert (found.meaning, a.bits, a.access.value, c.access.value) == (
        "What it is for",
        "3:2",
        "r",
        "w",
    )
    assert a.values == b.values == ((0, "OFF"), (1, "ON"))
    assert (a.value_meanings, found.access.value) == (((0, "no clock"),), "rw")
    assert (found.changes_when_read, other.changes_when_read) == (False, True)


def test_what_no_loader_reads_is_left_out() -> None:
    """Registers of bytes, and between words, are counted and not listed."""
    file = read(
        peripheral(register("A") + register("B", "2") + register("C", "4", "<size>8</size>"))
    )
    assert (file.registers.names("P"), file.count, file.left_out) == (("A",), 1, 2)


BOMB = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 10))
CIRCLE = '<cluster derivedFrom="B"><name>A</name><addressOffset>0</addressOffset></cluster>'
DEEP = "".join(
    f"<cluster><name>C{n}</name><addressOffset>0</addressOffset>"
    f'<cluster derivedFrom="C{n + 1}"><name>A</name></cluster>'
    f'<cluster derivedFrom="C{n + 1}"><name>B</name></cluster></cluster>'
    for n in range(30)
)
LAST = f"<cluster><name>C30</name><addressOffset>0</addressOffset>{register('R')}</cluster>"
ROW = "<dim>4294967295</dim><dimIncrement>4</dimIncrement>"
LADDER = "".join(
    f"<cluster><name>C{n}</name><addressOffset>0</addressOffset>"
    f'<cluster derivedFrom="C{n + 1}"><name>A</name></cluster></cluster>'
    for n in range(3000)
)
CHAIN = "".join(register(f"R{n}", of=f"R{n - 1}") for n in range(40, 0, -1)) + register("R0")
EMPTY = "".join(
    f"<cluster><name>C{n}</name><addressOffset>0</addressOffset></cluster>" for n in range(1000)
)
NESTED = "<cluster><name>A</name><addressOffset>0</addressOffset>" * 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f'<!DOCTYPE d [<!ENTITY e0 "ha">{BOMB}]><device><name>&e9;</name></device>',
            "document type",
        ),
        (
            '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><device>&x;</device>',
            "document type",
        ),
        ('<!DOCTYPE device SYSTEM "http://127.0.0.1/x.dtd"><device/>', "document type"),
        ("", "not valid XML"),
        ("<device>", "not valid XML: no element found"),
        ('<?xml version="1.0" encoding="x-none"?><device/>', "not valid XML"),
        ("<html/>", "not an SVD file"),
        (HEAD + TAIL, "not an SVD file"),
        (HEAD + peripheral(register("", "0")) + TAIL, "register P. has no <name>"),
        (HEAD + peripheral(register("R", "")) + TAIL, "register P.R has no <addressOffset>"),
        (HEAD + peripheral(register("R", "x")) + TAIL, "P.R: <addressOffset> `x` is not a number"),
        (HEAD + peripheral("", base="") + TAIL, "peripheral P has no <baseAddress>"),
        (HEAD + peripheral("") * 2 + TAIL, "is defined twice"),
        (HEAD + peripheral(register("R"), base="0xfffffffd") + TAIL, "beyond 32 bits"),
        (HEAD + peripheral(register("R", of="R")) + TAIL, "derives from itself: `R`"),
        (HEAD + peripheral(register("R", of="S") + register("S", of="R")) + TAIL, "itself"),
        (
            HEAD + peripheral(register("R", of="S")) + TAIL,
            "derives from something that does not exist: `S`",
        ),
        (HEAD + peripheral(CIRCLE + CIRCLE.translate({65: 66, 66: 65})) + TAIL, "itself"),
        (HEAD + peripheral(DEEP + LAST) + TAIL, "more than 50000 registers"),
        (HEAD + peripheral(register("R%s", "0", ROW)) + TAIL, "a row of 4294967295"),
        (HEAD + peripheral(LADDER) + TAIL, "nests more than 40 deep"),
        (HEAD + peripheral(CHAIN) + TAIL, "P.R40 derives through more than 16 others"),
        (
            HEAD
            + peripheral(EMPTY)
            + "".join(
                f'<peripheral derivedFrom="P"><name>P{n}</name></peripheral>' for n in range(100)
            )
            + TAIL,
            "more than 50000 registers",
        ),
        (HEAD + peripheral(NESTED) + TAIL, "more than 40 deep"),
    ],
)
def test_hostile_files(text: str, message: str) -> None:
    """Entities, circles, floods and missing parts are one line, before anything grows."""
    with pytest.raises(UsageError) as caught:
        svd.read(text.encode())
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_flood_of_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements are counted while they come."""
    monkeypatch.setattr(svd_tree, "MOST_ELEMENTS", 100)
    with pytest.raises(UsageError, match=r"^it has more than 100 elements$"):
        read("<name/>" * 100)


def test_a_huge_name_is_cut() -> None:
    """Of a text no more is kept than a name or description may have."""
    name = "N" * 1_000_000
    file = read(peripheral(register(name)))
    assert [len(own) for own in file.registers.names("P")] == [svd_tree.MOST_TEXT]
