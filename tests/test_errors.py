"""The error tree: who must act, with which exit status, in one line."""

from __future__ import annotations

import pytest

from espshell import errors
from espshell.errors import EspError, ScriptError

LEAVES = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, EspError)]


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_is_drawn(kind: type[EspError]) -> None:
    """The tree in the module's text names it, with its exit status where it has one of its own."""
    (line,) = [row for row in (errors.__doc__ or "").splitlines() if f" {kind.__name__} " in row]
    if kind not in (EspError, ScriptError):
        assert f" {kind.exit_status} " in line


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (errors.UsageError("no"), "no", 2),
        (errors.DeviceError("a\nb", hint="try\n  c"), "a b; try c", 1),
        (errors.Refused("no", code=0x0105), "no", 1),
        (errors.PortError("gone", hint="plug it in"), "gone; plug it in", 3),
    ],
)
def test_one_line(error: EspError, line: str, status: int) -> None:
    """Message and hint, whatever line ends they hold; the status is that of the kind."""
    assert error.one_line() == line
    assert error.status == status
    assert str(error) == error.message


def test_an_error_in_a_script() -> None:
    """It says where, and keeps the hint and the status of what happened there."""
    inner = errors.NoReply("silence", hint="power?")
    error = ScriptError("a.espsh:3", inner, source="peek 0", command="peek")
    assert error.one_line() == "a.espsh:3: peek: silence; power?"
    assert (error.status, error.source, error.reason) == (3, "peek 0", "a.espsh:3: silence")
