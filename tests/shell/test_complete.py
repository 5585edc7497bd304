"""What the word that is being typed could become."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from espshell.shell import lines
from espshell.shell.arguments.places import unquoted
from espshell.shell.declaration import Option, Param
from espshell.shell.registry import COMMANDS
from espshell.shell.settings import SETTINGS, Bench
from espshell.shell.terminal import complete, editing
from tests.loader.support import wire_of
from tests.shell.support import Shell

TAB = CompleteEvent(completion_requested=True)
OFFLINE, ONLINE = Shell(), Shell().connect()

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
        ("set c", ["check", "confirm", "complete", "compress", "color"]),
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
        "peek": "Read memory and show it in hexadecimal and decimal.",
        "peek8": "width 8",
        "peek16": "width 16",
        "peek32": "width 32",
        "peekaboo": "map",
    }


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("pee", 3),
        ("peek ", 0),
        ("peek dr", 2),
        ("a; fails pe", 2),
        ("a;", 0),
        ("peek --fo", 4),
        ("expect [UART0.ST", 8),
        ("dump DRAM..DR", 2),
        ("erase flash:pa", 2),
        ("reg UART0.CONF0.PARITY=1 .PAR", 4),
    ],
)
def test_size(shell: Shell, text: str, size: int) -> None:
    """What a candidate replaces is the last name before the cursor, all of it."""
    assert {one.size for one in complete.candidates(shell.session, text)} == {size}


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
        ('echo "', "echo [WORDS...]"),
        ("wait (UART0.ST", "wait [--timeout TIMEOUT] [--interval INTERVAL] EXPRESSION"),
        ("peek (", "peek PLACE [COUNT] [--check] [--force]"),
        ("peek [0x10] > ", "peek PLACE [COUNT] [--check] [--force]"),
    ],
)
def test_usage(offline: Shell, text: str, usage: str) -> None:
    """The usage line is that of the command being typed, also inside another."""
    assert complete.usage(offline.session, text) == usage


# Lines up to the cursor, what must be offered there, and what must not.
POSITIONS = [
    ("expect [UART0.ST", "UART0.STATUS", "DRAM"),
    ("expect [ UART0.ST", "UART0.STATUS", "DRAM"),
    ("expect [UART0.STATUS].", "", "UART0.STATUS DRAM"),
    ("expect 3 == UART0.CONF0.PAR", "UART0.CONF0.PARITY", "UART0.CONF0"),
    ("wait (UART0.ST", "UART0.STATUS", "DRAM"),
    ("wait (DRAM + 1) == UART0.ST", "UART0.STATUS", ""),
    ("wait (DRAM)", "", "DRAM UART0"),
    ("expect u8[DR", "DRAM DROM", "UART0"),
    ("expect not (u16[UA", "UART0 UART1", "DRAM"),
    ("expect ", "u8[ u16[ efuse: gpio: DRAM", "flash:"),
    ("expect efuse:DIS_F", "DIS_FORCE_DOWNLOAD", "DRAM"),
    ("expect gpio:1", "gpio:1 gpio:10", "gpio:9"),
    ("peek DRAM+UART0.ST", "UART0.STATUS", "DRAM"),
    ("peek DRAM+", "UART0 DRAM", "flash:"),
    ("peek 0x3fc9", "", "DRAM UART0"),
    ("peek DRAM ", "", "DRAM UART0"),
    ("dump DRAM..DRO", "DROM", "DRAM mem:"),
    ("dump DRAM..+", "UART0", ""),
    ("dump DRAM ", "", "DRAM UART0"),
    ("dump fl", "flash:", "DRAM"),
    ("dump flash:", "bootloader parttable all", "DRAM UART0"),
    ("dump flash:bootloader..pa", "parttable", "PERIPH"),
    ("dump efuse:DIS_F", "DIS_FORCE_DOWNLOAD", ""),
    ("dump 'a", "", "DRAM"),
    ("watch UART0.ST", "UART0.STATUS", ""),
    ("watch UART0.CONF0.PAR", "UART0.CONF0.PARITY", ""),
    ("watch ", "DRAM UART0 gpio: flash:", ""),
    ("watch gpio:2", "gpio:2 gpio:20", ""),
    ("diff UART0.ST", "UART0.STATUS", ""),
    ("diff flash:pa", "parttable", ""),
    ("diff be", "before", "drop"),
    ("diff before UA", "UART0", ""),
    ("hash UART0.ST", "UART0.STATUS", "md5"),
    ("hash flash:pa", "parttable", "md5"),
    ("hash DRAM ", "md5 sha256 crc32", "DRAM UART0"),
    ("hash DRAM 64 ", "md5 sha256", "DRAM UART0"),
    ("snap ", "drop save load before", "DRAM"),
    ("snap a UART0.ST", "UART0.STATUS", "drop"),
    ("snap a flash:pa", "parttable", ""),
    ("snap a DRAM ", "", "DRAM"),
    ("snap drop ", "before", "DRAM UART0 drop"),
    ("snap save ", "fw.bin", "DRAM drop before"),
    ("reg UART0.CONF0.PARITY=1 .PAR", ".PARITY_EN .PARITY", "UART0"),
    ("reg UART0.CONF0 .STOP", ".STOP_BIT_NUM", ""),
    ("reg UART0.CONF0.PARITY=", "?", "DRAM"),
    ("reg UART0.CONF0.PARITY_EN=[UART1.CONF", "UART1.CONF0", ""),
    ("regs UA", "UART0 UART1", "DRAM"),
    ("sr set ", "QE= BP=", "DRAM"),
    ("sr set Q", "QE=", "BP="),
    ("sr set QE=", "0 1", "QE="),
    ("sr set QE=1 ", "BP=", "DRAM"),
    ("connect sim://esp32s", "sim://esp32s3 sim://esp32s2", "DRAM"),
    ("trace ", "on off fw.bin", "DRAM"),
    ("peek DRAM > ", "fw.bin", "DRAM"),
    ("peek DRAM > fw", "fw.bin", "DRAM"),
    ("peek DRAM | ", "", "DRAM fw.bin"),
    ("peek DRAM # ", "", "DRAM"),
    ("peek DRAM > a ", "", "fw.bin DRAM"),
    ("erase ", "chip flash:bootloader", "DRAM UART0"),
    ("erase boot", "flash:bootloader", "DRAM"),
    ("erase flash:bootloader ", "", "chip DRAM"),
    ("load ", "fw.bin", "DRAM UART0"),
    ("load fw.bin ", "flash: DRAM", "fw.bin"),
    ("write-flash ", "flash:bootloader", "DRAM fw.bin mem:"),
    ("write-flash 0 ", "fw.bin", "DRAM"),
    ("image merge a b ", "flash:bootloader", "DRAM mem:"),
    ("quit ", "", "DRAM"),
    ("spi ", "", "DRAM"),
    ("repeat ", "", "peek"),
    ("sr bits ", "QE BP", "QE="),
    ("save DRAM ", "fw.bin", "UART0"),
    ("copy DRAM ", "IRAM flash:", ""),
    ("alias x = ", "peek dump", "DRAM fw.bin"),
    ("alias x = peek UART0.ST", "UART0.STATUS", ""),
    ("alias x", "", "DRAM peek"),
    ("let ", "", "DRAM peek"),
    ("let x = ", "DRAM", "peek"),
    ("let x = (UART0.ST", "UART0.STATUS", ""),
    ("set ", "color theme complete", "on"),
    ("set color ", "auto always never", "on fixed"),
    ("set rate ", "auto fixed", "on always"),
    ("set theme ", "auto dark light mono", "on always"),
    ("set complete ", "tab typing", "on"),
    ("set check ", "on off", "auto"),
    ("set dry-run ", "on off", "auto"),
    ("set flash-size ", "auto", "on fw.bin"),
    ("set parttable ", "fw.bin", "on auto"),
    ("set color auto ", "", "on auto"),
    ("help image ", "info make", "peek"),
    ("echo a$im", "$image", "peek"),
    ("peek DRAM+$im", "$image", "DRAM"),
    ("du", "dump dump8", "peek"),
    ("fails repeat 3 peek UART0.ST", "UART0.STATUS", ""),
    ("repeat 3 ", "peek", "DRAM"),
    ("echo a; expect (UA", "UART0", ""),
    ("poke ua0.st", "", "DRAM"),
    ("peek u0.sta", "", "DRAM"),
    ("peek prph", "PERIPH", "DRAM"),
    ("set sqz", "squeeze", "check"),
    ("esptool --ch", "--chip", "peek"),
    ("esptool --chip ", "auto esp32c3", "DRAM"),
    ("esptool --chip esp32c3 --baud 921600 wr", "write-flash", "write-mem-x peek"),
    ("esptool ", "write-flash chip-id", "peek --chip"),
    ("esptool write-flash 0 ", "fw.bin", "DRAM"),
    ("load --flash-freq ", "keep 80m 20m", "DRAM fw.bin"),
    ("load --flash-size ", "keep detect 4MB", "DRAM"),
    ("load --flash-mode ", "keep dio", "DRAM"),
    ("image elf fw.elf --flash-size ", "4MB", "DRAM"),
    ("sr --part W25Q32", "W25Q32JV", "DRAM"),
    ("sr set QE=1 --part MX25L32", "MX25L3233F", "QE="),
    ("gpio 2 out --drive ", "0 3", "DRAM"),
    ("compare ", "sim://demo", "DRAM"),
    ("compare sim://demo fl", "flash:bootloader", "DRAM"),
    ("connect ", "sim://demo", "DRAM"),
    ("connect --baud ", "auto 921600", "DRAM"),
    ("monitor --baud ", "74880 115200", "DRAM"),
    ("cd ", "", "fw.bin"),
]


@pytest.mark.parametrize(("line", "must", "must_not"), POSITIONS)
def test_position(
    shell: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    must: str,
    must_not: str,
) -> None:
    """At every position what could stand there is offered, and nothing that could not."""
    (tmp_path / "fw.bin").touch()
    monkeypatch.chdir(tmp_path)
    shell.session.variables["image"] = "fw.bin"
    shell.type("snap before 0x3fc90000 4")
    offered = set(words(shell, line))
    assert set(must.split()) <= offered
    assert not set(must_not.split()) & offered
    assert must or not offered


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*(line for line, _, _ in POSITIONS), *"([{'\"\\$;|>#=.: -"])))
def test_any_line(pieces: list[str]) -> None:
    """Whatever is typed, completion and usage raise nothing, with and without a chip."""
    text = "".join(pieces)
    for end in {len(text), len(text) // 2}:
        complete.usage(OFFLINE.session, text[:end])
        complete.candidates(OFFLINE.session, text[:end])
        complete.candidates(ONLINE.session, text[:end], may_read=False)


def test_nothing_is_asked_of_the_chip_while_typing(offline: Shell) -> None:
    """Wherever one types, only what has been read is offered; Tab reads, once a connection."""
    session = offline.session
    session.interactive = True
    count = wire_of(session.connect(Bench(port="sim://demo"))).count
    before, lines = count.requests, [line for line, _, _ in POSITIONS]
    lines += ["flash:nv", "(nv", "[flash:nv", "?nv", "?flash:", "UART0.ST", "DRAM flash:"]
    lines += [f"{verb.name} fl" for verb in COMMANDS.verbs()]
    lines += [f"{verb.name} {o.flag} " for verb in COMMANDS.verbs() for o in verb.options if o.type]
    for line in lines:
        complete.usage(session, line)
        complete.candidates(session, line, may_read=False)
        assert count.requests == before, line
    for line, name in (("dump flash:nv", "nvs"), ("sr set Q", "QE=")):
        offered = [
            {each.text for each in complete.candidates(session, line, may_read=may_read)}
            for may_read in (False, True, False)
        ]
        assert [name in texts for texts in offered] == [False, True, True]


def test_only_tab_lets_completion_ask(shell: Shell) -> None:
    """The editor says whether a person waits: for each key nobody does."""
    count = wire_of(shell.session.chip).count
    completer = editing._Completer(shell.session)
    before = count.requests
    for event, may_ask in ((CompleteEvent(text_inserted=True), False), (TAB, True)):
        list(completer.get_completions(Document("sr set Q"), event))
        assert (count.requests > before) is may_ask


NAMES = ["a b.bin", "it's.bin", 'say "hi".bin', "$x;y.bin", "#1.bin", "(1) [2].bin", "d \\ e.bin"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("typed", ["", "'", '"', "{}", "'{}", '"{}'])
def test_names_of_files_are_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, typed: str
) -> None:
    """What is offered is that file when the line runs, behind whichever quote is open."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    typed = typed.format(name[0] if name[0].isalpha() else "")
    (offered,) = words(OFFLINE, f"source {typed}")
    assert offered.startswith(typed)
    assert _meant(offered) == name
    assert "\\" in name or unquoted(offered) == name  # where words keep their quotes


def _meant(text: str) -> str:
    (command,) = lines.cut(f"source {text}")
    (word,) = command.words
    return word.expand({})


FREE = """
    address align arguments baud chunk_size command connect_attempts count data diff_with dummy
    encrypt_files flash_freq flash_mode flash_size interval message most opcode open_port_attempts
    options otp pad_to period port_filter read seconds size status target_offset timeout until value
    words
"""
"""Numbers, texts and what is only accepted; the value of `set` depends on the name before it."""


def test_every_position_offers_or_is_free(shell: Shell, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """No position of any command is bare but those where a person's own words or numbers stand."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "fw.bin").touch()
    monkeypatch.chdir(tmp_path)
    shell.type("snap before 0x3fc90000 4")
    bare = set()
    for verb in COMMANDS.verbs():
        slots: list[tuple[Param | Option, str]]
        slots = [(slot, " ".join(["1"] * index)) for index, slot in enumerate(verb.params)]
        slots += [(slot, slot.flag) for slot in verb.options if slot.type is not None]
        bare |= {
            slot.key
            for slot, before in slots
            if not words(shell, f"{verb.name} {before}".rstrip() + " ")
        }
    assert bare == set(FREE.split())


# The same, for a person.
AT_THE_PROMPT = [
    ("du UART0.ST", "UART0.STATUS", ""),
    ("mine UART0.ST", "UART0.STATUS", ""),
    ("fails mine (UART0.ST", "UART0.STATUS", ""),
    ("UART0.ST", "UART0.STATUS", "peek"),
    ("[UART0.ST", "UART0.STATUS", "peek"),
    ("(DR", "DRAM DROM", "dump"),
    ("dram + UA", "UART0", "peek"),
    ("nosuch UA", "", "UART0"),
    ("?UA", "UART0 UART1", "peek"),
]


@pytest.mark.parametrize(("line", "must", "must_not"), AT_THE_PROMPT)
def test_position_at_the_prompt(shell: Shell, line: str, must: str, must_not: str) -> None:
    """Behind abbreviations and aliases, and in an expression alone on a line, names are offered."""
    shell.session.interactive = True
    shell.session.aliases["mine"] = "peek"
    offered = set(words(shell, line))
    assert set(must.split()) <= offered
    assert not set(must_not.split()) & offered
    assert must or not offered


def test_letters_in_their_order_are_the_second_choice(shell: Shell) -> None:
    """Of two letters or more, and only where nothing begins so; in a comment nothing is offered."""

    def offered(text: str) -> list[str]:
        return [candidate.text for candidate in complete.candidates(shell.session, text)]

    assert offered("set squee") == ["squeeze"]
    assert offered("set sqz") == ["squeeze"]
    assert offered("efuse q") == []
    assert offered("if") == ["if"]
    assert offered("peek # dr") == []
    assert offered("peek #") == []
