"""The commands that change flash, as a person types them; and a host that is killed."""

from __future__ import annotations

import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from espshell.image import intel_hex, partitions
from espshell.shell.settings import Bench
from espshell.sim.nor import Nor
from espshell.span import Span
from espshell.units import KIB, MIB
from tests.image.support import firmware, partition_table
from tests.loader.support import wire_of
from tests.ops.support import noise
from tests.oracle_support import served
from tests.shell.support import Shell

OLD, NEW = noise(128 * KIB, 1), noise(40 * KIB, 2)
PACE_S = 60


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a session in a folder with a file, on a chip whose flash holds something."""
    monkeypatch.chdir(tmp_path)
    Path("new.bin").write_bytes(NEW)
    Path("empty.bin").touch()
    Path("page.bin").write_text("<html>404</html>")
    Path("comment.hex").write_text("; x\n:00000001FF\n")
    return ready(Shell())


def ready(shell: Shell, options: str = "") -> Shell:
    """Connect and fill the flash."""
    shell.connect(options)
    shell.session.assume_yes = True
    nor(shell).load(OLD)
    return shell


def nor(shell: Shell) -> Nor:
    """Return the flash behind a session."""
    assert shell.session.target is not None
    return wire_of(shell.session.target).chip.flash


def untouched(shell: Shell) -> bool:
    """Say whether the flash is as it was and nothing was tried."""
    count = nor(shell).count
    done = (count.sectors, count.blocks, count.chips, count.pages, count.status_writes)
    return done == (0, 0, 0, 0, 0) and bytes(nor(shell).data[: len(OLD)]) == OLD


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("load missing.bin flash:0", "missing.bin"),
        ("load empty.bin flash:0", "empty.bin is empty"),
        ("load new.bin flash:0x10010", "not the start of a sector"),
        ("load new.bin flash:4M-4k", "past the end of the flash"),
        ("load --keep-edges new.bin flash:-4096", "before the start of the flash"),
        ("load new.bin flash:4M", "past the end of the flash"),
        ("load new.bin flash:0x10000 new.bin flash:0x11000", "overlaps"),
        ("load new.bin", "FILES is missing"),
        ("load new.bin flash:0 new.bin", "the form is FILE PLACE..."),
        ("load new.bin flash:0 new.bin mem:DRAM", "some files are for memory"),
        ("load other.bin flash:0x10000", "for another chip"),
        ("load new.bin flash:0 --flash-mode qxo", "no flash mode `qxo`; it has qio, "),
        ("load new.bin flash:0 --flash-size 3M", "flash size `3M`; it has 1MB, 2MB, 4MB,"),
        ("load new.bin flash:1M --flash-size 1MB", "beyond the 1 MiB that --flash-size gives"),
        ("write-flash -fs 1MB 0x280000 new.bin", "beyond the 1 MiB that --flash-size gives"),
        ("load new.bin flash:nothere", "flash:0x8000: not a partition table: row 1 begins with"),
        ("load new.bin flash:nothere", "`set parttable ADDRESS` or"),
        ("write-flash new.bin 0x10000", "in this order: ADDRESS FILE"),
        ("write-flash --erase-all 0 missing.bin", "missing.bin"),
        ("load new.bin flash:0 --flash-size 32m", "`32m` is a size in megabits"),
        ("read-flash -fs 32m 0 16 out.bin", "`32m` is a size in megabits"),
        ("set parttable -1", "cannot read -1"),
        ("write-flash -fs 32m-c1 0 new.bin", "4MB-c1 is the same in bytes"),
        ("load page.bin flash:0x10000", "is not firmware: HTML or XML page; 0x10000 is for an app"),
        ("write-flash -e 0x10000 page.bin", "is not firmware"),
        ("load comment.hex flash:0", "is not Intel HEX: it begins with `; x`"),
        ("write-flash 0 comment.hex", "is not Intel HEX: it begins with `; x`"),
        ("erase flash:0x10010 0x1000", "is not whole sectors"),
        ("erase flash:0 100", "is not whole sectors"),
        ("erase flash:0 5M", "past the end of the flash"),
        ("erase DRAM", "is not in flash"),
        ("erase-region 0x1001 0x1000", "is not whole sectors"),
        ("save flash:4M 1 x.bin", "past the end of the flash"),
        ("read-flash 0 5M x.bin", "past the end of the flash"),
    ],
)
def test_wrong_input(shell: Shell, line: str, why: str) -> None:
    """It is refused before anything is changed, and before a stub is started.

    The status is 2; 1 where the device is wrong.
    """
    Path("other.bin").write_bytes(firmware([(0x4008_0000, bytes(64))], chip=9))
    ran = shell.type(line)
    assert ran.status == (1 if "nothere" in line else 2)
    assert why in ran.err
    assert untouched(shell)
    assert not shell.session.chip.loader.dialect.is_stub


def test_protected_ranges(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the status registers are known to protect is refused, by every command."""
    monkeypatch.setattr(
        type(shell.session.connected), "protected", lambda _self: (Span.of(0, 64 * KIB),)
    )
    for line in ("load new.bin flash:0xf000", "erase flash:0xf000 8k", "erase chip", "erase-flash"):
        ran = shell.type(line)
        assert ran.status == 1
        assert "write-protected" in ran.err
    assert untouched(shell)


def test_load_says_what_it_did(shell: Shell) -> None:
    """How many sectors were written of how many, and that they are right; then that all is."""
    ran = shell.type("load new.bin flash:0x10000")
    assert (ran.status, ran.out) == (0, "verified  new.bin: 40 KiB, 10 of 10 sectors written\n")
    assert nor(shell).data[0x10000 : 0x10000 + len(NEW)] == NEW
    ran = shell.type("load new.bin flash:0x10000")
    assert (ran.status, ran.out) == (0, "equal  new.bin: 40 KiB, nothing to write\n")
    ran = shell.type("load --all new.bin flash:0x10000")
    assert "10 of 10 sectors written" in ran.out


def test_several_files_and_hex(shell: Shell) -> None:
    """Pairs of file and place; Intel HEX brings its own addresses, added to the place."""
    Path("new.hex").write_bytes(intel_hex.to_bytes([(0x1000, NEW[:5000])]))
    ran = shell.type("load new.bin flash:0x10000 new.hex flash:0x4000")
    assert ran.status == 0
    assert nor(shell).data[0x10000 : 0x10000 + len(NEW)] == NEW
    assert nor(shell).data[0x5000 : 0x5000 + 5000] == NEW[:5000]


def test_hex_goes_where_esptool_puts_it(shell: Shell) -> None:
    """By esptool's names Intel HEX goes to its own addresses, whatever address is given."""
    Path("new.hex").write_bytes(intel_hex.to_bytes([(0x5000, NEW[:5000])]))
    assert shell.type("write-flash 0x1000 new.hex").status == 0
    assert nor(shell).data[0x5000 : 0x5000 + 5000] == NEW[:5000]
    assert shell.type("verify-flash 0x1000 new.hex").status == 0
    assert shell.type("merge-bin -o merged.bin 0x1000 new.hex").status == 0
    assert Path("merged.bin").read_bytes() == b"\xff" * 0x5000 + NEW[:5000]
    ran = shell.type("load new.hex flash:0x1000")
    assert ran.status == 0
    assert "from 0x00005000 on, are added to 0x00001000" in ran.err + ran.out
    assert nor(shell).data[0x6000 : 0x6000 + 5000] == NEW[:5000]


def test_what_esptool_lets_through(shell: Shell) -> None:
    """An empty file, settings without a bootloader, a place inside a sector: done, with a note."""
    ran = shell.type("write-flash 0x10000 new.bin 0x30000 empty.bin")
    assert (ran.status, nor(shell).data[0x10000 : 0x10000 + len(NEW)]) == (0, NEW)
    assert "empty.bin is empty: nothing to write" in ran.err + ran.out
    assert shell.type("write-flash 0x30000 empty.bin").status == 0
    ran = shell.type("write-flash --flash-mode dio --flash-size 4MB 0x14000 new.bin")
    assert ran.status == 0
    assert "no file is for 0x0, where the bootloader is" in ran.err + ran.out
    ran = shell.type("write-flash 0x1010 new.bin")
    assert ran.status == 0
    assert "0x1010 is inside a sector; what else is in it is kept" in ran.err + ran.out
    assert bytes(nor(shell).data[0x1000:0x1010]) == OLD[0x1000:0x1010]
    assert nor(shell).data[0x1010 : 0x1010 + len(NEW)] == NEW


@pytest.mark.parametrize("options", ["flags=1", "crypt=1"])
def test_erases_with_security(tmp_path: Path, options: str) -> None:
    """With secure boot or flash encryption every way to erase needs --force, and says so."""
    shell = ready(Shell(), f"?{options}&flash=W25Q80")
    shell.type("stub never")
    for line in ("erase-flash", "erase chip", "erase-region 0 4k", "erase flash:0x10000 4k"):
        ran = shell.type(line)
        assert (ran.status, "--force erases it anyway" in ran.err) == (2, True)
    assert untouched(shell)
    assert shell.type("erase-region --force 0 4k").status == 0
    assert shell.type("erase --force flash:0x10000 4k").status == 0
    assert shell.type("erase-flash --force").status == 0
    assert bytes(nor(shell).data).count(b"\xff") == MIB


def test_keep_edges(shell: Shell) -> None:
    """What else is in the sectors stays."""
    assert shell.type("load --keep-edges new.bin flash:0x10010").status == 0
    wanted = OLD[:0x10010] + NEW + OLD[0x10010 + len(NEW) :]
    assert bytes(nor(shell).data[: len(OLD)]) == wanted
    assert shell.type("erase --keep-edges flash:0x10010 100").status == 0
    wanted = wanted[:0x10010] + b"\xff" * 100 + wanted[0x10010 + 100 :]
    assert bytes(nor(shell).data[: len(OLD)]) == wanted


def test_a_dry_run(shell: Shell) -> None:
    """It says what would be done and does nothing, not even start a stub, and asks nobody."""
    session = shell.session
    shell.type("set dry-run on")
    session.assume_yes = False
    for line, told in (
        ("load new.bin flash:0x10000", "10 of 10 sectors would be erased and written"),
        ("erase flash:0 64k", "would be erased"),
        ("erase chip", "would be erased"),
        ("write-flash 0x10000 new.bin", "would be erased and written"),
    ):
        ran = shell.type(line)
        assert ran.status == 0
        assert told in ran.out
    assert untouched(shell)
    assert not session.chip.loader.dialect.is_stub


def test_nobody_to_ask(shell: Shell) -> None:
    """Without --yes what cannot be undone is refused in a script, before anything else."""
    shell.session.assume_yes = False
    for line in ("load new.bin flash:0x10000", "erase flash:0 4k", "erase-flash"):
        ran = shell.type(line)
        assert ran.status == 2
        assert "--yes allows it" in ran.err
    assert untouched(shell)


def test_a_person_is_asked(shell: Shell) -> None:
    """With what would be done; no is no, and `set confirm off` does not ask."""
    asked: list[str] = []
    answer = False

    def ask(question: str) -> bool:
        asked.append(question)
        return answer

    shell.session.assume_yes, shell.session.ask = False, ask
    for line, question in (
        ("load new.bin flash:0x10000", "erase and write 10 of 10 sectors (0x00010000..0x0001a000)"),
        ("erase flash:0x1000 8k", "erase flash 0x00001000..0x00003000 (8 KiB)?"),
        ("erase chip", "erase the whole chip 0x00000000..0x00400000 (4 MiB)?"),
    ):
        ran = shell.type(line)
        assert (ran.status, ran.out) == (0, "")
        assert "nothing was changed" in ran.err
        assert question in asked.pop()
    assert untouched(shell)
    answer = True
    assert shell.type("erase flash:0x1000 8k").status == 0
    assert len(asked) == 1
    shell.type("load new.bin flash:0x10000")
    shell.type("load new.bin flash:0x10000")
    assert len(asked) == 2  # where nothing is to be written there is nothing to ask
    shell.type("set confirm off")
    assert shell.type("erase flash:0 4k").status == 0
    assert len(asked) == 2


def test_erase(shell: Shell) -> None:
    """A range and the whole chip, by any of the names; what is blank is said to be."""
    told = shell.type("erase flash:0x1000 8k").out
    assert told == "blank  flash 0x00001000..0x00003000, 8 KiB\n"
    assert shell.type("erase flash:0x1000 8k").out.endswith("was blank already\n")
    assert shell.type("erase-region 0x3000 0x1000").status == 0
    wanted = OLD[:0x1000] + b"\xff" * 0x3000 + OLD[0x4000:]
    assert bytes(nor(shell).data[: len(OLD)]) == wanted
    assert shell.type("erase-region 0x10000 ALL").status == 0
    assert set(nor(shell).data[0x10000:]) == {0xFF}
    assert shell.type("erase-flash").status == 0
    assert set(nor(shell).data) == {0xFF}


def test_esptools_names(shell: Shell) -> None:
    """With esptool's order and options."""
    options = "-u --no-progress -fm keep -ff keep -fs keep"
    assert shell.type(f"write-flash {options} 0x10000 new.bin").status == 0
    assert shell.type("verify-flash -fm keep 0x10000 new.bin").status == 0
    assert shell.type("read-flash 0x10000 0xa000 back.bin").status == 0
    assert Path("back.bin").read_bytes() == NEW
    assert shell.type("read-flash --no-progress 0x3f0000 ALL tail.bin").status == 0
    assert Path("tail.bin").read_bytes() == b"\xff" * 64 * KIB
    Path("wrong.bin").write_bytes(NEW[:-1] + b"x")
    assert shell.type("verify-flash --diff 0x10000 wrong.bin").status == 1
    assert shell.type("write-flash --erase-all 0x20000 new.bin").status == 0
    blank = b"\xff" * 0x20000
    assert bytes(nor(shell).data[: 0x20000 + len(NEW)]) == blank + NEW


def test_flash_settings_are_patched_when_asked(shell: Shell) -> None:
    """By default a header is written as it is; else what was asked for is changed, and said."""
    boot = firmware([(0x4038_0000, bytes(64))], chip=5, mode=2, size_frequency=0x2F)
    Path("boot.bin").write_bytes(boot)
    assert shell.type("load --force boot.bin flash:0").status == 0
    assert nor(shell).data[: len(boot)] == boot
    ran = shell.type("load --force boot.bin flash:0 --flash-mode dout --flash-size 16MB")
    assert ran.status == 0
    assert "flash mode dout, size 16MB" in ran.out
    assert bytes(nor(shell).data[2:4]) == b"\x03\x4f"
    ran = shell.type("write-flash --force -fs detect 0 boot.bin")
    assert "flash size 4mb" in ran.out.lower()
    assert shell.type("write-flash -fs detect 0x10000 new.bin").status == 0


def test_a_new_partition_table_is_read(shell: Shell) -> None:
    """What was known of the old one is forgotten when its sector is written or erased."""
    from espshell.image import partitions

    def table(name: str) -> bytes:
        return partition_table(partitions.parse(f"{name},data,nvs,0x9000,0x6000\n".encode()))

    Path("one.bin").write_bytes(table("one"))
    Path("two.bin").write_bytes(table("two"))
    shell.type("load one.bin flash:0x8000")
    assert "one" in shell.type("parts").out
    shell.type("load two.bin flash:0x8000")
    assert "two" in shell.type("parts").out
    assert shell.type("erase flash:two").status == 0
    assert set(nor(shell).data[0x9000:0xF000]) == {0xFF}
    shell.type("erase flash:0x8000 4k")
    assert shell.type("parts").status == 1


def test_an_image_larger_than_its_partition(shell: Shell) -> None:
    """A partition that is named is a limit, also for one of several files."""
    Path("table.csv").write_text("small,data,nvs,0x10000,0x2000\n")
    shell.type("set parttable table.csv")
    assert "table of table.csv, MD5 absent" in shell.type("parts").out
    for line in (
        "load new.bin flash:small",
        "load new.bin flash:0x20000 new.bin flash:small",
        "write-flash -e flash:small new.bin",
    ):
        ran = shell.type(line)
        assert ran.status == 2
        assert "past the end of the partition" in ran.err
    assert untouched(shell)


def test_secure_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would change the bootloader is refused by every command, unless it is forced."""
    monkeypatch.chdir(tmp_path)
    Path("new.bin").write_bytes(NEW)
    shell = ready(Shell(), "?flags=1")
    for line in (
        "load new.bin flash:0",
        "poke flash:0 1",
        "fill flash:0x7ffc 4 1",
        "copy flash:0x10000 16 flash:0x20",
        "erase flash:0 4k",
        "write-flash -e 0x10000 new.bin",
    ):
        ran = shell.type(line)
        assert ran.status == 2
        assert "secure boot is on" in ran.err
    assert untouched(shell)
    assert shell.type("poke --force flash:0 1").status == 0


def test_names_without_a_partition_table(shell: Shell) -> None:
    """The bootloader and the table itself have places all the same, where `set parttable` says."""
    Path("table.bin").write_bytes(NEW[:3072])
    assert shell.type("load table.bin flash:parttable").status == 0
    assert bytes(nor(shell).data[0x8000:0x8C00]) == NEW[:3072]
    shell.type("set parttable 0x9000")
    assert shell.type("load table.bin flash:parttable").status == 0
    assert bytes(nor(shell).data[0x9000:0x9C00]) == NEW[:3072]
    assert "0x00000000..0x00009000" in shell.type("hash flash:bootloader").out
    assert "0x00009000..0x00009c00" in shell.type("hash flash:parttable").out
    shell.session.connect(Bench(port="sim://esp32"))
    assert "0x00001000..0x00009000" in shell.type("hash flash:bootloader").out


@pytest.mark.parametrize("line", ["load new.bin flash:0x10000", "erase flash:0x1000 4k"])
def test_without_permission_nothing_is_asked_of_the_chip(shell: Shell, line: str) -> None:
    """That nobody says yes is told at once, and not after the flash has been compared."""
    shell.session.assume_yes = False
    count = wire_of(shell.session.chip).count
    before = count.requests
    ran = shell.type(line)
    assert (ran.status, "there is no terminal to ask at; --yes" in ran.err) == (2, True)
    assert count.requests == before


def test_the_name_of_a_partition_goes_before_a_fixed_one(shell: Shell) -> None:
    """Where the table itself has a `bootloader`, that is the place."""
    Path("table.csv").write_text("bootloader,data,nvs,0x10000,0x2000\n")
    shell.type("set parttable table.csv")
    assert "0x00010000..0x00012000" in shell.type("hash flash:bootloader").out


def test_a_table_whose_md5_is_wrong(shell: Shell) -> None:
    """It is listed, and nothing is read or written by its names."""
    table = bytearray(partition_table(partitions.parse(b"one,data,nvs,0x9000,0x6000\n")))
    table[4] ^= 0x10
    nor(shell).data[0x8000:0x9000] = bytes(table).ljust(0x1000, b"\xff")
    ran = shell.type("parts")
    assert ran.status == 1
    assert "one" in ran.out
    before = bytes(nor(shell).data)
    for line in ("erase flash:one", "load new.bin flash:one", "dump flash:one 16"):
        ran = shell.type(line)
        assert ran.status == 2
        assert "MD5 of the partition table is wrong" in ran.err
    assert bytes(nor(shell).data) == before


def test_secure_download_mode(shell: Shell) -> None:
    """Without a size nothing is written; with one it is, and is said not to be verified."""
    shell.session.disconnect()
    ready(shell, "?sdm=1")
    told = shell.type("load new.bin flash:0x10000").err
    assert "secure download mode" in told
    assert "set flash-size" in told
    assert "powered" not in told
    assert untouched(shell)
    shell.type("set flash-size 4M")
    ran = shell.type("load new.bin flash:0x10000")
    assert ran.status == 0
    assert "written, not verified" in ran.out
    assert "not verified: this loader cannot read flash" in ran.err
    assert nor(shell).data[0x10000 : 0x10000 + len(NEW)] == NEW


def test_a_loss_of_power_tells_the_state(shell: Shell) -> None:
    """Stderr says which sectors are in which state, of a load and of an erase."""
    for line, states in (
        ("load new.bin flash:0xe000", ("written and verified", "in doubt")),
        ("erase flash:0xe000 40k", ("erased and verified", "in doubt")),
    ):
        shell.session.disconnect()
        ready(shell, "?fault=kill@flash:50" if "load" in line else "?fault=kill@flash:4")
        ran = shell.type(line)
        assert ran.status == 3
        assert all(state in ran.err for state in states)


def test_ctrl_c_tells_the_state(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note says what is in doubt, and the same line again completes."""
    progress = type(shell.session.output).progress

    def stop(_self: object, step: object) -> None:
        if getattr(step, "action", "") == "writing":
            raise KeyboardInterrupt

    monkeypatch.setattr(type(shell.session.output), "progress", stop)
    with pytest.raises(KeyboardInterrupt):
        shell.type("load new.bin flash:0x10000")
    assert "0x00010000..0x0001a000 in doubt" in shell.said(130).err
    monkeypatch.setattr(type(shell.session.output), "progress", progress)
    assert shell.type("load new.bin flash:0x10000").status == 0
    assert nor(shell).data[0x10000 : 0x10000 + len(NEW)] == NEW


def test_resume(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that is stopped says how to go on, and goes on."""

    def stop(_self: object, step: object) -> None:
        if getattr(step, "done", 0) >= 64 * KIB:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(shell.session.output), "progress", stop)
        with pytest.raises(KeyboardInterrupt):
            shell.type("save flash:0 128k all.bin")
    assert re.search(r"all\.bin\.part holds the first \d+ KiB; --resume", shell.said(130).err)
    assert not Path("all.bin").exists()
    ran = shell.type("save --resume flash:0 128k all.bin")
    assert ran.status == 0
    assert "resumed at" in ran.err
    assert Path("all.bin").read_bytes() == OLD


def test_json(shell: Shell) -> None:
    """Fields for a program, and no text to parse."""
    shell.session.output.as_json = True
    ran = shell.type("load new.bin flash:0x10000")
    value = ran.objects[0]["value"]
    assert (value["sectors"], value["sectors_written"], value["verified"]) == (10, 10, True)
    ran = shell.type("erase flash:0x10000 8k")
    assert ran.objects[0]["value"]["skipped"] == 0
    ran = shell.type("flash-id")
    assert ran.objects[0]["value"]["size"] == 4 * MIB


# -- a host that is killed


Host = list["subprocess.Popen[bytes]"]


def pump(place: str, listener: socket.socket, host: Host, most: int) -> None:
    """Hand on what a client sends, and kill it when that is more than so many bytes."""
    name, _, port = place.rpartition("//")[2].rpartition(":")
    client, _ = listener.accept()
    with client, socket.create_connection((name, int(port))) as chip:
        sent = 0
        while True:
            for ready in select.select([client, chip], [], [])[0]:
                data = ready.recv(1024)
                if not data:
                    return
                (chip if ready is client else client).sendall(data)
                sent += len(data) if ready is client else 0
                if sent > most:
                    host[0].kill()
                    host[0].wait()
                    return


@pytest.mark.long
@pytest.mark.parametrize("most", [12_000, 40_000])
def test_the_host_is_killed(most: int, tmp_path: Path) -> None:
    """SIGKILL in the middle of a load: nothing else is touched, and a second run completes."""
    flash, file = tmp_path / "flash", tmp_path / "new.bin"
    flash.write_bytes(OLD.ljust(4 * MIB, b"\xff"))
    file.write_bytes(NEW)
    wanted = OLD[:0x10000] + NEW + OLD[0x10000 + len(NEW) :]
    options = ["--baud", "921600", "--after", "no-reset", "--yes"]
    line = ["-c", f"load {file} flash:0x10000"]
    with served("esp32c3", "--tcp", "127.0.0.1:0", "--flash-file", str(flash)) as place:
        host: Host = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = f"socket://127.0.0.1:{listener.getsockname()[1]}"
            command = [sys.executable, "-m", "espshell", *options, "-p", port, *line]
            quiet = subprocess.DEVNULL
            host.append(subprocess.Popen(command, stdout=quiet, stderr=quiet))
            pump(place, listener, host, most)
            assert host[0].wait(PACE_S) == -signal.SIGKILL
        data = flash.read_bytes()
        assert data[:0x10000] == wanted[:0x10000]
        assert data[0x10000 + len(NEW) :] == wanted.ljust(4 * MIB, b"\xff")[0x10000 + len(NEW) :]
        at = place if "//" in place else f"socket://{place}"
        command = [sys.executable, "-m", "espshell", *options, "-p", at, *line]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PACE_S, check=False)
        assert done.returncode == 0, done.stderr
    assert flash.read_bytes() == wanted.ljust(4 * MIB, b"\xff")


def test_a_script_that_writes_the_partition_table(tmp_path: Path) -> None:
    """Names behind it are those of the new table; before it they must be known at once."""
    table = partitions.parse_csv("nvs, data, nvs, 0x9000, 0x6000")
    (tmp_path / "table.bin").write_bytes(partition_table(table))
    shell = Shell().connect()
    shell.session.assume_yes = True
    assert "not a partition table" in shell.script("dump flash:nvs 16").err
    text = f"load {tmp_path}/table.bin flash:0x8000\ndump flash:nvs 16\ndump flash:nosuch 16"
    said = shell.script(text)
    assert "ff ff ff ff  ff ff ff ff" in said.out
    assert "test.espsh:3" in said.err


def test_flash_is_watched(shell: Shell) -> None:
    """`watch` looks at flash as at memory."""
    assert shell.type("watch flash:0x100 16 --count 1").status == 0


def test_a_bare_number_is_a_place_in_memory(shell: Shell) -> None:
    """Who means flash is told how to say so."""
    said = shell.type("load new.bin 0x10000")
    assert said.status == 2
    assert "in flash it is flash:0x10000" in said.err
    assert untouched(shell)


def test_ram_that_a_compressed_read_takes(shell: Shell) -> None:
    """It is named once, before it is written over; `set compress off` prevents that."""
    chip = wire_of(shell.session.chip).chip
    mark, address = b"mine", 0x3FCA_0000
    chip.memory.write_word(address, int.from_bytes(mark, "little"))
    shell.type("set compress off")
    assert "RAM" not in shell.type("save flash:0 128K a").err
    assert chip.memory.read(address, 4) == mark
    shell.type("set compress auto")
    assert "RAM" not in shell.type("save flash:0 64K a").err
    assert "the RAM 0x3fca0000..0x3fcca800 is overwritten" in shell.type("save flash:0 128K b").err
    assert chip.memory.read(address, 4) != mark
    assert "RAM" not in shell.type("save flash:0 128K c").err
    assert Path("a").read_bytes() + Path("b").read_bytes() == OLD[: 64 * KIB] + OLD


@pytest.mark.parametrize(("size", "is_stub"), [(1024, True), (512, False)])
def test_differences_in_much_are_looked_for_by_the_stub(
    shell: Shell, size: int, is_stub: bool
) -> None:
    """Equal or not, `verify --diff` of a MiB starts it; less does not, nor does `verify` alone."""
    Path("image.bin").write_bytes(OLD.ljust(size * KIB, b"\xff"))
    assert shell.type("verify image.bin flash:0").status == 0
    assert not shell.session.chip.loader.dialect.is_stub
    assert shell.type("verify --diff image.bin flash:0").status == 0
    assert shell.session.chip.loader.dialect.is_stub is is_stub
