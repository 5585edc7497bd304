"""print, an expression alone on a line, and the values that the prompt keeps."""

from __future__ import annotations

import pytest

from tests.shell.support import Shell


@pytest.fixture
def typed(shell: Shell) -> Shell:
    """Return a session in which a person types."""
    shell.session.interactive = True
    return shell


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("print/x 16", "0x10\n"),
        ("print/d 0x10", "16\n"),
        ("print/t 0xA5", "0b1010_0101\n"),
        ("print/c 65", "'A'\n"),
        ("print/c 0x1b", "'\\x1b'\n"),
        ("print/x -1", "0xffffffff\n"),
        ("print 'A'", "0x41  65  'A'\n0b100_0001\n"),
        (
            "print UART0.STATUS",
            "0x6000001c  1610612764  UART0.STATUS\n0b110_0000_0000_0000_0000_0000_0001_1100\n",
        ),
        ("print DRAM + 4", "0x3fc80004  1070071812  DRAM+0x4\n"),
    ],
)
def test_print_shows_a_value_in_its_forms(shell: Shell, line: str, out: str) -> None:
    """Hexadecimal, decimal, binary and character, and what lies at the address."""
    assert shell.type(line).out.startswith(out)


def test_print_in_json(shell: Shell) -> None:
    """Numbers are numbers, and the place is taken apart."""
    shell.session.output.as_json = True
    (printed,) = shell.type("print UART0.STATUS").objects
    assert printed["value"] == {
        "expression": "UART0.STATUS",
        "value": 0x6000001C,
        "number": None,
        "symbol": "",
        "register": "UART0.STATUS",
        "region": "PERIPH+0x1c",
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("1<<4", 16),
        ("1 == 2", 0),
        ("3 > 2", 1),  # and no file `2` is written
        ("[0x3fc90000] + 1", 1),
        ("-5", -5),
        ("UART0.STATUS", 0x6000001C),
        ("uart0.conf0 - uart0.status", 4),
        ("(GPIO)", 0x60004000),
        ("$one + $one", 2),
        ("~0 & 0xff", 255),
        ("gpio:9", 1),
        ("'A'", 65),
    ],
)
def test_an_expression_alone_is_printed_at_the_prompt(typed: Shell, line: str, value: int) -> None:
    """Only there: a script names its commands."""
    typed.type("let one = 1")
    ran = typed.type(line)
    assert (ran.status, ran.out[:6]) == (0, "$~1 = ")
    assert int(typed.session.variables["_"], 0) == value
    typed.session.interactive = False
    assert typed.type(line).status == 2


@pytest.mark.parametrize("line", ["pekk 0x10", "read-flsh 0", "foo", "foo + 1", "x = 5"])
def test_a_mistyped_command_stays_one(typed: Shell, line: str) -> None:
    """What begins with a letter is an expression only if every name is one of the chip's."""
    assert "unknown command" in typed.type(line).err


@pytest.mark.parametrize("line", ["gpio", "GPIO", "ver", "e 1"])
def test_commands_come_first(typed: Shell, line: str) -> None:
    """A command, the beginning of one, or of several is none of the chip's names."""
    typed.type(line)
    assert "~1" not in typed.session.variables


def test_values_of_the_prompt_are_kept_and_are_no_arguments(typed: Shell) -> None:
    """`$~1` is the first value; `$1` stays an argument of a script, where `$~1` is not set."""
    typed.type("0x3fc90000")
    typed.type("7")
    assert typed.type("print/d $~1 + $~2").out == "$~3 = 1070137351\n"
    assert typed.type("let x = 5; let").out.splitlines()[-4:] == [
        "$x   5",
        "$~1  0x3fc90000",
        "$~2  7",
        "$~3  0x3fc90007",
    ]
    ran = typed.script("echo $1 $~1", "argument")
    assert "`$~1` is not set" in ran.err


def test_a_log_of_values_runs_as_a_script(typed: Shell, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """An expression is logged as `print`, a value of the prompt as a number."""
    typed.type(f"log {tmp_path / 'log'}")
    typed.type("20 + 1")
    typed.type("$~1 + 1")
    typed.type("log off")
    text = (tmp_path / "log").read_text()
    assert "\nprint 20 + 1\n" in text
    assert "\nprint 21 + 1\n" in text
