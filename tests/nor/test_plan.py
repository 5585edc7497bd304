"""Plans to change status registers: bytes, order, what is refused, and the incidents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.nor import makers, parts, plan, settings
from espshell.nor.layout import BitKind, Values
from espshell.nor.parts import Identified, Part
from espshell.nor.plan import ConfirmationKind, StatusPlan
from espshell.nor.sequence import StatusWrite
from espshell.nor.sfdp import BASIC, Sfdp, Table, parse_basic

OPEN = tuple(parts.identify(part.jedec_id, None) for part in parts.rows())
ALONE = tuple(Identified(part.jedec_id, None, part, known=True) for part in parts.rows())
EVERY = (*ALONE, *(each for each in OPEN if each.part.is_open))


def known(name: str) -> Identified:
    part = parts.by_name(name)
    assert part is not None
    return parts.identify(part.jedec_id, None, name=name)


def registers(part: Part, **values: int) -> dict[str, int]:
    return {register.name: values.get(register.name, 0) for register in part.layout.registers}


def planned(found: Identified, *texts: str, **values: int) -> StatusPlan:
    typed = settings.parse(found.part, texts)
    return plan.make(found, registers(found.part, **values), typed, volatile=False)


def tried(found: Identified, *texts: str, **values: int) -> StatusPlan:
    """Return the plan of a volatile write."""
    typed = settings.parse(found.part, texts)
    return plan.make(found, registers(found.part, **values), typed, volatile=True)


def sent(made: StatusPlan, attempt: int = 0) -> list[str]:
    """Return what is sent, in hex, a command each."""
    commands = (command for write in made.attempts[attempt] for command in write.commands)
    return [
        " ".join([f"{opcode:02X}", *(f"{byte:02X}" for byte in data)]) for opcode, data in commands
    ]


def carried_out(part: Part, writes: tuple[StatusWrite, ...], before: Values) -> dict[str, int]:
    """Return what a part's registers hold after writes: a flash as its write plan says it is."""
    held = dict(before)
    (way,) = part.writes
    forms = {(form.opcode, len(form.registers)): form for form in way.forms}
    for write in writes:
        form = forms.get((write.opcode, len(write.data)))
        if form is not None:
            for name, byte in zip(form.registers, write.data, strict=True):
                register = part.layout.register(name)
                assert register is not None
                fixed = register.mask(BitKind.READ_ONLY)
                held[name] = held[name] & fixed | byte & ~fixed
        elif way.clears_sr2 and write.opcode == 0x01:
            held["SR1"], held["SR2"] = write.data[0], 0
    return held


def executed(part: Part, made: StatusPlan, before: Values) -> dict[str, int]:
    """Return what a part holds after the attempts, each only if it may follow."""
    held = dict(before)
    for writes in made.attempts:
        held = carried_out(part, writes, held)
        if not made.may_go_on(held):
            break
    return held


# --- what is sent


def test_the_older_kind_gets_both_bytes() -> None:
    """A change of SR1 brings SR2 as it was read: QE and CMP stay (GD25LQ, W25Q32BV, Puya)."""
    made = planned(known("W25Q32BV"), "BP=3", SR2=0x42)
    assert sent(made) == ["04", "06", "01 0C 42"]


def test_the_newer_kind_gets_one_byte_each() -> None:
    """QE of GD25Q32C goes by 31h (esp-idf#1944), SR1 and SR2 together by two writes."""
    assert sent(planned(known("GD25Q32C"), "QE=1")) == ["04", "06", "31 02"]
    both = planned(known("GD25Q32C"), "QE=1", "BP=1")
    assert sent(both) == ["04", "06", "01 04", "04", "06", "31 02"]


def test_parts_that_take_both_ways() -> None:
    """W25Q32JV gets both bytes when SR1 changes, and 31h for SR2 alone."""
    assert sent(planned(known("W25Q32JV"), "QE=1", SR1=0x1C)) == ["04", "06", "31 02"]
    assert sent(planned(known("W25Q32JV"), "BP=0", SR1=0x1C, SR2=2)) == ["04", "06", "01 00 02"]
    assert sent(planned(known("W25Q32JV"), "DRV=50%", SR3=0x60)) == ["04", "06", "11 40"]


def test_macronix_cr_goes_behind_sr() -> None:
    """ODS is in CR, which is the second byte of 01h; QE in SR1 stays (mbed-os#11531)."""
    made = planned(known("MX25L3233F"), "ODS=7", SR1=0x40)
    assert sent(made) == ["04", "06", "01 40 07"]


def test_sr3_of_eon_is_c0h() -> None:
    """EN25QE writes SR3 by C0h."""
    assert sent(planned(known("EN25QE32A"), "DRV=1")) == ["04", "06", "C0 20"]


def test_a_volatile_write_begins_with_write_disable() -> None:
    """04h comes before 50h: a stale WEL would make the write permanent."""
    made = tried(known("W25Q32JV"), "QE=1", SR1=0x02)
    assert sent(made) == ["04", "50", "31 02"]


def test_bits_that_the_flash_sets_are_sent_as_zero() -> None:
    """BUSY, WEL and SUS as they were read are not written back (flashrom#360: WEL was set)."""
    made = planned(known("W25Q32BV"), "TB=1", SR1=0x03, SR2=0x80)
    assert sent(made) == ["04", "06", "01 20 00"]


def test_each_register_gets_its_own_byte() -> None:
    """With distinct values everywhere no byte lands in another register (w25qxx#24, nuttx#9272)."""
    made = planned(known("XM25QH64C"), "BP=2", "QE=1", "DRV=3", SR1=0x04, SR2=0x40, SR3=0x01)
    assert [(w.opcode, w.data.hex()) for w in made.attempts[0]] == [
        (0x01, "08"),
        (0x31, "42"),
        (0x11, "61"),
    ]
    assert made.wanted == {"SR1": 0x08, "SR2": 0x42, "SR3": 0x61}


def test_what_locks_comes_last() -> None:
    """SRP0 is set after everything else, SRP1 after SRP0, and other bits before both."""
    one = planned(known("XM25QH64C"), "SRP0=1", "QE=1", "BP=1")
    assert sent(one)[2::3] == ["31 02", "01 84"]
    both = planned(known("XM25QH64C"), "SRP0=1", "SRP1=1", "QE=1", "BP=1")
    assert sent(both)[2::3] == ["01 04", "31 02", "01 84", "31 03"]


def test_what_unlocks_comes_first() -> None:
    """SRP0 is cleared before the other registers are written."""
    made = planned(known("XM25QH64C"), "SRP0=0", "QE=1", SR1=0x80)
    assert sent(made)[2::3] == ["01 00", "31 02"]


# --- candidates that are written in different ways


def test_candidates_with_a_common_way_have_one_attempt() -> None:
    """All W25Q32 take 01h with two bytes."""
    made = planned(parts.identify(0xEF4016, None), "QE=1", SR1=0x04)
    assert [sent(made, i) for i in range(len(made.attempts))] == [["04", "06", "01 04 02"]]


def test_candidates_without_a_common_way() -> None:
    """GD25Q32B or C: both bytes first, which C ignores; then, SR2 untouched, one byte each."""
    made = planned(parts.identify(0xC84016, None), "BP=1", "QE=1")
    assert [sent(made, i)[2::3] for i in range(2)] == [["01 04 02"], ["01 04", "31 02"]]
    assert made.may_go_on({"SR1": 0, "SR2": 0, "SR3": 0})
    assert made.may_go_on({"SR1": 4, "SR2": 0, "SR3": 0})
    assert not made.may_go_on({"SR1": 0, "SR2": 2, "SR3": 0})
    assert not made.may_go_on({"SR1": 4, "SR2": 2, "SR3": 0})


@pytest.mark.parametrize(("name", "is_said"), [("W25Q32JV", True), ("MX25L3206E", False)])
def test_cmp_that_protects_all_is_said(name: str, is_said: bool) -> None:
    """Where it inverts the range; where it inverts the bits of BP none of it is protected so."""
    warnings = planned(known(name), "CMP=1", "BP=0").warnings
    assert ("CMP=1 with BP=0 protects the whole flash" in warnings) is is_said


def test_no_way_follows_where_sr2_was_not_read_back() -> None:
    """It may have been written: a write of SR1 alone could clear it."""
    made = planned(parts.identify(0xC84016, None), "BP=1", "QE=1")
    assert not made.may_go_on({"SR1": 0, "SR3": 0})


def test_bits_without_a_meaning_are_not_compared() -> None:
    """What the flash sets, what is reserved and what nobody knows may read back as it likes."""
    quiet = (BitKind.READ_ONLY, BitKind.RESERVED, BitKind.OPEN)
    for each in EVERY:
        for change in planned(each).registers:
            register = each.part.layout.register(change.name)
            assert register is not None
            assert [bit.name for bit in register.bits if bit.mask & change.compared] == [
                bit.name for bit in register.bits if bit.kind not in quiet
            ], each.part.name


def test_all_ones_in_a_register_of_a_part_that_is_known() -> None:
    """Only of a part that nobody knows they stand for a register that does not answer."""
    assert planned(known("W25Q32JV"), "QE=1", SR3=0xFF).refusals == ()


@pytest.mark.parametrize(("jedec_id", "sr2"), [(0xC84016, {"SR2": 2}), (0xC22016, {})])
def test_no_way_follows_one_that_succeeded(jedec_id: int, sr2: Values) -> None:
    """With everything as planned nothing more is sent, whether the part has SR2 or not."""
    made = planned(parts.identify(jedec_id, None), "BP=1", **sr2)
    held = {change.name: change.after for change in made.registers}
    assert len(made.attempts) == 2 or not sr2
    assert not made.may_go_on(held)
    assert made.may_go_on(held | {"SR1": 0})


@given(st.sampled_from(OPEN), st.data())
def test_every_candidate_ends_as_wanted(found: Identified, data: st.DataObject) -> None:
    """Whichever of the candidates it is, the attempts bring it to what was planned."""
    part = found.part
    before = drawn(part, data)
    typed = chosen(part, data)
    made = plan.make(found, before, typed, volatile=False)
    for one in part.alternatives if made.attempts else ():
        left = made.differing(executed(one, made, before))
        assert not left, f"{one.name}: {left}"


# --- what is refused, asked, said


@pytest.mark.parametrize(
    ("name", "text", "values", "reason"),
    [
        ("W25Q128JV", "WEL=1", {}, "WEL is read-only"),
        ("W25Q128JV", "SR3=0x01", {}, "bit 0 of SR3 is reserved"),
        ("W25Q128JV", "LB1=0", {"SR2": 0x08}, "LB1 is one-way: it is 1 and stays 1"),
        ("W25Q128JV", "QE=1", {"SR1": 0x80, "SR2": 0x01}, "lock mode permanent"),
        ("W25Q128JV", "QE=1", {"SR2": 0x01}, "lock mode power cycle"),
        ("IS25LP064", "DRSTDIS=1", {}, "espshell does not write FR"),
        ("IS25LP064", "TBS=1", {}, "espshell does not write FR"),
        ("MX25L3233F", "WPSEL=1", {}, "espshell does not write SCUR"),
        ("MX25R6435F", "DC=1", {}, "espshell does not write CR"),
        ("GD25Q256C", "DRV=1", {}, "espshell does not write SR2"),
    ],
)
def test_refusals(name: str, text: str, values: dict[str, int], reason: str) -> None:
    """What cannot or must not be set is refused with its reason, and nothing is to be sent."""
    made = planned(known(name), text, **values)
    assert any(reason in refusal for refusal in made.refusals)
    assert not made.ok
    assert not made.attempts
    assert not made.nothing_to_do


def test_contradicting_settings() -> None:
    """Two settings that want one bit to be both are refused; two that agree are not."""
    assert planned(known("W25Q128JV"), "SR1=0x04", "BP=2").refusals
    assert planned(known("W25Q128JV"), "SR1=0x04", "BP=1").ok


def test_a_register_that_was_not_read() -> None:
    """What was not read is neither changed nor guessed."""
    found = known("W25Q32BV")
    typed = settings.parse(found.part, ["BP=1"])
    made = plan.make(found, {"SR1": 0}, typed, volatile=False)
    assert "no known command writes SR1" in made.refusals[0]
    typed = settings.parse(found.part, ["QE=1"])
    assert (
        "SR2, which holds QE, was not read"
        in plan.make(found, {"SR1": 0}, typed, volatile=False).refusals
    )


def test_doubts_refuse() -> None:
    """Where SFDP contradicts the table nothing is written."""
    part = known("W25Q128JV").part
    found = Identified(part.jedec_id, None, part, known=True, doubts=("it is a copy",))
    assert planned(found, "QE=1").refusals == ("it is a copy",)
    assert planned(found, "QE=0").nothing_to_do


def test_volatile_needs_evidence() -> None:
    """Without 50h a volatile write is refused (zephyr#107182, #116604)."""
    made = tried(known("MX25U1635E"), "QE=1")
    assert "a volatile write is not possible" in made.refusals[0]
    assert planned(known("MX25U1635E"), "QE=1").ok


def test_one_way_is_not_volatile() -> None:
    """A one-way bit cannot be tried."""
    assert tried(known("W25Q128JV"), "LB1=1").refusals


def test_one_way_needs_the_part() -> None:
    """A one-way bit is not set while it is not known which part it is."""
    assert planned(parts.identify(0xEF4016, None), "LB1=1").refusals
    assert planned(known("W25Q32JV"), "LB1=1").ok


@pytest.mark.parametrize(
    ("name", "text", "values", "gates"),
    [
        ("W25Q128JV", "QE=1", {}, []),
        ("W25Q128JV", "BP=7", {}, []),
        ("W25Q128JV", "DRV=1", {}, []),
        ("W25Q128JV", "LB2=1", {}, [ConfirmationKind.ONE_WAY]),
        ("W25Q128JV", "SRP1=1", {}, [ConfirmationKind.ONE_WAY]),
        ("W25Q128JV", "SRP0=1", {}, [ConfirmationKind.DANGER]),
        ("W25Q128JV", "SRP0=0", {"SR1": 0x80}, []),
        ("W25Q128JV", "QE=0", {"SR2": 0x02}, [ConfirmationKind.DANGER]),
        ("W25Q128JV", "WPS=1", {}, [ConfirmationKind.DANGER]),
        ("W25Q128JV", "WPS=0", {"SR3": 0x04}, []),
        ("W25Q128JV", "HRSW=1", {}, [ConfirmationKind.DANGER]),
        ("W25Q256JV-Q", "ADP=1", {}, [ConfirmationKind.DANGER]),
        ("XM25QH64C", "DC=0", {"SR3": 0x03}, [ConfirmationKind.DANGER]),
        ("MX25L3233F", "TB=1", {}, [ConfirmationKind.ONE_WAY]),
        ("EN25QE32A", "SPL0=1", {}, [ConfirmationKind.ONE_WAY]),
    ],
)
def test_gates(name: str, text: str, values: dict[str, int], gates: list[ConfirmationKind]) -> None:
    """One-way bits and SRP1 ask for the part's name; what may stop a board for a second yes."""
    made = planned(known(name), text, **values)
    assert made.ok
    assert [each.kind for each in made.confirmations] == gates
    assert all(each.reason.startswith(each.name) for each in made.confirmations)
    assert all(made.needs(gate) for gate in gates)


@given(st.sampled_from(EVERY), st.data())
def test_every_one_way_bit_is_behind_a_gate(found: Identified, data: st.DataObject) -> None:
    """No plan sets a bit that cannot be undone without asking for the part's name."""
    before = drawn(found.part, data)
    made = plan.make(found, before, chosen(found.part, data), volatile=False)
    for each in made.registers:
        for bit in each.changed:
            one_way = bit.kind is BitKind.ONE_WAY or bit.name == "SRP1"
            if one_way and bit.after and made.attempts:
                assert made.needs(ConfirmationKind.ONE_WAY)


def test_candidates_must_agree_on_the_range() -> None:
    """BP=1 means 64 or 128 KiB by candidate and is refused; BP=0 means none on all."""
    found = parts.identify(0xC22017, None)
    assert any("--part" in reason for reason in planned(found, "BP=1").refusals)
    assert planned(found, "BP=0", SR1=0x04).ok


def test_an_open_bit_is_refused() -> None:
    """A bit that only one candidate has cannot be written, and a whole register keeps it."""
    found = parts.identify(0xC84016, None)
    assert "say which it is" in planned(found, "DRV0=1").refusals[0]
    assert planned(found, "SR2=0x08").refusals
    assert planned(found, "SR2=0x0A", SR2=0x08).ok
    assert planned(found, "QE=1", SR2=0x3C).wanted["SR2"] == 0x3E


def test_an_unknown_part_that_reads_ff() -> None:
    """Of a part that is not known, a register that reads FF is not written back."""
    words = (0, (32 << 20) - 1, *[0] * 12, 6 << 20, 0)
    tables = (Table(BASIC, (1, 6), 0x30, 16, words),)
    found = parts.identify(0x774016, Sfdp((1, 6), 0xFF, tables, parse_basic(words)))
    assert sent(planned(found, "QE=1")) == ["04", "06", "31 02"]
    assert planned(found, "QE=0", SR2=0xFF).refusals


# --- properties


def drawn(part: Part, data: st.DataObject) -> dict[str, int]:
    return {r.name: data.draw(st.integers(0, 0xFF)) for r in part.layout.registers}


def chosen(part: Part, data: st.DataObject) -> list[settings.Setting]:
    fields = [field for field in part.layout.fields if field.kind.settable]
    if not fields:
        return []
    picked = data.draw(st.lists(st.sampled_from(fields), max_size=4, unique_by=lambda f: f.name))
    return [settings.Setting(f.name, data.draw(st.integers(0, f.most))) for f in picked]


@given(st.sampled_from(EVERY), st.booleans(), st.data())
def test_only_what_was_named_changes(
    found: Identified, volatile: bool, data: st.DataObject
) -> None:
    """After differs from before in bits of the named fields only, whatever is refused or not."""
    before, typed = drawn(found.part, data), chosen(found.part, data)
    made = plan.make(found, before, typed, volatile=volatile)
    named = {each.name for each in typed}
    fields = [field for field in found.part.layout.fields if field.name in named]
    for name, value in made.wanted.items():
        mask = sum(bit.mask for field in fields for bit in field.bits if bit.register == name)
        assert not (value ^ before[name]) & ~mask


@given(st.sampled_from(ALONE), st.data())
def test_a_plan_carried_out_gives_what_it_promised(found: Identified, data: st.DataObject) -> None:
    """A flash that takes its own kind of writes ends with every bit as planned."""
    before = drawn(found.part, data)
    made = plan.make(found, before, chosen(found.part, data), volatile=False)
    if made.attempts:
        assert len(made.attempts) == 1
        assert not made.differing(carried_out(found.part, made.attempts[0], before))
    else:
        assert made.nothing_to_do or made.refusals


@given(st.sampled_from(EVERY), st.booleans(), st.data())
def test_no_plan_holds_a_forbidden_opcode(
    found: Identified, volatile: bool, data: st.DataObject
) -> None:
    """Only 04h, 06h, 50h and the status writes are sent; never 35h, 2Fh, 42h or 3Ah to anybody."""
    before = drawn(found.part, data)
    made = plan.make(found, before, chosen(found.part, data), volatile=volatile)
    commands = [c for writes in made.attempts for write in writes for c in write.commands]
    allowed = {0x04, 0x50 if volatile else 0x06, 0x01, 0x31, 0x11, 0xC0}
    assert {opcode for opcode, _ in commands} <= allowed
    if makers.manufacturer(found.jedec_id) in (makers.ISSI, makers.MACRONIX):
        assert {opcode for opcode, _ in commands} <= {0x04, 0x06, 0x50, 0x01}


@given(st.sampled_from(EVERY), st.data())
def test_the_same_again_is_nothing(found: Identified, data: st.DataObject) -> None:
    """What a plan reached needs no other: the same settings then send nothing."""
    typed = chosen(found.part, data)
    made = plan.make(found, drawn(found.part, data), typed, volatile=False)
    if made.ok:
        again = plan.make(found, made.wanted, typed, volatile=False)
        assert again.nothing_to_do
        assert not again.attempts


# --- incidents


def test_incident_writing_all_ones() -> None:
    """E3/7B/FC asks for the name and a second yes, FF is refused (esp-idf#7994, bk7231tools#29)."""
    ones = planned(known("XMC-32M"), "SR1=0xFC", "SR2=0x7B", "SR3=0xE3")
    assert ones.needs(ConfirmationKind.ONE_WAY)
    assert ones.needs(ConfirmationKind.DANGER)
    assert planned(known("XMC-32M"), "SR1=0xFF", "SR2=0xFF", "SR3=0xFF").refusals


def test_incident_locked_for_ever() -> None:
    """With FC/7B/E3 in the registers every change is refused (esp-idf#7994)."""
    made = planned(known("XMC-32M"), "BP=0", SR1=0xFC, SR2=0x7B, SR3=0xE3)
    assert any("permanent" in refusal for refusal in made.refusals)


def test_incident_no_change_sends_nothing() -> None:
    """Writing back what is there is not done (bk7231tools#29)."""
    made = planned(known("P25Q16HBK"), "SR1=0x00", "SR2=0x00")
    assert made.nothing_to_do
    assert made.attempts == ()
    assert not made.confirmations
    assert not made.warnings


def test_incident_clearing_bp_with_cmp_set() -> None:
    """BP=0 with CMP=1 shows the whole flash as protected before anything is sent (fpdoom#48)."""
    made = planned(known("W25Q64FW"), "BP=0", SR1=0x1C, SR2=0x42)
    assert made.before.ranges == ()
    assert [(each.start, each.end) for each in made.after.ranges] == [(0, 0x800000)]
    assert "CMP=1 with BP=0 protects the whole flash" in made.warnings


@pytest.mark.parametrize("name", [p.names[0] for p in parts.rows() if p.writes[0].clears_sr2])
def test_incident_one_byte_loses_qe(name: str) -> None:
    """On every part of the older kind a change of BP keeps QE (nuttx#9272, flashrom's weakness)."""
    found = known(name)
    made = planned(found, "BP=1", SR2=0x02)
    assert all(len(write.data) == 2 for write in made.attempts[0])
    assert carried_out(found.part, made.attempts[0], registers(found.part, SR2=2))["SR2"] == 0x02


def test_incident_qe_taken_for_bp() -> None:
    """On ISSI parts bit 6 of SR1 is QE, and clearing protection leaves it (openFPGALoader#447)."""
    made = planned(known("IS25LP064"), "BP=0", SR1=0x7C)
    assert made.wanted["SR1"] == 0x40


def test_incident_busy_is_not_a_difference() -> None:
    """0001 for 0000 is BUSY, not a failure (bk7231tools#29); a bit that is wrong is one."""
    made = planned(known("TH25Q16HB"), "BP=0", SR1=0x1C)
    assert made.differing({"SR1": 0x01, "SR2": 0x80}) == ()
    (wrong,) = made.differing({"SR1": 0x04, "SR2": 0x00})
    assert (wrong.name, wrong.before, wrong.wanted, wrong.got) == ("BP0", 1, 0, 1)


def test_incident_dummy_clocks() -> None:
    """DC bits left by another program can be cleared for good (esp-idf#8560), with a second yes."""
    made = planned(known("XM25QH64C"), "SR1=0", "SR2=0", "SR3=0", SR2=0x02, SR3=0x23)
    assert sent(made)[2::3] == ["31 00", "11 00"]
    assert {each.name for each in made.confirmations} == {"DC", "QE"}


def test_registers_are_shown_highest_bit_first() -> None:
    """Changes name bit, value before and after, from bit 7 down."""
    made = planned(known("W25Q128JV"), "TB=1", "BP=3")
    first = made.registers[0]
    assert [(b.name, b.position, b.before, b.after) for b in first.changed] == [
        ("TB", 5, 0, 1),
        ("BP1", 3, 0, 1),
        ("BP0", 2, 0, 1),
    ]
    assert [(f.name, f.before, f.after) for f in made.fields] == [
        ("BP", "0", "3"),
        ("TB", "0", "1"),
    ]
