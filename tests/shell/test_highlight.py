"""The colours of a line that is being typed, by what exists."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.document import Document

from espshell.shell.terminal.highlight import KnowingLexer
from tests.shell.support import Shell


def styles(lexer: KnowingLexer, text: str) -> dict[str, str]:
    line = lexer.lex_document(Document(text))(0)
    return {part[1]: part[0].removeprefix("class:espsh.") for part in line if part[1].strip()}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("peek DRAM", {"peek": "command", "DRAM": "place"}),
        ("pee DRAN", {"pee": "command", "DRAN": ""}),
        ("p x", {"p": "", "x": ""}),
        ("frob", {"frob": "unknown"}),
        ("mine", {"mine": "command"}),
        ("image info", {"image": "command", "info": "command"}),
        ("image nosuch", {"image": "command", "nosuch": ""}),
        ("help", {"help": "command"}),
        ("dump32 UART0.STATUS", {"dump32": "command", "UART0.STATUS": "place"}),
        ("reg UART0.NOSUCH", {"UART0.NOSUCH": ""}),
        ("reg uart0.conf0.parity", {"uart0.conf0.parity": "place"}),
        ("reg UART0.CONF0.NOSUCH", {"UART0.CONF0.NOSUCH": ""}),
        ("erase flash:bootloader", {"flash": "label", "bootloader": "place"}),
        ("erase flash:nosuch", {"nosuch": ""}),
        ("dump efuse:DIS_FORCE_DOWNLOAD", {"DIS_FORCE_DOWNLOAD": "place"}),
        ("echo $image $nosuch ${n:-1}", {"$image": "variable", "$nosuch": "unknown"}),
        ('echo "$image"', {"$image": "variable", '"': "string"}),
        ("fails frob", {"fails": "command", "frob": "unknown"}),
        ("peek 0x10 # DRAM", {"0x10": "number", "# DRAM": "comment"}),
        ("peek 0 --force", {"--force": "option"}),
    ],
)
def test_what_exists(shell: Shell, line: str, wanted: dict[str, str]) -> None:
    """A command, place or variable that exists differs from one that does not."""
    shell.session.interactive = True
    shell.session.aliases["mine"] = "map"
    shell.session.variables["image"] = "a"
    assert wanted.items() <= styles(KnowingLexer(shell.session), line).items()


def test_names_are_looked_up_once(shell: Shell) -> None:
    """A key costs a look-up of the names that it changes, and none is sent to the chip for it."""
    requests = shell.session.chip.loader.link.port._device.wire.count  # type: ignore[attr-defined]
    before, lexer = requests.requests, KnowingLexer(shell.session)
    line = "expect [UART0.STATUS] == DRAM + flash:app0"
    for end in range(len(line) + 1):
        styles(lexer, line[:end])
    first = lexer.lookups
    styles(lexer, line)
    assert first < len(line)
    assert (lexer.lookups, requests.requests) == (first, before)


def test_names_change_with_the_chip(shell: Shell) -> None:
    """What was looked up holds for one connection."""
    lexer = KnowingLexer(shell.session)
    assert styles(lexer, "peek DRAM")["DRAM"] == "place"
    shell.type("disconnect")
    assert styles(lexer, "peek DRAM")["DRAM"] == ""
    shell.type("connect sim://esp32c3")
    assert styles(lexer, "peek DRAM")["DRAM"] == "place"


@given(st.text(string.printable, max_size=40))
def test_nothing_is_lost(text: str) -> None:
    """Whatever is typed, every character is shown."""
    text = text.replace("\r", "").replace("\x0b", "").replace("\x0c", "")
    lines = KnowingLexer(Shell().session).lex_document(Document(text))
    shown = ["".join(part[1] for part in lines(n)) for n in range(text.count("\n") + 1)]
    assert "\n".join(shown) == text
