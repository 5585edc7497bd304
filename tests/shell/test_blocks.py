"""Blocks of scripts: if, for and repeat, parsed before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.shell import blocks
from espshell.shell.check import every_error
from espshell.shell.script import Script
from espshell.shell.transcript import Transcript
from tests.shell.support import RAM, Shell

ALL = """
let sum = 0
for i in 0..4 10 0x20..0x40..0x10 'last word'
    if "$i" == "last word"
        let sum = $sum + 1000
    else
        let sum = $sum + $i
    end
end
repeat 3
    let sum = $sum + 100
end
if $sum == 1396
    echo right $sum
end
"""


def test_all_kinds_in_each_other() -> None:
    """Words, ranges without their end, steps, counts, both sides of a condition."""
    text = ALL.replace('if "$i" == "last word"', "if $i == 9").replace("'last word'", "9")
    ran = Shell().script(text)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.endswith("right 1396\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("repeat 2\necho x\n", "test.espsh:1: `repeat` has no `end`"),
        ("echo x\nend\n", "test.espsh:2: `end` is outside of any block"),
        ("if 1\nelse\nelse\nend\n", "test.espsh:3: a second `else`"),
        ("for i in 1\nelse\nend\n", "test.espsh:2: `else` belongs to `if`, not to `for`"),
        ("if 1; echo x\nend\n", "test.espsh:1: `if` must be alone on its line"),
        ("if 1\nend if\n", "test.espsh:2: nothing may follow `end`"),
        ("if 1\nend > x\n", "test.espsh:2: `end` must be alone on its line"),
        ("-if 1\nend\n", "test.espsh:1: `if` must be alone on its line"),
        ("for i of 1 2\nend\n", "test.espsh:1: for: a loop is `for NAME in WORD...`"),
        ("if\nend\n", "test.espsh:1: if: `if` needs a condition"),
        ("if 1 +\nend\n", "test.espsh:1: if: "),
        ("if 0\npook 1\nend\n", "test.espsh:2: pook: unknown command `pook`"),
        ("echo x\nif 1\nelse\npook 1\nend\n", "test.espsh:4: pook: unknown command `pook`"),
        ("if $x == 1\nend\n", "test.espsh:1: if: "),
        ("if 1\n" * 30 + "end\n" * 30, "test.espsh:21: blocks are nested more than 20 deep"),
    ],
)
def test_what_is_wrong_has_its_line(text: str, message: str) -> None:
    """An unfinished or misplaced block is found where it is, and before the first line runs."""
    ran = Shell().script(text)
    assert ran.status == 2
    assert ran.err.startswith(message)
    assert not ran.out


def test_a_quoted_range_is_a_word_and_any_number_but_0_is_true() -> None:
    """Quotes take the meaning of `..` away; a condition need not be 1."""
    assert Shell().script('for i in "0..2" 5\necho $i\nend\n').out == "0..2\n5\n"
    assert Shell().script("if 2\necho yes\nelse\necho no\nend\n").out == "yes\n"


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("for i in 0..9..0", "0..9..0 has no end"),
        ("for i in 0..0x7fffffff", "0..0x7fffffff has too many steps"),
        ("repeat 0", "expected a count of 1 to 1048576, not 0"),
    ],
)
def test_heads_have_bounds(head: str, message: str) -> None:
    """A loop without an end is refused."""
    ran = Shell().script(f"{head}\nend\n")
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err


def test_errors_inside_have_their_own_line() -> None:
    """The line that fails is named, and the rest of the block does not run."""
    ran = Shell().script("for i in 0 1\nexpect $i == 0\necho round $i\nend\n")
    assert ran.status == 1
    assert ran.err.startswith("test.espsh:2: expect: ")
    assert ran.out.count("round") == 1


def test_keep_going_finishes_the_block() -> None:
    """With keep_going each round runs to its end, and the worst status counts."""
    shell = Shell()
    shell.session.keep_going = True
    ran = shell.script("for i in 0 1 2\nexpect $i == 1\necho after $i\nend\n")
    assert (ran.status, ran.out.count("after")) == (1, 3)


@pytest.mark.parametrize(
    "text",
    [
        "for i in 0 1\nlet x = 1 // $i\nexpect $i == 0\nend\n",
        "let zero = 0\nlet x = 1 // $zero\nrepeat 2\nexpect 0\nend\n",
    ],
)
def test_the_worst_status_is_not_that_of_the_last_round(text: str) -> None:
    """A wrong line (2) before a finding (1), in a round or in front of the block, counts."""
    shell = Shell()
    shell.session.keep_going = True
    assert shell.script(text).status == 2


def test_a_condition_reads_the_chip() -> None:
    """What is in memory when the block is reached decides."""
    text = f"repeat 2\nif u32[{RAM}] == 0\npoke {RAM} 7\nelse\necho full\nend\nend\n"
    ran = Shell().connect().script(text)
    assert (ran.status, ran.out.count("full")) == (0, 1)


def test_lines_are_not_lost() -> None:
    """Every line of a script is in its tree, in order."""
    numbers = _numbers(blocks.parse(Script("x", ALL)))
    edges = {6, 8, 9, 12, 15}
    assert numbers == [n for n in range(1, ALL.count("\n") + 1) if n not in edges]


def _numbers(nodes: tuple[blocks.Node, ...]) -> list[int]:
    numbers: list[int] = []
    for node in nodes:
        if isinstance(node, blocks.Block):
            numbers += [node.head.number, *_numbers(node.body), *_numbers(node.otherwise)]
        else:
            numbers.append(node.number)
    return numbers


def test_json_has_an_object_a_line() -> None:
    """The edges of blocks print nothing."""
    shell = Shell()
    shell.session.output.as_json = True
    ran = shell.script("repeat 2\nif 1\necho x\nend\nend\n")
    assert [item["command"] for item in ran.objects] == ["echo", "echo"]


def test_a_transcript_repeats_the_rounds(tmp_path: Path) -> None:
    """The transcript of a loop has its rounds one after another, and runs again as a script."""
    log = tmp_path / "log.espsh"
    text = f'log "{log}"\nfor i in 1 2 "a b"\necho n $i\nend\nlog off\n'
    assert Shell().script(text).status == 0
    again = Shell().script(log.read_text())
    assert [line for line in again.out.splitlines() if line.startswith("n ")] == [
        "n 1",
        "n 2",
        "n a b",
    ]


def test_a_transcript_has_the_values_of_arguments(tmp_path: Path) -> None:
    """In quotes and out of them, such that it says the same when it runs again."""
    log = tmp_path / "log.espsh"
    lines = """echo "in $1" out $1 ${5:-none}
    print $2 * 2; let x = $2 * 2; let y = $2; let z = $1; echo $x $y $z
    expect -m "$1 $2" $2 * 2 == 17; -fails expect $2 * 2 == 17; repeat $3 echo x"""
    first, again = Shell(), Shell()
    arguments = ('a "b" \\ $c', "5 + 6", "1 + 1")
    ran = first.script(f'log "{log}"\n{lines}\nlog off\n', *arguments)
    assert ran.status == 0, ran.err
    assert again.script(log.read_text()).out == "\n".join(ran.out.splitlines()[1:-1]) + "\n"
    assert all(again.session.variables[n] == first.session.variables[n] for n in "xyz")
    Shell().script(f'log "{log}"\n-print $1\nlog off\n', "1; echo no")
    assert '-print "1; echo no"' in log.read_text().splitlines()


def test_a_line_that_has_no_end_is_in_the_transcript(tmp_path: Path) -> None:
    """It is written when the transcript ends, as a comment like any other."""
    path = tmp_path / "log.espsh"
    transcript = Transcript(path)
    transcript.output("whole\nha")
    transcript.output("lf")
    transcript.close()
    assert path.read_text().splitlines()[1:] == ["# whole", "# half"]


def test_what_is_not_to_be_repeated_is_a_comment_of_the_transcript(tmp_path: Path) -> None:
    """Run again, it neither writes another log nor leaves; what went into a file is not in it."""
    log = tmp_path / "log.espsh"
    Shell().script(f'log "{log}"\necho a\necho b > {tmp_path}/b\nlog off\n')
    lines = log.read_text().splitlines()
    assert lines[-4:] == ["echo a", "# a", f"echo b > {tmp_path}/b", "# log off"]


@pytest.mark.parametrize("line", ["if 1", "for", "for i in 1", "else", "end"])
def test_no_block_at_the_prompt(line: str) -> None:
    """A typed edge of a block says where blocks belong."""
    ran = Shell().type(line)
    assert ran.status == 2
    assert "belongs to a block of lines; `source FILE` runs a script" in ran.err


def test_check_lists_every_error() -> None:
    """All that is wrong is listed, with line and column, also inside of blocks."""
    text = "peek\npeek DRAM 4x\nif 1\n  poke DRAM 0xzz\nend\necho $x\npoke 0 1 --mask=2x\n"
    text += 'echo a >\n  echo "a\nlet y = 1 +\nif 1 +\nend\nlet z = $y 2; echo ${\n'
    errors = every_error(Shell().session, Script("x.espsh", text))
    assert [error.at_column().split(": ")[0] for error in errors] == [
        "x.espsh:1:1",
        "x.espsh:2:11",
        "x.espsh:4:13",
        "x.espsh:6:6",
        "x.espsh:7:17",
        "x.espsh:8:9",
        "x.espsh:9:8",
        "x.espsh:10:9",
        "x.espsh:11:4",
        "x.espsh:13:20",
    ]
