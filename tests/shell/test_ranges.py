"""The commands on whole ranges, on time, and on what was there before."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from espshell.files import CONTENTS
from espshell.shell.settings import Bench
from espshell.shell.terminal import complete
from tests.shell.support import RAM, Shell

ROW = "3fc90000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|"


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """Return a session whose RAM holds 0 to 63 in 64 bytes."""
    words = " ".join(hex(int.from_bytes(bytes(range(i, i + 4)), "little")) for i in range(0, 64, 4))
    shell.type(f"poke {RAM:#x} {words}")
    return shell


# copy, find, hash --------------------------------------------------------------------------------


def test_copy(filled: Shell) -> None:
    """A copy that overlaps its source is right, and says from where to where."""
    assert filled.type("copy 0x3fc90000 16 0x3fc90003").out == (
        "0x3fc90000..0x3fc90010 → 0x3fc90003..0x3fc90013  (16 bytes, read back)\n"
    )
    assert filled.type("expect [0x3fc90004] == 0x04030201").status == 0
    assert filled.type("copy DRAM..+4 ROM0").status == 2


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("find 0x3fc90000 64 0x07060504", 0x3FC90004),
        ("find32 0x3fc90000..+64 0x07060504", 0x3FC90004),
        ("find16 0x3fc90000 64 0x0605", 0x3FC90005),
        ("find8 0x3fc90000 64 9 --align 3", 0x3FC90009),
        ("find8 0x3fc90000 64 'A' --max 1 --align 2; fails echo", None),
        ('find 0x3fc90000 64 " !"', 0x3FC90020),
        ("find 0x3fc90000 64 '()'", 0x3FC90028),
        ("find 0x3fc90000 64 hex:10??12", 0x3FC90010),
        ("let n = 0x0605; find16 0x3fc90000 64 $n", 0x3FC90005),
        ('let text = " !"; find 0x3fc90000 64 "$text"', 0x3FC90020),
    ],
)
def test_find(filled: Shell, pattern: str, address: int | None) -> None:
    """Every form of a pattern is found, and the first place is $_; what is not there fails."""
    assert filled.type(pattern).status == (address is None)
    if address is not None:
        assert filled.session.variables["_"] == hex(address)


def test_find_shows_the_row_and_goes_on(filled: Shell) -> None:
    """The place is marked in its row; an empty Enter goes on behind the last one."""
    ran = filled.type("find8 0x3fc90000 64 2 --max 1")
    assert ran.out.splitlines() == [f"{ROW}  0x3fc90002", "                ^^"]
    assert filled.session.next_line == ("find 0x3fc90003..0x3fc90040 hex:02 --align 1 --max 1")
    assert filled.type(filled.session.next_line).status == 1
    assert filled.session.next_line == ""


def test_hash(filled: Shell) -> None:
    """A region of either form, an algorithm or none."""
    for line in ("hash 0x3fc90000..+4", "hash 0x3fc90000 4 md5", "hash 0x3fc90000 4"):
        assert filled.type(line).out == (
            f"{hashlib.md5(bytes(range(4))).hexdigest()}  md5 of 0x3fc90000..0x3fc90004\n"
        )
    assert filled.type("hash 0x3fc90000 4 CRC32").out.startswith("8bb98613  crc32")
    assert "is not one of md5" in filled.type("hash 0x3fc90000 4 md4").err


# diff and snap -----------------------------------------------------------------------------------


def test_diff_of_everything_with_everything(filled: Shell, tmp_path: Path) -> None:
    """A region, an address, a file and a snapshot can stand on either side."""
    file = tmp_path / "a b.bin"
    file.write_bytes(bytes(range(64)))
    filled.type("snap before 0x3fc90000 64")
    sides = ["0x3fc90000 64", "0x3fc90000..+64", "0x3fc90000", f"'{file}'", "before", "BEFORE"]
    for one in sides:
        for other in sides:
            if one != "0x3fc90000" or other not in ("0x3fc90000", "0x3fc90000 64"):
                assert filled.type(f"diff {one} {other}").out == "equal  64 bytes\n", (one, other)
    assert filled.type("diff 0x3fc90000 0x3fc90000").status == 2
    assert filled.type("diff before nosuch").status == 2
    assert filled.type("diff before 0x3fc90000 63").status == 2


@pytest.mark.parametrize("line", ["diff DRAM {}", "set parttable {}; parts"])
def test_a_file_that_is_far_too_large(filled: Shell, tmp_path: Path, line: str) -> None:
    """It is refused by its size, before it fills the memory."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(CONTENTS.size + 1)
    ran = filled.type(line.format(tmp_path / "huge"))
    assert (ran.status, "has more than 512 MiB" in ran.err) == (2, True)


def test_diff_as_a_finding(filled: Shell) -> None:
    """What differs is shown and is status 1; the JSON has the ranges."""
    filled.type("snap before 0x3fc90000 64; poke8 0x3fc90001 0xff")
    ran = filled.type("diff before 0x3fc90000")
    assert (ran.status, ran.err) == (1, "diff: 1 of 64 bytes differ\n")
    assert ran.out.splitlines()[:3] == [
        "- before  0x3fc90000..0x3fc90040",
        "+ 0x3fc90000..0x3fc90040",
        f"- {ROW}",
    ]
    filled.session.output.as_json = True
    (told,) = filled.type("diff before 0x3fc90000").objects
    assert told["value"]["equal"] is False
    assert told["value"]["differing"] == [{"address": 0x3FC90001, "size": 1}]


def test_snapshots(filled: Shell) -> None:
    """They are listed, dropped, and stale after a reset, which `diff` says."""
    assert filled.type("snap a 0x3fc90000 4").status == 0
    assert filled.type("snap dram 0x3fc90000 4").status == 2
    assert filled.type("snap a").status == 2
    filled.type("reset")
    ran = filled.type("diff a 0x3fc90000")
    assert "snapshot `a` was taken before the chip was reset" in ran.err
    assert filled.type("snap").out == "a  0x3fc90000..0x3fc90004  4 bytes  stale\n"
    assert filled.type("snap drop A; snap").out == ""
    assert filled.type("snap drop a").status == 2


def test_snapshot_whose_name_begins_as_places_do(filled: Shell) -> None:
    """At the prompt, where names are abbreviated, a new one is not an abbreviation."""
    filled.session.interactive = True
    assert filled.type("snap uart UART1; snap dr 0x3fc90000 4").status == 0
    assert filled.type("diff dr 0x3fc90000").status == 0


# journal and undo --------------------------------------------------------------------------------


def test_undo_and_journal(shell: Shell) -> None:
    """Writes of every kind are listed and undone, the newest first."""
    shell.type("poke 0x3fc90000 5; fill8 0x3fc90002 4 0xee; copy 0x3fc90000 8 0x3fc90004")
    shell.type("poke UART0.CLKDIV 7")
    assert len(shell.session.journal) == 4
    assert shell.type("journal 1").out == (
        "4  0x60000014  0x0040015b → 0x00000007  poke UART0.CLKDIV 7\n"
    )
    assert shell.type("undo").out == "0x60000014  0x00000007 → 0x0040015b   put back\n"
    assert shell.type("undo 4").status == 2
    assert shell.type("undo 3").status == 0
    assert shell.type("journal").out == ""
    assert shell.type("expect ([0x3fc90000] | [0x3fc90004] | [0x3fc90008]) == 0").status == 0


def test_what_cannot_be_undone(shell: Shell) -> None:
    """Where nothing was read before, and behind a reset, `undo` refuses and keeps the entry."""
    shell.type("poke --no-verify 0x3fc90000 5")
    assert "were not read" in shell.type("undo").err
    shell.type("poke 0x3fc90000 6; reset")
    assert "reset or reconnected" in shell.type("undo").err
    shell.session.output.as_json = True
    (told,) = shell.type("journal").objects
    assert [entry["old"] for entry in told["value"]["entries"]] == [None, "05000000"]


def test_dry_run(offline: Shell) -> None:
    """Nothing is written, everything is told, and nothing is journaled."""
    offline.session.dry_run = True
    offline.session.connect(Bench(port="sim://esp32c3", stub="always"))
    for line in ("poke 0x3fc90000 5", "fill 0x3fc90000 128 1", "copy ROM0..+64 0x3fc90000"):
        ran = offline.type(line)
        assert (ran.status, "dry run: nothing was sent" in ran.err) == (0, True), line
    assert offline.type("peek 0x3fc90000").out.endswith("  0\n")
    assert len(offline.session.journal) == 0
    assert offline.type("stub always").status == 2


# Again and again ---------------------------------------------------------------------------------


def test_wait(shell: Shell) -> None:
    """It ends at once where it is true, and fails in the chip's own time with both sides."""
    assert shell.type("wait [0x3fc90000] == 0").status == 0
    before = shell.session.clock.now()
    ran = shell.type("wait -t 500 -i 10 [0x3fc90000] > 0")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.endswith("`[0x3fc90000] > 0` is false: left is 0x0 (0), right is 0x0 (0)\n")
    assert shell.session.clock.now() - before == pytest.approx(500, abs=1)


def test_repeat(shell: Shell) -> None:
    """A command runs so often, and no longer when it has failed."""
    assert shell.type("repeat 3 peek 0x3fc90000").out.count("0x3fc90000") == 3
    ran = shell.type("repeat 3 expect [0x3fc90000] == 1")
    assert (ran.status, ran.err.startswith("repeat: run 1 of 3: ")) == (1, True)
    assert shell.type("repeat 2 dump 0x3fc90000 16").out.count("3fc90000") == 2
    assert shell.type("repeat 2 peek 0x10").status == 2
    shell.session.output.as_json = True
    (told,) = shell.type("repeat 2 peek 0x3fc90000").objects
    assert [each["values"] for each in told["value"]["results"]] == [[0], [0]]


def test_watch_prints_changes(shell: Shell) -> None:
    """Without a terminal there is the first look and each change; --count ends it."""
    assert shell.type("watch [0x3fc90000] --count 5").out == "0.000 s\n0x00000000  0\n"
    assert "00 00" in shell.type("watch 0x3fc90000 16 --count 2 -n 100ms").out
    assert shell.type("watch UART0.CLKDIV --count 1").out.count("60000010") == 1
    assert shell.type("watch UART0.CLKDIV.FRAG --count 1").out.endswith("0x00000004  4\n")
    shell.session.output.as_json = True
    (told,) = shell.type("watch [0x3fc90000] --count 2").objects
    assert told["value"]["looks"] == 2
    assert [sample["seen"] for sample in told["value"]["samples"]] == [0]


def test_watch_ends_by_ctrl_c(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C stops it, which is status 130, and leaves a chip that answers."""

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shell.session.clock, "sleep", interrupted)
    ran = shell.type("watch [0x3fc90000]")
    monkeypatch.undo()
    assert (ran.status, ran.err) == (130, "stopped\n")
    assert shell.type("peek 0x3fc90000").status == 0


# The transcript ----------------------------------------------------------------------------------


def test_transcript_can_be_run_again(shell: Shell, tmp_path: Path) -> None:
    """Commands stand in it once, under their full names, and all else is a comment."""
    log = tmp_path / "log"
    other = tmp_path / "other.espsh"
    other.write_text("peek $1\n")
    shell.session.interactive = True
    shell.type(f"log {log}")
    for line in (
        "pok 0x3fc90000 5; echo a > /dev/null",
        "nosuch",
        "alias p = peek",
        "p 0x3fc90000 2",
        f"source {other} 0x3fc90000",
        "-expect 0",
        "quit 1 2",
        "log off",
        "echo not in it",
    ):
        shell.type(line)
    commands = [line for line in log.read_text().splitlines() if not line.startswith("#")]
    assert commands == [
        "poke 0x3fc90000 5",
        "echo a > /dev/null",
        "alias p = peek",
        "peek 0x3fc90000 2",
        f"source {other} 0x3fc90000",
        "-expect 0",
    ]
    assert "# 0x3fc90000  0x00000005  5" in log.read_text().splitlines()
    assert shell.script(log.read_text()).status == 0


@pytest.mark.parametrize(
    ("line", "replayed"),
    [
        ("pe DRA", "peek DRAM"),
        ("peek UART0.CLKDI", "peek UART0.CLKDIV"),
        ("dump DRA..+8", "dump DRAM..+8"),
        ("peek (DRA + 4)", "peek (DRAM + 4)"),
        ("expect [DRA] == 0", "expect [DRAM] == 0"),
        ("let z = DRA + 4; echo $z", "let z = DRAM + 4"),
        ("dump flash:nv 16", "dump flash:nvs 16"),
        ("efuse:MA", "print efuse:MAC"),
        ("UART0.CLKDIV.FR", "print UART0.CLKDIV.FRAG"),
        ("fa pok ROM0 0", "fails poke ROM0 0"),
        ("repeat 2 sr sho", "repeat 2 sr show"),
        ("repeat 1 peek DRA", "repeat 1 peek DRAM"),
        ("peek NOSUCH", "# peek NOSUCH"),
        ("peek $nosuch", "# peek $nosuch"),
        ("image info nosuch.bin", "# image info nosuch.bin"),
        ("expect 1 == 2", "expect 1 == 2"),
        ("snap u DRAM 4; diff u DRAM 4", "diff u DRAM 4"),
    ],
)
def test_what_is_typed_at_the_prompt_in_a_transcript(
    line: str, replayed: str, tmp_path: Path
) -> None:
    """Shortened names stand there whole, and what no script may say is a comment."""
    shell = Shell()
    shell.type("connect sim://demo")
    shell.session.interactive = True
    shell.type(f"log {tmp_path}/log")
    first = shell.type(line)
    shell.type("log off")
    log = (tmp_path / "log").read_text()
    assert replayed in log.splitlines()
    again = shell.script(log)
    if first.status == 0:
        said = re.sub(r"\$~\d = ", "", first.out).replace("DRA]", "DRAM]").replace("pok ", "poke ")
        assert (again.status, again.out) == (0, said)
    assert again.status == (first.status if not replayed.startswith("#") else 0)


def test_transcript_of_a_script_with_arguments(shell: Shell, tmp_path: Path) -> None:
    """It is run from another folder and without the arguments, and does the same."""
    log, folder = tmp_path / "log", tmp_path / "my lib"
    folder.mkdir()
    (folder / "in.espsh").write_text("poke $1 $2\n")
    text = (
        "source in.espsh $1 7\n"
        'echo "<$2>" ${3:-none} $2 "${2}"\npoke $1 $4 > "$5"\nlet y = $1 + 4\npeek $y $6\n'
        "expect [$1] == 7\nexpect $x == 5\nsave $1 4 $5\nload $5 mem:$1\n"
        "echo $1 | cat\n-image info nosuch --chip $7"
    )
    arguments = (
        "0x3fc90000",
        'a "b" $c',
        "",
        "(3 + 4) * 1",
        f"{tmp_path}/o - ut",
        "1 + 1",
        "esp32c3",
    )
    shell.type(f"let x = 5; log {log}")
    shell.session.folder = folder
    shell.session.keep_going = True
    first = shell.script(text, *arguments)
    shell.session.folder = tmp_path
    shell.session.variables.clear()
    shell.type("log off")
    again = shell.script(log.read_text())
    assert first.out.splitlines()[-7] == '<a "b" $c>  a "b" $c a "b" $c'
    assert again.out.splitlines()[-7:] == first.out.splitlines()[-7:]
    assert (first.status, again.status, again.err.count("read once")) == (0, 0, 1)


@pytest.mark.parametrize(
    ("line", "value", "replayed"),
    [
        ("peek DRAM+$1", "1|2", "peek DRAM+1|2"),
        ("peek DRAM+$1", "1 | 7", "peek DRAM+1|7"),
        ("peek DRAM+$1*4", "1<<2", "peek DRAM+1<<2*4"),
        ("peek DRAM+$1*4", "1 + 3", "peek DRAM+1+3*4"),
        ("peek DRAM+$1", "4 and 8", "peek (DRAM+4 and 8)"),
        ("dump DRAM..+$1", "4 + 4", "dump DRAM..+4+4"),
        ("peek (DRAM + $1)", "4 | 8", "peek (DRAM + 4 | 8)"),
        ("fails peek DRAM+$1*4", "1|2", "fails peek DRAM+1|2*4"),
        ("repeat $1 echo x", "1 + 1", "repeat 1+1 echo x"),
        ("poke DRAM 0 --mask=$1", "1 | 4", "poke DRAM 0 --mask=1|4"),
        ("let y = 4; peek DRAM+$y+$1", "1 + 3", "peek DRAM+$y+1+3"),
        ("expect $1 == 3", "1 | 2", "expect 1 | 2 == 3"),
        ("echo $1", "1 + 1", 'echo "1 + 1"'),
        ("echo a$1", "1|2", "echo a1|2"),
        ("echo $1", "|", 'echo "|"'),
        ("echo $1", "--help", 'echo "--help"'),
        ("echo ($1)", "a$", 'echo "(a\\$)"'),
        ("echo hi > f$1", "1 + 1", 'echo hi > f"1 + 1"'),
        ("echo x$1", "y;z", 'echo x"y;z"'),
        ("let z = $1; echo $z", "0x10", "let z = 0x10"),
        ("for i in $1\necho $i\nend", "010", 'let i = "010"'),
        ("source in.espsh $1", "1 + 1", 'source {folder}/in.espsh "1 + 1"'),
    ],
)
def test_the_value_of_an_argument_in_a_transcript(
    line: str, value: str, replayed: str, shell: Shell, tmp_path: Path
) -> None:
    """It is text, so it stands there without parentheses of ours; what runs again says the same."""
    (tmp_path / "in.espsh").write_text("echo $1\n")
    shell.session.folder, shell.session.keep_going = tmp_path, True
    shell.type(f"log {tmp_path}/log")
    first = shell.script(line, value)
    shell.type("log off")
    log = (tmp_path / "log").read_text()
    assert replayed.format(folder=tmp_path) in log.splitlines()
    again = shell.script(log)
    assert (again.status, again.out.replace(f"peek {replayed[11:]}", "peek DRAM+$1*4")) == (
        first.status,
        first.out,
    )


def test_transcript_names_what_it_sourced_for_every_folder(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was named from the folder of the session is found again from another one."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "in.espsh").write_text("poke $1 7\n")
    monkeypatch.chdir(tmp_path / "lib")
    shell.type("log ../log; source in.espsh 0x3fc90000; log off")
    monkeypatch.chdir(tmp_path)
    shell.session.folder = tmp_path / "elsewhere"
    shell.type("poke 0x3fc90000 0")
    assert f"source {tmp_path}/lib/in.espsh 0x3fc90000" in Path("log").read_text().splitlines()
    assert shell.script(Path("log").read_text()).status == 0
    assert shell.type("expect [0x3fc90000] == 7").status == 0


def test_transcript_that_cannot_be_written(shell: Shell, tmp_path: Path) -> None:
    """A file that cannot be opened is an error; a full disk ends the transcript, not the shell."""
    assert shell.type(f"log {tmp_path}").status == 2
    if Path("/dev/full").exists():
        assert shell.type("log /dev/full").status == 2
    assert shell.type("log").out.split() == ["log", "off"]


def test_completion_of_ranges(shell: Shell, tmp_path: Path) -> None:
    """Places, files, algorithms and words of the commands are offered."""

    def offered(line: str) -> set[str]:
        return {each.text for each in complete.candidates(shell.session, line)}

    (tmp_path / "fw.bin").touch()
    assert "DRAM" in offered("diff DR")
    assert f"{tmp_path}/fw.bin" in offered(f"diff DRAM {tmp_path}/f")
    assert "crc32" in offered("hash DRAM c")
    assert "drop" in offered("snap d")
    assert "off" in offered("log o")
    assert "hex:" in offered("find DRAM 16 h")
    assert "peek" in offered("repeat 3 pe")
    assert "--align" in offered("find --a")


def test_snapshots_in_a_file(shell: Shell, offline: Shell, tmp_path: Path) -> None:
    """What is saved on one board is compared with on another, registers by name."""
    path = tmp_path / "a.json"
    assert "no snapshots" in shell.type(f"snap save {path}").err
    shell.type("poke 0x3fc90000 0x11223344; snap mine 0x3fc90000 8; snap uart UART0.CONF0")
    assert shell.type(f"snap save {path}").status == 0
    other = offline
    other.session.connect(Bench(port="sim://esp32c3"))
    assert other.type(f"snap load {path}").out.splitlines()[1:] == [
        "mine  0x3fc90000..0x3fc90008  8 bytes",
        "uart  0x60000020..0x60000024  4 bytes",
    ]
    assert other.type("diff mine 0x3fc90000").err.endswith("4 of 8 bytes differ\n")
    other.type("poke UART0.CONF0 5")
    ran = other.type("diff uart UART0.CONF0")
    assert ran.status == 1
    assert "UART0.CONF0  PARITY 0 → 1, BIT_NUM 0 → 1\n" in ran.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a file of snapshots"),
        ("[1]", "is not a file of snapshots"),
        ('{"format": "espshell snapshots", "version": 2}', "is of version 2"),
        ('{"format": "espshell snapshots", "version": 1, "snapshots": 7}', "is damaged"),
        (
            '{"format": "espshell snapshots", "version": 1, "snapshots": [{"name": "a"}]}',
            "is damaged",
        ),
        (
            '{"format": "espshell snapshots", "version": 1, "snapshots":'
            ' [{"name": "a", "space": "mem", "address": "0xffffffff", "data": "0011"}]}',
            "is damaged",
        ),
    ],
)
def test_damaged_files_of_snapshots(shell: Shell, tmp_path: Path, text: str, message: str) -> None:
    """Each is one line, and no snapshot comes of it."""
    path = tmp_path / "a.json"
    path.write_text(text)
    ran = shell.type(f"snap load {path}")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert message in ran.err
    assert not shell.session.snapshots
