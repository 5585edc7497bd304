"""Expressions, places and regions."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from itertools import pairwise, product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.shell.arguments.places import Place, Range, parse_place, parse_region
from espshell.shell.language.expr import MAX_TOKENS, Expr, parse, unknown_name

NAMES = {
    "uart0": 0x3FF4_0000,
    "uart0.status": 0x3FF4_001C,
    "uart0.status.txfifo_cnt": 5,
    "gpio.in": 0x3FF4_403C,
    "zero": 0,
    "android": 7,
}
MEMORY = {(0x3FF4_001C, 32): 0x0005_0003, (0x3FF4_403C, 32): 1, (4, 8): 0x11, (4, 16): 0x2211}


class Bench:
    """A scope of a few names and words, which keeps what was read."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []

    def name(self, name: str) -> int | None:  # noqa: D102 - as the protocol says
        return NAMES.get(name.lower())

    def read(self, address: int, bits: int) -> int:  # noqa: D102
        self.reads.append((address, bits))
        return MEMORY[address, bits]

    def suggest(self, name: str) -> str | None:  # noqa: D102
        return "UART0" if name.lower().startswith("uart") else None


VALUES = [
    ("0x10", 16),
    ("1_000", 1000),
    ("0b1010", 10),
    ("0o17", 15),
    ("64k", 65536),
    ("4M", 4 << 20),
    ("0x3ff4_001c", 0x3FF4_001C),
    ("0", 0),
    ("'A'", 65),
    ("' '", 32),
    ("'('", 40),
    ("'['", 91),
    (r"'\n'", 10),
    (r"'\t'", 9),
    (r"'\0'", 0),
    (r"'\\'", 92),
    (r"'\''", 39),
    (r"'\x7f'", 127),
    ("1<<5|3", 35),
    ("(1<<5 | 3)", 35),
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("-7 % 3", 2),
    ("10 - 3 - 2", 5),
    ("~0 & 0xff", 255),
    ("- - 3", 3),
    ("not 0", 1),
    ("not not 5", 1),
    ("not 1 == 2", 1),
    ("6 & 3 == 2", 1),
    ("1 < 2 < 3", 1),
    ("1 < 3 < 2", 0),
    ("3 > 2 > 1 > 0", 1),
    ("0 or 7", 7),
    ("3 and 7", 7),
    ("0 and 1 // 0", 0),
    ("1 or 1 // 0", 1),
    ("2 < 1 < 1 // 0", 0),
    ("1 << 63", 1 << 63),
    ("0 << 64", 0),
    ("3 << 0", 3),
    ("0xffff_ffff_ffff_ffff", 0xFFFF_FFFF_FFFF_FFFF),
    ("UART0", 0x3FF4_0000),
    ("UART0.STATUS", 0x3FF4_001C),
    ("uart0.Status+4", 0x3FF4_0020),
    ("[UART0.STATUS]", 0x0005_0003),
    ("[UART0 + 0x1c] & 0xff", 3),
    ("UART0.STATUS.TXFIFO_CNT", 5),
    ("u8[4]", 0x11),
    ("u16[4]", 0x2211),
    ("U8[2 + 2]", 0x11),
    ("u32[uart0.status] >> 16", 5),
    ("(GPIO.IN & 1) == 1", 0),
    ("([GPIO.IN] & 1) == 1", 1),
    ("[GPIO.IN]&1==1", 1),
    ("android + 1", 8),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(text: str, value: int) -> None:
    """Every kind of literal, name, bracket and operator has its value."""
    assert parse(text).evaluate(Bench()) == value


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_spaces_around_do_not_matter(text: str, value: int) -> None:
    """An expression in brackets and among spaces has the same value."""
    assert parse(f"  ( {text}\t) ").evaluate(Bench()) == value


WRONG = [
    ("", "expected an expression, found nothing", ""),
    ("0x10 +", "`0x10 +`: expected a value at the end", ""),
    ("(1 + 2", "`(1 + 2`: expected `)` at column 7", ""),
    ("[4", "`[4`: expected `]` at column 3", ""),
    ("u8[4)", "`u8[4)`: expected `]` at column 5, not `)`", ""),
    ("(1]", "`(1]`: expected `)` at column 3, not `]`", ""),
    ("1)", "`1)`: expected an operator at column 2, not `)`", ""),
    ("1 + * 2", "`1 + * 2`: expected a value at column 5, not `*`", ""),
    ("1 2", "`1 2`: expected an operator at column 3, not `2`", ""),
    ("()", "`()`: expected a value at column 2, not `)`", ""),
    ("x.", "`x.`: expected an operator at column 2, not `.`", ""),
    (
        "a / b",
        "`a / b`: expected an operator at column 3, not `/`",
        "division of whole numbers is `//`",
    ),
    (
        "9**9",
        "`9**9`: expected an operator at column 2, not `**`",
        "there is no power operator; use `<<` or `*`",
    ),
    (
        "f(1)",
        "`f(1)`: expected an operator at column 2, not `(`",
        "there are no functions to call",
    ),
    (
        "u64[1]",
        "`u64[1]`: expected an operator at column 4, not `[`",
        "contents are `[A]`, `u8[A]`, `u16[A]` and `u32[A]`",
    ),
    ("a = 1", "`a = 1`: expected an operator at column 3, not `=`", "equality is `==`"),
    ("a && b", "`a && b`: expected an operator at column 3, not `&&`", "write `and`"),
    ("a || b", "`a || b`: expected an operator at column 3, not `||`", "write `or`"),
    ("!a", "`!a`: expected a value at column 1, not `!`", "write `not`"),
    (
        "1 == not 2",
        "`1 == not 2`: expected a value at column 6, not `not`",
        "put `not` and what follows it in parentheses",
    ),
    (
        "1..2",
        "`1..2`: expected an operator at column 2, not `..`",
        "a range is one word, `A..B` or `A..+LEN`, where a region is expected",
    ),
    (
        "[flash:4]",
        "`[flash:4]`: expected `]` at column 7, not `:`",
        "a space such as `flash:` goes once, in front of the whole place",
    ),
    (
        'x == "A"',
        '`x == "A"`: expected a value at column 6, not `"`',
        "a character is written `'A'`",
    ),
    ("'AB'", "`'AB'`: expected one ASCII character in quotes at column 1, not `'AB'`", ""),
    ("1+'", "`1+'`: expected one ASCII character in quotes at column 3, not `'`", ""),
    (r"'\q'", r"`'\q'`: expected one ASCII character in quotes at column 1, not `'\q'`", ""),
    ("3ff40000", "`3ff40000` is not a number", "did you mean `0x3ff40000`?"),
    ("[3ff4_0000]", "`3ff4_0000` at column 2 is not a number", "did you mean `0x3ff4_0000`?"),
    ("010", "`010` has a leading zero", "write `10` or `0o10`"),
    ("1+010k", "`010k` at column 3 has a leading zero", "write `10k` or `0o10k`"),
    ("089", "`089` has a leading zero", "write `89`"),
    ("00", "`00` has a leading zero", "write `0`"),
    ("0x10g", "`0x10g` is not a number", ""),
    ("1.5", "`1.5` is not a number", ""),
    ("0x1_0000_0000_0000_0000", "`0x1_0000_0000_0000_0000` does not fit in 64 bits", ""),
    ("1\n$", "`1?$`: expected an operator at column 3, not `$`", ""),
]


@pytest.mark.parametrize(("text", "message", "hint"), WRONG)
def test_syntax_error(text: str, message: str, hint: str) -> None:
    """A wrong text is refused by saying where, what was expected and what a person may mean."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.hint) == (message, hint)


UNFIT = [
    ("5 // zero", "`5 // zero`: division by zero", ""),
    ("5 % 0", "`5 % 0`: division by zero", ""),
    ("1 << 65", "`1 << 65`: expected a shift count of 0 to 64, not 65", ""),
    ("1 >> -1", "`1 >> -1`: expected a shift count of 0 to 64, not -1", ""),
    ("1 << 64", "`1 << 64`: the result does not fit in 64 bits", ""),
    ("-(1 << 63) * 2", "`-(1 << 63) * 2`: the result does not fit in 64 bits", ""),
    ("uart9.STATUS", "`uart9.STATUS` is not a known name", "did you mean `UART0`?"),
    ("nothing", "`nothing` is not a known name", ""),
    ("deadbeef", "`deadbeef` is not a known name", "did you mean `0xdeadbeef`?"),
]


@pytest.mark.parametrize(("text", "message", "hint"), UNFIT)
def test_evaluation_error(text: str, message: str, hint: str) -> None:
    """What has no value says so when it is evaluated, not when it is parsed."""
    expr = parse(text)
    with pytest.raises(UsageError) as caught:
        expr.evaluate(Bench())
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_unknown_name_offers_both() -> None:
    """A name of hex digits that resembles a known one is offered both ways."""
    assert unknown_name("dac", "DAC1").hint == "did you mean `DAC1` or `0xdac`?"


def test_and_or_do_not_read_needlessly() -> None:
    """What `and`, `or` and a chain do not need is not read from the chip."""
    bench = Bench()
    assert parse("0 and [4] or 1 > 2 > [4]").evaluate(bench) == 0
    assert bench.reads == []


def test_names_once_in_order() -> None:
    """All names come out once each, in order, with the spelling typed."""
    assert parse("[B.c] + a * (B.c < -Dd)").names() == ("B.c", "a", "Dd")


@pytest.mark.parametrize(
    ("text", "value"),
    [("64k - 1", 65535), ("'A' == 65", 1), ("UART0", None), ("[4]", None), ("0 and x", None)],
)
def test_constant(text: str, value: int | None) -> None:
    """Only an expression without names and brackets is constant."""
    assert parse(text).constant() == value


@pytest.mark.parametrize(
    ("text", "name"), [("nvs", "nvs"), ("(UART0.CONF0)", "UART0.CONF0"), ("nvs+0", None)]
)
def test_lone_name(text: str, name: str | None) -> None:
    """A lone name is known as one, in parentheses too."""
    assert parse(text).lone_name() == name


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("([UART0.STATUS] & 0x7f) == 0", ("([UART0.STATUS] & 0x7f)", "==", "0")),
        ("((a+1) <= b )", ("(a+1)", "<=", "b")),
        ("a | 1 != not_b", ("a | 1", "!=", "not_b")),
    ],
)
def test_sides(text: str, sides: tuple[str, str, str]) -> None:
    """One comparison at the top gives both sides, each with its own text and value."""
    got = parse(text).sides()
    assert got is not None
    assert (got[0].text, got[1], got[2].text) == sides
    assert (got[0], got[2]) == (parse(sides[0]), parse(sides[2]))


@pytest.mark.parametrize("text", ["1 < 2 < 3", "a", "a == b and c", "not a == b", "[a == b]"])
def test_no_sides(text: str) -> None:
    """What is not one comparison at the top has no sides."""
    assert parse(text).sides() is None


@pytest.mark.parametrize("text", ["(" * 149, "-" * 148 + "1", "[" * 74 + "1" + "]" * 74])
def test_depth_is_bounded(text: str) -> None:
    """The deepest texts allowed stay far from Python's limit of calls."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(900)
    try:
        parse(text).constant()
    except UsageError:
        pass
    finally:
        sys.setrecursionlimit(before)


def test_length_is_bounded() -> None:
    """A text of more words and operators than the limit is refused, one of just as many is not."""
    longest = "-0" + "+1" * (MAX_TOKENS // 2 - 1)
    assert parse(longest).constant() == MAX_TOKENS // 2 - 1
    with pytest.raises(UsageError, match="at most 150 words"):
        parse(f"-{longest}")


# Against Python ----------------------------------------------------------------------------------

BINARY = ["or", "and", "==", "!=", "<", "<=", ">", ">="]
BINARY += ["|", "^", "&", "<<", ">>", "+", "-", "*", "//", "%"]
ATOMS = ["0", "1", "2", "3", "7", "0x10", "0xff", "1_0"]


def refusal(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except UsageError as error:
        return error.message
    return None


def python_value(text: str) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ~True is deprecated there and means what it says here
        return int(eval(text, {"__builtins__": {}}))


def chained(operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Operands with operators between them, some negated, some in parentheses."""
    unary = st.sampled_from(["", "", "", "-", "+", "~", "- ~"])
    operand = st.tuples(unary, operands).map("".join)
    more = st.lists(st.tuples(st.sampled_from(BINARY), operand).map(" ".join), max_size=4)
    flat = st.tuples(st.sampled_from(["", "not "]), operand, more).map(
        lambda parts: f"{parts[0]}{parts[1]} {' '.join(parts[2])}"
    )
    return flat.map(lambda text: f"({text})")


def test_any_two_operators_bind_as_in_python() -> None:
    """Of each pair, with any sign or `not` in front, the same one goes first as in Python."""
    texts = [
        f"{unary}{a} {one} {b} {other} {c}"
        for one, other in product(BINARY, repeat=2)
        for unary in ("", "-", "~", "not ")
        for a, b, c in ((6, 3, 2), (5, 0, 3), (1, 2, 7))
    ]
    compared = 0
    for text in texts:
        if refusal(lambda text=text: parse(text).constant()) is None:  # type: ignore[misc]
            compared += 1
            assert parse(text).constant() == python_value(text), text
    assert compared > len(texts) * 3 // 4


@given(st.recursive(st.sampled_from(ATOMS), chained, max_leaves=12))
def test_value_is_pythons(text: str) -> None:
    """What has a value has the one that Python gives it; what has none is out of our range."""
    refused = refusal(lambda: parse(text).constant())
    if refused is None:
        assert parse(text).constant() == python_value(text)
    else:
        reasons = ("division by zero", "shift count", "64 bits", "at most")
        assert any(reason in refused for reason in reasons)


@given(st.lists(st.sampled_from([*ATOMS, *BINARY, "not", "~", "(", ")"]), min_size=1, max_size=9))
def test_accepts_what_python_accepts(words: list[str]) -> None:
    """Of texts made from our operators, those are refused that Python refuses."""
    for left, right in pairwise(words):
        assume(right != "(" or (left not in ATOMS and left != ")"))  # a call, there
        assume((left, right) != ("(", ")"))  # an empty tuple, there
    text = " ".join(words)
    assert (refusal(lambda: parse(text)) is None) == is_python(text)


def is_python(text: str) -> bool:
    try:
        compile(text, "<test>", "eval")
    except SyntaxError:
        return False
    return True


FRAGMENTS = st.lists(st.sampled_from([*"()[]'\\\"$.:;=!&|<>+-*/% \t\nxu8AF09_é", ".."])).map(
    "".join
)


@given(st.one_of(st.text(), FRAGMENTS))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text raises anything but a UsageError, whose message is one line."""
    attempts = [lambda: parse(text), lambda: parse_place(text), lambda: parse_region([text])]
    for message in map(refusal, attempts):
        assert message is None or len(message.splitlines()) == 1


# Places and regions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "space", "expr"),
    [
        ("0x3fc90000", "mem", "0x3fc90000"),
        ("mem:0x3fc90000", "mem", "0x3fc90000"),
        ("flash:0x1000", "flash", "0x1000"),
        ("flash:nvs", "flash", "nvs"),
        ("FLASH:nvs+4k", "flash", "nvs+4k"),
        ("efuse:(0 + 4)", "efuse", "(0 + 4)"),
        ("UART0.CONF0+4", "mem", "UART0.CONF0+4"),
    ],
)
def test_place(text: str, space: str, expr: str) -> None:
    """A place is an expression in a space, which is memory unless said otherwise."""
    assert parse_place(text) == Place(space, parse(expr))


def region(place: str, size: str = "", end: str = "") -> Range:
    def side(text: str) -> Expr | None:
        return parse(text) if text else None

    return Range(parse_place(place), side(size), side(end))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["0x10", "4k"], region("0x10", size="4k")),
        (["flash:0", "nvs"], region("flash:0", size="nvs")),
        (["0x10..0x20"], region("0x10", end="0x20")),
        (["flash:0x10..+0x20"], region("flash:0x10", size="0x20")),
        (["flash:nvs"], region("flash:nvs")),
        (["UART0.CONF0..+4"], region("UART0.CONF0", size="4")),
        (["a.b..c.d"], region("a.b", end="c.d")),
        (["(1 + 2)..('.' + 1)"], region("(1 + 2)", end="('.' + 1)")),
        (["'.'..+'.'"], region("'.'", size="'.'")),
        (["[4]..[8]"], region("[4]", end="[8]")),
    ],
)
def test_region(words: list[str], expected: Range) -> None:
    """A region has a size, an end, or is a place alone."""
    assert parse_region(words) == expected


FORMS = "a region is `PLACE LEN`, `PLACE..END`, `PLACE..+LEN` or a name"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([], "expected a region, not 0 words", FORMS),
        (["a", "b", "c"], "expected a region, not 3 words", FORMS),
        (["..3"], "`..3`: expected a start before `..`", FORMS),
        (["3.."], "`3..`: expected an end after `..`", FORMS),
        (["3..+"], "`3..+`: expected an end after `..`", FORMS),
        (["1..2", "3"], "`1..2` is already a region, but `3` follows it", ""),
        (["sram:3", "4"], "`sram` is not a space", "spaces are mem, flash and efuse"),
        (["flash:"], "`flash:`: expected an address or a name after `flash:`", ""),
        (["flash:.."], "`flash:..`: expected an end after `..`", FORMS),
        (
            ["flash:1..flash:2"],
            "`flash:2`: expected an operator at column 6, not `:`",
            "a space such as `flash:` goes once, in front of the whole place",
        ),
        (["1...2"], "`.2`: expected a value at column 1, not `.`", ""),
        (["0", "4kb"], "`4kb` is not a number", ""),
    ],
)
def test_region_error(words: list[str], message: str, hint: str) -> None:
    """A wrong region says which part is missing or too much."""
    with pytest.raises(UsageError) as caught:
        parse_region(words)
    assert (caught.value.message, caught.value.hint) == (message, hint)
