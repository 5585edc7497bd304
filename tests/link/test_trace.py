"""Watching, recording and playing back what went over the wire."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.device import Target
from espshell.errors import DeviceError, EspError, UsageError
from espshell.link import trace
from espshell.link.trace import Direction, Event, Recorder, ReplayPort, Viewer, read_recording
from espshell.protocol import slip
from espshell.protocol.commands import ReadReg, WriteReg
from tests.link.support import REPLY

ROM = 0x4000_1000
ASK = ReadReg(ROM).encode()


def replay(*events: tuple[float, Direction, bytes]) -> ReplayPort:
    return ReplayPort(Event(*event) for event in events)


# -- a whole session -------------------------------------------------------------------------------


def recorded(path: Path, url: str, use: Callable[[Target], bytes]) -> bytes:
    """Do something with a chip while it is recorded; return what that gave."""
    with contextlib.closing(Recorder(path, pytest.fail)) as recorder:
        target = Target.open(url, taps=(recorder,))
        found = use(target)
        target.close()
    return found


@pytest.mark.parametrize(
    "url", ["sim://esp32c3", "sim://esp32", "sim://esp32c3?fault=drop@reply:40"]
)
def test_a_session_is_played_back(tmp_path: Path, url: str) -> None:
    """The same questions get the same answers, faults and all."""
    path = tmp_path / "session.jsonl"
    found = recorded(path, url, lambda target: target.memory.read(ROM, 1000))
    target = Target.open(f"replay://{path}")
    assert target.chip.name in url
    assert target.memory.read(ROM, 1000) == found
    assert len(found) == 1000


def test_a_session_that_goes_on_where_the_recording_ends(tmp_path: Path) -> None:
    """A question that was not asked then is an error, and it says so."""
    path = tmp_path / "session.jsonl"
    recorded(path, "sim://esp32", lambda target: target.memory.read(ROM, 4))
    target = Target.open(f"replay://{path}")
    target.memory.read(ROM, 4)
    with pytest.raises(EspError, match="recording"):
        target.memory.read(ROM, 4)


def test_a_session_that_departs_from_the_recording(tmp_path: Path) -> None:
    """Another question than then is an error."""
    path = tmp_path / "session.jsonl"
    recorded(path, "sim://esp32", lambda target: target.memory.read(ROM, 4))
    target = Target.open(f"replay://{path}")
    with pytest.raises(DeviceError, match="recording"):
        target.memory.read(ROM + 4, 4)


# -- playing back ----------------------------------------------------------------------------------


def test_an_answer_waits_for_its_question() -> None:
    """What came after a question can only be read once it is asked again."""
    port = replay((0.0, "tx", ASK), (0.1, "rx", REPLY))
    assert port.read(0.5) == b""
    port.write(ASK)
    assert port.read(0.5) == REPLY
    assert port.read(0.5) == b""


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=6), st.data())
def test_writes_may_be_cut_otherwise(chunks: list[bytes], data: st.DataObject) -> None:
    """Only the bytes count, in pieces of any size; every answer comes exactly once, in order."""
    answers = [bytes([n]) for n in range(len(chunks))]
    events: list[tuple[float, Direction, bytes]] = []
    for chunk, answer in zip(chunks, answers, strict=True):
        events += [(0.0, "tx", chunk), (0.0, "rx", answer)]
    sent = b"".join(chunks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)))))
    port = replay(*events)
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        port.write(sent[start:end])
        while data.draw(st.booleans()) and (found := port.read(0.1)):
            got.append(found)
    while found := port.read(0.1):
        got.append(found)
    assert got == answers


def test_what_was_read_before_the_next_question_is_not_lost() -> None:
    """A host that asks sooner than it did then still gets both answers."""
    port = replay((0, "tx", b"a"), (1, "rx", b"A"), (2, "tx", b"b"), (3, "rx", b"B"))
    port.write(b"ab")
    assert (port.read(9), port.read(9)) == (b"A", b"B")


@pytest.mark.parametrize("wrong", [b"aX", b"X", b"abcd", b"b"])
def test_a_write_that_differs(wrong: bytes) -> None:
    """It is an error at once, and does not count: the right one is still taken."""
    port = replay((0, "tx", b"abc"), (0, "rx", b"ok"))
    with pytest.raises(DeviceError, match="recording"):
        port.write(wrong)
    port.write(b"abc")
    assert port.read(0) == b"ok"


def test_the_error_is_short() -> None:
    """A long block that differs is not shown whole."""
    port = replay((0, "tx", bytes(10_000)))
    with pytest.raises(DeviceError) as caught:
        port.write(b"\xff" * 10_000)
    assert len(caught.value.one_line()) < 250


def test_what_came_unasked_can_be_read_before_anything_is_written() -> None:
    """A boot log needs no question."""
    port = replay((0.0, "rx", b"boot"), (0.1, "tx", b"a"))
    assert port.read(0.0) == b"boot"


def test_time_passes_as_it_did() -> None:
    """Between question and answer; a longer pause than the reader waits for is left out."""
    port = replay((5.0, "tx", b"a"), (5.2, "rx", b"A"), (60.0, "rx", b"B"), (60.1, "rx", b"C"))
    port.write(b"a")
    moments = []
    for expected in (b"A", b"B", b"C", b""):
        assert port.read(1.0) == expected
        moments.append(round(port.clock.now(), 6))
    assert moments == [0.2, 0.2, 0.3, 1.3]


# -- recordings ------------------------------------------------------------------------------------


def test_what_is_recorded_can_be_read(tmp_path: Path) -> None:
    """Chunks, directions and times since the first one come back; nothing waits for the end."""
    path = tmp_path / "recording"
    recorder = Recorder(path, pytest.fail)
    recorder(7.5, "tx", b"\xc0\x00")
    recorder(7.625, "rx", b"")
    assert read_recording(path) == (Event(0.0, "tx", b"\xc0\x00"), Event(0.125, "rx", b""))
    recorder.close()
    recorder.close()


def test_an_empty_recording(tmp_path: Path) -> None:
    """No line is not an event; a replay of it says at once that there is nothing."""
    path = tmp_path / "recording"
    path.touch()
    assert read_recording(path) == ()
    with pytest.raises(EspError, match="is over"):
        Target.open(f"replay://{path}")


GOOD = '{"t": 0, "dir": "tx", "data": "c0"}'


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "hello",
        "[]",
        "null",
        '{"t": 0, "dir": "tx"}',
        '{"t": 0, "dir": "up", "data": ""}',
        '{"t": 0, "dir": ["tx"], "data": ""}',
        '{"t": "soon", "dir": "tx", "data": ""}',
        '{"t": null, "dir": "tx", "data": ""}',
        '{"t": 1' + "0" * 400 + ', "dir": "tx", "data": ""}',
        '{"t": 0, "dir": "tx", "data": "c"}',
        '{"t": 0, "dir": "tx", "data": 7}',
        '{"t": 0, "dir": "tx", "da',
        "[" * 100_000,
    ],
)
def test_bad_recordings(tmp_path: Path, bad: str) -> None:
    """One line that says which line of the file it is."""
    path = tmp_path / "recording"
    path.write_text(f"{GOOD}\n{GOOD}\n{bad}\n{GOOD}\n", "utf-8")
    with pytest.raises(UsageError) as caught:
        read_recording(path)
    assert caught.value.message == f"{path} is not a recording: line 3"


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory, a missing file and one that is not text are usage errors."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "missing", binary):
        with pytest.raises(UsageError):
            read_recording(path)


def test_a_recorder_that_cannot_write(tmp_path: Path) -> None:
    """Nor can a directory be written, nor a file in none."""
    for path in (tmp_path, tmp_path / "no" / "file"):
        with pytest.raises(UsageError, match="cannot write"):
            Recorder(path, pytest.fail)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_recorder_on_a_full_disk() -> None:
    """It ends there and says so once; what is done to the chip goes on."""
    warnings: list[str] = []
    recorder = Recorder(Path("/dev/full"), warnings.append)
    for _ in range(3):
        recorder(0.0, "tx", b"a")
    recorder.close()
    assert warnings == ["the trace /dev/full ends here: no space left on device"]


def test_a_viewer_whose_screen_is_gone() -> None:
    """It stops nothing: who cannot read misses it."""

    def gone(_: str) -> None:
        raise OSError(5, "Input/output error")

    Viewer(gone)(0.0, "tx", slip.encode(ASK))


# -- watching --------------------------------------------------------------------------------------


def watched(*events: tuple[float, Direction, bytes]) -> list[str]:
    lines: list[str] = []
    viewer = Viewer(lines.append)
    for event in events:
        viewer(*event)
    viewer.close()
    return lines


def test_a_line_a_frame() -> None:
    """Time since the first chunk, direction, and what it is; only when it is complete."""
    lines = watched((3.0, "tx", ASK), (3.5, "rx", REPLY[:5]), (3.75, "rx", REPLY[5:] + REPLY))
    assert [line.split()[:3] for line in lines] == [
        ["0.0000", "→", "READ_REG"],
        ["0.7500", "←", "READ_REG"],
        ["0.7500", "←", "READ_REG"],
    ]
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)


def test_directions_do_not_mix() -> None:
    """Half a frame each way is two whole frames in the end."""
    lines = watched(
        (0, "tx", ASK[:6]), (0, "rx", REPLY[:6]), (0, "tx", ASK[6:]), (0, "rx", REPLY[6:])
    )
    assert [line.split()[1] for line in lines] == ["→", "←"]


@pytest.mark.parametrize(
    ("direction", "data", "expected"),
    [
        ("rx", b"boot log\r\n\xc0", "noise"),
        ("tx", slip.encode(bytes.fromhex("00 56 0000 00000000")), "opcode 0x56"),
        ("tx", WriteReg(()).encode(), "WRITE_REG"),
        ("rx", b"\xc0\xdb\x00\xc0", "noise"),
    ],
)
def test_what_a_line_says(direction: Direction, data: bytes, expected: str) -> None:
    """A command by its name, an unknown one by its number, all else as noise."""
    (line,) = watched((0.0, direction, data))
    assert expected in line


def test_long_frames_and_noise_are_cut() -> None:
    """A line stays a line that one can read."""
    body = bytes(5000)
    assert len(trace.describe("tx", slip.Frame(bytes(8) + body))) < 200
    assert len(trace.describe("rx", slip.Noise(body))) < 300


@given(st.lists(st.tuples(st.sampled_from(["tx", "rx"]), st.binary(max_size=30))))
def test_random_bytes_never_raise(events: list[tuple[Direction, bytes]]) -> None:
    """Watching a broken link does not break the session."""
    watched(*((0.0, direction, data) for direction, data in events))
