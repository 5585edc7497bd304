from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.panel import Panel

from espshell.render import View, theme
from espshell.render.document import Document
from espshell.render.hexdump import ROW, Hexdump, HexWriter, Label
from tests.render.support import drawn_blocks

BASE = 0x3FC9_0000
TEXT = b"Hello, world!\n\x00\xff\x1b[espshell]\x7f\x80"
WIDTHS = (8, 16, 32, 64)


def dump(
    data: bytes,
    *,
    address: int = BASE,
    width: int = 8,
    color: bool = False,
    squeeze: bool = True,
    before: bytes | None = None,
    label: Label | None = None,
) -> list[str]:
    whole = Hexdump(address, data, width, squeeze, before, label)
    return drawn_blocks(lambda _: [whole], View(color=color))


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            8,
            [
                "3fc90000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 21 0a 00 ff  |Hello, world!...|",
                "3fc90010  1b 5b 65 73 70 73 68 65  6c 6c 5d 7f 80           |.[espshell]..   |",
            ],
        ),
        (
            16,
            [
                "3fc90000  6548 6c6c 2c6f 7720 726f 646c 0a21 ff00  |Hello, world!...|",
                "3fc90010  5b1b 7365 7370 6568 6c6c 7f5d   80       |.[espshell]..   |",
            ],
        ),
        (
            32,
            [
                "3fc90000  6c6c6548 77202c6f 646c726f ff000a21  |Hello, world!...|",
                "3fc90010  73655b1b 65687370 7f5d6c6c       80  |.[espshell]..   |",
            ],
        ),
        (
            64,
            [
                "3fc90000  77202c6f6c6c6548 ff000a21646c726f  |Hello, world!...|",
                "3fc90010  6568737073655b1b       807f5d6c6c  |.[espshell]..   |",
            ],
        ),
    ],
)
def test_an_aligned_dump(width: int, expected: list[str]) -> None:
    """Values are little-endian, the gutter is not, and a partial value keeps its low digits."""
    assert dump(TEXT, width=width) == expected


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            8,
            [
                "3fc90000                 48 65 6c  6c 6f 2c 20 77 6f 72 6c  |     Hello, worl|",
                "3fc90010  64 21 0a                                          |d!.             |",
            ],
        ),
        (
            16,
            [
                "3fc90000            48   6c65 6f6c 202c 6f77 6c72  |     Hello, worl|",
                "3fc90010  2164   0a                                |d!.             |",
            ],
        ),
        (
            32,
            [
                "3fc90000           6c6548   202c6f6c 6c726f77  |     Hello, worl|",
                "3fc90010    0a2164                             |d!.             |",
            ],
        ),
        (
            64,
            [
                "3fc90000  6c6548           6c726f77202c6f6c  |     Hello, worl|",
                "3fc90010            0a2164                   |d!.             |",
            ],
        ),
    ],
)
def test_an_unaligned_dump(width: int, expected: list[str]) -> None:
    """Rows start at multiples of 16 and leave blank, in every value, what was not asked for."""
    assert dump(TEXT[:14], address=BASE + 5, width=width) == expected


def test_both_ends_in_one_row() -> None:
    """A dump inside one row is one row."""
    assert dump(b"ok", address=BASE + 7) == [
        "3fc90000                       6f  6b                       |       ok       |"
    ]


def test_nothing() -> None:
    """A dump of nothing is not a line."""
    assert dump(b"") == []


def test_addresses_above_32_bits() -> None:
    """The address column grows when it must."""
    assert dump(b"\x01", address=0x1_0000_0000, width=64) == [
        "100000000                01                   |.               |"
    ]


ZEROS = "{:08x}  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|"
ONES = "{:08x}  01 01 01 01 01 01 01 01  01 01 01 01 01 01 01 01  |................|"


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_short_runs_are_shown(rows: int) -> None:
    """Up to three equal rows at the end of a dump have nothing that a line could stand for."""
    assert dump(bytes(ROW * rows)) == [ZEROS.format(BASE + ROW * i) for i in range(rows)]


def test_run_at_the_end() -> None:
    """The last row is shown, and the line before it counts those between."""
    assert dump(bytes(64 * 1024)) == [
        ZEROS.format(BASE),
        "*         4094 more rows like this (65504 bytes) up to 3fc9fff0",
        ZEROS.format(BASE + 0xFFF0),
    ]


def test_run_in_the_middle() -> None:
    """A run ends where a different row begins, and sizes of whole KiB are said in KiB."""
    assert dump(bytes(ROW + 64 * 1024) + b"\x01" * ROW) == [
        ZEROS.format(BASE),
        "*         4096 more rows like this (64 KiB) up to 3fca0010",
        ONES.format(BASE + 0x1_0010),
    ]


def test_pair_in_the_middle() -> None:
    """A single equal row is shown instead of a line about it."""
    assert dump(bytes(2 * ROW) + b"\x01" * ROW) == [
        ZEROS.format(BASE),
        ZEROS.format(BASE + ROW),
        ONES.format(BASE + 2 * ROW),
    ]


def test_no_squeezing() -> None:
    """Without squeezing every row is shown."""
    assert dump(bytes(ROW * 9), squeeze=False) == [ZEROS.format(BASE + ROW * i) for i in range(9)]


def test_partial_rows_around_a_run() -> None:
    """Partial rows at the ends are not taken for rows of the run between them."""
    assert dump(bytes(4 + 5 * ROW + 4), address=BASE + 12) == [
        "3fc90000                                       00 00 00 00  |            ....|",
        ZEROS.format(BASE + ROW),
        "*         4 more rows like this (64 bytes) up to 3fc90060",
        "3fc90060  00 00 00 00                                       |....            |",
    ]


def name_of(address: int) -> str:
    return "nvs" if address < BASE + 0x40 else "" if address < BASE + 0x50 else "phy_init"


def test_labels() -> None:
    """A name is shown where it changes, and a change of name ends a run."""
    assert dump(bytes(0x70), address=BASE + 0x18, label=name_of) == [
        "3fc90010                           00 00 00 00 00 00 00 00  |        ........|  nvs",
        ZEROS.format(BASE + 0x20),
        ZEROS.format(BASE + 0x30),
        ZEROS.format(BASE + 0x40),
        ZEROS.format(BASE + 0x50) + "  phy_init",
        "*         2 more rows like this (32 bytes) up to 3fc90080",
        "3fc90080  00 00 00 00 00 00 00 00                           |........        |",
    ]


def test_label_of_the_first_byte() -> None:
    """A partial row is named after its first byte, which may lie in another region than its row."""
    (line,) = dump(b"\x00", address=BASE + 5, label=hex)
    assert line.endswith("  0x3fc90005")


def test_changes_without_colour() -> None:
    """Carets mark what changed, and what the earlier bytes do not reach is not compared."""
    now = bytes(24)
    before = bytes([0, 0, 1, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0])
    assert dump(now, address=BASE + 4, before=before) == [
        "3fc90000              00 00 00 00  00 00 00 00 00 00 00 00  |    ............|",
        "                            ^^ ^^        ^^",
        "3fc90010  00 00 00 00 00 00 00 00  00 00 00 00              |............    |",
    ]


def test_changes_in_values() -> None:
    """A caret stands under the digits of its byte, also where they are in another order."""
    assert dump(bytes(16), width=32, before=b"\x01" + bytes(14) + b"\x01") == [
        "3fc90000  00000000 00000000 00000000 00000000  |................|",
        "                ^^                   ^^",
    ]


def test_changes_and_runs() -> None:
    """Rows are alike only if they also changed alike; a changed row is never swallowed."""
    before = bytearray(bytes(8 * ROW))
    before[4 * ROW] = 1
    assert dump(bytes(8 * ROW), before=bytes(before)) == [
        ZEROS.format(BASE),
        "*         3 more rows like this (48 bytes) up to 3fc90040",
        ZEROS.format(BASE + 4 * ROW),
        "          ^^",
        ZEROS.format(BASE + 5 * ROW),
        ZEROS.format(BASE + 6 * ROW),
        ZEROS.format(BASE + 7 * ROW),
    ]


def test_colours_of_a_row() -> None:
    """A sequence stands only where the class changes, and each ends before the next."""
    data = b"\x00\x00\xff\xffAB \n\x01\x80ABCDEF"
    assert dump(data, color=True) == [
        "\x1b[36m3fc90000\x1b[0m  "
        "\x1b[2m00 00 \x1b[0m\x1b[2;35mff ff \x1b[0m\x1b[32m41 42 \x1b[0m\x1b[2;32m20 0a  "
        "\x1b[0m01 80 \x1b[32m41 42 43 44 45 46\x1b[0m"
        "  |\x1b[2m..\x1b[0m\x1b[2;35m..\x1b[0m\x1b[32mAB\x1b[0m\x1b[2;32m .\x1b[0m.."
        "\x1b[32mABCDEF\x1b[0m|"
    ]


def test_colours_of_changes() -> None:
    """Each changed byte is marked by itself, so that the gap between two is not."""
    data = b"\x01\x02\x00\x01" * 4
    before = b"\x01\x03\x01\x01" + data[4:]
    (line,) = dump(data, color=True, before=before, width=32)
    assert line.startswith(
        "\x1b[36m3fc90000\x1b[0m  01\x1b[7;33m00\x1b[0m\x1b[7;33m02\x1b[0m01 01\x1b[2m00"
    )
    assert "|.\x1b[7;33m.\x1b[0m\x1b[7;33m.\x1b[0m.." in line


def test_colours_of_the_rest() -> None:
    """Labels and the squeeze line have styles of their own."""
    lines = dump(bytes(ROW * 5), color=True, label=lambda _: "DRAM")
    assert lines[0].endswith("|  \x1b[35mDRAM\x1b[0m")
    assert lines[1] == "\x1b[2m*         3 more rows like this (48 bytes) up to 3fc90040\x1b[0m"


addresses = st.integers(0, 2**32 - 4096)  # the end stays in the 32-bit address space
# Few values and much repetition, so that runs and classes occur.
contents = st.lists(
    st.one_of(st.binary(max_size=20), st.sampled_from([bytes(ROW), b"\xff" * ROW * 5, b"a" * 100])),
    max_size=30,
).map(b"".join)


def unsqueezed(lines: list[str]) -> list[str]:
    """Return the rows of a dump with those that were left out put back."""
    rows: list[str] = []
    for line in lines:
        match = re.fullmatch(r"\*         (\d+) more rows like this \(.+\) up to (\w+)", line)
        if match is None:
            rows.append(line)
            continue
        start = int(rows[-1][:8], 16)
        rows += [f"{start + ROW * i:08x}{rows[-1][8:]}" for i in range(1, int(match[1]) + 1)]
        assert int(match[2], 16) == int(rows[-1][:8], 16) + ROW
    return rows


def parsed(lines: list[str], width: int) -> dict[int, int]:
    """Read a dump back: the bytes by their addresses, each found once in digits and in gutter."""
    found: dict[int, int] = {}
    size = width // 8
    for line in lines:
        base, gutter = int(line[:8], 16), line[-17:-1]
        for i in range(ROW):
            value, place = divmod(i, size)
            column = 10 + value * (2 * size + 1) + 2 * (size - 1 - place)
            column += width == 8 and i >= 8
            digits = line[column : column + 2]
            if digits == "  ":
                assert gutter[i] == " "
                continue
            byte = int(digits, 16)
            assert gutter[i] == (chr(byte) if 0x20 <= byte < 0x7F else ".")
            assert base + i not in found
            found[base + i] = byte
    return found


@given(addresses, contents, st.sampled_from(WIDTHS), st.booleans())
def test_every_byte_once(address: int, data: bytes, width: int, squeeze: bool) -> None:
    """What was asked for can be read back from the text: all of it, in its place, nothing else."""
    lines = dump(data, address=address, width=width, squeeze=squeeze)
    assert parsed(unsqueezed(lines), width) == dict(enumerate(data, address))


@dataclass(frozen=True, slots=True)
class Look:
    """The options of a dump other than its range."""

    width: int
    color: bool
    squeeze: bool
    before: bytes | None
    label: Label | None


looks = st.builds(
    Look,
    st.sampled_from(WIDTHS),
    st.booleans(),
    st.booleans(),
    st.none() | contents,
    st.sampled_from([None, lambda address: f"page{address >> 8}"]),
)


@given(addresses, contents, looks, st.data())
def test_chunks_do_not_show(address: int, data: bytes, look: Look, draw: st.DataObject) -> None:
    """The text is the same wherever the bytes were cut on their way."""
    cuts = draw.draw(st.lists(st.integers(0, len(data))).map(sorted))
    writer = HexWriter(
        address,
        width=look.width,
        color=look.color,
        squeeze=look.squeeze,
        before=look.before,
        label=look.label,
    )
    chunks = [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]
    text = "".join(map(writer.feed, chunks)) + writer.finish()
    whole = Hexdump(address, data, look.width, look.squeeze, look.before, look.label)
    assert text == str(Document(lambda _: [whole], View(color=look.color)))


@pytest.mark.parametrize("chunk", [1, 16, 4096, 4104, 65536])
def test_long_runs_in_chunks(chunk: int) -> None:
    """Skipping a run by the block counts the same rows as going row by row."""
    data = b"\x01" * 40 + b"\xff" * 200_000 + b"\x01" * 40
    writer = HexWriter(BASE + 3)
    text = "".join(writer.feed(data[i : i + chunk]) for i in range(0, len(data), chunk))
    assert (text + writer.finish()).splitlines() == dump(data, address=BASE + 3)
    assert text.count("*") == 1


@given(addresses, contents, st.sampled_from(WIDTHS))
def test_colour_is_only_colour(address: int, data: bytes, width: int) -> None:
    """Without the sequences a coloured dump is the plain dump, unless carets stand for colours."""
    coloured = "\n".join(dump(data, address=address, width=width, color=True))
    plain = "\n".join(dump(data, address=address, width=width))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize("width", WIDTHS)
def test_rows_fit_a_terminal(width: int) -> None:
    """A row without a label fits in 80 columns."""
    assert len(dump(bytes(ROW), width=width)[0]) <= 80


def test_unknown_width() -> None:
    """Other widths are refused before a byte is fed."""
    with pytest.raises(KeyError):
        HexWriter(0, width=24)


def console(*, width: int = 100, no_color: bool = False) -> Console:
    return Console(file=io.StringIO(), record=True, width=width, no_color=no_color)


def test_in_a_panel() -> None:
    """Rich draws the same rows and knows how wide they are."""
    screen = console()
    screen.print(Panel.fit(Hexdump(BASE, b"espshell\x00\x00", 32, before=b"ESPshell")))
    assert screen.export_text().splitlines() == [
        "╭" + "─" * 67 + "╮",
        "│ 3fc90000  73707365 6c6c6568     0000           |espshell..      | │",
        "╰" + "─" * 67 + "╯",
    ]


def test_in_a_panel_without_colour() -> None:
    """Where colours are not wanted, rich gets the rows with carets."""
    screen = console(no_color=True)
    screen.print(Hexdump(BASE, bytes(2), 64, before=b"\x01"))
    assert screen.export_text().splitlines() == [
        "3fc90000              0000                   |..              |",
        "                        ^^",
    ]


@pytest.mark.parametrize(("width", "size"), [(78, 16), (60, 8), (46, 8), (45, 4), (29, 4)])
def test_in_a_narrow_place(width: int, size: int) -> None:
    """A row has as many bytes as there is room for, and the name of its place stands below."""
    screen = console(width=width)
    screen.print(Hexdump(BASE, TEXT, label=lambda _: "a place of a name"))
    lines = screen.export_text().splitlines()
    assert lines[0].startswith("3fc90000  48 65 6c 6c ")
    assert lines[1].startswith(f"{BASE + size:08x}  ")
    assert " ".join(lines[-2:]).endswith("3fc90000 a place of a name")
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("name", theme.STYLES)
def test_rich_and_direct_colours_agree(name: str) -> None:
    """Rich writes a style as it is painted, and painted text is known by its style again."""
    codes = theme.STYLES[name]
    expected = f"\x1b[{codes}mff\x1b[0m" if codes else "ff"
    assert theme.rich_style(name).render("ff") == theme.paint("ff", name) == expected
    ((text, again),) = theme.runs(expected)
    assert (text, theme.STYLES[again] if again else "") == ("ff", codes)


@given(addresses, contents, looks)
def test_streamed_or_by_rich(address: int, data: bytes, look: Look) -> None:
    """The writer that streams a long dump writes what a console of rich does, byte by byte."""
    whole = Hexdump(address, data, look.width, look.squeeze, look.before, look.label)
    view = View(color=look.color)
    stream = io.StringIO()
    screen = theme.themed_console(stream, width=80, color_system="standard" if look.color else None)
    screen.print(Document(lambda _: [whole], view), end="", crop=False)
    writer = whole.writer(view)
    assert stream.getvalue() == writer.feed(data) + writer.finish()


@pytest.mark.parametrize("name", theme.STYLES)
def test_styles_are_portable(name: str) -> None:
    """Every style is made of attributes and named colours that can be read on any background."""
    codes = [int(code) for code in theme.STYLES[name].split(";") if code]
    assert set(codes) <= {1, 2, 3, 4, 7, 31, 32, 33, 35, 36}


def test_rich_is_not_loaded() -> None:
    """A script that dumps to a file does not wait for rich."""
    program = (
        "import sys, espshell.render.hexdump, espshell.render.bits; print('rich' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
