"""Completion scripts of shells, and the manual page."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from espshell import cli, completion, options
from espshell.errors import UsageError
from espshell.shell.commands import VERBS
from scripts import manpage

TIMEOUT_S = 60

ASK = """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
complete -p espshell | grep -q -- '-F _shtab_espshell espshell' || exit 9
_shtab_espshell espshell "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@cache
def made(shell: str) -> str:
    return completion.script(options.program_parser(), shell)


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("espshell --bef", {"--before"}),
        ("espshell --pr", {"--print-completion", "--profile"}),
        ("espshell --after no-reset", {"no-reset", "no-reset-stub"}),
        ("espshell --chip esp32c", {"esp32c2", "esp32c3", "esp32c5", "esp32c6", "esp32c61"}),
        ("espshell -b 9", {"921600"}),
        ("espshell --before usb", {"usb-reset"}),
        ("espshell -c pee", {"peek", "peek8", "peek16", "peek32"}),
        ("espshell --svd boa", {"board.svd"}),
        ("espshell --stub-dir fol", {"folder"}),
        ("espshell --json che", {"check", "check.espsh"}),
        ("espshell --print-completion ''", {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes(tmp_path: Path, words: str, offered: set[str]) -> None:
    """A real bash offers options, their choices, files and commands."""
    (tmp_path / "folder").mkdir()
    for name in ("board.svd", "check.espsh", "other.svd"):
        (tmp_path / name).touch()
    (tmp_path / "complete.bash").write_text(made("bash"))
    asked = ASK.format(script="complete.bash", words=words)
    ran = subprocess.run(
        ["bash", "--norc", "-c", asked],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert {line.rstrip("/ ") for line in ran.stdout.splitlines()} == offered


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_option_is_completed(shell: str, tmp_path: Path) -> None:
    """Each option of the parser is in the script of each shell, and that shell can parse it."""
    for action in options.program_parser()._actions:
        for flag in action.option_strings:
            written = flag.lstrip("-") if shell == "fish" else flag
            assert written in made(shell), flag
    if shutil.which(shell):
        (tmp_path / "script").write_text(made(shell))
        subprocess.run([shell, "-n", tmp_path / "script"], check=True, timeout=TIMEOUT_S)


def test_the_program_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`--print-completion` prints the script alone, and the program ends well."""
    with pytest.raises(SystemExit) as left:
        cli.main(["--print-completion", "fish"])
    assert left.value.code == 0
    assert capsys.readouterr().out == made("fish")


def test_without_shtab(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what to install."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(UsageError) as raised:
        completion.script(options.program_parser(), "bash")
    assert "espshell[completion]" in raised.value.hint


def test_the_manual_page_has_all() -> None:
    """Every option, and every command under its own name, is on the page."""
    page = manpage.page()
    flags = {flag for action in options.program_parser()._actions for flag in action.option_strings}
    for word in flags | {v.name for v in VERBS.verbs() if not (v.preset or v.alias_of)}:
        assert rf"\fB{manpage.escaped(word)}\fR" in page, word


@pytest.mark.skipif(not shutil.which("man"), reason="no man")
def test_the_manual_page_renders(tmp_path: Path) -> None:
    """Man shows it without a warning, and what it shows is what was meant."""
    (tmp_path / "espshell.1").write_text(manpage.page())
    ran = subprocess.run(
        ["man", "--warnings=all", "-l", tmp_path / "espshell.1"],
        env={"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANPAGER": "cat"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    text = " ".join(ran.stdout.split())
    assert "espshell - An interactive shell for the serial bootloader" in text
    assert "peek PLACE [COUNT] [--check] [--force] Read memory" in text
