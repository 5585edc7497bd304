"""Lines, commands, words and variables."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.shell.language import grammar
from espshell.shell.language.grammar import Command, is_continued, split_lines
from espshell.shell.language.words import Word

EXPRESSIONS = {"let", "expect", "wait", "watch"}
INNER = {"fails": 0, "repeat": 1}
VALUES = {"image": "my fw.bin", "base": "0x1000", "1": "one.bin", "_": "7", "?": "0", "q": "'"}


def parse_line(text: str) -> tuple[Command, ...]:
    return grammar.parse_line(
        text, rest_is_expression=EXPRESSIONS.__contains__, inner_command=INNER.get
    )


def one(text: str) -> Command:
    (command,) = parse_line(text)
    return command


def word(text: str) -> Word:
    """Return the only argument of a command."""
    (only,) = one(f"echo {text}").words
    return only


def raws(command: Command) -> list[str]:
    return [command.name.raw, *(argument.raw for argument in command.words)]


# Commands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \t", []),
        ("# only a comment", []),
        ("#!/usr/bin/env espshell", []),
        ("peek GPIO.OUT", [["peek", "GPIO.OUT"]]),
        ("peek\t 0   4 ", [["peek", "0", "4"]]),
        ("a ; b ;c; d;e", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("a;", [["a"]]),
        ("a ; # done", [["a"]]),
        ("a # b ; c > d", [["a"]]),
        ("a #", [["a"]]),
        ("a b#c", [["a", "b#c"]]),
        ("a ';' \";\" \\; (;) [;]", [["a", "';'", '";"', "\\;", "(;)", "[;]"]]),
        ("a (1 + (2)) x", [["a", "(1 + (2))", "x"]]),
        ("a [UART0.STATUS + 4]&1", [["a", "[UART0.STATUS + 4]&1"]]),
        ("a u8[ 1 ]+( 2 )", [["a", "u8[ 1 ]+( 2 )"]]),
        ("a (x == ')')", [["a", "(x == ')')"]]),
        ('a ("b) c")', [["a", '("b) c")']]),
        ("a ( # b)", [["a", "( # b)"]]),
        ("a A|B 1<<4 x>y x>=y", [["a", "A|B", "1<<4", "x>y", "x>=y"]]),
        ("a 'b c' \"d e\" f\\ g", [["a", "'b c'", '"d e"', "f\\ g"]]),
        ("a :)", [["a", ":)"]]),
        ("a ${1:-b c} d", [["a", "${1:-b c}", "d"]]),
        (r"expect x == '\''", [["expect", "x", "==", r"'\''"]]),
        ("reg UART0.CONF0.TXINV=1 .RXINV=0", [["reg", "UART0.CONF0.TXINV=1", ".RXINV=0"]]),
        ("expect $x > 3", [["expect", "$x", ">", "3"]]),
        ("expect a | b ; wait c >> 1 # d", [["expect", "a", "|", "b"], ["wait", "c", ">>", "1"]]),
        ("fails repeat 3 expect x > 3", [["fails", "repeat", "3", "expect", "x", ">", "3"]]),
        ("'expect' x > 3", [["'expect'", "x", ">", "3"]]),
    ],
)
def test_words(text: str, expected: list[list[str]]) -> None:
    """A line is cut into commands and those into words, which keep what was typed."""
    commands = parse_line(text)
    assert [raws(command) for command in commands] == expected
    assert {(command.ignore_failure, command.redirect) for command in commands} <= {(False, None)}


SCRIPT = r"""#!/usr/bin/env espshell
need esp32c3 esp32s3                        # refuse other chips before touching anything
let image = $1                              # a missing parameter is an error
expect -m "read protection must be clear" ([EFUSE.RD_REPEAT_DATA0] & 0x7f) == 0
-erase flash:nvs                            # leading '-': go on if it fails
load $image flash:${2:-0x10000}
verify $image flash:${2:-0x10000}
fails load junk.bin flash:0                 # succeeds only if the command fails
wait -t 2 (GPIO.IN & 1) == 1
source common.espsh
"""


def test_script() -> None:
    """The script of the language's description is cut as it describes."""
    commands = [(n, command) for n, line in split_lines(SCRIPT) for command in parse_line(line)]
    assert [(n, raws(command)) for n, command in commands] == [
        (2, ["need", "esp32c3", "esp32s3"]),
        (3, ["let", "image", "=", "$1"]),
        (
            4,
            [
                *("expect", "-m", '"read protection must be clear"'),
                *("([EFUSE.RD_REPEAT_DATA0] & 0x7f)", "==", "0"),
            ],
        ),
        (5, ["erase", "flash:nvs"]),
        (6, ["load", "$image", "flash:${2:-0x10000}"]),
        (7, ["verify", "$image", "flash:${2:-0x10000}"]),
        (8, ["fails", "load", "junk.bin", "flash:0"]),
        (9, ["wait", "-t", "2", "(GPIO.IN & 1)", "==", "1"]),
        (10, ["source", "common.espsh"]),
    ]
    assert [n for n, command in commands if command.ignore_failure] == [5]
    assert commands[2][1].words[1].expand({}) == "read protection must be clear"
    assert commands[4][1].words[1].expand({}) == "flash:0x10000"


@pytest.mark.parametrize("text", ["-erase chip", "- erase chip", " -  erase chip"])
def test_leading_minus(text: str) -> None:
    """A minus before the command, glued or not, ignores its failure and is not in the name."""
    command = one(text)
    assert (command.name.raw, command.ignore_failure) == ("erase", True)
    assert (command.text, command.column) == ("erase chip", text.index("erase") + 1)


def test_minus_of_each_command() -> None:
    """Each command of a line has its own minus; one inside quotes is none."""
    assert [c.ignore_failure for c in parse_line("-a ; b -c; -d ; '-e'")] == [
        *(True, False, True, False)
    ]


def test_columns() -> None:
    """Columns count from 1 in the whole line, for commands and words."""
    first, second = parse_line("  -a 'b c' d;  e\tf")
    assert [first.column, *(w.column for w in first.words)] == [4, 6, 12]
    assert [second.column, *(w.column for w in second.words)] == [16, 18]


@pytest.mark.parametrize(
    ("text", "kind", "target", "source"),
    [
        ("dump 0 16 > out.txt", ">", "out.txt", "dump 0 16"),
        ("dump 0 16  >> 'my file'  # c", ">>", "my file", "dump 0 16"),
        ("-dump 0 | grep -v '#' ; ls > $x  ", "|", "grep -v '#' ; ls > $x", "dump 0"),
        ("need x ; dump 0 > $image", ">", "my fw.bin", "dump 0"),
        ("fails load a > b", ">", "b", "fails load a"),
        ("a > 'x|y'", ">", "x|y", "a"),
    ],
)
def test_redirect(text: str, kind: str, target: str, source: str) -> None:
    """A redirect stands alone, has a file or the rest of the line, and is not in the text."""
    command = parse_line(text)[-1]
    assert command.redirect is not None
    assert (command.redirect.kind, command.redirect.target.expand(VALUES)) == (kind, target)
    assert command.text == source


def test_each_command_may_have_a_redirect() -> None:
    """A redirect belongs to the command in front of it."""
    first, second = parse_line("a > b; c >> d")
    assert first.redirect is not None
    assert second.redirect is not None
    assert (first.redirect.kind, second.redirect.kind) == (">", ">>")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a 'b c", "unclosed `'` at column 3", ""),
        ('a b"c', 'unclosed `"` at column 4', ""),
        ("a (b [c) d", "unclosed `[` at column 6", ""),
        ("a (b", "unclosed `(` at column 3", ""),
        ("a ${b", "unclosed `${` at column 3", ""),
        ('a "${b"', "unclosed `${` at column 4", ""),
        ("a ${b:-(}", "unclosed `(` at column 8", ""),
        ("a ${b:-${c}}", "unclosed `${` at column 8", ""),
        ("a \\", "expected something after the `\\` at column 3", ""),
        ("; a", "expected a command at column 1, not `;`", ""),
        ("a ; ; b", "expected a command at column 5, not `;`", ""),
        ("a;;b", "expected a command at column 3, not `;`", ""),
        ("-", "expected a command at column 2", "`-` goes in front of one"),
        ("- ; a", "expected a command at column 3, not `;`", "`-` goes in front of one"),
        ("| less", "expected a command before `|` at column 1", ""),
        ("a ; > b", "expected a command before `>` at column 5", ""),
        ("a >", "expected a file after `>` at column 4", ""),
        ("a >> # b", "expected a file after `>>` at column 6, not `#`", ""),
        ("a > ; b", "expected a file after `>` at column 5, not `;`", ""),
        ("a > | b", "expected a file at column 5, not `|`", ""),
        ("a |  ", "expected a shell command after `|` at column 6", ""),
        ("a > b c", "expected the end of the command after `> b` at column 7, not `c`", ""),
        ("a > b | c", "expected the end of the command after `> b` at column 7, not `|`", ""),
        (
            "a >b",
            "expected a space after `>` at column 3",
            "put spaces around a redirect, or quote the word",
        ),
        (
            "a || b",
            "expected a space after `|` at column 3",
            "put spaces around a redirect, or quote the word",
        ),
        (
            "a $10",
            "expected `$1` to `$9` at column 3, not `$10`",
            "in front of a digit write `${1}`",
        ),
        ("a $0", "expected `$1` to `$9` at column 3, not `$0`", "in front of a digit write `${1}`"),
        ("a ${b-c}", "expected `${name}` or `${name:-default}` at column 3, not `${b-c}`", ""),
        ("a ${}", "expected `${name}` or `${name:-default}` at column 3, not `${}`", ""),
        ("a\nb", "expected one line, found a line break at column 2", ""),
        ("\nb", "expected one line, found a line break at column 1", ""),
    ],
)
def test_errors(text: str, message: str, hint: str) -> None:
    """A line that cannot be cut says where and what was expected."""
    with pytest.raises(UsageError) as caught:
        parse_line(text)
    assert (caught.value.message, caught.value.hint) == (message, hint)


# The rest of a line ------------------------------------------------------------------------------


def test_rest() -> None:
    """The rest of an expression command is its source, from any word on, without the comment."""
    command = one('expect  -m "a b"   $x  >\t3 # why')
    assert command.rest(0) == '-m "a b"   $x  >\t3'
    assert command.rest(2) == "$x  >\t3"
    assert command.rest(5) == ""


def test_rest_word() -> None:
    """The rest as a word keeps its spaces and its place and expands its variables."""
    rest = one("expect -m m $_  ==\t${base} + '$1'").rest_word(2)
    assert (rest.raw, rest.column) == ("$_  ==\t${base} + '$1'", 13)
    assert rest.expand(VALUES, raw=True) == "7  ==\t0x1000 + '$1'"
    assert rest.variables() == ("_", "base")
    assert one("expect").rest_word(0) == Word("", 7, ())


def test_inner_command() -> None:
    """A command inside another is a command with its own name, words, text and column."""
    inner = one("-repeat 3 load  $1 0 > log").inner(1)
    assert (raws(inner), inner.text, inner.column) == (["load", "$1", "0"], "load  $1 0", 11)
    assert (inner.ignore_failure, inner.redirect) == (False, None)
    assert inner.words[0].column == 17
    assert inner.rest(0) == "$1 0"


def test_inner_command_missing() -> None:
    """A command that wants another says where."""
    with pytest.raises(UsageError, match="`fails`: expected a command at column 6"):
        one("fails").inner(0)


# Words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cooked", "raw"),
    [
        ("abc", "abc", "abc"),
        ("'A'", "A", "'A'"),
        (r"'\''", "'", r"'\''"),
        ("'$image'", "$image", "'$image'"),
        ('"a $_ b"', "a 7 b", '"a 7 b"'),
        (r'"a\"\$\\\n"', 'a"$\\\\n', r'"a\"\$\\\n"'),
        (r"\$image\ x", "$image x", r"\$image\ x"),
        (r"'it'\''s'", "it's", r"'it'\''s'"),
        ("\"\"''", "", "\"\"''"),
        ("$image", "my fw.bin", "my fw.bin"),
        ("flash:${base}0", "flash:0x10000", "flash:0x10000"),
        ("$base+$_", "0x1000+7", "0x1000+7"),
        ("$base.txt", "0x1000.txt", "0x1000.txt"),
        ("${1}0", "one.bin0", "one.bin0"),
        ("$?", "0", "0"),
        ("$", "$", "$"),
        ("$#", "$#", "$#"),
        ("a$", "a$", "a$"),
        ("${2:-0x10000}", "0x10000", "0x10000"),
        ("${1:-x}", "one.bin", "one.bin"),
        ("${2:-}", "", ""),
        ("${2:-$1}", "one.bin", "one.bin"),
        ("${2:-a b}", "a b", "a b"),
        ("${2:-'A'}", "A", "'A'"),
        ('"${2:-it\'s $_}"', "it's 7", '"it\'s 7"'),
        ("$q$q", "''", "''"),
        ("(u8[4] == 'A' )", "(u8[4] == 'A' )", "(u8[4] == 'A' )"),
        ("[$base + 4]", "[0x1000 + 4]", "[0x1000 + 4]"),
        ('(\'$1\' "$_\\"")', '(\'$1\' "7\\"")', '(\'$1\' "7\\"")'),
        ("hex:de??be", "hex:de??be", "hex:de??be"),
    ],
)
def test_expand(text: str, cooked: str, raw: str) -> None:
    """A word expands with its quotes removed for names and kept for expressions."""
    assert word(text).expand(VALUES) == cooked
    assert word(text).expand(VALUES, raw=True) == raw


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("$nothing", "`$nothing` is not set", "set it with `let nothing = ...`"),
        ("x${nothing}y", "`$nothing` is not set", "set it with `let nothing = ...`"),
        ("$1", "`$1` is not set", "the script needs at least 1 argument"),
        ("${3}", "`$3` is not set", "the script needs at least 3 arguments"),
        ("${a:-$b}", "`$b` is not set", "set it with `let b = ...`"),
        ("$_", "`$_` is not set", "no command has set it yet"),
    ],
)
def test_not_set(text: str, message: str, hint: str) -> None:
    """A variable that is not set and has no default is an error that says how to set it."""
    with pytest.raises(UsageError) as caught:
        word(text).expand({})
    assert (caught.value.message, caught.value.hint) == (message, hint)
    with pytest.raises(UsageError):
        word(text).expand({}, raw=True)


@pytest.mark.parametrize(
    ("text", "used", "required"),
    [
        ("plain'$x'", (), ()),
        ('$a${b:-$c}$a"$d"', ("a", "b", "c", "d"), ("a", "d")),
        ("(1 + $x)", ("x",), ("x",)),
    ],
)
def test_variables(text: str, used: tuple[str, ...], required: tuple[str, ...]) -> None:
    """A word tells which variables it uses and which of those must be set."""
    assert word(text).variables() == used
    assert word(text).required_variables() == required
    assert word(text).is_plain == (used == ())


@pytest.mark.parametrize(
    ("text", "lone", "quoted"),
    [
        ("$image", "image", False),
        ('"$image"', "image", True),
        ("${1:-x}", "1", False),
        ("$_", "_", False),
        ("'$image'", None, True),
        ("$image.bin", None, False),
        ("$a$b", None, False),
        ("image", None, False),
        ("($a)", None, False),
    ],
)
def test_lone_variable(text: str, lone: str | None, quoted: bool) -> None:
    """A word that is one variable is known as one, in double quotes too."""
    assert word(text).lone_variable() == lone
    assert word(text).is_quoted == quoted


@given(st.lists(st.text(st.characters(exclude_characters="\n"))))
def test_shell_quoting_round_trip(values: list[str]) -> None:
    """What a POSIX shell's quoting makes of any values is read back as those values."""
    command = one(" ".join(["echo", *map(shlex.quote, values)]))
    assert [argument.expand({}) for argument in command.words] == values


def test_what_a_backslash_escapes_in_double_quotes() -> None:
    """The four characters that a POSIX shell escapes there, and no other."""
    assert word(r'"\$ \" \\ \` \a \(" '.strip()).expand({}) == r'$ " \ ` \a \('


@given(st.text(st.characters(exclude_characters="\n")))
def test_double_quoting_round_trip(value: str) -> None:
    """What is escaped inside double quotes is read back as it was."""
    escaped = "".join(f"\\{char}" if char in '"$\\`' else char for char in value)
    assert word(f'"{escaped}"').expand({}) == value


# Lines -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "continued"),
    [
        ("", False),
        ("a", False),
        ("a \\", True),
        ("a \\\n", True),
        ("a \\\r\n", True),
        ("\\", True),
        ("a \\\\", False),
        ("a \\\\\\", True),
        ("# C:\\fw\\", False),
        ("a # b \\", False),
        ("a ; # b \\", False),
        ("a b#c \\", True),
        ("a '# b' \\", True),
        ("a (1 # \\", True),
        ('a "b \\', True),
        ("a \\ ", False),
    ],
)
def test_is_continued(text: str, continued: bool) -> None:
    """An odd number of backslashes at the end continues a line, except in a comment."""
    assert is_continued(text) == continued


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a", [(1, "a")]),
        ("a\n", [(1, "a")]),
        ("a\n\nb\n", [(1, "a"), (2, ""), (3, "b")]),
        ("a\r\nb\r\n", [(1, "a"), (2, "b")]),
        ("\ufeff#!x\na", [(1, "#!x"), (2, "a")]),
        ("a \\\n  b \\\r\nc\nd", [(1, "a   b c"), (4, "d")]),
        ("# a \\\nb", [(1, "# a \\"), (2, "b")]),
        ("a # \\\nb", [(1, "a # \\"), (2, "b")]),
        ("a \\\n\nb", [(1, "a "), (3, "b")]),
        ("a \\", [(1, "a \\")]),
        ("a\x0b\u2028b", [(1, "a\x0b\u2028b")]),
    ],
)
def test_split_lines(text: str, lines: list[tuple[int, str]]) -> None:
    """Logical lines come with the number of their first line, joined and without line ends."""
    assert split_lines(text) == lines


PARTS = st.sampled_from(
    [*"ab1_ \t;#-\\'\"()[]{}$?:|><=\n\ré", "${a:-", "$1", "> f", " | ", "expect ", "fails "]
)
TEXTS = st.one_of(st.text(), st.lists(PARTS).map("".join))


@given(TEXTS)
def test_any_text_is_cut_or_refused(text: str) -> None:
    """No text raises anything but UsageError; each word is the source at its column."""
    for _, line in split_lines(text):
        try:
            commands = parse_line(line)
        except UsageError:
            continue
        for command in commands:
            check_places(line, command)


def check_places(line: str, command: Command) -> None:
    assert line[command.column - 1 :].startswith(command.text)
    for each in (command.name, *command.words):
        assert line[each.column - 1 :].startswith(each.raw)
        assert "".join(piece.raw for piece in each.pieces) == each.raw
    for index in range(len(command.words)):
        rest = command.rest_word(index)
        assert "".join(piece.raw for piece in rest.pieces) == rest.raw == command.rest(index)


@given(TEXTS)
def test_lines_lose_nothing(text: str) -> None:
    """Joined lines hold every character but line ends and the backslashes in front of them."""
    kept = "".join(line for _, line in split_lines(text))
    ends = str.maketrans("", "", "\r\n\\\ufeff")
    assert kept.translate(ends) == text.translate(ends)
