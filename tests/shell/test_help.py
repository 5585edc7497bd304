"""Help: a screen of names, groups, topics, names of the chip, and all of it as JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import espshell.shell
from espshell.render.document import Document
from espshell.render.view import View
from espshell.shell.commands import VERBS
from espshell.shell.commands.topics import TOPICS, Help, groups, help_on
from espshell.shell.declaration import Verb
from espshell.shell.manual import HOW, help_text
from espshell.sim import protocol_sim
from tests.rows import every
from tests.shell.support import Shell

FOLDER = Path(espshell.shell.__file__).parent / "help"
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "help-json.md"


def narrow(shell: Shell, line: str, width: int) -> list[str]:
    """Return the lines that a terminal of a width shows."""
    result = help_on(shell.session, line.removeprefix("help").strip())
    assert isinstance(result, Help)
    view = View(width=width, fold=True)
    return str(Document(lambda view: help_text(result, view), view)).splitlines()


def test_help_fits_one_screen(offline: Shell) -> None:
    """All groups with their commands, and the topics, are on 80x24 with the prompt below."""
    lines = narrow(offline, "help", 80)
    assert len(lines) <= 22
    assert " ".join(lines).endswith(HOW)
    words = " ".join(lines).split()
    assert {*TOPICS} <= {*words}
    for verb in VERBS.verbs():
        assert verb.alias_of or verb.preset or verb.name.partition(" ")[0] in words, verb.name


@pytest.mark.parametrize("width", [40, 80, 120])
def test_help_is_wrapped_at_words(offline: Shell, width: int) -> None:
    """Nothing of any help is wider than the terminal, but for a word that has no space in it."""
    subjects = {*TOPICS, *groups(), *(verb.name for verb in VERBS.verbs())}
    for subject in sorted(subjects):
        for line in narrow(offline, f"help {subject}", width):
            longest = max(map(len, line.split()), default=0)
            is_example = line.startswith("    ")  # it is folded as typed, with its indentation
            assert len(line) <= max(width, longest + 8) or is_example, (subject, line)


@pytest.mark.parametrize("group", groups())
def test_a_group_has_a_line_a_command(offline: Shell, group: str) -> None:
    """`help GROUP` lists what belongs to it, each with its summary."""
    if VERBS.get(group):
        return  # `help esptool` is that on the command
    out = offline.type(f"help {group.upper()}").out
    for verb in VERBS.verbs():
        assert (verb.group != group or verb.preset) or verb.name in out


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_short(offline: Shell, topic: str) -> None:
    """Each topic has a text that fits a screen, and all commands that it names exist."""
    text = (FOLDER / f"{topic}.txt").read_text("utf-8")
    assert len(narrow(offline, f"help {topic}", 80)) <= 50
    assert max(map(len, text.splitlines())) < 300
    for name in re.findall(r"`([a-z][a-z0-9-]+)[^`]*`", text):
        program = {"espshell", "end", "else"}
        assert VERBS.get(name) or VERBS.family(name) or name in program, name


def test_the_tour_runs(offline: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of `help tour` comes to a good end on the simulated board."""
    monkeypatch.setattr(protocol_sim, "_kept", {})
    assert offline.type("connect sim://demo").status == 0
    rows = re.findall(r"^  (.*?)   ", (FOLDER / "tour.txt").read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 10
    assert {row: offline.type(row).status for row in rows} == dict.fromkeys(rows, 0)


def test_every_text_is_a_topic() -> None:
    """No text lies there that nobody can read."""
    assert {path.stem for path in FOLDER.iterdir()} == {*TOPICS}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("UART0.CLKDIV", "UART0.CLKDIV register at 0x60000014"),
        ("uart0.conf0.parity", "UART0.CONF0.PARITY field in UART0.CONF0 at 0x60000020 bits 0"),
        ("UART0", "UART0 peripheral at 0x60000000..0x60000084"),
        ("DRAM", "DRAM region SRAM1, data bus at 0x3fc80000..0x3fce0000"),
        ("flash:nvs", "flash:nvs partition at 0x00009000..0x0000e000 size 20 KiB"),
        ("flash:all", "flash:all partition at 0x00000000..0x00400000 size 4 MiB"),
        ("gpio:9", "GPIO9 pin can be GPIO9 strap low is download mode"),
        ("efuse:WR_DIS", "efuse:WR_DIS eFuse a bit for each group of fuses"),
        ("nvs", "flash:nvs partition at 0x00009000..0x0000e000 size 20 KiB"),
        ("WR_DIS", "efuse:WR_DIS eFuse a bit for each group of fuses"),
    ],
)
def test_what_a_name_is(offline: Shell, name: str, told: str) -> None:
    """`?NAME` says what it is and where, and the line that shows its value runs."""
    offline.connect().type("connect sim://demo")
    out = offline.type(f"?{name}").out
    assert " ".join(out.split()).startswith(told)
    assert offline.type(f"help {name}").out == offline.type(f"? {name}").out == out
    (see,) = re.findall(r"`(.*)` shows it", out)
    assert offline.type(see).status == 0


def test_what_a_symbol_is(shell: Shell, tmp_path: Path) -> None:
    """A symbol of a program is explained as well as the chip's own names."""
    from tests.image.support import RISCV
    from tests.image.test_elf import ROWS, written

    (tmp_path / "a.elf").write_bytes(written(ROWS, machine=RISCV))
    assert shell.type(f"syms '{tmp_path / 'a.elf'}'").status == 0
    assert shell.type("?app_main").out.split()[:2] == ["app_main", "symbol"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "?UART0.STATSU",
            "`UART0.STATSU` is not a command, topic or name; did you mean `UART0.STATUS`?",
        ),
        ("?nosuch:name", "`nosuch:name` is not a command, topic or name"),
        ("help sr nosuch", "there is no `sr nosuch`; there are"),
        ("help pekk", "did you mean `peek`?"),
        ("?gpio:77", "an ESP32-C3 has no GPIO77"),
    ],
)
def test_what_is_nothing(shell: Shell, line: str, told: str) -> None:
    """A name without a meaning is an error of one line, with what to do."""
    ran = shell.type(line)
    assert (ran.status, len(ran.err.splitlines())) == (2, 1)
    assert told in ran.err


def test_a_name_without_a_chip(offline: Shell) -> None:
    """It is said that names of a chip need one."""
    assert "`connect PORT`" in offline.type("?UART0.STATUS").err


def as_json(shell: Shell, line: str) -> Any:
    shell.session.output.as_json = True
    return shell.type(line).objects[0]["value"]


def documented(heading: str) -> list[str]:
    """Return the keys that a section of docs/reference/help-json.md lists."""
    section = DOCUMENT.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` ", section, re.MULTILINE)


@every(VERBS.verbs(), lambda verb: verb.name)
def test_keys_of_a_command(verb: Verb) -> None:
    """The JSON value of help has the documented keys, in every command, argument and option."""
    value = as_json(Shell(), f"help {verb.name}")
    commands = value["commands"] if isinstance(value, dict) else value
    one = next(command for command in commands if command["name"] == verb.name)
    assert list(one) == documented("A command")
    assert [list(argument) for argument in one["arguments"]] == [documented("An argument")] * len(
        one["arguments"]
    )
    assert [list(option) for option in one["options"]] == [documented("An option")] * len(
        one["options"]
    )
    assert one["usage"].startswith(verb.name)


def test_all_as_json(offline: Shell) -> None:
    """`help` alone has every command; a topic has its text, a name its facts."""
    every = as_json(offline, "help")
    assert [command["name"] for command in every] == [verb.name for verb in VERBS.verbs()]
    topic = as_json(offline, "help flash")
    assert list(topic) == documented("A topic")
    offline.connect()
    assert list(as_json(offline, "?UART0.STATUS")) == documented("A name")


def test_a_choice_and_an_alias_as_json(offline: Shell) -> None:
    """Choices are listed, variants and other names too."""
    (reset,) = as_json(offline, "help reset")
    assert reset["arguments"][0]["choices"] == ["boot", "run"]
    (peek,) = as_json(offline, "help peek")
    assert peek["variants"] == ["peek8", "peek16", "peek32"]
    (load,) = as_json(offline, "help loadram")
    assert load["aliases"] == ["load-ram"]


def test_a_name_of_a_command_and_of_the_chip(shell: Shell) -> None:
    """In capitals it is explained as both; as a command is written, as the command alone."""
    for name in ("GPIO", "EFUSE"):
        both, command = shell.type(f"?{name}").out, shell.type(f"?{name.lower()}").out
        assert both.startswith(command)
        assert f"\n{name}  peripheral\n" in both
        assert "peripheral" not in command
