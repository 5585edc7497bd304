"""The family of `image`, as a person or a script uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell import chips
from espshell.image import intel_hex, merge
from espshell.ops.flash import payload as patch
from espshell.shell.arguments.image import FLASH_BYTES
from espshell.shell.commands import image as commands
from tests.image import support
from tests.shell.support import Ran, Shell

C3 = chips.load("esp32c3")
APP = support.firmware(
    [(0x3C00_0020, support.app_description(name="blink")), (0x4037_C000, b"code" * 4)],
    chip=C3.id,
    entry=0x4037_C010,
)
ALL_HEADERS = (*range(32), *range(32 + 256, 32 + 256 + 8))
"""Offsets of every byte of the headers of APP and of its segments."""


HASH_FLAG = 23
"""Offset of the byte that says that a SHA-256 follows."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with an image and two pieces in it."""
    monkeypatch.chdir(tmp_path)
    for name, data in (("app.bin", APP), ("text", b"text" * 3), ("data", b"dat")):
        Path(name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("name", ["image info", "IMAGE   info", "image-info", "image_info"])
def test_info(offline: Shell, files: Path, name: str) -> None:
    """By our name and by esptool's, without a chip."""
    ran = offline.type(f"{name} app.bin")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == f"app.bin  firmware image for ESP32-C3, {len(APP)} bytes"


def test_info_as_json(offline: Shell, files: Path) -> None:
    """Numbers are numbers, and the name of the command has both words."""
    offline.session.output.as_json = True
    (told,) = offline.type("image info app.bin").objects
    assert (told["command"], told["ok"]) == ("image info", True)
    image = told["value"]["firmware"]
    assert (image["chip"], image["entry"], image["flash_mode"]) == ("esp32c3", 0x4037_C010, "dio")
    assert image["checksum"]["ok"] is image["digest"]["ok"] is True
    assert [each["memory"] for each in image["segments"]] == ["DROM", "CACHE"]
    assert image["description"]["name"] == "blink"


def test_a_wrong_sum_is_status_1(offline: Shell, files: Path) -> None:
    """It is shown all the same, and the error says which sum it is."""
    Path("bad").write_bytes(APP[:-40] + bytes([APP[-40] ^ 1]) + APP[-39:])
    ran = offline.type("image info bad")
    assert ran.status == 1
    assert "SHA-256" in ran.out
    assert ran.err.startswith("image info: bad: the ")


def one_line(ran: Ran) -> bool:
    """Say whether there is one line of error exactly where there is an error."""
    return len(ran.err.splitlines()) == (ran.status != 0)


@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_every_byte_of_the_headers_damaged(offline: Shell, files: Path, mask: int) -> None:
    """A flipped byte ends in a result or in one line, never in anything else."""
    statuses = set()
    for offset in ALL_HEADERS:
        data = bytearray(APP)
        data[offset] ^= mask
        Path("bad").write_bytes(data)
        ran = offline.type("image info bad")
        assert one_line(ran), (offset, ran.err)
        # Without the flag that tells of it there is no digest, and that is a good image.
        assert ran.status in (1, 2) or (data[HASH_FLAG], offset) == (0, HASH_FLAG), offset
        statuses.add(ran.status)
    assert {1, 2} <= statuses


def test_every_length(offline: Shell, files: Path) -> None:
    """A file that is cut off anywhere is status 2 with one line."""
    for size in range(0, len(APP), 7):
        Path("cut").write_bytes(APP[:size])
        ran = offline.type("image info cut")
        assert (ran.status, one_line(ran)) == (2, True), (size, ran.err)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("image info nofile", "image info: cannot read nofile: no such file or directory"),
        ("image info .", "image info: cannot read .: is a directory"),
        ("image info mem:0", "image info: `mem:0` is not in flash"),
        ("image info", "image info: FILE is missing"),
        ("image info app.bin --chip esp31", "image info: `esp31` is not a known chip"),
        (
            "image",
            "image: `image` is an incomplete command; it continues with info, make, merge, elf",
        ),
        ("image inof app.bin", "image inof: there is no `image inof`; did you mean `info`?"),
        ("image make out", "image make: no segments given; -f FILE"),
        ("image make -f text out", "image make: there are 1 of -f and 0 of -a"),
        ("image make -f no -a 0x40100000 out", "image make: cannot read no: no such file"),
        ("image merge out app.bin", "image merge: FILES is missing"),
        (
            "image merge out app.bin 0 text",
            "image merge: expected a place after `text`",
        ),
        ("image merge out app.bin mem:0", "image merge: `mem:0` is not in flash"),
        ("image merge out app.bin 0 text 4", "image merge: text overlaps app.bin"),
        ("image merge app.bin app.bin 0", "image merge: app.bin would be overwritten"),
        ("image merge out app.bin 0 --pad-to 3x", "image merge: `3x` is not a size"),
        ("image merge no/out app.bin 0", "image merge: cannot write no/out: no such file"),
        ("merge-bin 0 app.bin", "merge-bin: the destination is missing; --output FILE"),
        ("image elf app.bin", "image elf: an ELF file does not give the target chip"),
        ("image elf --chip esp32 app.bin", "image elf: app.bin is not an ELF file"),
    ],
)
def test_what_is_typed_wrong(offline: Shell, files: Path, line: str, told: str) -> None:
    """One line, status 2, and no file is made."""
    ran = offline.type(line)
    assert (ran.status, ran.out, one_line(ran)) == (2, "", True)
    assert ran.err.startswith(told)
    assert not (files / "out").exists()


def test_make(offline: Shell, files: Path) -> None:
    """Pairs of options, in their order; by the name of esptool 4 with the ending that it adds."""
    arguments = "-f text -a 0x40100000 --segfile data --segaddr 0x3ffe8000 -e 0x40100004"
    assert offline.type(f"image make {arguments} ours").status == 0
    assert offline.type(f"make_image {arguments} theirs").status == 0
    wanted = support.esp8266(
        [(0x4010_0000, b"text" * 3), (0x3FFE_8000, b"dat\0")], entry=0x4010_0004
    )
    data = Path("ours").read_bytes()
    assert data == Path("theirs0x00000.bin").read_bytes()
    assert data == wanted[:3] + b"\0" + wanted[4:]


def test_merge_both_orders(offline: Shell, files: Path) -> None:
    """Ours has the place behind the file and goes by the name; esptool's way is the other."""
    assert offline.type("image merge a.hex text 0x1000 data flash:0x2000").status == 0
    assert intel_hex.read(Path("a.hex")) == [(0x1000, b"text" * 3), (0x2000, b"dat")]
    assert offline.type("merge-bin -o b.hex -t 0x1000 0x2000 data 0x1000 text").status == 0
    data = Path("b.hex").read_bytes()
    assert (len(data), data[:12], data[-3:]) == (0x1003, b"text" * 3, b"dat")
    assert offline.type("merge-bin -o c.hex -f hex 0x2000 data 0x1000 text").status == 0
    assert Path("c.hex").read_bytes() == Path("a.hex").read_bytes()


def test_flash_of_the_connected_chip(offline: Shell, tmp_path: Path) -> None:
    """Headers only, or all of it: then a wrong sum is found, and the stub is of use."""
    path = tmp_path / "flash.bin"
    large = support.firmware([(0x3C00_0020, bytes(0x4000))], chip=C3.id)
    large = large[:-40] + b"\1" + large[-39:]
    path.write_bytes((b"\xff" * 0x1_0000 + large).ljust(4 << 20, b"\xff"))
    offline.connect(f"?flash=4M&flash-file={path}")
    ran = offline.type("image info flash:0x10000")
    assert (ran.status, "not checked" in ran.out) == (0, True)
    assert "--verify reads everything" in ran.err
    ran = offline.type("image-info flash:0x10000 --verify")
    assert ran.status == 1
    assert "flash:0x10000: the SHA-256 is wrong" in ran.err
    ran = offline.type("image info flash:0x9000")
    assert (ran.status, "it is blank (FF)" in ran.err) == (1, True)


def test_a_script_knows_when_it_needs_a_chip(offline: Shell, files: Path) -> None:
    """A place in flash needs one, a file does not; both words may come from variables."""
    ran = offline.script(
        'let what = "info"\nimage $what app.bin > o\nalias look = image\nlook info app.bin > o\n'
    )
    assert (ran.status, ran.err) == (0, "")
    ran = offline.script("image info flash:0x10000")
    assert (ran.status, "no chip is connected" in ran.err) == (3, True)
    ran = offline.script("echo a\nimage inof app.bin")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("test.espsh:2: image inof: there is no `image inof`")


def test_transcript_has_both_words(offline: Shell, files: Path) -> None:
    """What was shortened at the prompt stands whole in the transcript, and can be run again."""
    offline.session.interactive = True
    offline.type("log log.espsh")
    assert offline.type("image inf app.bin > o").status == 0
    offline.type("log off")
    assert "\nimage info app.bin > o\n" in Path("log.espsh").read_text("utf-8")


def test_help(offline: Shell) -> None:
    """Help on the family lists it, with the other names; on one of it explains that."""
    listed = offline.type("help image").out
    for name in ("image info", "image make", "image merge", "image elf", "merge-bin"):
        assert name in listed
    assert "peek" not in listed
    assert offline.type("image --help").out == listed
    one = offline.type("help image make").out
    assert one.startswith("image make OUT [options]\n")
    assert offline.type("image make --help").out == one


@pytest.mark.parametrize(
    ("text", "size"), [("4MB", 4 << 20), ("256KB", 256 << 10), ("4M", 4 << 20), ("0x1000", 4096)]
)
def test_sizes(text: str, size: int) -> None:
    """A size is written as esptool does or as everywhere."""
    assert FLASH_BYTES.parse([text]) == size


def test_elf(offline: Shell, files: Path) -> None:
    """What esptool prints goes to stderr, and our reading of the image is the result."""
    pytest.importorskip("esptool")
    program = support.elf([(0x4037_C000, b"code" * 4)], entry=0x4037_C000, machine=support.RISCV)
    Path("app.elf").write_bytes(program)
    ran = offline.type("elf2image --chip esp32c3 --flash-mode dout -o x.bin app.elf")
    assert (ran.status, "ESP32-C3" in ran.err) == (0, True)
    assert ran.out.startswith("x.bin  firmware image for ESP32-C3, ")
    assert "flash     DOUT" in ran.out
    assert offline.connect().type("image elf app.elf --dont-append-digest").status == 0
    assert "SHA-256" not in offline.type("image info app.bin").out


def test_words_that_are_offered() -> None:
    """The choices of the options are those of the operations, which are imported later."""
    assert (commands.KEEP, commands.FLASH_MODES) == (patch.KEEP, patch.FLASH_MODES)
    assert commands.FORMATS == merge.FORMATS
