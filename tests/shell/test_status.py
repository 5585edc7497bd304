"""sr and esptool's commands for status registers, as a person or a script uses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from espshell.sim.nor import Nor
from tests.loader.support import wire_of
from tests.shell.support import Shell

W25Q = "?flash=W25Q32JV"


def nor_of(shell: Shell) -> Nor:
    """Return the simulated flash behind a session."""
    return wire_of(shell.session.chip).chip.flash


@pytest.fixture
def yes(offline: Shell) -> Shell:
    """Return a session that says yes to what --yes covers, on a W25Q32JV."""
    offline.session.assume_yes = True
    return offline.connect(W25Q)


def table() -> bytes:
    """Return a partition table with an application at 0x10000 and data behind it."""
    rows = (("nvs", 1, 2, 0x9000, 0x6000), ("app0", 0, 0x10, 0x10000, 0x70000))
    found = b""
    for name, kind, subtype, offset, size in rows:
        found += b"\xaa\x50" + bytes([kind, subtype]) + offset.to_bytes(4, "little")
        found += size.to_bytes(4, "little") + name.encode().ljust(16, b"\0") + bytes(4)
    return found


def with_table(shell: Shell) -> Shell:
    """Put the table into the flash."""
    nor_of(shell).data[0x8000 : 0x8000 + 64] = table()
    return shell


def test_what_is_protected_is_not_written(yes: Shell, tmp_path: Path) -> None:
    """`load` and `erase` refuse before anything is sent; after `sr unprotect` they work."""
    shell, nor = with_table(yes), nor_of(yes)
    app = tmp_path / "app.bin"
    app.write_bytes(bytes(range(256)) * 32)
    assert shell.type("sr protect flash:0..0x80000").status == 0
    assert nor.guarded == range(0x80000)
    before = (nor.count.pages, nor.count.sectors)
    for line in (f"load {app} flash:app0", "erase flash:nvs"):
        ran = shell.type(line)
        assert ran.status != 0, line
        assert "protect" in ran.err, line
        assert "sr unprotect" in ran.err, line
    assert (nor.count.pages, nor.count.sectors) == before
    assert shell.type("sr unprotect").status == 0
    assert shell.type(f"load {app} flash:app0").status == 0
    assert nor.read(0x10000, 256) == bytes(range(256))


def test_a_partition_is_a_range(yes: Shell) -> None:
    """A name stands for its range; where that is impossible the nearest ones are told."""
    shell = with_table(yes)
    for line in ("sr protect nvs", "sr protect flash:nvs"):
        ran = shell.type(line)
        assert ran.status == 2
        assert "cannot protect exactly 0x9000..0xf000; larger: 0x0..0x10000" in ran.err
    assert shell.type("sr protect all").status == 0
    assert len(nor_of(shell).guarded) == 4 << 20


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("sr set", "SETTINGS is missing"),
        ("sr set FOO=1", "has no FOO; there are BP, TB"),
        ("sr set BP=9", "BP cannot be 9; 0 to 7"),
        ("sr set QE", "is not a setting"),
        ("sr set BP2=1 BP=0", "BP contradicts another setting"),
        ("sr set busy=1", "BUSY is read-only"),
        ("sr protect flash:0x1000..0x1800", "cannot protect exactly 0x1000..0x1800"),
        ("sr protect nvs", "not a partition table"),
        ("sr set QE=1 --part W25Q64FV", "does not have the id ef4016"),
        ("sr edit", "needs a terminal"),
        ("sr bits FOO", "has no FOO"),
        ("write-flash-status --bytes 1 0x100", "does not fit 1 byte"),
        ("write-flash-status --bytes 4 0", "`4` is not one of 1, 2, 3"),
    ],
)
def test_what_cannot_be_meant(yes: Shell, line: str, told: str) -> None:
    """It names what there is, and nothing is written; status 2, or 1 where the device is wrong."""
    ran = yes.type(line)
    assert ran.status == (1 if told == "not a partition table" else 2)
    assert told in ran.err
    assert nor_of(yes).status.active == [0, 0, 0x60]


@pytest.mark.parametrize("line", ["sr set LB1=1 --nv", "sr set SRP1=1", "sr set SRP1=1 --nv"])
def test_one_way_bits(yes: Shell, line: str) -> None:
    """--yes is not enough, nor is --risk or another part's name; the part's own name is."""
    for more in ("", " --risk", " --otp W25Q64JV", " --otp yes"):
        ran = yes.type(line + more)
        assert ran.status == 2, more
        assert "--otp W25Q32JV" in ran.err
    assert nor_of(yes).status.active == [0, 0, 0x60]
    assert yes.type(f"{line} --otp w25q32jv").status == 0
    assert nor_of(yes).status.active[1] != 0


@pytest.mark.parametrize(
    ("flash", "line"),
    [
        (W25Q, "sr set HRSW=1"),
        (W25Q + "&sr=00,02", "sr set QE=0"),
        ("?flash=XM25QH64C", "sr set DC=1 --nv"),
        (W25Q, "write-flash-status --bytes 1 0x80"),
    ],
)
def test_what_may_stop_a_board_from_booting(offline: Shell, flash: str, line: str) -> None:
    """--yes is not enough: where nobody can be asked --risk is, else a question of its own."""
    offline.session.assume_yes = True
    shell = offline.connect(flash)
    before = list(nor_of(shell).status.active)
    ran = shell.type(line)
    assert ran.status == 2
    assert "--risk" in ran.err
    asked: list[str] = []
    shell.session.ask = answering(asked, yes=False)
    assert shell.type(line).status == 2
    assert "may no longer boot" in asked[0]
    assert nor_of(shell).status.active == before
    assert shell.type(f"{line} --risk").status == 0
    assert nor_of(shell).status.active != before


def answering(asked: list[str], *, yes: bool) -> Callable[[str], bool]:
    """Return who answers all questions alike, and keeps them."""

    def answer(question: str) -> bool:
        asked.append(question)
        return yes

    return answer


def test_questions(offline: Shell) -> None:
    """One question says for how long, and --nv asks another; no to any of them is no.

    Nobody there to ask is an error unless --yes.
    """
    shell = offline.connect(W25Q)
    assert "--yes allows it" in shell.type("sr set QE=1").err
    asked: list[str] = []
    shell.session.ask = answering(asked, yes=False)
    assert shell.type("sr set QE=1").status == 0
    assert shell.type("sr set QE=1 --nv").status == 0
    assert ["PERMANENTLY" in each for each in asked] == [False, True]
    assert nor_of(shell).status.active[1] == 0
    asked.clear()

    def hesitant(question: str) -> bool:
        asked.append(question)
        return "PERMANENTLY" in question

    shell.session.ask = hesitant
    assert shell.type("sr set QE=1 --nv").status == 0
    assert shell.type("write-flash-status --non-volatile 0x0200").status == 0
    assert ["really" in each for each in asked] == [False, True, False]
    assert nor_of(shell).count.status_writes == 0
    asked.clear()
    shell.session.ask = answering(asked, yes=True)
    assert shell.type("sr set QE=1").status == 0
    assert (nor_of(shell).status.active[1], nor_of(shell).status.stored[1]) == (2, 0)
    assert shell.type("sr set DRV=50% --nv").status == 0
    assert ["really" in each for each in asked] == [False, False, True]
    assert nor_of(shell).status.stored[2] == 0x40


def test_permanent_only_where_asked(offline: Shell) -> None:
    """A part without 50h is not written permanently unless --nv says so."""
    offline.session.assume_yes = True
    shell = offline.connect("?flash=MX25L3233F")
    ran = shell.type("sr set QE=1")
    assert ran.status == 2
    assert "--nv writes it permanently" in ran.err
    assert shell.type("sr set QE=1 --nv").status == 0
    assert nor_of(shell).status.stored[0] == 0x40
    assert nor_of(shell).count.offences == []


def test_ignored_write(offline: Shell) -> None:
    """What the flash does not take is an error of the device: before, wanted, got."""
    offline.session.assume_yes = True
    shell = offline.connect(W25Q + "&sr=80&wp=low")
    ran = shell.type("sr set QE=1 --nv")
    assert ran.status == 1
    assert "SR2.QE was 0, wanted 1, got 0" in ran.err


def test_dry_run(yes: Shell) -> None:
    """The plan is shown, nothing is sent, and no gate is needed for what boots a board."""
    yes.session.dry_run = yes.session.chip.flash.dry_run = True
    for line in ("sr set QE=1", "sr protect all --nv", "sr set HRSW=1"):
        assert yes.type(line).status == 0, line
    assert nor_of(yes).status.active == [0, 0, 0x60]
    assert nor_of(yes).count.status_writes == 0


def test_save_and_restore(yes: Shell, tmp_path: Path) -> None:
    """From a file, or from the first look; only to the same kind of flash."""
    file = tmp_path / "status.json"
    assert yes.type(f"sr save {file}").status == 0
    for line in ("sr set QE=1 --nv", "sr protect 0..0x10000 --nv", "sr set DRV=50% CMP=1 --nv"):
        assert yes.type(line).status == 0, line
    changed = list(nor_of(yes).status.stored)
    assert changed != [0, 0, 0x60]
    assert yes.type("sr restore --nv --risk").status == 0
    assert nor_of(yes).status.stored == [0, 0, 0x60]
    assert yes.type("sr set QE=1 --nv").status == 0
    assert yes.type(f"sr restore {file} --nv --risk").status == 0
    assert nor_of(yes).status.stored == [0, 0, 0x60]
    file.write_text(file.read_text().replace("ef4016", "ef4018"))
    assert "of another flash: ef4018, this one is ef4016" in yes.type(f"sr restore {file}").err
    none = '{"id": "ef4016", "registers": {}}'
    wide = '{"id": "ef4016", "registers": {"SR1": "0x1fc"}}'
    for text in ("", "{}", "[1]", '{"id": 5, "registers": {}}', none, wide):
        file.write_text(text)
        assert "contains no status registers" in yes.type(f"sr restore {file}").err
    assert yes.type(f"sr restore {tmp_path / 'none'}").status == 2


def test_the_first_look_stays_the_first(yes: Shell) -> None:
    """What `sr` or a plan reads later is not what the session found."""
    for line in ("sr", "sr set QE=1 --nv", "sr", "sr set BP=1 --nv", "sr"):
        assert yes.type(line).status == 0, line
    assert nor_of(yes).status.stored == [4, 2, 0x60]
    assert yes.type("sr restore --nv --risk").status == 0
    assert nor_of(yes).status.stored == [0, 0, 0x60]


def test_a_script_without_permission_is_told_so_first(offline: Shell) -> None:
    """What cannot be undone takes --yes, whatever else it takes."""
    shell = offline.connect(W25Q)
    ran = shell.script("sr set LB1=1 --nv")
    assert ran.status == 2
    assert "sr set: writing status registers cannot be undone, and there is no" in ran.err
    assert nor_of(shell).count.status_writes == 0


def test_restore_what_can_be(yes: Shell) -> None:
    """A one-way bit that was set since then stays, and is no reason not to restore the others."""
    assert yes.type("sr").status == 0
    assert yes.type("sr set LB1=1 BP=3 --nv --otp W25Q32JV").status == 0
    ran = yes.type("sr restore --nv")
    assert ran.status == 0
    assert "one-way bits of SR2 stay 1: 0x08" in ran.err
    assert nor_of(yes).status.stored == [0, 0x08, 0x60]


def test_restore_after_raw_bytes(yes: Shell) -> None:
    """A write of bytes is a first look, too."""
    assert yes.type("write-flash-status --bytes 2 --non-volatile 0x0204").status == 0
    assert yes.type("sr restore --nv --risk").status == 0
    assert nor_of(yes).status.stored == [0, 0, 0x60]


def test_what_is_shown_can_be_typed(yes: Shell) -> None:
    """The settings that `sr` prints are accepted, and change nothing."""
    from espshell.ops.status import registers as ops

    session = yes.session
    texts = ops.read_status(session.flash(), session.connected.identified()).settings
    ran = yes.type("sr set " + " ".join(texts))
    assert ran.status == 0
    assert "nothing to do" in ran.out
    assert nor_of(yes).count.status_writes == 0


@pytest.mark.parametrize("line", ["sr", "sr set QE=1", "sr ranges", "read-flash-status", "sfdp"])
def test_json(yes: Shell, line: str) -> None:
    """Each command prints one object, and nothing else."""
    yes.session.output.as_json = True
    (found,) = yes.type(line).objects
    assert found["ok"] is True


def test_bits_as_json(yes: Shell) -> None:
    """What is asked for is explained, with the place of its bits and the words for its values."""
    yes.session.output.as_json = True
    (found,) = yes.type("sr bits DRV1").objects
    (bit,) = found["value"]["bits"]
    assert (bit["name"], bit["reg"], bit["positions"], bit["value"]) == ("DRV", "SR3", [5, 6], 3)
    assert bit["values"]["50%"] == 2
    assert bit["meaning"]


def test_esptool_reads(yes: Shell) -> None:
    """One, two or three bytes, the first register lowest."""
    for count, value in (("1", "0x00"), ("2", "0x0000"), ("3", "0x600000")):
        ran = yes.type(f"read-flash-status --bytes {count}")
        assert (ran.status, ran.out.splitlines()[0]) == (0, value)
    assert yes.session.variables["_"] == "0x600000"


@pytest.mark.parametrize("line", ["read-flash-status", "write-flash-status --bytes 2 0x40"])
@pytest.mark.parametrize("part", ["MX25L3233F", "IS25LP032", "EN25QH32"])
def test_esptool_does_not_enter_qpi(offline: Shell, part: str, line: str) -> None:
    """Where 35h is another command it is not sent."""
    offline.session.assume_yes = True
    shell = offline.connect(f"?flash={part}")
    assert shell.type(line).status == 2
    assert nor_of(shell).count.offences == []
    assert not nor_of(shell).is_mute
    assert nor_of(shell).count.status_writes == 0


def test_esptool_writes(yes: Shell) -> None:
    """It waits and compares; what was lost by such a write is told first, and fails."""
    assert yes.type("write-flash-status --bytes 2 --non-volatile 0x0240").status == 0
    assert nor_of(yes).status.stored == [0x40, 0x02, 0x60]
    old = yes.connect("?flash=W25Q64BV&sr=00,02")
    ran = old.type("write-flash-status --bytes 2 --non-volatile 0x0204")
    assert ran.status == 1
    assert "may clear SR2 (QE, CMP, SRP1) when SR1 is written alone" in ran.err
    assert "was 0x0200, wanted 0x0204, got 0x0004" in ran.err


@pytest.mark.parametrize("part", ["MX25L3233F", "EN25QH32", "W25Q64BV", "FM25W128"])
def test_esptool_sends_no_50h_where_it_may_be_another(offline: Shell, part: str) -> None:
    """A volatile write is refused where nothing says that the part has it, and nothing is sent."""
    offline.session.assume_yes = True
    shell = offline.connect(f"?flash={part}")
    ran = shell.type("write-flash-status --bytes 1 0x10")
    assert ran.status == 2
    assert "a volatile write is not possible" in ran.err
    assert "--non-volatile" in ran.err
    assert nor_of(shell).count.offences == []
    assert shell.type("write-flash-status --bytes 1 0x10 --non-volatile").status == 0
    assert nor_of(shell).status.stored[0] == 0x10


def test_esptool_loses_another_register(yes: Shell) -> None:
    """One byte that clears SR2 on the older kind is told, and is a failure of the flash."""
    old = yes.connect("?flash=GD25LQ32&sr=00,42")
    ran = old.type("write-flash-status --bytes 1 --non-volatile 0x04")
    assert nor_of(old).status.stored == [0x04, 0x00]
    assert ran.status == 1
    assert "may clear SR2" in ran.err
    assert "other registers of the flash changed as well: QE 1→0, CMP 1→0" in ran.err


@pytest.mark.parametrize(
    ("flash", "value", "name"),
    [
        (W25Q, "0x0100", "SRP1"),
        (W25Q, "0x0800", "LB1"),
        ("?flash=GD25Q32C", "0x0800", "LB1"),
        ("?flash=GD25Q32C", "0x0400", "LB"),
        (W25Q, "0x0400", "bit 10"),
    ],
)
def test_esptool_burns_nothing(offline: Shell, flash: str, value: str, name: str) -> None:
    """A bit that is one-way, or that may be one, needs the part's name here too."""
    offline.session.assume_yes = True
    shell = offline.connect(flash)
    ran = shell.type(f"write-flash-status --bytes 2 --non-volatile --risk {value}")
    assert ran.status == 2
    assert f"{name}: " in ran.err
    assert "--otp" in ran.err
    assert nor_of(shell).count.status_writes == 0


def test_a_flash_of_unknown_size(yes: Shell) -> None:
    """Registers need no size: an id that tells none is no reason not to show and change them."""
    nor = nor_of(yes)
    nor.part = replace(nor.part, jedec_id=0x4242FE)
    yes.session.disconnect()
    shell = yes.connect(W25Q)
    nor_of(shell).part = nor.part
    assert shell.type("sr").status == 0
    assert shell.type("sr set QE=1").status == 0
    assert nor_of(shell).status.active[1] == 2


def test_secure_download_and_no_chip(offline: Shell) -> None:
    """Without a chip, or where it lets nobody near its flash, that is what is said."""
    assert "no chip is connected" in offline.type("sr").err
    shell = offline.connect("?sdm=1")
    assert "secure download mode" in shell.type("sr set QE=1").err


def test_a_script(yes: Shell) -> None:
    """Commands of two words work in scripts, and a failure ends one; a wrong form is seen first."""
    ran = yes.script("sr set QE=1\nsr set FOO\n")
    assert (ran.status, nor_of(yes).status.active[1]) == (2, 0)
    assert "'FOO' is not a setting" in ran.err
    assert yes.script("sr set QE=1\nsr show\nsr unprotect\n").status == 0
    assert yes.script("sr set FOO=1\nsr set CMP=1\n").status == 2
    assert nor_of(yes).status.active[1] == 2
