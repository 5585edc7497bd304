"""save: whole files or none, what a stopped read leaves, and how it goes on."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from espshell.device import Target
from espshell.errors import EspError, UsageError
from espshell.image import intel_hex
from espshell.loader.digest import md5
from espshell.loader.stream import part_size
from espshell.ops.memory.save import held_part, part_of, save
from espshell.ops.result import Step
from espshell.units import KIB
from tests.loader.support import open_sim, wire_of
from tests.ops.support import SECTOR, every_loader, noise, on_file, opened

if os.name == "posix":
    import fcntl

DATA = noise(200 * KIB, 1)
AT = 0x1003


def received(target: Target) -> int:
    """Return the bytes that have come over the wire so far."""
    return wire_of(target).count.bytes_to_host


def stopped(target: Target, path: Path, *, after: int) -> bytes:
    """Save until so many bytes have come, then press Ctrl-C; return what was left behind."""

    def report(step: Step) -> None:
        if step.done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(target.flash, 0, len(DATA), path, report=report)
    assert not path.exists()
    return part_of(path).read_bytes()


@every_loader
def test_a_range_of_any_alignment(chip: str, stub: bool, tmp_path: Path) -> None:
    """The file holds exactly the range, and nothing is left beside it."""
    target = opened(chip, stub, DATA)
    path = tmp_path / "x.bin"
    result = save(target.flash, AT, 9001, path)
    assert path.read_bytes() == DATA[AT : AT + 9001]
    assert (result.address, result.size, result.path) == (AT, 9001, str(path))
    assert [each.name for each in tmp_path.iterdir()] == ["x.bin"]


def test_intel_hex(tmp_path: Path) -> None:
    """A name that ends so makes Intel HEX, with addresses of flash."""
    target = opened(contents=DATA)
    save(target.flash, AT, 9001, tmp_path / "x.hex")
    pieces = intel_hex.read((tmp_path / "x.hex").read_bytes(), name="x.hex")
    assert list(pieces) == [(AT, DATA[AT : AT + 9001])]


def test_resume_reads_only_the_rest(tmp_path: Path) -> None:
    """After Ctrl-C the beginning is there, and is not transferred again."""
    target = opened(contents=DATA)
    path = tmp_path / "x.bin"
    left = stopped(target, path, after=128 * KIB)
    assert left == DATA[: len(left)]
    assert len(left) >= 64 * KIB
    before = received(target)
    result = save(target.flash, 0, len(DATA), path, resume=True)
    rest = len(DATA) - len(left)
    on_its_way = part_size(target.loader)  # a stream cannot be stopped
    assert rest < received(target) - before < 1.02 * (rest + on_its_way) + 2 * KIB
    assert result.notes == (f"resumed at {len(left) // KIB} KiB",)
    assert path.read_bytes() == DATA
    assert not part_of(path).exists()


def test_a_part_that_is_whole_is_not_read_again(tmp_path: Path) -> None:
    """Only its digest is asked for."""
    target = opened(contents=DATA)
    path = tmp_path / "x.bin"
    part_of(path).write_bytes(DATA)
    before = received(target)
    assert save(target.flash, 0, len(DATA), path, resume=True).notes == ("resumed at 200 KiB",)
    assert received(target) - before < KIB
    assert (path.read_bytes(), part_of(path).exists()) == (DATA, False)


def test_a_part_that_is_no_longer_true(tmp_path: Path) -> None:
    """If the flash has changed meanwhile, or the part has, all is read anew."""
    target = opened(contents=DATA)
    path = tmp_path / "x.bin"
    data = DATA[: 40 * KIB]
    for wrong in (b"\0" * 5000, data + b"\0" * KIB, b""):
        part_of(path).write_bytes(wrong)
        result = save(target.flash, 0, len(data), path, resume=True)
        assert path.read_bytes() == data
        assert "reading everything" in result.notes[0]
        path.unlink()


def test_without_resume_all_is_read(tmp_path: Path) -> None:
    """What an earlier read has left is overwritten."""
    target = opened(contents=DATA)
    path = tmp_path / "x.bin"
    part_of(path).write_bytes(noise(60 * KIB, 2))
    save(target.flash, 0, 40 * KIB, path)
    assert path.read_bytes() == DATA[: 40 * KIB]


def test_without_digests_a_part_is_not_believed(tmp_path: Path) -> None:
    """The ROM of an ESP8266 cannot tell, so it reads all."""
    target = opened("esp8266", False, DATA)
    path = tmp_path / "x.bin"
    part_of(path).write_bytes(DATA[:1000])
    result = save(target.flash, 0, 2000, path, resume=True)
    assert "no digests" in result.notes[0]
    assert path.read_bytes() == DATA[:2000]


def test_what_cannot_be_resumed(tmp_path: Path) -> None:
    """Memory, and Intel HEX, are read whole."""
    target = opened(contents=DATA)
    with pytest.raises(UsageError, match="--resume works for raw binary saves of flash"):
        save(target.memory, 0x3FC9_0000, 16, tmp_path / "x.bin", resume=True)
    with pytest.raises(UsageError, match="--resume works for raw binary saves of flash"):
        save(target.flash, 0, 16, tmp_path / "x.hex", resume=True)


@pytest.mark.parametrize("name", ["", "no/such/folder/x.bin"])
def test_where_nothing_can_be_written(name: str, tmp_path: Path) -> None:
    """It is found out before anything is read, and an old file is as before."""
    target = opened(contents=DATA)
    before = received(target)
    with pytest.raises(UsageError, match="cannot write"):
        save(target.flash, 0, 1000, tmp_path / name)
    assert received(target) == before


def test_past_the_end(tmp_path: Path) -> None:
    """A region that is not in the flash is refused with its size, and no file appears."""
    target = opened(contents=DATA)
    with pytest.raises(UsageError, match="it has 4 MiB"):
        save(target.flash, 4 << 20, 1, tmp_path / "x.bin")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("chip", "stub"), [("esp32", False), ("esp32c3", True)])
def test_killed(chip: str, stub: bool, tmp_path: Path, stride: Callable[[int], int]) -> None:
    """At places all over it: what is left is a true beginning, and --resume completes."""
    data, size = DATA, 200 * KIB if stub else 24 * KIB
    flash, path = tmp_path / "flash", tmp_path / "x.bin"
    flash.write_bytes(data)

    def started(faults: str = "") -> Target:
        target = open_sim(on_file(flash, faults=faults), chip)
        if stub:
            target.start_stub()
        return target

    target = started()
    first = wire_of(target).count.requests
    save(target.flash, 0, size, path)
    last = wire_of(target).count.requests
    kept = 0
    for number in random.Random(20).choices(range(first + 1, last + 1), k=20)[:: stride(6)]:
        path.unlink(missing_ok=True)
        part_of(path).unlink(missing_ok=True)
        target = started(f"kill@request:{number}")
        with pytest.raises(EspError) as caught:
            save(target.flash, 0, size, path)
        left = part_of(path).read_bytes() if part_of(path).exists() else b""
        assert left == data[: len(left)]
        assert ("--resume" in caught.value.hint) is bool(left)
        assert bool(left) is part_of(path).exists()
        assert not path.exists()
        kept += bool(left)
        save(started().flash, 0, size, path, resume=True)
        assert path.read_bytes() == data[:size]
    assert kept
    assert flash.read_bytes()[: len(data)] == data


def test_an_empty_part_is_no_part(tmp_path: Path) -> None:
    """If nothing has come, nothing is left behind."""
    part_of(tmp_path / "x").touch()
    assert held_part(tmp_path / "x") == 0
    assert not list(tmp_path.iterdir())


def test_what_nothing_confirms_is_said(tmp_path: Path) -> None:
    """A loader without digests may be wrong by a bit that flips; read twice it is not."""
    for stub, check, told in ((False, False, True), (False, True, False), (True, False, False)):
        target = opened("esp8266", stub, DATA)
        saved = save(target.flash, AT, 100, tmp_path / "file", check=check)
        assert any("not confirmed" in note for note in saved.notes) is told
        assert (tmp_path / "file").read_bytes() == DATA[AT : AT + 100]


def test_a_part_is_believed_by_a_digest_that_came_twice(tmp_path: Path) -> None:
    """One that is that of the request before would let a part pass that is not true."""
    target = opened(contents=DATA)
    path = tmp_path / "file"
    part_of(path).write_bytes(noise(SECTOR, 7))
    ask = target.flash.digest

    def doubled(address: int, size: int, *, confirmed: bool = False) -> bytes:
        return ask(address, size, confirmed=True) if confirmed else md5(noise(SECTOR, 7))

    target.flash.digest = doubled  # type: ignore[method-assign]
    save(target.flash, 0, len(DATA), path, resume=True)
    assert path.read_bytes() == DATA


def test_two_at_once(tmp_path: Path) -> None:
    """The second is refused, and the first is not disturbed."""
    first, second = opened(contents=DATA), opened(contents=noise(len(DATA), 2))
    path = tmp_path / "file"
    refused = 0

    def report(_: Step) -> None:
        nonlocal refused
        with pytest.raises(UsageError, match="another save"):
            save(second.flash, 0, len(DATA), path)
        refused += 1

    save(first.flash, 0, len(DATA), path, report=report)
    assert refused
    assert path.read_bytes() == DATA
    assert not part_of(path).exists()
    save(second.flash, 0, len(DATA), path)
    assert path.read_bytes() == noise(len(DATA), 2)


@pytest.mark.skipif(os.name != "posix", reason="nobody renames an open file there")
@pytest.mark.parametrize("is_followed", [False, True])
def test_another_one_that_comes_to_its_end_just_now(
    is_followed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has opened the part just before it became the file leaves that file alone."""
    path, target, reached = tmp_path / "file", opened(contents=DATA), []
    lock = fcntl.flock

    def too_late(file: BinaryIO, how: int) -> None:
        part_of(path).write_bytes(b"of the other")
        part_of(path).replace(path)
        if is_followed:
            part_of(path).write_bytes(b"of a third")
        reached.append(path)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", too_late)
    with pytest.raises(UsageError, match="another save"):
        save(target.flash, 0, len(DATA), path)
    assert reached
    assert path.read_bytes() == b"of the other"
    assert not is_followed or part_of(path).read_bytes() == b"of a third"


@pytest.mark.skipif(os.name != "posix", reason="nobody renames an open file there")
def test_a_part_is_held_until_it_is_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one that begins when the first has all of it empties nothing."""
    path, target, reached = tmp_path / "file", opened(contents=DATA), []
    second, rename = opened(contents=noise(len(DATA), 2)), Path.replace

    def replace(part: Path, to: Path) -> Path:
        monkeypatch.setattr(Path, "replace", rename)
        with pytest.raises(UsageError, match="another save"):
            save(second.flash, 0, len(DATA), path)
        reached.append(to)
        return rename(part, to)

    monkeypatch.setattr(Path, "replace", replace)
    save(target.flash, 0, len(DATA), path)
    assert reached == [path]
    assert path.read_bytes() == DATA


def test_what_a_full_disk_leaves_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after any other stop: what has been read is kept."""

    def full(_self: Path, _to: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="space left") as caught:
        save(opened(contents=DATA).flash, 0, len(DATA), tmp_path / "file")
    assert "file.part holds the first 200 KiB; --resume" in caught.value.hint
