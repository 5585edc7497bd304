"""Settings as they are typed, and printed so that they can be typed again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.nor import parts, plan, settings
from espshell.nor.parts import Part
from espshell.nor.settings import Setting


def part(name: str) -> Part:
    found = parts.by_name(name)
    assert found is not None
    return found


W25Q = part("W25Q128JV")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("QE=1", Setting("QE", 1)),
        ("bp=7", Setting("BP", 7)),
        ("BP2=1", Setting("BP2", 1)),
        ("DRV=50%", Setting("DRV", 2)),
        ("DRV=3", Setting("DRV", 3)),
        ("SR1=0x1C", Setting("SR1", 0x1C)),
        ("TB = 1", Setting("TB", 1)),
    ],
)
def test_what_can_be_typed(text: str, setting: Setting) -> None:
    """Fields, single bits and whole registers, in any case, by number or by name of a value."""
    assert settings.parse(W25Q, [text]) == (setting,)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("QE", "not a setting", "NAME=VALUE"),
        ("=1", "not a setting", "NAME=VALUE"),
        ("QE=", "not a setting", "NAME=VALUE"),
        ("QE=2", "cannot be 2", "0 to 1"),
        ("BP=8", "cannot be 8", "0 to 7"),
        ("BP=-1", "cannot be -1", "0 to 7"),
        ("DRV=60%", "cannot be 60%", "50%"),
        ("SR1=0x100", "cannot be 0x100", "0xff"),
        ("QI=1", "has no QI", "did you mean QE?"),
        ("XYZ=1", "has no XYZ", "there are BP, TB"),
    ],
)
def test_what_cannot_be_meant(text: str, message: str, hint: str) -> None:
    """A wrong name or value is refused with what there is."""
    with pytest.raises(UsageError) as caught:
        settings.parse(W25Q, [text])
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_percent_only_where_it_is_known() -> None:
    """Boya's DRV has no percent."""
    with pytest.raises(UsageError):
        settings.parse(part("BY25Q32ES"), ["DRV=50%"])


@given(st.sampled_from(parts.rows()), st.data())
def test_what_is_printed_can_be_typed(part: Part, data: st.DataObject) -> None:
    """The settings of any registers, typed back, ask for no change."""
    registers = {r.name: data.draw(st.integers(0, 0xFF)) for r in part.layout.registers}
    typed = settings.parse(part, settings.typed_back(part, registers))
    identified = parts.Identified(part.jedec_id, None, part, known=True)
    assert plan.make(identified, registers, typed, volatile=False).nothing_to_do


def test_an_open_bit_is_a_name() -> None:
    """A bit that only one candidate has can be typed; the plan says why it is refused."""
    gigadevice = parts.identify(0xC84016, None).part
    assert settings.parse(gigadevice, ["DRV0=1"]) == (Setting("DRV0", 1),)


def test_an_open_field_is_a_name() -> None:
    """A field on whose bits candidates differ is not said to be missing, but to be open."""
    either = parts.identify(0xC84016, None).part
    with pytest.raises(UsageError, match="DRV is not the same on all parts") as caught:
        settings.parse(either, ["DRV=1"])
    assert "--part" in caught.value.hint
