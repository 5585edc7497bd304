"""Several requests in flight: how many, and what ends them."""

from __future__ import annotations

import pytest

from espshell.loader.loader import Fault, Loader, Window
from espshell.protocol.commands import ReadReg
from espshell.protocol.dialect import ESP32_ROM, STUB, Dialect
from espshell.protocol.packet import Opcode
from tests.loader.support import ScriptedPort, scripted
from tests.loader.test_loader import REFUSED, reply

REQUEST = ReadReg(0x4000_1000).encode()
GOOD = reply(Opcode.READ_REG, 7)


def run(
    *answers: bytes,
    count: int = 2,
    dialect: Dialect = ESP32_ROM,
    late_after_s: float = 1.0,
    alone: bool = False,
) -> tuple[list[int], ScriptedPort, Loader]:
    """Return the values of so many requests, the port and the loader."""
    link, port = scripted(*answers)
    loader = Loader(link, dialect)
    loader.late_after_s = late_after_s
    window = Window(loader, Opcode.READ_REG, alone=alone)
    values = [r.value for batch in window.replies(iter([REQUEST] * count), 1.0) for r in batch]
    return values, port, loader


def test_as_many_as_fit() -> None:
    """A ROM gets requests up to 112 bytes at once, a stub one, and all do whose window is alone."""
    fits = 112 // len(REQUEST)
    values, port, loader = run(GOOD * fits, GOOD * 3, count=fits + 3)
    assert values == [7] * (fits + 3)
    assert port.written[0] == REQUEST * fits
    assert loader.in_step

    stub = reply(Opcode.READ_REG, 7, bytes(2))
    assert run(stub, stub, dialect=STUB)[1].written == [REQUEST] * 2
    assert run(GOOD, GOOD, alone=True)[1].written == [REQUEST] * 2


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"", "no reply"),
        (GOOD * 3, "more replies than requests"),
        (GOOD + reply(Opcode.READ_REG, 7, REFUSED), "refused"),
        (GOOD + reply(Opcode.WRITE_REG, 7), "another kind"),
        (GOOD + reply(Opcode.READ_REG, 7, payload=b"1234"), "another kind"),
        (GOOD + b"\xc0\x01\x0a\x04\x00\xc0" + GOOD, "damaged"),
    ],
)
def test_what_ends_a_run(answer: bytes, what: str) -> None:
    """Replies that are missing, too many, damaged, refusals or of another kind are faults."""
    with pytest.raises(Fault, match=what) as caught:
        run(answer)
    assert caught.value.code == (0x0105 if what == "refused" else 0)


def test_a_late_reply_is_a_fault() -> None:
    """One that takes unusually long is not believed, unless the window is patient."""
    link, port = scripted()
    loader = Loader(link, ESP32_ROM)
    loader.late_after_s = 0.1
    read = port.read

    def later(wait_s: float) -> bytes:
        if wait_s:
            port.clock.sleep(0.2)
            return GOOD
        return read(wait_s)

    port.read = later  # type: ignore[method-assign]
    with pytest.raises(Fault, match="late"):
        list(Window(loader, Opcode.READ_REG).replies(iter([REQUEST]), 1.0))
    assert not loader.in_step
    loader = Loader(link, ESP32_ROM)
    loader.late_after_s = 0.1
    window = Window(loader, Opcode.READ_REG, patient=True)
    assert [r.value for batch in window.replies(iter([REQUEST]), 1.0) for r in batch] == [7]
    assert window.longest_wait_s == pytest.approx(0.2)
