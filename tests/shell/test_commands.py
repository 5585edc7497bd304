"""Each command, as a person or a script uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.shell.commands import VERBS
from espshell.shell.dumps import Dumps
from tests.shell.support import RAM, Shell

PATTERN = bytes(range(256)) * 5


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """Return a session whose RAM holds a pattern that tells every byte of a word."""
    values = " ".join(
        f"0x{int.from_bytes(PATTERN[i : i + 4], 'little'):08x}" for i in range(0, 64, 4)
    )
    shell.type(f"poke {RAM:#x} {values}")
    return shell


# Memory ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("peek 0x3fc90004", ["0x3fc90004  0x07060504  117835012"]),
        ("peek32 0x3fc90004", ["0x3fc90004  0x07060504  117835012"]),
        ("peek16 0x3fc90006", ["0x3fc90006  0x0706  1798"]),
        ("peek8 0x3fc90007 2", ["0x3fc90007  0x07  7", "0x3fc90008  0x08  8"]),
        ("peek mem:DRAM+0x10004", ["0x3fc90004  0x07060504  117835012"]),
        ("peek (DRAM + 0x10004) (1 + 0)", ["0x3fc90004  0x07060504  117835012"]),
        ("read-mem 0x3fc90004", ["0x3fc90004  0x07060504  117835012"]),
        ("READ_MEM 0x3fc90004", ["0x3fc90004  0x07060504  117835012"]),
    ],
)
def test_peek(filled: Shell, line: str, lines: list[str]) -> None:
    """Every width and every name of peek reads what is there."""
    ran = filled.type(line)
    assert (ran.status, ran.out.splitlines()) == (0, lines)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("poke 0x3fc90004 0x11223344", 0x11223344),
        ("poke 0x3fc90004 -1", 0xFFFFFFFF),
        ("poke 0x3fc90004 'A'", 65),
        ("poke16 0x3fc90006 0xaabb", 0xAABB0504),
        ("poke8 0x3fc90005 0xaa", 0x0706AA04),
        ("poke8 0x3fc90004 1 2 3", 0x07030201),
        ("poke 0x3fc90004 0xffffffff --mask 0xf0", 0x070605F4),
        ("poke --mask 0xf0 0x3fc90004 0xffffffff", 0x070605F4),
        ("poke --no-verify 0x3fc90004 9", 9),
        ("write-mem 0x3fc90004 0xffffffff 0xf0", 0x070605F4),
        ("write_mem 0x3fc90004 3", 3),
        ("fill8 0x3fc90005 2 0xee", 0x07EEEE04),
        ("fill16 0x3fc90004 4 0xbeef", 0xBEEFBEEF),
        ("fill 0x3fc90004..+4 7", 7),
    ],
)
def test_writes(filled: Shell, line: str, word: int) -> None:
    """Every way to write changes the bits that it names and no other."""
    assert filled.type(line).status == 0
    assert filled.type(f"expect [0x3fc90004] == {word}").status == 0
    assert filled.type("expect [0x3fc90000] == 0x03020100").status == 0
    if "1 2 3" not in line:
        assert filled.type("expect [0x3fc90008] == 0x0b0a0908").status == 0


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1027])
def test_dump_and_save_give_exactly_what_was_asked(
    shell: Shell, tmp_path: Path, offset: int, size: int
) -> None:
    """Any size and alignment, by all three ways; esptool drops a tail."""
    start = 0x3FF0_0000 + offset
    for name, line in (("a", "save {:#x} {} {}"), ("b", "dump-mem {:#x} {} {}")):
        assert shell.type(line.format(start, size, tmp_path / name)).status == 0
    shell.session.output.as_json = True
    (told,) = shell.type(f"dump {start:#x} {size}").objects
    saved = (tmp_path / "a").read_bytes()
    assert len(saved) == size
    assert saved == (tmp_path / "b").read_bytes() == bytes.fromhex(told["value"]["data"])


@pytest.mark.parametrize(
    ("region", "size"),
    [
        ("RTC_FAST", 8192),
        ("0x50000000 16", 16),
        ("0x50000000..0x50000003", 3),
        ("RTC_FAST..+5", 5),
        ("efuse:0x44 6", 6),
        ("(0x50000000 + 1) (1 << 4)", 16),
    ],
)
def test_regions(shell: Shell, tmp_path: Path, region: str, size: int) -> None:
    """Every form of a region means as many bytes as it says."""
    shell.type(f"save {region} {tmp_path / 'x'}")
    assert (tmp_path / "x").stat().st_size == size


def test_dump_marks_what_changed_since(filled: Shell) -> None:
    """The second dump of a range marks what is not as in the first; another chip begins anew."""
    assert "^^" not in filled.type("dump 0x3fc90000 16").out
    filled.type("poke8 0x3fc90001 0xff")
    assert "^^" in filled.type("dump 0x3fc90000 16").out
    filled.type("connect")
    assert "^^" not in filled.type("dump 0x3fc90000 16").out


def test_dump_squeezes_unless_told(shell: Shell) -> None:
    """Equal rows are counted, by a setting or an option they are shown."""
    assert len(shell.type("dump 0x50000000 256").out.splitlines()) == 3
    assert len(shell.type("dump 0x50000000 256 --all").out.splitlines()) == 16
    shell.type("set squeeze off")
    assert len(shell.type("dump 0x50000000 256").out.splitlines()) == 16


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("peek 0x3fc90000 4", "peek32 0x3fc90010 4"),
        ("peek8 0x3fc90000", "peek8 0x3fc90001 1"),
        ("dump 0x3fc90000", "dump8 0x3fc90100 256"),
        ("dump32 0x3fc90000 20 --all", "dump32 0x3fc90014 20 --all"),
        ("peek 0x3fc90000; echo", ""),
        ("fails peek 0x10", ""),
        ("peek 0x10", ""),
        ("poke 0x3fc90000 1", ""),
        ("fill 0x3fc90000 16 1", ""),
        ("map", ""),
    ],
)
def test_only_peek_and_dump_go_on(shell: Shell, line: str, following: str) -> None:
    """What an empty Enter runs is the next piece, and nothing behind any other command."""
    shell.type(line)
    assert shell.session.next_line == following


def test_save_leaves_no_half_file(shell: Shell, tmp_path: Path) -> None:
    """What cannot be read whole leaves the file that was there, and no temporary one."""
    target = tmp_path / "x"
    target.write_text("before")
    assert shell.type(f"save 0x3fcdfff0 64 {target}").status == 2
    shell.connect("?fault=unplug@request:60")
    assert shell.type(f"save 0x3fc90000 64k {target}").status == 3
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize("width", [8, 16, 32])
def test_register_that_changes_when_read_is_not_read_back(shell: Shell, width: int) -> None:
    """A write to a FIFO says that nothing was read."""
    ran = shell.type(f"poke{width} UART0.FIFO 1")
    assert ran.status == 0
    assert "written, not read back" in ran.out
    assert "reading UART0.FIFO changes it" in ran.err


# Chip --------------------------------------------------------------------------------------------


def test_map_of_one_address(shell: Shell) -> None:
    """`map` with an address names its region, or the neighbours of a hole."""
    assert shell.type("map 0x3fc90000").out.startswith("DRAM  0x3fc80000..0x3fce0000  384 KiB")
    assert "starts at" in shell.type("map 0x10").err
    assert len(shell.type("map").out.splitlines()) == 9


def test_run_leaves_and_connect_comes_back(shell: Shell) -> None:
    """After `run` and `reset run` there is no chip; `connect` alone finds the last one again."""
    for line in ("run", "reset run"):
        assert shell.type(line).status == 0
        assert shell.type("peek 0x3fc90000").status == 3
        assert shell.type("connect").status == 0
        assert shell.type("peek 0x3fc90000").status == 0


def test_bad_port_and_then_a_good_one(shell: Shell) -> None:
    """A port that cannot be opened leaves a session that can try another."""
    assert shell.type("connect /nonexistent").status == 3
    assert shell.session.target is not None
    assert shell.type("connect sim://esp32").out == "esp32  rom on sim://esp32 at 115200 baud\n"


def test_baud_is_changed_and_told(shell: Shell) -> None:
    """The new rate holds, and a later `connect` uses it."""
    assert shell.type("baud 921600").out.endswith("at 921600 baud\n")
    assert shell.type("baud; peek 0x3fc90000").status == 0
    assert shell.type("connect").out.endswith("at 921600 baud\n")


def test_reset_keeps_how_to_connect(shell: Shell) -> None:
    """`reset` resets, also in a session that began without one, and does not change its ways."""
    shell.type("connect --before no-reset")
    bench = shell.session.bench
    shell.type("poke 0x3fc90000 1")
    assert shell.type("reset").status == 0
    assert shell.session.bench == bench


def test_connect_options(shell: Shell) -> None:
    """Options stay for the next `connect`."""
    shell.type("connect --baud 460800 --after no-reset --chip esp32c3")
    bench = shell.session.bench
    assert (bench.baud, bench.after, bench.chip and bench.chip.name) == (
        460800,
        "no-reset",
        "esp32c3",
    )


# Scripts and the shell ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5 + 3 * 2", "11"),
        ("0x10", "16"),
        ("'A'", "65"),
        ("'A' + 1", "66"),
        ('"a  b"', "a  b"),
        ('"say \\"hi\\""', 'say "hi"'),
        ("'$x'", "$x"),
        ("$fw", "my fw.bin"),
        ("${nobody:-0x10}", "16"),
        ("$n * 2", "14"),
        ('"$n$n"', "77"),
        ("[0x3fc90000]", "0"),
        ("u8[0x3fc90000] == 0", "1"),
        ("1 << 4 | 1", "17"),
        ("3 > 2", "1"),
    ],
)
def test_let(shell: Shell, value: str, text: str) -> None:
    """A number is an expression, text stands in quotes, a variable is as it is."""
    shell.session.variables.update(fw="my fw.bin", n="7")
    assert shell.type(f"let v = {value}").status == 0
    assert shell.session.variables["v"] == text


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("echo", "\n"),
        ("echo a   b", "a b\n"),
        ("echo \"a   b\" 'c  d'", "a   b c  d\n"),
        ("echo -n --flag -> x", "-n --flag -> x\n"),
        ("echo '#' # comment", "#\n"),
        ("echo 'a;b' \\; c", "a;b ; c\n"),
    ],
)
def test_echo(offline: Shell, line: str, out: str) -> None:
    """`echo` shows its words, and takes none for an option."""
    assert offline.type(line).out == out


def test_expect(shell: Shell) -> None:
    """A claim that holds says what it saw; one that does not says both sides."""
    assert shell.type("expect [0x3fc90000] < 4").out == "true  [0x3fc90000] < 4  (0x0 < 0x4)\n"
    ran = shell.type('expect -m "must be clear" ([0x3fc90000] | 2) == 0')
    assert (ran.status, ran.err) == (
        1,
        "expect: must be clear: `([0x3fc90000] | 2) == 0` is false: "
        "left is 0x2 (2), right is 0x0 (0)\n",
    )
    assert shell.type("expect 0").err == "expect: `0` is 0x0\n"


def test_sleep_takes_the_time_of_the_chip(shell: Shell) -> None:
    """A simulated chip makes nobody wait."""
    before = shell.session.clock.now()
    shell.type("sleep 1000")
    assert shell.session.clock.now() - before == pytest.approx(1000)


def test_set(offline: Shell) -> None:
    """Settings are shown in the words that set them, and a wrong one changes nothing."""
    shown = (
        "check off confirm on pipe on shell off slower on squeeze on verify on aliases off "
        "complete tab compress auto editing emacs rate auto theme auto color auto dry-run off "
        "flash-size auto pager auto spi-connection auto parttable 0x8000"
    )
    assert offline.type("set").out.split() == shown.split()
    for name, value in (("check", "on"), ("color", "never"), ("squeeze", "off")):
        assert offline.type(f"set {name} {value}").status == 0
        assert offline.type(f"set {name}").out.split() == [name, value]
    assert offline.type("set chec on").err.endswith("did you mean `check`?\n")


def test_history(offline: Shell) -> None:
    """The last lines have their numbers; a script has no history."""
    assert offline.type("history").out == ""
    offline.session.history = lambda: ["a", "b", "c"]
    assert offline.type("history 2").out == "2  b\n3  c\n"


def test_help_of_every_command(offline: Shell) -> None:
    """`help X`, `X --help` and `? X` are the same, and begin with the usage line."""
    for verb in VERBS.verbs():
        told = offline.type(f"help {verb.name}").out
        assert told.splitlines()[0] == verb.usage_within(80)
        assert offline.type(f"? {verb.name}").out == told
        if verb.name not in ("help", "?"):
            assert offline.type(f"{verb.name} --help").out == told


def test_redirects(shell: Shell, tmp_path: Path) -> None:
    """`>` writes, `>>` appends, `|` feeds a program; the screen stays clean."""
    path = tmp_path / "x"
    assert shell.type(f"echo one > {path}; echo two >> {path}").out == ""
    assert path.read_text() == "one\ntwo\n"
    assert shell.type(f"echo three | cat > {path}").status == 0
    assert path.read_text() == "three\n"


def test_redirect_of_what_fails_leaves_the_file_alone(shell: Shell, tmp_path: Path) -> None:
    """A file holds a whole result or what it held before; new and appended alike."""
    path = tmp_path / "x"
    path.write_text("before\n")
    for sign in (">", ">>"):
        assert shell.type(f"peek 0x10 {sign} {path}").status == 2
        assert [each.read_text() for each in tmp_path.iterdir()] == ["before\n"]


@pytest.mark.parametrize(
    ("line", "status"),
    [("echo a | exit 3", 2), ("peek 0x10 | cat", 2), ("echo a | true", 0), ("dump ROM0 | true", 0)],
)
def test_shell_command_behind_a_pipe(shell: Shell, line: str, status: int) -> None:
    """A program that fails is an error; one that has read enough is none."""
    assert shell.type(line).status == status


def test_what_dumps_have_shown_is_kept_by_page() -> None:
    """Of any range each byte that was shown, and of very many pages the newest."""
    dumps, page = Dumps(), 1024
    dumps.keep("mem", page - 2, b"abcd")
    assert dumps.recall("mem", page - 3, 6) == [None, *b"abcd", None]
    assert dumps.recall("mem", page + 2, 4) == [None] * 4
    assert dumps.recall("mem", 4 * page, 4) is None
    assert dumps.recall("flash", page, 4) is None
    dumps.keep("mem", page + 1, b"D")
    assert dumps.recall("mem", page - 2, 4) == list(b"abcD")
    for number in range(1, 1024):
        dumps.keep("flash", number * page, b"x")
    assert len(dumps) == 1024
    assert dumps.recall("mem", page - 2, 2) is None
    assert dumps.recall("mem", page, 2) == list(b"cD")
