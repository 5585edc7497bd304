"""What the word that is being typed could become."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.shell.settings import SETTINGS
from espshell.shell.terminal import complete
from tests.shell.support import Shell

REGIONS = ["DROM", "DRAM", "ROM1", "ROM0", "CACHE", "IRAM", "IROM", "RTC_FAST", "PERIPH"]


def words(shell: Shell, text: str) -> list[str]:
    return [candidate.text for candidate in complete.candidates(shell.session, text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pee", ["peek", "peek8", "peek16", "peek32"]),
        ("PEEK3", ["peek32"]),
        ("echo a ; reb", []),
        ("echo a ; rese", ["reset"]),
        ("-rese", ["reset"]),
        ("fails pok", ["poke", "poke8", "poke16", "poke32"]),
        ("fails fails chi", ["chip-id"]),
        ("peek dr", ["DROM", "DRAM"]),
        ("fails peek dr", ["DROM", "DRAM"]),
        ("peek --", ["--check", "--force"]),
        ("peek --force dro", ["DROM"]),
        ("peek DRAM ", []),
        ("dump DRAM ", []),
        ("poke 0 --mask rt", ["RTC_FAST", "RTC_CNTL"]),
        ("poke 0 1 ir", ["IRAM", "IROM"]),
        ("expect rtc", ["RTC_FAST", "RTC_CNTL"]),
        ("let x = rtc", ["RTC_FAST", "RTC_CNTL"]),
        ("need esp32c3", ["esp32c3"]),
        ("need esp32 esp32c3", ["esp32c3"]),
        ("reset ", ["boot", "run"]),
        ("connect --before u", ["usb-reset"]),
        ("set ", list(SETTINGS)),
        ("set squeeze o", ["on", "off"]),
        ("set c", ["check", "confirm", "color"]),
        ("ima", ["image", "image-info"]),
        ("image ", ["info", "make", "merge", "elf"]),
        ("image m", ["make", "merge"]),
        ("fails image in", ["info"]),
        ("image info --ver", ["--verify"]),
        ("image info --chip esp32c3", ["esp32c3"]),
        ("image nosuch ", []),
        ("help ima", ["image", "image-info", "images"]),
        ("help poke", ["poke", "poke8", "poke16", "poke32"]),
        ("echo $im", ["$image"]),
        ("nosuch x", []),
        ('echo "', []),
        ("echo a > b", []),
    ],
)
def test_candidates(shell: Shell, text: str, wanted: list[str]) -> None:
    """Commands, options, names, choices, settings and variables, each where it can stand."""
    shell.session.variables["image"] = "fw.bin"
    found = words(shell, text)
    assert found == wanted


def test_all_names_of_the_connected_chip(offline: Shell) -> None:
    """Names are those of the chip; without one there are none, and nothing raises."""
    assert words(offline, "peek ") == ["mem:", "flash:", "efuse:"]
    assert words(offline.connect(), "peek ")[: len(REGIONS)] == REGIONS


def test_an_empty_line_offers_every_command(offline: Shell) -> None:
    """Also behind a semicolon, and the person's own names."""
    offline.type("alias mine = map")
    for text in ("", "echo a;", "echo a ; "):
        assert {"peek", "dump64", "read-mem", "mine"} <= set(words(offline, text)), text


def test_file_behind_a_region(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region is one word or two, so a file is offered behind either."""
    (tmp_path / "fw.bin").touch()
    monkeypatch.chdir(tmp_path)
    assert words(shell, "save DRAM ") == ["fw.bin"]
    assert words(shell, "save 0x3fc90000 16 f") == ["fw.bin"]
    assert words(shell, "source ") == ["fw.bin"]


def test_candidates_say_what_they_are(offline: Shell) -> None:
    """A command is explained, a variant by what it differs in, an alias by what it stands for."""
    offline.type("alias peekaboo = map")
    about = {each.text: each.about for each in complete.candidates(offline.session, "peek")}
    assert about == {
        "peek": "Read values, in hexadecimal and decimal.",
        "peek8": "width 8",
        "peek16": "width 16",
        "peek32": "width 32",
        "peekaboo": "map",
    }


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("pee", "pee"),
        ("peek ", ""),
        ("peek dr", "dr"),
        ("a; fails pe", "pe"),
        ("a;", ""),
        ("peek 'a b", ""),
        ("save x /tmp/f", "/tmp/f"),
        ("peek --fo", "--fo"),
    ],
)
def test_typed_word(offline: Shell, text: str, typed: str) -> None:
    """What a candidate replaces is the word before the cursor, all of it."""
    assert complete.typed_word(offline.session, text) == typed


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("", ""),
        ("pee", "peek PLACE [COUNT] [--check] [--force]"),
        ("peek 0", "peek PLACE [COUNT] [--check] [--force]"),
        ("echo a; reset ", "reset [boot|run]"),
        ("let x", "let NAME = VALUE"),
        ("expect ", "expect [--message MESSAGE] EXPRESSION"),
        ("fails", "fails COMMAND"),
        ("fails save x", "save REGION FILE [--resume] [--check] [--force]"),
        ("image", "image info|make|merge|elf"),
        ("image m", "image info|make|merge|elf"),
        ("image info ", "image info FILE|flash:PLACE [--verify] [--chip CHIP]"),
        ("p", ""),
        ("nosuch", ""),
        ('echo "', ""),
    ],
)
def test_usage(offline: Shell, text: str, usage: str) -> None:
    """The usage line is that of the command being typed, also inside another."""
    assert complete.usage(offline.session, text) == usage
