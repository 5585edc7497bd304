"""Words in bulk: fast on a good link, right on a bad one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from espshell.device import Target
from espshell.errors import DeviceError, EspError, NoReply
from espshell.loader import transfer
from espshell.loader.loader import Fault, Loader, Window
from espshell.protocol.commands import ReadReg
from espshell.protocol.packet import Opcode, Response
from tests.loader.support import held, open_sim, wire_of

START = 0x4000_0100
COUNT = 96


def contents(target: Target) -> list[int]:
    """Return what the simulated chip holds at the place that these tests read."""
    return [held(target, START + 4 * i) for i in range(COUNT)]


def read(target: Target) -> list[int]:
    """Read that place."""
    return transfer.read_words(target.loader, range(START, START + 4 * COUNT, 4))


SOUND = open_sim()
BEFORE = wire_of(SOUND).count.requests, wire_of(SOUND).count.replies
read(SOUND)
AFTER = wire_of(SOUND).count.requests, wire_of(SOUND).count.replies


def rules() -> list[str]:
    """Return every kind of fault at places all over a read, in both directions."""
    actions = (
        "drop",
        "double",
        "late:0.05",
        "late:0.5",
        "late:3",
        "stall:0.5",
        "stall:3",
        "cut:5",
        "cut:12",
        "flip:1.3",
        "flip:2.1",
        "noise:rst:0x1",
    )
    found = []
    for direction, before, after in zip(("request", "reply"), BEFORE, AFTER, strict=True):
        for place, each in zip(range(before - 1, after + 3), cycle(actions)):
            action, _, argument = each.partition(":")
            found.append(f"{action}@{direction}:{place}" + (f":{argument}" if argument else ""))
    return found


@pytest.mark.parametrize(
    "rule",
    [pytest.param(r, marks=[pytest.mark.long] * (n % 5 > 0)) for n, r in enumerate(rules())],
)
def test_one_fault_never_shifts_a_word(rule: str) -> None:
    """Any one frame lost, doubled, late, cut or damaged costs a second reading and no word."""
    target = open_sim(f"fault={rule}")

    assert read(target) == contents(target)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["drop", "double", "cut", "stall"]),
            st.sampled_from(["request", "reply"]),
            st.integers(36, 260),
        ),
        min_size=2,
        max_size=3,
    )
)
def test_several_faults(faults: list[tuple[str, str, int]]) -> None:
    """Several faults on different frames give the right words or an error, never wrong ones.

    Left out: a reply lost and another doubled between the same two markers, which nothing on the
    wire can tell from a good read.
    """
    places = sorted(place for _, _, place in faults)
    assume(all(b - a > 3 * transfer.BLOCK_WORDS for a, b in pairwise(places)))
    arguments = {"cut": ":5", "stall": ":0.3"}
    rules = [f"fault={a}@{d}:{n}{arguments.get(a, '')}" for a, d, n in faults]
    target = open_sim("&".join(rules))
    try:
        words = read(target)
    except EspError:
        return
    assert words == contents(target)


@pytest.mark.parametrize("end", ["hang", "garbage", "reset", "unplug"])
def test_lost_chip_is_an_error(end: str) -> None:
    """When the chip or the port goes away in the middle, the read fails; it is never short."""
    target = open_sim(f"fault={end}@request:60")

    with pytest.raises(EspError) as caught:
        read(target)
    assert caught.value.status == 3


@pytest.mark.parametrize("damage", ["cut@reply:{}:7", "flip@reply:{}:1.3", "flip@reply:{}:2.0"])
def test_damaged_and_doubled_reply_do_not_cancel_out(
    damage: str, stride: Callable[[int], int]
) -> None:
    """A damaged reply is seen by its pieces, even where a doubled one makes up for it."""
    first = wire_of(open_sim()).count.replies
    for place in range(first + 2, first + 30, stride(2)):
        for other in (place - 5, place + 4):
            rules = f"fault={damage.format(place)}&fault=double@reply:{other}"
            target = open_sim(rules)
            assert read(target) == contents(target)


def test_text_between_all_replies_is_no_fault() -> None:
    """A chip that talks between its replies is read without a single fault."""
    first = wire_of(open_sim()).count.replies
    target = open_sim(f"fault=noise@reply:{first + 1}+1:I (123) boot\r\n")

    assert read(target) == contents(target)
    assert target.loader.resynchronisations == 0


@pytest.mark.parametrize("hold_s", [0.7, 1.3, 2, 4])
def test_overdue_reply_is_not_taken_for_a_lost_one(
    hold_s: float, stride: Callable[[int], int]
) -> None:
    """A reply that was given up and comes while another is lost spoils nothing."""
    first = wire_of(open_sim(chip="esp32c3")).count.replies
    for late in range(first + 5, first + 40, 7 * stride(2)):
        for lost in range(late + 10, late + 60, 3 * stride(1)):
            target = open_sim(
                f"fault=late@reply:{late}:{hold_s}&fault=drop@reply:{lost}", "esp32c3"
            )
            assert read(target) == contents(target)


def test_bad_link_is_slow_and_right() -> None:
    """With every twenty-third reply lost, a read still succeeds."""
    target = open_sim("fault=drop@reply:60+23")

    assert read(target) == contents(target)


def test_data_that_holds_the_markers(stride: Callable[[int], int]) -> None:
    """Reading the marker words themselves is not a fault, and one doubled reply there is found."""
    addresses = range(0x4000_1000, 0x4000_1100, 4)
    for place in range(50, 90, stride(1)):
        target = open_sim(f"fault=double@reply:{place}")
        expected = [held(target, address) for address in addresses]
        assert transfer.read_words(target.loader, addresses) == expected


def test_a_block_counts_when_the_next_marker_has_come_too() -> None:
    """Where a word that has shifted is by chance the marker's value, the next marker shows it."""
    target = open_sim()
    loader = target.loader
    markers = loader.markers
    blocks = [range(START, START + 64, 4), range(START + 64, START + 128, 4)]
    first, second = [1] * 16, [markers[1].value, *[2] * 15]
    stream = [markers[0].value, *first, markers[1].value, *second, markers[2].value]
    shifted = [*stream[:1], *stream[2:], markers[3].value, 0]  # the first word is lost

    class Replay(Window):
        def replies(self, requests: Iterator[bytes], timeout_s: float) -> Iterator[list[Response]]:
            del requests, timeout_s
            yield [Response(Opcode.READ_REG, value, bytes(4)) for value in shifted]

    with pytest.raises(Fault, match="lost or doubled"):
        next(transfer._marked_blocks(loader, blocks, Replay(loader, Opcode.READ_REG)))


def test_a_few_words_have_a_marker_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not right, the words are read in the way that is sure of each place."""
    target = open_sim()
    monkeypatch.setattr(transfer, "_values", lambda window, addresses: [1, 2, 3])

    places = [START, START + 8]
    assert transfer.read_few(target.loader, places) == [held(target, at) for at in places]


def faulty(replies: list[int], markers: list[int]) -> Iterator[list[int]]:
    """Yield what comes of replies by one fault: lost, doubled, late, flipped, or a stray."""
    for i, value in enumerate(replies):
        before, behind = replies[:i], replies[i + 1 :]
        yield before + behind
        yield [*before, value, value, *behind]
        yield [*before, value ^ 1, *behind]
        for j in range(1, len(behind) + 1):
            yield [*before, *behind[:j], value, *behind[j:]]
    yield from ([stray, *replies] for stray in (0, *markers))


def marker_of_pair(loader: Loader, address: int) -> int:
    """Return the value of the marker between two readings of a word."""
    return loader.markers[address // 4 % len(loader.markers)].value


def test_a_pair_stands_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two faults in two readings of a word none makes them equal and wrong, but two flips."""
    target = open_sim()
    markers = [marker.value for marker in target.loader.markers[:3]]
    came: list[int] = []
    word: int

    def values(window: Window, addresses: Sequence[int]) -> list[int]:
        if len(came) < len(addresses):
            raise Fault("no reply")
        return came[: len(addresses)]

    monkeypatch.setattr(transfer, "_values", values)
    monkeypatch.setattr(transfer, "read_words", lambda loader, addresses: [word, word])
    marker = marker_of_pair(target.loader, START)
    for word in (0, *markers):
        sound = [word, marker, word]
        once = list(faulty(sound, markers))
        for came in (*once, *(twice for replies in once for twice in faulty(replies, markers))):
            target.loader.in_step = True
            pair = transfer.read_pair(target.loader, START)
            flipped = [word ^ 1, marker, word ^ 1]
            assert pair[0] != pair[1] or pair == [word, word] or came == flipped


def test_a_pair_is_not_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all replies of a run come again, the next words have another marker."""
    target = open_sim()
    markers = {at: marker_of_pair(target.loader, at) for at in (START, START + 4)}
    again = [1, markers[START], 1]
    monkeypatch.setattr(transfer, "_values", lambda window, addresses: [*again])
    monkeypatch.setattr(transfer, "read_words", lambda loader, addresses: [2, 2])
    assert transfer.read_pair(target.loader, START) == [1, 1]
    assert transfer.read_pair(target.loader, START + 4) == [2, 2]


def test_what_cannot_be_right_costs_a_resynchronisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A marker that is not where it belongs, and a bulk reply that is refused: then nothing is."""
    loader = open_sim().loader
    in_step: list[bool] = []

    def again(*_: object) -> list[int]:
        in_step.append(loader.in_step)
        return [3]

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "_values", lambda window, addresses: [1, 2])
        patch.setattr(transfer, "read_words", again)
        assert transfer.read_few(loader, [START]) == [3]
    loader.in_step = True

    def refuse(*_: object) -> None:
        raise DeviceError("the answer is invalid")

    monkeypatch.setattr(loader, "execute", refuse)
    with pytest.raises(Fault, match="is invalid"):
        next(transfer._bulk_blocks(loader, [START]))
    assert [*in_step, loader.in_step] == [False, False]


def test_words_are_read_twice_while_replies_may_be_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readings in a row must agree then, and only then."""
    loader = open_sim().loader
    readings = [[1], [2], [2], [3]]
    monkeypatch.setattr(transfer, "_source", lambda *_, **__: iter([readings.pop(0)]))
    loader.doubtful_until = loader.link.clock.now() + 1
    assert transfer.read_words(loader, [START]) == [2]
    loader.doubtful_until = 0
    assert transfer.read_words(loader, [START]) == [3]


@pytest.mark.parametrize("more", [0, 1])
def test_a_read_is_given_up_after_so_many_faults_in_a_row(
    more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight are forgiven, also again after a block that was right; the ninth is an error."""
    loader, faults = open_sim().loader, [0]

    def lossy(_loader: object, addresses: Sequence[int], *_: object, **__: object) -> object:
        faults[0] += 1
        if faults[0] <= transfer.RETRIES + more:
            raise Fault("nothing came")
        faults[0] = 0
        return iter([[addresses[0]]])

    monkeypatch.setattr(transfer, "_source", lossy)
    if more:
        with pytest.raises(NoReply, match="9 times in a row"):
            transfer.read_words(loader, [1, 2])
    else:
        assert transfer.read_words(loader, [1, 2]) == [1, 2]


def test_registers_that_change_are_read_once() -> None:
    """With ``once`` no word is requested twice, whatever happens, and one request is in flight."""
    target = open_sim("fault=drop@reply:31")
    before = wire_of(target).count.requests

    with pytest.raises(EspError, match="reading it twice is not allowed"):
        transfer.read_words(target.loader, range(START, START + 64, 4), once=True)
    assert wire_of(target).count.requests - before <= 18


def test_markers_are_learned_right_from_any_single_fault() -> None:
    """A late or doubled reply while the markers are learned does not exchange their values."""
    for rule in ("late@request:4:0.05", "late@reply:12:0.05", "double@reply:13", "drop@reply:20"):
        target = open_sim(f"fault={rule}")
        markers = target.loader.markers
        assert len(markers) > 1
        assert all(marker.value == held(target, marker.address) for marker in markers)


def virtual_seconds(target: Target, size: int) -> float:
    """Return how long reading so many bytes takes on the simulated wire."""
    start = target.link.clock.now()
    target.memory.read(0x4000_0000, size)
    return target.link.clock.now() - start


def test_fast_link_is_filled() -> None:
    """At 115200 baud and 1 ms latency 16 KiB take at most 1/0.9 of 14 bytes each way a word."""
    target = open_sim("latency=1ms", chip="esp32c3")
    wire_s = 4096 * 14 * 10 / 115200

    assert wire_s / virtual_seconds(target, 16384) >= 0.9


def test_latency_is_hidden() -> None:
    """At 16 ms latency 16 KiB are at least 7 times faster than one request at a time."""
    target = open_sim("latency=16ms", chip="esp32c3")
    clock = target.link.clock
    start = clock.now()
    for i in range(32):
        target.loader.execute(ReadReg(0x4000_0000 + 4 * i))
    one_at_a_time = (clock.now() - start) / 32 * 4096

    assert one_at_a_time / virtual_seconds(target, 16384) >= 7


def test_fifo_of_the_chip_never_overflows() -> None:
    """At most 112 encoded bytes are unanswered, also where addresses need escapes."""
    target = open_sim(chip="esp32c3")
    target.memory.read(0x3FC9_C000, 4096)

    assert wire_of(target).count.max_in_flight <= 112
    assert wire_of(target).count.overruns == 0


def test_stub_has_one_request_in_flight() -> None:
    """Where the dialect allows no pipeline, the next request waits for the reply."""
    target = open_sim()
    target.loader.dialect = replace(target.loader.dialect, pipeline_bytes=0)
    wire_of(target).count.max_in_flight = 0

    assert read(target) == contents(target)
    assert wire_of(target).count.max_in_flight < 2 * len(ReadReg(START).encode())


def test_markers_cost_little() -> None:
    """A long read sends one marker a block, and three more."""
    target = open_sim()
    before = wire_of(target).count.requests
    target.memory.read(0x4000_0000, 4096)

    assert wire_of(target).count.requests - before == 1024 + 1024 // transfer.BLOCK_WORDS + 2


@pytest.mark.parametrize(
    "rule", ["drop@request:3+17", "double@request:3+19", "late@request:3+23:0.3", "drop@reply:3+11"]
)
def test_markers_are_learned_where_each_few_frames_one_is_wrong(rule: str) -> None:
    """Fewer are read at once after a fault, so one faultless moment is enough to connect."""
    target = open_sim(f"fault={rule}", "esp32c3")
    assert len(target.loader.markers) >= 2
    assert all(held(target, marker.address) == marker.value for marker in target.loader.markers)
