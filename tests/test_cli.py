"""The program as others run it: streams, exit status, and what is left behind."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from espshell import cli
from espshell.clock import VirtualClock
from espshell.link import ports
from espshell.link.ports import PortInfo
from scripts import fuzz

SIM = "sim://esp32c3"
COMMAND = [sys.executable, "-m", "espshell"]
TIMEOUT_S = 60
"""No run takes a second; this only ends one that hangs."""

Ran = subprocess.CompletedProcess[str]


def run(*arguments: str, port: str = SIM, stdin: str = "", **environment: str) -> Ran:
    """Run the program without a terminal."""
    ways = ["-p", port] if port else []
    return subprocess.run(
        [*COMMAND, *ways, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **environment},
        check=False,
    )


def objects(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]


def in_process(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run the program in this process, for what needs no process of its own."""
    status = cli.main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


# What it is for ----------------------------------------------------------------------------------


def test_lines_in_order() -> None:
    """What was written is read back; results are on stdout, and nothing else is anywhere."""
    ran = run("-c", "poke 0x3fc90000 0x12345678", "-c", "dump 0x3fc90000 16; peek 0x3fc90000")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-2:] == [
        "3fc90000  78 56 34 12 00 00 00 00  00 00 00 00 00 00 00 00  |xV4.............|  DRAM",
        "0x3fc90000  0x12345678  305419896",
    ]
    assert "\x1b" not in ran.stdout


def test_json_is_one_object_a_command() -> None:
    """Also for a command that fails; the error is told to a person on stderr all the same."""
    ran = run("--json", "-c", "peek 0x3fc90000; echo hi", "-c", "expect 1 == 2")
    told = objects(ran)
    assert ran.returncode == 1
    assert [(each["command"], each["ok"]) for each in told] == [
        ("peek", True),
        ("echo", True),
        ("expect", False),
    ]
    assert ran.stderr == "expect: `1 == 2` is false: left is 0x1 (1), right is 0x2 (2)\n"


def test_script_with_arguments_and_options_behind_it(tmp_path: Path) -> None:
    """A script gets its arguments; options may stand anywhere, behind -- there are none."""
    path = tmp_path / "a.espsh"
    path.write_text("#!/usr/bin/env espshell\necho $1 ${2:-none}\n")
    assert run(str(path), "one", "-p", SIM, port="").stdout == "one none\n"
    assert run(str(path), "--", "--one", "-c").stdout == "--one -c\n"


def test_piped_input_is_a_script() -> None:
    """Without a terminal, lines are read from stdin; `-` says so."""
    assert run(stdin="echo piped\n").stdout == "piped\n"
    ran = run("-c", "echo first", "-", "argument", stdin="echo $1\npek\n")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("<stdin>:2: pek: unknown command `pek`")


def test_line_may_begin_with_a_dash() -> None:
    """A leading dash of a line is not an option's."""
    ran = run("-c", "-peek 0x10", "-c", "echo on")
    assert (ran.returncode, ran.stdout) == (0, "on\n")


# Exit status -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["-c", "pek"], 2, "pek: unknown command `pek`; did you mean `peek`?"),
        (["-c", "peek 3ff40000"], 2, "peek: `3ff40000` is not a number; did you mean"),
        (["-c", 'echo "'], 2, '-c: unclosed `"` at column 6'),
        (["-c", "info", "-p", "/nonexistent"], 3, "espshell: cannot open /nonexistent: no such"),
        (["-c", "pek", "-p", "/nonexistent"], 2, "pek: unknown command"),
        (["-c", "info", "-p", ""], 3, "info: no chip is connected"),
        (["-c", "info", "-p", "nosuch://x"], 2, "espshell: cannot open `nosuch://x`"),
        (["-c", "info", "-p", "sim://esp99"], 2, "espshell: expected a chip"),
        (["-c", "quit nosuch", "-p", "sim://esp32c3"], 2, "quit: `nosuch` is not a known name"),
        (["-c", "repeat nosuch echo", "-p", "sim://esp32c3"], 2, "repeat: `nosuch` is not a"),
        (["-c", "peek NOSUCH"], 2, "peek: `NOSUCH` is not a known name"),
        (["-c", "expect 1 == 2"], 1, "expect: `1 == 2` is false"),
        (["-c", "need esp32"], 1, "need: this is an ESP32-C3"),
        (["--chip", "esp99", "-c", "info"], 2, "espshell: `esp99` is not a known chip"),
        (
            ["--baud", "0", "-c", "info"],
            2,
            "espshell: expected a baud rate such as 115200",
        ),
        (["--bogus"], 2, "espshell: unrecognized arguments: --bogus"),
        (["--js", "-c", "echo"], 2, "espshell: unrecognized arguments: --js"),
        (["--after", "x"], 2, "espshell: argument --after: invalid choice"),
        (["-c"], 2, "espshell: argument -c/--command: expected one argument"),
        (["smi"], 2, "espshell: cannot read smi: no such file or directory; did you mean `sim`?"),
        (["."], 2, "espshell: cannot read .: is a directory"),
        (
            ["--yes", "check", "x"],
            2,
            "espshell: cannot read check: no such file or directory; `check` stands in front of all"
            " options",
        ),
        (["--trace=/nonexistent/t", "-c", "info"], 2, "espshell: cannot write /nonexistent/t"),
        (["sim", "esp99"], 2, "espshell: expected a chip that can be simulated"),
        (["sim", "esp32", "--tcp", "x"], 2, "espshell: expected HOST:PORT, not `x`"),
        (["sim", "esp32", "--pty", "--tcp", "1"], 2, "espshell: argument --tcp: not allowed with"),
        (["sim", "esp32", "--rfc2217", "::1:0"], 2, "espshell: expected HOST:PORT, not `::1:0`"),
        (["check"], 2, "espshell: the following arguments are required: SCRIPT"),
        (["check", "nosuch"], 2, "espshell: cannot read nosuch"),
    ],
)
def test_error_is_one_line_and_a_status(
    arguments: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage is 2, the device 1, the bench 3; one line on stderr, nothing on stdout."""
    known = (
        arguments
        if "-p" in arguments or arguments[0] in ("sim", "check")
        else (["-p", SIM, *arguments])
    )
    got, out, err = in_process(*known, capsys=capsys)
    assert (got, out) == (status, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_whole_file_is_checked_before_connecting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad last line is the script's fault even where the port is bad, too; a good one not."""
    path = tmp_path / "a.espsh"
    for last, status in (("pek 0", 2), ("peek 0", 3)):
        path.write_text(f"echo started\n{last}\n")
        got, out, err = in_process("-p", "/nonexistent", str(path), capsys=capsys)
        assert (got, out) == (status, "")
    assert err.startswith("espshell: cannot open /nonexistent")


def test_errors_before_the_first_command_are_objects_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under --json nothing is told on stderr alone."""
    for arguments, name in (
        (["-c", "pek"], "pek"),
        (["-c", "syms"], "syms"),
        (["-c", "peek 'x"], None),
        (["-p", "/nonexistent", "-c", "info"], None),
        ([str(tmp_path)], None),
    ):
        _, out, err = in_process("--json", *arguments, capsys=capsys)
        (told,) = (json.loads(line) for line in out.splitlines())
        assert (told["command"], told["ok"]) == (name, False)
        assert told["error"] in err
        assert name is None or not told["error"].startswith(name)


def test_keep_going(capsys: pytest.CaptureFixture[str]) -> None:
    """The worst status counts, also for `quit`, which may have its own."""
    lines = ["-c", "expect 1 == 2", "-c", "peek 0x10", "-c", "echo end"]
    status, out, err = in_process("-p", SIM, "--keep-going", *lines, capsys=capsys)
    assert (status, out, err.count("\n")) == (2, "end\n", 2)
    for quit_line, wanted in (("quit", 2), ("quit 0", 0)):
        ran = in_process(
            "-p", SIM, "--keep-going", *lines, "-c", quit_line, "-c", "echo no", capsys=capsys
        )
        assert ran[:2] == (wanted, "end\n")


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` needs no device, looks at every file, and ends with the worst status."""
    good, bad = tmp_path / "good.espsh", tmp_path / "bad.espsh"
    good.write_text("need esp32c3\npoke $1 [UART0]\n")
    bad.write_text("echo\nfails pek\n")
    assert in_process("check", str(good), capsys=capsys) == (0, "", "")
    status, out, err = in_process("check", str(bad), str(good), capsys=capsys)
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        f"{bad}:2:1: fails: unknown command `pek`; did you mean `peek`?",
        "    fails pek",
    ]


def test_port_and_rate_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line is stronger than the environment."""
    monkeypatch.setenv("ESPSHELL_PORT", SIM)
    monkeypatch.setenv("ESPSHELL_BAUD", "460800")
    assert in_process("-c", "baud", capsys=capsys)[1].endswith(f"{SIM} at 460800 baud\n")
    told = in_process("-b", "115200", "-p", "sim://esp32", "-c", "baud", capsys=capsys)[1]
    assert told == "esp32  rom on sim://esp32 at 115200 baud\n"


# Streams and signals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "environment", "coloured"),
    [("always", {}, True), ("always", {"NO_COLOR": "1"}, True), ("never", {}, False)],
)
def test_color(
    when: str,
    environment: dict[str, str],
    coloured: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """--color is stronger than the environment and than what stdout is."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    line = "peek 0x3fc90000"
    _, out, _ = in_process("-p", SIM, "--color", when, "-c", line, capsys=capsys)
    assert ("\x1b" in out) is coloured


def test_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lone --trace goes to the screen and takes no argument; one with a file can be replayed."""
    script, record = tmp_path / "a.espsh", tmp_path / "t.jsonl"
    script.write_text("peek 0x3fc90000\n")
    result = "0x3fc90000  0x00000000  0\n"
    _, out, err = in_process("-p", SIM, "--trace", str(script), capsys=capsys)
    assert out == result
    assert "READ_REG" in err
    assert in_process("-p", SIM, f"--trace={record}", str(script), capsys=capsys)[2] == ""
    assert in_process("-p", f"replay://{record}", str(script), capsys=capsys)[1] == result


def test_transcript_and_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A transcript can be run again; in a dry run the same lines write nothing."""
    log = tmp_path / "log.espsh"
    line = "poke 0x3fc90000 5; peek 0x3fc90000"
    status, out, _ = in_process("-p", SIM, f"--transcript={log}", "-c", line, capsys=capsys)
    assert (status, out.splitlines()[-1]) == (0, "0x3fc90000  0x00000005  5")
    assert in_process("-p", SIM, str(log), capsys=capsys)[1] == out

    status, out, err = in_process("-p", SIM, "--dry-run", str(log), capsys=capsys)
    assert (status, out.splitlines()[-1]) == (0, "0x3fc90000  0x00000000  0")
    assert err == "dry run: nothing was sent\n"
    _, out, _ = in_process("-p", SIM, "--dry-run", "--json", str(log), capsys=capsys)
    poked, peeked = (json.loads(each)["value"] for each in out.splitlines())
    assert (poked["dry_run"], poked["new"], peeked["values"]) == (True, 5, [0])
    assert in_process("--transcript=/nonexistent/t", "-c", "help", capsys=capsys)[0] == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_stream_is_no_crash(closed: str) -> None:
    """A stream that is closed takes nothing and gives nothing."""
    command = " ".join([*COMMAND, "-p", SIM, "-c 'peek 0x3fc90000'", closed])
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_is_told() -> None:
    """Results that could not be written are an error."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*COMMAND, "-p", SIM, "-c", "dump ROM0"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].endswith("cannot write the results: no space left on device")


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start the program, to read some of its output."""
    return subprocess.Popen(
        [*COMMAND, "-p", SIM, "-b", "115200", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_reader_that_leaves() -> None:
    """Nobody reads on: the rest is not done, without a word."""
    with started("-c", "dump ROM0 --all", "-c", "echo no") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("40000000")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT_S) == 130


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT can be sent there")
def test_interrupted_script_leaves_nothing_half_written(tmp_path: Path) -> None:
    """Ctrl-C is status 130 and one line; files are as they were, and no line is run after it."""
    target = tmp_path / "x"
    target.write_text("before")
    # The dump blocks, as nobody reads: the signal comes in the middle of it.
    lines = [
        "-c",
        "set rate fixed; echo begun",
        "-c",
        f"dump DROM 1M --all | tee {target}.log",
        "-c",
        "echo no",
    ]
    with started(*lines, "-c", f"save DROM {target}") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "begun\n"
        assert process.stdout.readline().startswith("3c000000")
        process.send_signal(signal.SIGINT)
        rest, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(TIMEOUT_S) == 130
    assert "no\n" not in rest
    assert errors == "espshell: interrupted\n"
    assert target.read_text() == "before"


# A port that is no chip --------------------------------------------------------------------------


@pytest.fixture(
    params=["hang@request:1", pytest.param("garbage@request:1", marks=pytest.mark.long)]
)
def mute(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve a chip that never answers, or not with sense; give the path of its pty."""
    pytest.importorskip("termios")
    command = [*COMMAND, "sim", "esp32", "--pty", "--fault", request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.send_signal(signal.SIGINT)


def test_port_without_a_loader(mute: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends by itself, says what was heard, and is the fault of the bench."""
    options = ["-p", mute, "--before", "no-reset-no-sync"]
    status, out, err = in_process(*options, "-c", "info", capsys=capsys)
    assert (status, out) == (3, "")
    assert err.startswith(f"espshell: no loader answers on {mute}: ")
    assert err.count("\n") == 1


def test_lines_need_no_prompt() -> None:
    """What only runs lines does not wait for the imports of a prompt."""
    program = (
        "import sys; from espshell.cli import main; "
        f"main(['-p', '{SIM}', '-c', 'info; dump DRAM 64']); "
        "print([m for m in ('prompt_toolkit', 'rich', 'pygments') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


# Which port --------------------------------------------------------------------------------------

FIRST = PortInfo("sim://esp32c3", 0x10C4, 0xEA60, "0001", "CP2102", "1-1")
SECOND = PortInfo("sim://esp32", 0x1A86, 0x7523, "", "CH340", "1-2")
OTHER = PortInfo("/dev/ttyS0")


def test_only_board_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --port the only likely board is taken, and that is said."""
    monkeypatch.setattr(ports, "list_ports", lambda: (FIRST, OTHER))
    status, out, err = in_process("-c", "read-mac", capsys=capsys)

    assert (status, out) == (0, "7c:df:a1:b4:c5:d6\n")
    assert err == "taking sim://esp32c3, the only board (CP210x)\n"


def test_several_boards_are_an_error_in_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody can be asked, no board is guessed and none is touched."""
    monkeypatch.setattr(ports, "list_ports", lambda: (FIRST, SECOND))
    status, out, err = in_process("-c", "read-mac", capsys=capsys)

    assert (status, out) == (3, "")
    assert err == (
        "espshell: there are several boards: sim://esp32c3, sim://esp32; choose one with --port\n"
    )


def test_lines_that_need_no_chip_touch_no_board(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that needs no chip does not even look for one."""
    monkeypatch.setattr(ports, "list_ports", lambda: (FIRST, SECOND))

    assert in_process("-c", "echo hi", capsys=capsys) == (0, "hi\n", "")


# Files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--elf", "--transcript", "--trace=", "--stub-dir", "", "check"])
def test_hostile_paths(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that cannot be is one line and a status, wherever the program takes one."""
    with fuzz.surroundings() as folder:
        for path in fuzz.hostile_paths(folder):
            if not path.strip("./") or path in ("script", "empty", "new") or "\0" in path:
                continue
            monkeypatch.setattr(sys, "stdin", io.StringIO())
            words = [f"{option}{path}"] if option.endswith("=") else [option, path]
            ran = in_process("-c", "echo x", *filter(None, words), capsys=capsys)
            assert ran[0] in (0, 1, 2, 3), path
            assert ran[2].count("\n") <= 2, path
            assert "Errno" not in ran[2]


def test_a_second_rate_is_the_only_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """The hint is for what is wrong; the command behind -c is right."""
    status, _, err = in_process("-b", "9600", "-b", "115200", "-c", "info", capsys=capsys)
    assert (status, err) == (2, "espshell: -b is given twice; give it once\n")


def test_input_without_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Piped input that never ends is refused with the limit, in one line."""
    with open("/dev/zero", encoding="utf-8") as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        status, _, err = in_process("-", capsys=capsys)
    assert status == 2
    assert err.startswith("espshell: standard input has more than 1 MiB, the limit for")


# Every exit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "commands"),
    [
        (["--bogus"], 2, [None]),
        (["--baud", "x", "-c", "echo a"], 2, [None]),
        (["--after", "x"], 2, [None]),
        (["--stub-version", "9"], 2, [None]),
        (["-c"], 2, [None]),
        (["--chip", "esp99", "-c", "info"], 2, [None]),
        (["--chip", "esp32", "-c", "info"], 2, [None]),
        (["-p", "/nonexistent", "-c", "info"], 3, [None]),
        (["-p", "nosuch://x", "-c", "info"], 2, [None]),
        (["--elf", "/nonexistent", "-c", "echo a"], 2, [None]),
        (["--transcript", "/nonexistent/t", "-c", "echo a"], 2, [None]),
        (["--trace=/nonexistent/t", "-c", "echo a"], 2, [None]),
        (["/nonexistent.espsh"], 2, [None]),
        (["-c", "echo a", "-c", "pek"], 2, ["pek"]),
        (["-c", 'echo "'], 2, [None]),
        (["-c", "echo a", "-c", "quit 3"], 3, ["echo", "quit"]),
        (["-c", "peek 0x10", "-c", "echo a"], 2, ["peek"]),
        (["-c", "need esp32", "-c", "echo a"], 1, ["need"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_json_of_every_exit(
    arguments: list[str], status: int, commands: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """However it ends, whoever reads the objects is told: by one object a command, or for all."""
    port = [] if "-p" in arguments else ["-p", SIM]
    ended, out, err = in_process("--json", *port, *arguments, capsys=capsys)
    told = [json.loads(line) for line in out.splitlines()]
    assert (ended, [each["command"] for each in told]) == (status, commands)
    assert told[-1]["ok"] is (commands[-1] == "quit")
    assert (told[-1]["error"] or "") in err


def test_json_of_an_interrupted_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has its object, and so has what was being connected when Ctrl-C was pressed."""

    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("espshell.clock.time.sleep", press)
        status, out, _ = in_process("--json", "-c", "echo a; sleep 1; echo b", capsys=capsys)
    told = [json.loads(line) for line in out.splitlines()]
    assert (status, [each["command"] for each in told]) == (130, ["echo", "sleep"])
    assert (told[-1]["ok"], told[-1]["error"]) == (False, "interrupted")
    monkeypatch.setattr("espshell.device.Target.open", press)
    status, out, err = in_process("--json", "-p", SIM, "-c", "info", capsys=capsys)
    assert (status, json.loads(out)["error"], err) == (
        130,
        "interrupted",
        f"connecting to {SIM} was stopped: nothing was changed\nespshell: interrupted\n",
    )


def test_a_bug_in_a_script_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its status is 70, it has its place and its object, and its traceback is in a file."""
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path)
    monkeypatch.setattr("espshell.shell.commands.script.Echo", lambda _: [][1])
    status, out, err = in_process("--json", "-c", "let x = 1; echo a; let y = 2", capsys=capsys)
    told = [json.loads(line) for line in out.splitlines()]
    assert (status, [each["command"] for each in told]) == (70, ["let", "echo"])
    assert err.startswith("echo: this is a bug of espshell at ")
    assert err.count("\n") == 1
    assert "IndexError" in told[1]["error"]
    assert "Traceback" in (tmp_path / "tracebacks.txt").read_text()

    monkeypatch.setattr(cli, "_bench", lambda _: [][1])  # and outside of any command
    status, out, err = in_process("--json", "-c", "let x = 1", capsys=capsys)
    assert (status, json.loads(out)["command"], err.count("\n")) == (70, None, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "peek 0x10"],
        ["--trace", "-c", "peek 0x3fc90000"],
        ["--bogus"],
        ["--stub", "always", "-c", "load {file} flash:0x10000 --force", "--yes"],
    ],
    ids=" ".join,
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_stderr_that_cannot_be_written_stops_nothing(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status and results are those that they would be, and there is no traceback anywhere."""
    file = tmp_path / "app.bin"
    file.write_bytes(b"app" * 5000)
    words = [word.replace("{file}", str(file)) for word in arguments]
    status, out, _ = in_process("-p", SIM, *words, capsys=capsys)
    command = [*COMMAND, "-p", SIM, *words]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (status, out)


@pytest.mark.parametrize("line", ["watch [0x3fc90000] -n 10s", "monitor -t 100"])
def test_ctrl_c_in_a_script_ends_it(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a script was looking at or listening to is shown, and no line behind it is run."""
    sleep = VirtualClock.sleep

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    def press_in_long(clock: VirtualClock, seconds: float) -> None:
        if seconds > 5:
            raise KeyboardInterrupt
        sleep(clock, seconds)

    monkeypatch.setattr(VirtualClock, "sleep", press_in_long)
    monkeypatch.setattr("espshell.ops.chip.monitor.Monitor.listen", press)
    before = ["-c", "run"] if line.startswith("monitor") else []
    lines = [*before, "-c", "echo begun", "-c", line, "-c", "echo no"]
    status, out, err = in_process("-p", SIM, *lines, capsys=capsys)
    assert (status, "begun\n" in out, "no\n" in out) == (130, True, False)
    assert err.endswith("espshell: interrupted\n")
