"""The scripts of scripts/bringup: each does what its header says, on good boards and bad ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from espshell import cli
from espshell.sim import board, protocol_sim

FOLDER = Path(__file__).parent.parent / "scripts" / "bringup"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.espsh"))
GOLDEN = board.flash_of("demo")


@dataclass(frozen=True)
class Case:
    """A run of a script: its board and arguments, and what must come of it."""

    script: str
    port: str
    arguments: str = ""
    status: int = 0
    text: str = ""
    """A part of what is shown, on stdout for status 0 and else on stderr."""


CASES = (
    Case("tour", "sim://esp32c3", text="refused"),
    Case("tour", "sim://esp32", status=1, text="this is an ESP32, not an ESP32-C3"),
    Case("flash", "sim://demo?sr=1c,02", "demo.bin 0", text="done and verified: BP 0→7"),
    Case("flash", "sim://demo", "none.bin", status=2, text="cannot read none.bin"),
    Case("smoke", "sim://demo", text="ef4016  Winbond, 4 MiB"),
    Case("smoke", "sim://demo", "8M", 1, "the flash is too small, or its id does not tell"),
    Case("smoke", "sim://esp32c3?ram=stuck:0x3fc88000.5=1", status=1, text="poke: "),
    Case("flash_report", "sim://demo", "b.json", text="SFDP          1.5"),
    Case("flash_report", "sim://esp8266", "b.json", text="protected"),
    Case("quad_enable", "sim://demo?sr=0,0", "b.json", text="done and verified: QE 0→1"),
    Case("quad_enable", "sim://demo?sr=9c,00&wp=low", "b.json", 1, "SR2.QE was 0, wanted 1, got 0"),
    Case("unlock", "sim://demo?sr=1c,02", "b.json", text="true  0x600dcafe == 0x600dcafe"),
    Case("unlock", "sim://demo?sr=9c,00&wp=low", "b.json", 1, "the flash did not accept the write"),
    Case("backup", "sim://demo?flash=1M", "copy", text="equal"),
    Case("backup", "sim://demo", "none/copy", status=2, text="none"),
    Case("clone", "sim://esp32c3", "demo", text="the board's own"),
    Case("clone", "sim://demo?sr=1c,02&mac=7c:df:a1:00:00:01", "blank", 1, "write-protected"),
    Case("factory", "sim://esp32c3", "demo.bin 'hello from'", text="hello from"),
    Case("factory", "sim://esp32c3", "demo.bin never", status=1, text="never"),
    Case("factory", "sim://esp32c3?sr=1c,02", "demo.bin x", status=1, text="write-protected"),
    Case("ramtest", "sim://esp32c3", "0x3fca0000 0x1000 2", text="good  march C-"),
    Case("ramtest", "sim://esp32c3?ram=stuck:0x3fca0010.5=1", "0x3fca0000 0x1000", 1, "3fca0010"),
    Case("harness", "sim://esp32c3?wire=4:5", "4 5 6", text="true  gpio:5 == 0"),
    Case("harness", "sim://esp32c3", "4 5 6", 1, "pin 5 does not follow pin 4"),
    Case("harness", "sim://esp32c3?wire=4:5&wire=5:6", "4 5 6", 1, "pin 6 is connected with pin 4"),
    Case("registers", "sim://esp32c3", "GPIO {}/step.espsh", text="1 of 1792 bytes differ"),
    Case("registers", "sim://esp32c3", "GPIO {}/none.espsh", 1, "should have failed but did not"),
    Case(
        "rescue",
        "sim://demo?boot=loop&sr=0,2&flash=2M",
        "before.bin hello",
        text="version:      1.0.3",
    ),
    Case("rescue", "sim://esp32c3?boot=loop&flash=1M", "before.bin hello", 1, "it is blank (FF)"),
)

WHOLE_FLASH = ("rescue", "backup", "factory", "clone", "flash")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files that scripts read; boards are as nobody has touched them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(protocol_sim, "_kept", {})
    (tmp_path / "demo.bin").write_bytes(GOLDEN)
    (tmp_path / "blank.bin").write_bytes(b"x" + b"\xff" * (len(GOLDEN) - 1))
    (tmp_path / "step.espsh").write_text("poke GPIO.OUT 0x10\n")
    (tmp_path / "none.espsh").write_text("echo nothing\n")
    for name in ("demo", "blank"):
        assert cli.main(["-p", "sim://demo", "-c", f"efuse save {name}.efuse.json"]) == 0
    return tmp_path


def _run(case: Case, folder: Path, *options: str) -> int:
    """Run a script on its board."""
    words = [word.strip("'") for word in re.findall(r"'.+?'|\S+", case.arguments.format(folder))]
    path = FOLDER / f"{case.script}.espsh"
    return cli.main(["-p", case.port, "--yes", *options, str(path), *words])


def _parameters() -> list[ParameterSet]:
    """Return the cases; those that read or write a whole flash take a second each."""
    return [
        pytest.param(
            case,
            id=f"{case.script}-{case.status}-{i}",
            marks=[pytest.mark.long] if case.script in WHOLE_FLASH else [],
        )
        for i, case in enumerate(CASES)
    ]


@pytest.mark.parametrize("case", _parameters())
def test_each_script(case: Case, bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good board is status 0; what is wrong with a bad one is named, with its status."""
    capsys.readouterr()
    status = _run(case, bench)
    out, err = capsys.readouterr()
    assert status == case.status, err
    assert case.text in (err if status else out)
    assert "Traceback" not in err


def test_every_script_has_a_case_and_a_failing_one() -> None:
    """Nobody adds a script that no test runs."""
    assert sorted({case.script for case in CASES}) == SCRIPTS
    may_not_fail = {"flash_report"}
    assert {case.script for case in CASES if case.status} == {*SCRIPTS} - may_not_fail


@pytest.mark.parametrize("name", SCRIPTS)
def test_headers_say_how_it_is_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A header has a line for the simulator and one for a board, and explains each argument."""
    path = FOLDER / f"{name}.espsh"
    text = path.read_text()
    header, _, body = text.partition("\n\n")
    assert header.startswith("#!/usr/bin/env espshell\n# ")
    assert re.search(rf"sim://.*scripts/bringup/{name}\.espsh", header.replace("\\\n#", ""))
    parameters = {match[1] for match in re.finditer(r"\$\{?([1-9])", body)}
    explained = {*re.findall(r"\$([1-9])", header)}
    assert parameters == explained or name in ("tour", "flash")
    assert cli.main(["check", str(path)]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.long
def test_a_backup_is_what_a_clone_gets(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two boards have one flash afterwards, and eFuses of their own."""
    golden = GOLDEN[: 1 << 20]
    assert _run(Case("backup", "sim://demo?flash=1M", "golden"), bench) == 0
    assert (bench / "golden.bin").read_bytes() == golden
    other = f"sim://esp32c3?flash=1M&flash-file={bench}/other.bin"
    assert _run(Case("clone", other, "golden"), bench) == 0
    assert (bench / "other.bin").read_bytes() == golden
    assert "golden.efuse.json" in capsys.readouterr().out
