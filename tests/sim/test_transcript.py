"""The simulator against what the ROM of a real ESP32 has answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from espshell.sim import url
from espshell.sim.chip import SimChip
from espshell.sim.protocol_sim import Serial
from espshell.sim.rom import RomLoader

ENTRIES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "esp32-rom.json").read_text()
)


def test_the_core_answers_the_transcript() -> None:
    """Receiver and loader alone give every recorded byte, until the baud rate changes."""
    loader = RomLoader(SimChip(url.parse("sim://esp32")))
    for entry in ENTRIES:
        frames = loader.receive(bytes.fromhex(entry["tx"]))
        answers = [loader.execute(frame) for _, frame in frames]
        replies = b"".join(raw for answer in answers for raw in answer.replies)
        assert (entry["note"], replies.hex()) == (entry["note"], entry["rx"])
        if any(answer.new_baud for answer in answers):
            break
    assert answers[-1].new_baud == 230_400


def test_the_port_answers_the_transcript(
    open_sim: Callable[[str], Serial], exchange: Callable[..., bytes]
) -> None:
    """Through wire and virtual time as well, and a baud rate changed on one side makes it deaf."""
    port = open_sim("sim://esp32")
    for entry in ENTRIES:
        replies = exchange(port, bytes.fromhex(entry["tx"]))
        assert (entry["note"], replies.hex()) == (entry["note"], entry["rx"])


def test_the_core_answers_the_transcript_byte_by_byte() -> None:
    """How the bytes are cut into pieces does not matter."""
    loader = RomLoader(SimChip(url.parse("sim://esp32")))
    for entry in ENTRIES[:20]:
        sent = bytes.fromhex(entry["tx"])
        pieces = [sent[index : index + 1] for index in range(len(sent))]
        frames = [frame for piece in pieces for _, frame in loader.receive(piece)]
        replies = b"".join(raw for frame in frames for raw in loader.execute(frame).replies)
        assert (entry["note"], replies.hex()) == (entry["note"], entry["rx"])
