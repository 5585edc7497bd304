"""What espshell says when something is wrong: each sentence has a section that explains it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from espshell import errors, messages
from espshell.cli import main
from espshell.messages import ANY
from espshell.shell.commands.topics import TOPICS, groups
from espshell.shell.registry import COMMANDS
from scripts import sentences


def test_every_sentence_of_an_error_is_explained() -> None:
    """A sentence of the sources stands below the heading of a section."""
    missing = sentences.undocumented()
    lines = "\n".join(f"{place}: {text}" for text, place in missing.items())
    assert not missing, f"add to a section of espshell/data/messages.md:\n{lines}"


def test_a_sentence_without_a_section_is_found(tmp_path: Path) -> None:
    """A new error, a new failure and a new objection, each in a module of its own."""
    (tmp_path / "a.py").write_text('def f(x):\n    raise UsageError(f"`{x}` is too blue")\n')
    (tmp_path / "b.py").write_text('def failure(self):\n    return f"{self.x} has leapt"\n')
    (tmp_path / "c.py").write_text(
        'TEXT = "it is on fire"\ndef g(x):\n    y = TEXT if x else "no fire"\n'
        "    raise DeviceError(y)\ndef h(x):\n    raise BenchError(TEXT)\n"
    )
    found = set(sentences.undocumented(tmp_path))
    assert found == {"`…` is too blue", "… has leapt", "no fire", "it is on fire"}


def test_every_explained_sentence_is_one_of_the_program() -> None:
    """Its longest piece stands in the sources, but for the system's reasons of a port."""
    sources = " ".join(path.read_text("utf-8") for path in sentences.SOURCES.rglob("*.py"))
    said = sentences.sentences(sentences.SOURCES)
    for section in messages.sections().values():
        for text in section.sentences:
            longest = max(text.split(ANY), key=len).strip(" :;")
            is_system = text.startswith(("cannot open …: ", "lost "))
            assert text in said or is_system or longest in sources, text


def test_slugs_are_words_of_their_own() -> None:
    """`help SLUG` means no command, group or topic."""
    names = {word for verb in COMMANDS.verbs() for word in (verb.name, verb.name.split()[0])}
    assert not messages.sections().keys() & {*names, *TOPICS, *map(str.lower, groups())}
    assert all(section.text.strip() for section in messages.sections().values())


@pytest.mark.parametrize(
    ("message", "slug"),
    [
        ("no loader answers on /dev/ttyUSB0: nothing was heard", "no-sync"),
        (
            "no loader answers on COM3: the chip was reset (POWERON) and waits in download mode",
            "not-heard",
        ),
        (
            "no loader answers on COM3: the chip was reset (cause 4) and runs its application",
            "boot-mode",
        ),
        (
            "no loader answers on COM3: the chip had a brown-out: its supply voltage drops",
            "brown-out",
        ),
        ("no loader answers on x: 12 bytes were received, none of them an answer", "wrong-rate"),
        ("cannot open /dev/ttyUSB0: permission denied", "permission"),
        ("cannot open /dev/ttyUSB0: in use by another program", "port-busy"),
        ("cannot open socket://10.0.0.1:5: connection refused", "no-server"),
        ("cannot open socket://nosuch:5: name or service not known", "no-server"),
        ("lost rfc2217://10.0.0.1:5 while reading: connection failed", "no-server"),
        ("cannot open /dev/ttyUSB0: input/output error", "no-port"),
        ("lost /dev/ttyACM0 while reading: device reports readiness to read", "usb-gone"),
        ("no reply to READ_REG within 3.0 s", "power"),
        ("board.espsh:12: peek: no reply to READ_REG within 3.0 s", "power"),
        ("`peek` is not possible: the chip is in secure download mode", "secure-download"),
        (
            "flash is not as intended: x; 0x00010000..0x00020000 in doubt: as before, erased or"
            " partly written",
            "in-doubt",
        ),
        ("unknown command `pook`", "wrong-line"),
        ("this is a bug of espshell at x.py:3: KeyError: 1", "bug"),
    ],
)
def test_the_section_of_a_message(message: str, slug: str) -> None:
    """The closest sentence counts, also behind the place in a script."""
    assert messages.slug_of(message, 3) == slug


@pytest.mark.parametrize(
    ("kind", "slug"),
    [(errors.UsageError, "usage"), (errors.DeviceError, "device"), (errors.BenchError, "bench")],
)
def test_what_nothing_explains_has_the_section_of_its_status(
    kind: type[errors.EspError], slug: str
) -> None:
    """So a program finds a slug in every error."""
    assert kind("xyzzy").slug == slug
    assert slug in messages.sections()


def test_an_error_names_its_section(capsys: pytest.CaptureFixture[str]) -> None:
    """In JSON as a field, for a person as the line that shows it, which it does."""
    port = "sim://esp32?fault=brownout@request:1+1"
    assert main(["--json", "-p", port, "-c", "info"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["slug"] == "brown-out"
    assert err.endswith("; `help brown-out` says more\n")
    assert main(["-c", "help brown-out"]) == 0
    assert "supply" in capsys.readouterr().out
