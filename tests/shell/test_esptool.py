"""Lines of esptool's: their spelling, what they mean for a session, and the drop-in program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from espshell.cli import main
from espshell.errors import EspError, UsageError
from espshell.link import ports
from espshell.link.ports import PortInfo
from espshell.shell import lines
from espshell.shell.check import check
from espshell.shell.esptool import front, spelling
from espshell.shell.esptool import line as session_line
from espshell.shell.registry import COMMANDS, bind
from espshell.shell.script import Script
from espshell.shell.settings import Bench
from tests.shell.support import RAM, Ran, Shell

DATA = Path(__file__).parent.parent / "data"

LIST_OPTIONS = """
import json
from esptool import cli

def options(command):
    return [o for p in command.params if p.param_type_name == "option" for o in p.opts]

print(json.dumps({"": options(cli)} | {n: options(c) for n, c in cli.commands.items()}))
"""
"""Prints the options of every command of the installed esptool, hidden ones too."""


def manual(name: str) -> list[str]:
    """Return the lines of a file of command lines, for an ESP32."""
    text = (DATA / name).read_text("utf-8").replace("{chip}", "esp32").replace("{boot}", "0x1000")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a build folder of ESP-IDF's."""
    (tmp_path / "flash_args").write_text(
        "--flash_mode dio --flash_freq 40m --flash_size 2MB\n0x10000 hello_world.bin\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", manual("esptool-manual.txt"))
def test_check_takes_every_line_of_the_manuals(offline: Shell, build: Path, line: str) -> None:
    """Each line of esptool's manuals is understood without a device."""
    check(offline.session, (Script("manual.espsh", line), ()))


@pytest.mark.parametrize("line", manual("esptool-refused.txt"))
def test_lines_that_are_refused_say_why(offline: Shell, line: str) -> None:
    """What cannot be had is refused before anything is connected, with the reason."""
    text, _, told = line.partition(" ;; ")
    with pytest.raises(EspError, match=told) as raised:
        check(offline.session, (Script("manual.espsh", text), ()))
    assert raised.value.status == 2


def test_every_option_of_esptool_is_taken_or_refused() -> None:
    """Each command and option of the installed esptool is in a table of ours."""
    pytest.importorskip("esptool")
    done = subprocess.run(
        [sys.executable, "-c", LIST_OPTIONS], capture_output=True, text=True, check=True
    )
    theirs = json.loads(done.stdout)
    assert set(theirs) - {""} <= {*spelling.COMMANDS, *spelling.ABSENT}
    for name, flags in theirs.items():
        if name in spelling.ABSENT:
            continue
        ours = COMMANDS.find(name or "esptool").options
        known = {option.flag for option in ours} | {option.short for option in ours}
        assert set(flags) <= known, name


def test_help_lists_the_commands() -> None:
    """``esptool --help`` names every command that can follow."""
    words = (COMMANDS.find("esptool").run.__doc__ or "").replace(",", " ").replace(".", " ").split()
    assert {*spelling.COMMANDS} <= {*words}


def test_what_is_only_accepted_says_so_in_its_help() -> None:
    """No option is accepted and ignored unless its help says so."""
    for verb in COMMANDS.verbs():
        for option in verb.options:
            if option.is_accepted:
                assert "accepted" in option.help, (verb.name, option.flag)
            if option.refusal:
                assert "is refused" in option.help, (verb.name, option.flag)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("esptool.py read_mac", "esptool.py"),
        ("/opt/x/esptool.py read_mac", "/opt/x/esptool.py"),
        ('"/a b/python3.11" -m esptool read_mac', '"/a b/python3.11" -m esptool'),
        ("py -m esptool read_mac", "py -m esptool"),
        ("python ./esptool.py read_mac", "python ./esptool.py"),
        ("$ esptool read_mac", "$ esptool"),
        ("ESPTOOL.EXE read_mac", "ESPTOOL.EXE"),
    ],
)
def test_the_program_by_any_name(line: str, name: str) -> None:
    """However esptool was called, the line is a line of esptool's."""
    command = spelling.program(lines.cut(line)[0])
    assert (command.name.raw, command.name.expand({})) == (name, "esptool")
    assert [word.raw for word in command.words] == ["read_mac"]


@pytest.mark.parametrize(
    "line", ["python x.py", "peek 0", "echo esptool", "python", "$", "my-esptool x"]
)
def test_other_lines_are_left_alone(line: str) -> None:
    """What is not a call of esptool stays as it is."""
    command = lines.cut(line)[0]
    assert spelling.program(command) is command


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("write-flash", "--flash_mode=dio --erase_all", ["--flash-mode=dio", "--erase-all"]),
        ("merge-bin", "--fill-flash-size 4MB", ["--pad-to-size", "4MB"]),
        ("write-flash", "--no-diff-verify 0 f", ["--trust-flash-content", "0", "f"]),
        ("verify-flash", "--diff yes 0 f", ["--diff", "0", "f"]),
        ("verify-flash", "--diff no 0 f", ["0", "f"]),
        ("verify-flash", "--diff=no -d yes 0 f", ["-d", "0", "f"]),
        ("verify-flash", "-d 0 f", ["-d", "0", "f"]),
        (
            "esptool",
            "--port-filter vid=1 pid=2 flash_id",
            ["--port-filter", "vid=1", "--port-filter", "pid=2", "flash_id"],
        ),
        ("peek", "--flash_mode=dio", ["--flash_mode=dio"]),
    ],
)
def test_old_spellings(name: str, line: str, words: list[str]) -> None:
    """Old names of options, and flags that once took a value, are those of today."""
    command = spelling.modern(name, lines.cut(f"{name} {line}")[0])
    assert [word.raw for word in command.words] == words


def test_a_file_of_arguments(tmp_path: Path) -> None:
    """Words of @FILE stand for what it holds, quotes and all; a missing one is said."""
    path = tmp_path / "args"
    path.write_text('0x0 "a b.bin"\n  0x10 c.bin')
    command = spelling.modern("write-flash", lines.cut(f'write-flash "@{path}" -z')[0])
    assert [word.expand({}) for word in command.words] == ["0x0", "a b.bin", "0x10", "c.bin", "-z"]
    with pytest.raises(UsageError, match="no such file"):
        spelling.modern("write-flash", lines.cut("write-flash @nothing")[0])


def test_values_in_the_word_of_an_option() -> None:
    """Every command takes ``--name=value``, ``-n5`` and underscores; a flag takes no value."""
    verb = COMMANDS.find("esptool")
    command = lines.cut("esptool --connect_attempts=$n -b460800 -pCOM3 read_mac")[0]
    given = {slot.key: words[0].expand({"n": "3"}) for slot, words in bind(verb, command)}
    assert given == {"connect_attempts": "3", "baud": "460800", "port": "COM3"}
    with pytest.raises(UsageError, match="takes no value"):
        bind(verb, lines.cut("esptool --no-stub=1 read_mac")[0])


# -- in a session ------------------------------------------------------------------------------


def test_a_line_runs_in_the_session(shell: Shell) -> None:
    """Global options of the session's own chip change nothing, and the rate is changed."""
    line = "esptool.py --chip auto -p sim://esp32c3 -b 230400 --before default_reset read_mem"
    ran = shell.type(f"{line} {RAM:#x}")
    assert ran.status == 0
    assert "stays connected" in ran.err
    assert shell.session.chip.link.port.baud == 230400
    assert shell.session.bench.stub == "auto"


def test_another_chip_is_refused(shell: Shell) -> None:
    """A line for another chip than is connected does nothing."""
    ran = shell.type(f"esptool.py --chip esp32 write_mem {RAM:#x} 1")
    assert (ran.status, ran.out) == (2, "")
    assert "this is an ESP32-C3, not an ESP32" in ran.err


def test_another_port_is_asked_about(shell: Shell) -> None:
    """A line for another port is refused, or with a yes the session moves there."""
    ran = shell.type("esptool.py --port sim://esp32 read_mac")
    assert ran.status == 2
    assert "the session is on sim://esp32c3" in ran.err
    questions: list[str] = []

    def ask(text: str) -> bool:
        questions.append(text)
        return True

    shell.session.ask = ask
    assert shell.type("esptool.py --port sim://esp32 read_mac").status == 0
    assert questions == ["leave sim://esp32c3 and connect to sim://esp32?"]
    assert shell.session.chip.chip.name == "esp32"


def test_without_a_connection_the_line_makes_one(offline: Shell) -> None:
    """Port and chip of the line are taken; a command without a device connects to nothing."""
    assert offline.type("esptool.py version").status == 0
    assert offline.session.target is None
    assert offline.type("esptool.py -p sim://esp32 --after no_reset read_mac").status == 0
    assert offline.session.bench.port == "sim://esp32"
    assert offline.session.bench.after == "no-reset"


def test_an_image_is_for_the_chip_of_the_line(shell: Shell, tmp_path: Path) -> None:
    """A command that needs no chip goes by --chip, and leaves the session as it was."""
    file, out = tmp_path / "a.bin", tmp_path / "out.uf2"
    file.write_bytes(bytes(100))
    line = f"esptool.py --chip esp32 -p other merge_bin --format uf2 -o {out} 0x10000 {file}"
    bench = shell.session.bench
    assert shell.type(line).status == 0
    assert int.from_bytes(out.read_bytes()[28:32], "little") == 0x1C5F21B0
    assert shell.session.bench == bench


def test_what_a_line_changes_is_journaled_once(shell: Shell) -> None:
    """The command in the line is what the journal and $_ know."""
    assert shell.type(f"esptool.py write_mem {RAM:#x} 0x12345678").status == 0
    assert shell.session.variables["_"] == "0x12345678"
    assert shell.type("journal").out.count("→") == 1


def test_the_voltage_of_the_flash(offline: Shell) -> None:
    """--override-vddsdio sets RTC_CNTL.SDIO_CONF of an ESP32; other chips have none."""
    line = "esptool.py -p sim://{} --override-vddsdio 1.9V read_mac"
    assert offline.type(line.format("esp32")).status == 0
    assert offline.session.chip.memory.words(0x3FF4_8074, 1) == [0xFE60_0000]
    offline.session.assume_yes = True
    assert "is for an ESP32" in offline.type(line.format("esp32c3")).err


def test_silence(shell: Shell) -> None:
    """--silent shows errors only."""
    assert shell.type("esptool.py -s read_mac") == Ran(0, "", "")
    assert shell.type("esptool.py -s -v read_mac").status == 2


def test_espefuse(shell: Shell) -> None:
    """A summary is answered with what is known here; burning is refused."""
    assert "7c:df:a1:b4:c5:d6" in shell.type("espefuse.py --port sim://esp32c3 summary").out
    assert "espshell does not burn" in shell.type("python -m espefuse burn_key x y").err
    assert shell.type("espsecure sign_data x").status == 2


def test_security_report(shell: Shell, offline: Shell) -> None:
    """get-security-info is what the ROM says; where it says nothing, another way is named."""
    assert "secure boot" in shell.type("get_security_info").out
    shell.type("connect sim://esp32")
    assert "`info` reads the eFuses" in shell.type("get-security-info").err


@pytest.mark.parametrize("chip", ["esp32", "esp32c3", "esp8266"])
def test_addresses_that_no_map_has(offline: Shell, chip: str) -> None:
    """The manual's 0x400C0000 is written and read, with a note where no map has it."""
    offline.type(f"connect sim://{chip}")
    for line in ("write_mem 0x400C0000 0xabad1dea", "read_mem 0x400C0000"):
        ran = offline.type(line)
        assert ran.status == 0
        assert ("sent anyway" in ran.err) == (chip != "esp32")
    assert "0xabad1dea" in ran.out or "0x400c0000" in ran.out
    assert offline.type("read_mem 0x1ffffffff").status == 2


def test_dry_runs_at_the_prompt(shell: Shell, tmp_path: Path) -> None:
    """--dry-run holds for its command, ``set dry-run on`` until it is off; nothing is sent."""
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(100))
    assert "would be" in shell.type(f"load {file} flash:0x10000 --dry-run").out
    assert shell.type(f"poke {RAM:#x} 5 --dry-run").status == 0
    assert shell.type("set dry-run on").status == 0
    assert shell.type(f"poke {RAM:#x} 5").status == 0
    shell.type("set dry-run off")
    assert "0x00000000" in shell.type(f"peek {RAM:#x}").out


def test_sizes_as_esptool_takes_them(shell: Shell, tmp_path: Path) -> None:
    """k, M, KB and MB are sizes of read-flash, and -fs is what the flash has."""
    file = tmp_path / "x"
    for size, expected in (("4k", 4096), ("64KB", 65536), ("1MB", 1 << 20)):
        assert shell.type(f"read-flash -fs=detect 0 {size} {file}").status == 0
        assert file.stat().st_size == expected


# -- the program -------------------------------------------------------------------------------


def run(*arguments: str, **environment: str) -> int:
    return front.run(arguments, environment={"HOME": "/nowhere", **environment})


def test_exit_status(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """0 is fine, 2 any error, as esptool's."""
    assert run("-p", "sim://esp32c3", "read_mac") == 0
    assert capsys.readouterr().out == "7c:df:a1:b4:c5:d6\n"
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(100))
    for wrong in (
        (),
        ("nothing",),
        ("-p", "/dev/nope", "read_mac"),
        ("-p", "sim://esp32c3", "-c", "esp32", "read_mac"),
        ("-p", "sim://esp32c3", "verify-flash", "0x0", str(file)),
    ):
        assert run(*wrong) == 2
    assert main(["esptool", "version"]) == 0
    lost = "sim://esp32c3?fault=unplug@request:60"
    assert run("-p", lost, "dump-mem", "0x40000000", "0x1000", str(file)) == 1


def test_environment_stands_for_options(capsys: pytest.CaptureFixture[str]) -> None:
    """ESPTOOL_* are defaults, which options on the line override."""
    known = {"ESPTOOL_PORT": "sim://esp32", "ESPTOOL_CHIP": "esp32", "ESPTOOL_BAUD": "230400"}
    assert run("read_mac", **known) == 0
    assert capsys.readouterr().out == "24:6f:28:a1:b2:c3\n"
    assert run("-p", "sim://esp32c3", "--chip", "auto", "read_mac", **known) == 0
    words = front.line(["write-flash", "0", "f"], {"ESPTOOL_FM": "dio", "ESPTOOL_FS": "4MB"}).words
    told = ["write-flash", "--flash-mode", "dio", "--flash-size", "4MB", "0", "f"]
    assert [word.expand({}) for word in words] == told


def test_configuration_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file with a section holds; what has no counterpart here is said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = x\n")
    (tmp_path / "tox.ini").write_text("[esptool]\nconnect_attempts = 3\n")
    assert front.load_settings({}).options == ("--connect-attempts", "3")
    named = tmp_path / "own.cfg"
    named.write_text("[esptool]\ntimeout = 9\nfoo = 1\ncustom_reset_sequence = D0|R1|W0.1|R0\n")
    found = front.load_settings({"ESPTOOL_CFGFILE": str(named)})
    assert (found.before, found.options) == ("D0|R1|W0.1|R0", ())
    assert [note.partition(": ")[2] for note in found.notes[1:]] == [
        "not used here: timeout",
        "no settings of esptool's: foo",
    ]
    bench = Bench(before=found.before)
    assert session_line.GlobalOptions(before="default-reset").bench(bench).before == found.before
    assert session_line.GlobalOptions(before="no-reset").bench(bench).before == "no-reset"


def test_port_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters of one kind are alternatives, kinds add up; several ports are an error."""
    known = (
        PortInfo("/dev/ttyUSB0", 0x10C4, 0xEA60, "abc"),
        PortInfo("/dev/ttyACM0", 0x303A, 0x1001, "def"),
    )
    monkeypatch.setattr(ports, "list_ports", lambda: known)
    assert session_line.choose_port(("vid=12346",)) == "/dev/ttyACM0"
    assert session_line.choose_port(("vid=12346", "vid=4292", "serial=ab")) == "/dev/ttyUSB0"
    for filters, told in ((("name=tty",), "several"), (("vid=1",), "no serial port")):
        with pytest.raises(EspError, match=told):
            session_line.choose_port(filters)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["flash-id"], "-c 'flash-id' runs it"),
        (["-p", "P", "read-mac"], "-c 'read-mac' runs it"),
        (["image", "info", "f"], "-c 'image info f' runs it"),
        (["write-flash", "--flash-mode", "dio", "0", "f"], "-c 'write-flash ...' runs it"),
        (["/dev/ttyUSB0"], "-p /dev/ttyUSB0 connects to it"),
        (["sim://esp32"], "-p sim://esp32 connects to it"),
        (["-b", "1", "-b", "2"], "-b is given twice"),
    ],
)
def test_commands_and_ports_in_the_place_of_a_script(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """One line says how to run a command or to name a port."""
    assert main(arguments) == 2
    assert told in capsys.readouterr().err
