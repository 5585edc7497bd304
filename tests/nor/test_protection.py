"""Protected ranges: vectors from other sources, and round trips for every part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.nor import parts, protection
from espshell.nor.parts import Part
from espshell.nor.protection import NOTHING, Code, LockMode
from espshell.span import Span

VECTORS = json.loads((Path(__file__).parents[1] / "data/nor-vectors.json").read_text("utf-8"))
RULES = {variant for part in parts.rows() for variant in part.variants} - {"unknown"}

OPEN = tuple(parts.identify(part.jedec_id, None).part for part in parts.rows())
EVERY = tuple({part.name: part for part in (*parts.rows(), *OPEN)}.values())
"""All parts, and what those with the same id have in common."""


def part(name: str) -> Part:
    found = parts.by_name(name)
    assert found is not None
    return found


def status(value: int, part: Part) -> dict[str, int]:
    """Return registers from SR1 and SR2 as one number; others are 0."""
    held = {register.name: 0 for register in part.layout.registers}
    return held | {"SR1": value & 0xFF} | ({"SR2": value >> 8} if "SR2" in held else {})


def registers(part: Part) -> st.SearchStrategy[dict[str, int]]:
    names = [register.name for register in part.layout.registers]
    return st.fixed_dictionaries({name: st.integers(0, 0xFF) for name in names})


@pytest.mark.parametrize("vector", VECTORS["wp"], ids=lambda each: each["id"])
def test_vectors_by_rule(vector: dict[str, Any]) -> None:
    """The rule gives the range that the source has for these bits."""
    value, size = int(vector["status"], 16), int(vector["size"], 16)
    full = (1 << vector["bp_bits"]) - 1
    tb, sec, cmp = (
        value >> vector[name] & 1 if name in vector else 0
        for name in ("tb_pos", "sec_pos", "cmp_pos")
    )
    code = Code(value >> 2 & full, full, tb, sec, cmp)
    start, length = int(vector["start"], 16), int(vector["length"], 16)
    wanted = Span(start, start + length) if length else NOTHING
    assert protection.protected_span(vector["variant"], code, size) == wanted


BY_NAME = [each for each in VECTORS["wp"] if parts.by_name(each["part"])]


@pytest.mark.parametrize("vector", BY_NAME, ids=lambda each: each["id"])
def test_vectors_by_part(vector: dict[str, Any]) -> None:
    """The part's registers give the range, or it is one of those that sources disagree about."""
    found = part(vector["part"])
    protected = protection.decode(found, status(int(vector["status"], 16), found))
    start, length = int(vector["start"], 16), int(vector["length"], 16)
    assert protected.known or len(found.variants) > 1
    wanted = (Span(start, start + length),) if length else ()
    assert set(wanted) <= set(protected.ranges)
    assert not protected.known or protected.ranges == wanted


def test_most_vectors_have_their_part() -> None:
    """The test above is about most of the vectors."""
    assert len(BY_NAME) >= 30


def test_a_range_that_does_not_exist() -> None:
    """4 KiB at 0x1000 cannot be protected; the nearest are offered (flashrom's chip_wp.c)."""
    found = part("W25Q128FV")
    fit = protection.encode(found, status(0, found), 0x1000, 0x2000)
    assert fit.exact is None
    assert fit.smaller is None
    assert fit.larger is not None
    assert fit.larger.span == Span(0, 0x2000)


def test_the_nearest_ranges_of_one_that_cannot_be_protected() -> None:
    """The largest range inside and the smallest one around are offered."""
    found = part("W25Q32JV")
    fit = protection.encode(found, status(0, found), 0x0, 0x30000)
    assert (fit.exact, fit.smaller and fit.smaller.span, fit.larger and fit.larger.span) == (
        None,
        Span(0, 0x20000),
        Span(0, 0x40000),
    )


def test_a_range_is_found_exactly() -> None:
    """All but the first 16 KiB is what flashrom's test asks for: SR1 EC with SRP0, SR2 40."""
    found = part("W25Q128FV")
    before = status(0, found)
    choice = protection.encode(found, before, 0x4000, 0x1000000).exact
    assert choice is not None
    after = before
    for setting in choice.settings:
        field = found.layout.field(setting.name)
        assert field is not None
        after = field.put(after, setting.value)
    assert (after["SR1"] & 0x7C, after["SR2"]) == (0x6C, 0x40)


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.name)
def test_every_range_of_every_part_round_trips(each: Part, stride: Callable[[int], int]) -> None:
    """What is offered decodes to what it promised; nothing is offered twice."""
    for value in (0, 0x7FFC):
        before = status(value, each)
        choices = protection.ranges(each, before)
        assert len({choice.span for choice in choices}) == len(choices)
        for choice in choices[:: stride(4)]:
            after = dict(before)
            for setting in choice.settings:
                field = each.layout.field(setting.name)
                assert field is not None
                after = field.put(after, setting.value)
            protected = protection.decode(each, after)
            assert protected.known
            assert (protected.ranges or (NOTHING,)) == (choice.span,)
        for choice in choices[:: 8 * stride(2)]:
            fit = protection.encode(each, before, choice.span.start, choice.span.end)
            assert fit.exact == choice


@pytest.mark.parametrize(
    "each", [e for e in EVERY if "unknown" not in e.variants], ids=lambda each: each.name
)
def test_every_part_can_be_unprotected(each: Part) -> None:
    """Where the rule is known, none and at least one more range can be set, from all zeros."""
    choices = [choice.span for choice in protection.ranges(each, status(0, each))]
    assert NOTHING in choices
    assert len(choices) > 1 or each.is_open


@given(st.sampled_from(EVERY), st.data())
def test_any_registers_decode(each: Part, data: st.DataObject) -> None:
    """Whatever the registers hold, and whichever were read, ranges lie inside the part."""
    held = data.draw(registers(each))
    read = {name: held[name] for name in held if data.draw(st.booleans())}
    protected = protection.decode(each, read)
    assert protected.known != bool(protected.why)
    assert all(0 <= r.start < r.end <= each.size for r in protected.ranges)
    assert not protected.known or len(protected.ranges) <= 1
    protection.lock_mode(each, read)


@given(st.sampled_from(OPEN), st.data())
def test_what_is_known_holds_for_each_candidate(each: Part, data: st.DataObject) -> None:
    """A range is known of several candidates only if each of them has it."""
    held = data.draw(registers(each))
    protected = protection.decode(each, held)
    alone = [protection.decode(one, held) for one in each.alternatives]
    assert protected.known == (
        all(one.known for one in alone) and len({one.ranges for one in alone}) == 1
    )
    assert all(set(one.ranges) <= set(protected.ranges) for one in alone)


@given(st.sampled_from(sorted(RULES)), st.integers(0, 15), st.integers(0, 7), st.data())
def test_cmp_exchanges(variant: str, bp: int, bits: int, data: st.DataObject) -> None:
    """With CMP=1 exactly the rest is protected, on parts whose CMP is a plain complement."""
    if variant not in ("std", "2x", "fm16", "b64k"):
        return
    size = 1 << data.draw(st.integers(20, 25))
    tb, sec = bits & 1, bits >> 1 & 1
    plain, exchanged = (
        protection.protected_span(variant, Code(bp, 15, tb, sec, cmp), size) or NOTHING
        for cmp in (0, 1)
    )
    assert plain.size + exchanged.size == size
    assert not plain.overlaps(exchanged)


def test_complement_with_nothing_selected_protects_all() -> None:
    """CMP=1 with BP=0 is the whole flash (fpdoom#48)."""
    found = part("W25Q64FW")
    protected = protection.decode(found, status(0x4200, found))
    assert protected.ranges == (Span(0, 0x800000),)
    assert protected.hits(0x9000, 0xA000)


def test_individual_locks_are_not_unprotected() -> None:
    """With WPS=1 nothing is claimed, and any write may be refused."""
    found = part("W25Q128JV")
    protected = protection.decode(found, {"SR1": 0, "SR2": 0, "SR3": 0x04})
    assert not protected.known
    assert "own lock" in protected.why
    assert protected.hits(0, 1)


def test_individual_locks_are_left_to_protect() -> None:
    """To protect a range by BP, WPS is cleared with it."""
    found = part("W25Q128JV")
    choice = protection.encode(found, {"SR1": 0, "SR2": 0, "SR3": 0x04}, 0, 0x1000000).exact
    assert choice is not None
    assert ("WPS", 0) in [(each.name, each.value) for each in choice.settings]


def test_published_is_not_computed() -> None:
    """FM25W128 has its ranges in a source, XM25QH64C has not."""
    for name, published in (("FM25W128", True), ("XM25QH64C", False)):
        found = part(name)
        assert protection.decode(found, status(0x0C, found)).published is published


def test_option_b_stays_open() -> None:
    """On IS25WP128F BP=9 is all or three quarters: both are said, and neither is claimed."""
    found = part("IS25WP128F")
    protected = protection.decode(found, status(0x24, found))
    assert not protected.known
    assert protected.ranges == (Span(0, 0x1000000), Span(0x400000, 0x1000000))
    assert protection.decode(found, status(0x20, found)).known


def test_a_bit_that_was_not_read() -> None:
    """Without CR (where TB is) BP=0 and BP=15 are still clear on a Macronix part, BP=1 is not."""
    found = part("MX25L3233F")
    known = [protection.decode(found, {"SR1": bp << 2, "SCUR": 0}).known for bp in (0, 15, 1)]
    assert known == [True, True, False]


def test_one_way_direction_is_not_offered() -> None:
    """TB of Macronix cannot be undone, so ranges at the start are not among the choices."""
    found = part("MX25L3233F")
    starts = {choice.span.start for choice in protection.ranges(found, status(0, found))}
    ends = {choice.span.end for choice in protection.ranges(found, status(0, found))}
    assert ends == {0, 0x400000}
    assert len(starts) > 2


@pytest.mark.parametrize(
    ("sr1", "sr2", "mode"),
    [
        (0x00, 0x00, LockMode.SOFTWARE),
        (0x80, 0x00, LockMode.HARDWARE),
        (0x00, 0x01, LockMode.POWER_CYCLE),
        (0xFC, 0x7B, LockMode.PERMANENT),
    ],
)
def test_lock_modes(sr1: int, sr2: int, mode: LockMode) -> None:
    """SRP1 and SRP0 make four modes, and each says what it means (esp-idf#7994 is the last)."""
    assert protection.lock_mode(part("XMC-32M"), {"SR1": sr1, "SR2": sr2, "SR3": 0}) is mode
    assert mode.text


def test_lock_mode_of_candidates_is_the_worst() -> None:
    """GD25Q256C locks by bit 7 of SR1, D by bit 6 of SR2 as well; both are looked at."""
    found = parts.identify(0xC84019, None).part
    assert protection.lock_mode(found, {"SR1": 0x80, "SR2": 0x40, "SR3": 0}) is LockMode.PERMANENT
    unknown = parts.identify(0x123456, None).part
    assert protection.lock_mode(unknown, {"SR1": 0xFF}) is LockMode.UNKNOWN
