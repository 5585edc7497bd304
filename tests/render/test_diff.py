"""Two ranges of bytes, one above the other where they differ."""

from __future__ import annotations

from espshell.ops.memory.diff import diff
from espshell.render import View
from tests.render.support import drawn, uncoloured

OLD = bytes(range(96))
NEW = OLD[:33] + b"\xff" + OLD[34:]

WHOLE = """\
- fw.bin
+ RAM
  3fc90010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |................|
- 3fc90020  20 21 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f  | !"#$%&'()*+,-./|
+ 3fc90020  20 ff 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f  | ."#$%&'()*+,-./|
               ^^
  3fc90030  30 31 32 33 34 35 36 37  38 39 3a 3b 3c 3d 3e 3f  |0123456789:;<=>?|
1 of 96 bytes in 1 range; 6 bits set, 0 cleared"""


TITLED = diff(OLD, NEW, address=0x3FC9_0000, titles=("fw.bin", "RAM"))


def test_whole_text() -> None:
    """A row of context on either side, the changed bytes marked."""
    assert "\n".join(drawn(TITLED)) == WHOLE


def test_colour_changes_no_word() -> None:
    """Without its sequences the coloured text is the plain one, carets included."""
    text = "\n".join(drawn(TITLED, View(color=True)))
    assert "\x1b[7;33mff" in text
    assert uncoloured([text]) == [WHOLE]


def test_equal() -> None:
    """What is equal takes one line."""
    assert drawn(diff(OLD, OLD)) == ["equal  96 bytes"]


def test_long_differences_are_cut_and_counted() -> None:
    """Only some rows are shown, and how many are not; with all, none is left out."""
    result = diff(bytes(16 * 40), b"\1" * 16 * 40, address=8)
    lines = drawn(result)
    assert lines[-2] == "  ... 25 more rows not shown (--all shows them)"
    assert sum(line.startswith("+") for line in lines) == 16
    lines = drawn(result, View(every_row=True))
    assert sum(line.startswith("+") for line in lines) == 41
    assert lines[0].startswith("- 00000000                           00 00")


def test_gap_between_two_places() -> None:
    """Rows that are left out between two places show as dots."""
    new = b"\1" + bytes(126) + b"\1"
    lines = drawn(diff(bytes(128), new))
    assert lines[4] == "  ..."
    assert [line[:10] for line in lines if line[0] == "+"] == ["+ 00000000", "+ 00000070"]
