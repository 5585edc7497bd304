"""What is written where, and what is refused: esptool's lines by esptool and by our own commands.

Both work on a simulated chip of the same kind; after the lines the two flashes are compared.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from espshell import chips
from espshell.image import intel_hex
from tests.image import support
from tests.ops.test_objections import firmware
from tests.oracle_support import PACE_S, served
from tests.shell.support import Shell

pytest.importorskip("esptool")
pytest.importorskip("termios")

pytestmark = pytest.mark.oracle

SIZE = 0x4_0000
NOISE = Random(7).randbytes(0x3000)


@dataclass(frozen=True)
class Job:
    """Lines for a chip, each with the status that both end with: 0, or refused."""

    chip: str
    lines: tuple[tuple[str, int], ...]
    options: str = ""


JOBS = {
    "detect 4 MB": Job("esp8266", (("write-flash -fs detect 0x0 boot", 0),), "flash=W25Q32JV"),
    "detect 2 MB": Job("esp8266", (("write-flash -fs detect 0x0 boot", 0),), "flash=W25Q16JV"),
    "hex": Job(
        "esp32c3",
        (("write-flash 0x1000 own.hex", 0), ("verify-flash 0x1000 own.hex", 0)),
    ),
    "legacy revision": Job(
        "esp32c3", (("write-flash 0x0 later", 2), ("write-flash --force 0x0 later", 0))
    ),
    "what goes through": Job(
        "esp32c3",
        (
            ("write-flash 0x20000 noise 0x30000 empty", 0),
            ("write-flash --flash-mode dio --flash-size 4MB 0x10000 noise", 0),
            ("write-flash -fs 2MB -fm qio 0x0 boot", 0),
        ),
    ),
    "not aligned": Job("esp32c3", (("write-flash 0x1010 noise", 0),)),
    "megabits": Job("esp32c3", (("write-flash -fs 32m 0x0 boot", 2),)),
    "encrypted": Job(
        "esp32c3",
        (
            ("erase-flash", 2),
            ("erase-region 0x10000 0x1000", 2),
            ("erase-region --force 0x10000 0x1000", 0),
        ),
        "crypt=1",
    ),
    "secure boot": Job("esp32c3", (("erase-region 0x10000 0x1000", 2),), "flags=1"),
    "encrypted, secure download": Job("esp32c3", (("write-flash 0x0 boot", 2),), "crypt=1&sdm=1"),
}


def write_files(folder: Path, name: str) -> None:
    """Write what the lines name."""
    chip = chips.load(name)
    (folder / "noise").write_bytes(NOISE)
    (folder / "empty").touch()
    (folder / "own.hex").write_bytes(intel_hex.to_bytes([(0x5000, NOISE[:5000])]))
    if name == "esp8266":
        (folder / "boot").write_bytes(support.esp8266([(0x4010_0000, bytes(64))]))
        return
    (folder / "boot").write_bytes(firmware(chip, app=False))
    (folder / "later").write_bytes(firmware(chip, app=False, legacy=9))


def by_esptool(job: Job, flash: Path) -> list[int]:
    """Run the lines by esptool; return whether each was refused, as 2, or done."""
    found = []
    with served(f"{job.chip}?{job.options}", "--pty", "--flash-file", str(flash)) as port:
        for line, _ in job.lines:
            where = ["--port", port, "--before", "no-reset", "--after", "no-reset"]
            done = subprocess.run(
                [sys.executable, "-m", "esptool", *where, *line.split()],
                cwd=flash.parent,
                capture_output=True,
                timeout=PACE_S,
                check=False,
            )
            found.append(done.returncode)
    return found


def by_us(job: Job, flash: Path) -> list[int]:
    """Run the lines by our commands."""
    shell = Shell()
    shell.session.assume_yes = True
    options = "&".join(filter(None, (job.options, f"flash-file={flash}")))
    assert shell.type(f"connect sim://{job.chip}?{options}").status == 0
    if "sdm" in options:
        shell.type("set flash-size 4M")
    found = [shell.type(line).status for line, _ in job.lines]
    shell.session.disconnect()
    return found


@pytest.mark.parametrize("name", JOBS)
def test_same_as_esptool(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same is done and refused, and the sectors that are written hold the same."""
    job = JOBS[name]
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, job.chip)
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for flash in (theirs, ours):
        flash.write_bytes(bytes(SIZE))
    expected = [status for _, status in job.lines]
    assert by_esptool(job, theirs) == expected
    assert by_us(job, ours) == expected
    one, other = theirs.read_bytes(), ours.read_bytes()
    if name == "not aligned":
        # esptool erases what else is in the sectors, we keep it.
        assert other[:SIZE] == bytes(0x1010) + NOISE + bytes(SIZE - 0x1010 - len(NOISE))
        assert one[0x1010 : 0x1010 + len(NOISE)] == NOISE
        return
    for at in range(0, SIZE, 0x1000):
        sector = other[at : at + 0x1000]
        # What is erased behind a file is not compared: the stub of the simulator erases too much.
        if any(sector):
            assert one[at : at + 0x1000] == sector, hex(at)


def test_chip_id() -> None:
    """The id of an ESP8266 is the one that esptool reads."""
    with served("esp8266", "--pty") as port:
        command = [sys.executable, "-m", "esptool", "--port", port, "--before", "no-reset"]
        done = subprocess.run(
            [*command, "chip-id"], capture_output=True, text=True, timeout=PACE_S, check=False
        )
    shell = Shell()
    shell.type("connect sim://esp8266")
    found = shell.type("chip-id").out.split()[2]
    assert f"Chip ID: {found}" in done.stdout


def test_download_encryption() -> None:
    """The eFuse that ends encryption by the loader is where esptool looks, on all that have it."""
    names = [chip.name for chip in chips.CHIPS if chip.no_download_encryption]
    program = (
        "import sys, esptool.targets as t\n"
        "for n in sys.argv[1:]:\n"
        "    c = t.CHIP_DEFS[n]\n"
        "    print(c.EFUSE_DIS_DOWNLOAD_MANUAL_ENCRYPT_REG, c.EFUSE_DIS_DOWNLOAD_MANUAL_ENCRYPT)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, text=True, check=True
    )
    fuses = [chips.load(name).no_download_encryption for name in names]
    ours = [f"{fuse.address} {fuse.mask}" for fuse in fuses if fuse]
    assert done.stdout.splitlines() == ours
    assert len(ours) == len(chips.NAMES) - 1
