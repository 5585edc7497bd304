"""Two boards compared by digests: what differs, to the sector, for little traffic."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from espshell import cli
from espshell.shell.settings import Bench
from espshell.sim import board, protocol_sim
from espshell.sim.wire import Counters
from tests.shell.support import Shell

SECTOR = 0x1000
CHANGED = (0x0, 0x1000, 0x11000, 0xFF000)


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the port of a board that differs from ``sim://demo`` in one bit of four sectors."""
    monkeypatch.setattr(protocol_sim, "_kept", {})
    data = bytearray(board.flash_of("demo"))
    for address in CHANGED:
        data[address + 0x123] ^= 0x10
    (tmp_path / "other.bin").write_bytes(data)
    return f"sim://demo?flash-file={tmp_path}/other.bin"


@pytest.mark.parametrize("stub", ["auto", "never"])
def test_what_differs_to_the_sector(
    stub: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neighbours are one range; by the sums of a stub, and by digests alone from the ROM."""
    words = ["-p", "sim://demo", "--stub", stub, "--json", "-c", f"compare {other} flash:0 1M"]
    assert cli.main(words) == 1
    value = json.loads(capsys.readouterr().out)["value"]
    assert [(span["address"], span["size"]) for span in value["differing"]] == [
        (0, 2 * SECTOR),
        (0x11000, SECTOR),
        (0xFF000, SECTOR),
    ]


def test_from_the_command_line(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two ports and a region by name; ranges have the names of their partitions."""
    assert cli.main(["compare", "sim://demo", other, "flash:nvs"]) == 0
    assert capsys.readouterr().out.startswith("equal  flash 0x00009000..0x0000e000 (20 KiB) of ")
    assert cli.main(["compare", "sim://demo", other, "flash:app0"]) == 1
    assert "0x00011000..0x00012000  4 KiB  app0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("compare sim://demo", 2, "sim://demo is this board"),
        ("compare /dev/no-such-port", 3, "cannot open /dev/no-such-port"),
        ("compare sim://esp32c3?flash=1M flash:0x200000 0x1000", 2, "is not on both boards"),
        ("compare sim://esp8266?flash=1M --stub", 2, "--stub"),
    ],
)
def test_what_cannot_be_compared(
    line: str, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is one line; this board stays connected."""
    assert cli.main(["-p", "sim://demo", "--keep-going", "-c", line, "-c", "peek ROM0"]) == status
    out, err = capsys.readouterr()
    assert message in err
    assert out.startswith("0x40000000") or status == 2


@pytest.mark.parametrize("request_number", [1, 70])
def test_a_port_that_is_lost_is_that_of_one_board(
    request_number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the other board goes, when connecting or later, this one stays connected, and is read."""
    other = f"sim://esp32c3?fault=unplug@request:{request_number}"
    words = [
        "-p",
        "sim://demo",
        "--keep-going",
        "-c",
        f"compare {other} flash:0 1M",
        "-c",
        "peek ROM0",
    ]
    assert cli.main(words) == 3
    out, err = capsys.readouterr()
    assert f"compare: lost {other} while" in err
    assert out.startswith("0x40000000")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("option", "status"),
    [
        *((f"fault={action}@reply:{at}-999", 3) for action in ("hang", "drop") for at in (3, 30)),
        ("fault=garbage@reply:25", 3),
        pytest.param("fault=kill@reply:12", 3, marks=pytest.mark.long),
        *(
            pytest.param(f"fault={action}@reply:{at}-999", 3, marks=pytest.mark.long)
            for action in ("hang", "unplug", "reset")
            for at in range(1, 60, 7)
        ),
        ("sdm=1", None),
    ],
)
def test_the_board_at_fault_is_named(
    which: int, option: str, status: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two boards each error and each note names the one that it is about, and no other."""
    ports = ["sim://esp32c3", "sim://esp32c3?mac=02:00:00:00:00:09"]
    ports[which] += f"{'&' if '?' in ports[which] else '?'}{option}"
    names = [re.escape(port) + r"(?![?&\w])" for port in ports]
    got = cli.main(["compare", *ports])
    err = capsys.readouterr().err
    assert got == status or (status is None and got)
    last = err.splitlines()[-1]
    if status is None and not which:
        assert "the chip is in secure download mode" in last
        return
    assert re.search(names[which], last), last
    assert not re.search(names[1 - which], last), last
    assert which == 0 or "`reconnect`" not in last
    for note in err.splitlines()[:-1]:
        assert any(re.search(name, note) for name in names) or "raised" in note, note


def test_traffic_follows_the_difference(other: str) -> None:
    """Four sectors of a thousand cost a few exchanges, and not a read of the flash."""
    shell = Shell()
    shell.session.connect(Bench(port="sim://demo", stub="never"))
    before = _count(shell).requests
    assert shell.type(f"compare {other}").status == 1
    assert _count(shell).requests - before < 150
    shell.session.close()


def _count(shell: Shell) -> Counters:
    port: Any = shell.session.chip.link.port
    count = port._device.wire.count
    assert isinstance(count, Counters)
    return count
