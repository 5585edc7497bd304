"""Scripts: checked whole, run in order, stopped at the first error, which has its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.errors import ScriptError
from espshell.shell import script
from espshell.shell.check import check
from espshell.shell.script import Script
from espshell.shell.session import Quit
from tests.shell.support import Shell


def test_error_has_file_line_command_and_reason(shell: Shell) -> None:
    """The first line is for the eye and for tools, the second is the line of the script."""
    ran = shell.script("echo one\n\n  expect 1 == 2   # why\necho two")
    assert ran.status == 1
    assert ran.out == "one\n"
    assert ran.err.splitlines() == [
        "test.espsh:3: expect: `1 == 2` is false: left is 0x1 (1), right is 0x2 (2)",
        "    expect 1 == 2   # why",
    ]


def test_error_of_a_typed_line_needs_no_place(shell: Shell) -> None:
    """What -c runs has one line, so its error is the command and the reason."""
    ran = shell.script("peek 0x3fc90001", name="")
    assert ran.err.startswith("peek: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "last",
    [
        "pek 0",
        "peek",
        "peek 010",
        "peek 3fc9",
        "poke 0 --bogus",
        "dump 0x3fc90000",
        "fails pek 0",
        "fails peek 3fc9",
        "alias x = nosuch",
        "let x",
        "let 1 = 2",
        "let x = (1",
        "need esp99",
        "sleep soon",
        "echo $nobody",
        "$nobody 1",
        "echo $3",
        'echo "',
        "source nosuch.espsh",
        "save 0x3fc90000 4 x |cat",
    ],
)
def test_bad_last_line_runs_nothing(offline: Shell, last: str) -> None:
    """What can be known from the text is known before the first command, without a chip."""
    if last == "dump 0x3fc90000":
        last = "save 0x3fc90000 x"  # a dump has a default length, a save has none
    ran = offline.script(f"echo started\n{last}\n", "a", "b")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("test.espsh:2: ")


@pytest.mark.parametrize(
    "last",
    [
        "peek NOSUCH",
        "poke 0x3fc90000 NOSUCH",
        "fails peek NOSUCH",
        "let x = NOSUCH + 1",
        "dump NOSUCH",
        "expect [NOSUCH] == 1",
        "dump DRAM..+NOSUCH",
        "peek dr",
    ],
)
def test_names_are_found_before_the_first_command(shell: Shell, last: str) -> None:
    """With a chip connected, an unknown name stops a script that has not begun."""
    ran = shell.script(f"echo started\n{last}\n")
    assert (ran.status, ran.out) == (2, "")
    assert "not a known name" in ran.err


def test_check_says_whether_a_chip_is_needed(offline: Shell) -> None:
    """A script of words and numbers runs without one."""
    needed = {
        "echo a\nlet x = 1 + 2\nalias m = map\nset check on\nhelp": False,
        "let x = [0x3fc90000]": True,
        "let x = DRAM": True,
        "fails peek 0": True,
        "info": True,
        "expect [0] == 1": True,
        "if 1\necho\nelse\necho\nend": False,
        "if [DRAM]\necho\nend": True,
        "if 1\necho\nelse\ninfo\nend": True,
    }
    for text, wanted in needed.items():
        assert check(offline.session, (Script("x", text), ())).chip is wanted, text


def test_checking_changes_nothing(offline: Shell) -> None:
    """A script that is only checked leaves no alias and no variable behind."""
    check(offline.session, (Script("x", "alias m = map\nlet x = 1"), ()))
    assert (offline.session.aliases, offline.session.variables) == ({}, {})


def test_scripts_that_follow_each_other_share_names(offline: Shell) -> None:
    """What one -c sets, the check of the next one knows."""
    lines = [Script("", text) for text in ("let x = 1", "alias say = echo", "say $x")]
    assert check(offline.session, *((line, ()) for line in lines)).chip is False


def test_arguments(offline: Shell) -> None:
    """Arguments are $1 to $9; one may have a default; they do not outlive their script."""
    assert offline.script("echo $1 ${2:-two}", "a b").out == "a b two\n"
    assert offline.script("echo $2", "a").err.startswith(
        "test.espsh:1: echo: `$2` is not set; the script needs at least 2 arguments"
    )
    assert offline.session.variables.keys() <= {"?", "_"}


def test_let_outlives_its_script(offline: Shell) -> None:
    """What a script sets is there for the lines behind it."""
    offline.script("let x = 5")
    assert offline.type("echo $x").out == "5\n"


def test_dash_goes_on_and_says_so(shell: Shell) -> None:
    """A failure that is allowed is a note, and its status can be asked for."""
    ran = shell.script("-peek 0x10\necho $?")
    assert (ran.status, ran.out) == (0, "2\n")
    assert ran.err.endswith("(ignored)\n")


def test_fails(shell: Shell) -> None:
    """`fails` turns a failure into success and success into a failure of the device."""
    assert shell.script("fails peek 0x10").status == 0
    assert shell.script("fails fails peek 0x10").status == 1
    assert shell.script("fails echo").status == 1


def test_fails_does_not_hide_a_lost_chip(offline: Shell) -> None:
    """That nothing answers proves nothing about the command."""
    ran = offline.script("fails peek 0x3fc90000")
    assert (ran.status, "no chip is connected" in ran.err) == (3, True)


def test_keep_going_runs_all_and_ends_with_the_worst(shell: Shell) -> None:
    """Each failure is told, and none stops the next line."""
    shell.session.keep_going = True
    ran = shell.script("expect 1 == 2\npeek 0x10\necho end\nexpect 2 == 3")
    assert (ran.status, ran.out) == (2, "end\n")
    assert ran.err.count("test.espsh:") == 3
    assert shell.session.worst == 2


def test_keep_going_reaches_into_sourced_files(shell: Shell, tmp_path: Path) -> None:
    """A file that is sourced goes on, too, and its line fails with its worst status."""
    shell.session.folder = tmp_path
    shell.session.keep_going = True
    (tmp_path / "in.espsh").write_text("expect 1 == 2\necho inner\n")
    ran = shell.script("source in.espsh\necho outer")
    assert (ran.status, ran.out) == (1, "inner\nouter\n")
    assert "in.espsh:1: expect: " in ran.err


def test_quit_leaves_from_inside(shell: Shell, tmp_path: Path) -> None:
    """`quit` leaves from any depth; the session is as before it went in."""
    shell.session.folder = tmp_path
    shell.session.interactive = True
    (tmp_path / "in.espsh").write_text("quit 4\n")
    with pytest.raises(Quit) as leaving:
        shell.script("source in.espsh\necho no", "argument")
    assert leaving.value.status == 4
    assert (shell.runner._depth, shell.session.interactive) == (0, True)
    assert "1" not in shell.session.variables


def test_source_with_arguments(shell: Shell, tmp_path: Path) -> None:
    """A sourced file has its own arguments, is found beside its script, and `let` reaches back."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "a.espsh").write_text("source b.espsh one $1\necho $1 $back\n")
    (folder / "b.espsh").write_text("echo $1 $2\nlet back = 7\n")
    shell.session.folder = tmp_path
    assert shell.script("source lib/a.espsh x\necho $back").out == "one x\nx 7\n7\n"


def test_a_sourced_file_leaves_folder_and_arguments_behind(shell: Shell, tmp_path: Path) -> None:
    """What follows it is looked for beside its own script; no argument is handed down unasked."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.espsh").write_text("echo ${2:-none}\n")
    (tmp_path / "b.espsh").write_text("echo beside\n")
    shell.session.folder = tmp_path
    assert shell.script("source $1\nsource b.espsh", "lib/a.espsh", "two").out == "none\nbeside\n"
    assert shell.session.folder == tmp_path


def test_an_argument_of_the_outer_script_is_none_of_the_inner(
    offline: Shell, tmp_path: Path
) -> None:
    """A file that needs more arguments than it is given is refused before the first line runs."""
    offline.session.folder = tmp_path
    (tmp_path / "in.espsh").write_text("echo $2\n")
    ran = offline.script("echo started\nsource in.espsh one", "one", "two")
    assert (ran.status, ran.out) == (2, "")
    assert "`$2` is not set; the script needs at least 2 arguments" in ran.err


def test_a_file_whose_name_is_a_variable_is_checked_before_it_runs(
    offline: Shell, tmp_path: Path
) -> None:
    """Also for the files that it reads: nothing of it runs if one is missing."""
    offline.session.folder = tmp_path
    (tmp_path / "in.espsh").write_text("echo in\nloadram nosuch.bin\n")
    ran = offline.script("echo out\nsource $1", "in.espsh")
    assert (ran.status, ran.out) == (2, "out\n")
    assert "nosuch.bin: no such file" in ran.err


def test_files_that_source_each_other_have_an_end(offline: Shell, tmp_path: Path) -> None:
    """As deep as is said and no file deeper, for the check as for the run."""
    offline.session.folder = tmp_path
    for number in range(script.MAX_DEPTH):
        (tmp_path / f"{number}").write_text(f"source {number + 1}\n")
    (tmp_path / f"{script.MAX_DEPTH}").write_text("echo end\n")
    assert offline.script("source 2").out == "end\n"
    ran = offline.script("echo begin\nsource 1")
    assert (ran.status, ran.out, "sources itself" in ran.err) == (2, "", True)


@pytest.mark.parametrize(
    "text",
    [
        "if [0x3fc90000] == 1\nrepeat 2\nload missing.bin flash:0x10000\nend\nend",
        "if [0x3fc90000] == 1\nexpect 1\nelse\nrepeat 2\nload missing.bin flash:0\nend\nend",
        "fails repeat 2 load missing.bin flash:0x10000",
        'let c = "save"\n$c DRAM 4 missing.bin\nload missing.bin flash:0x10000',
    ],
)
def test_a_file_is_not_missed_where_it_may_not_be_needed(shell: Shell, text: str) -> None:
    """In a line that may not run, however deep, and behind one that may write the file."""
    check(shell.session, (Script("test.espsh", text), ()), to_run=True)
    plain = Script("test.espsh", "load missing.bin flash:0x10000")
    with pytest.raises(ScriptError, match=r"missing\.bin"):
        check(shell.session, (plain, ()), to_run=True)


def test_partitions_may_change_registers_may_not(shell: Shell) -> None:
    """Behind a line that may write another table its names are open, and no others."""
    text = "parts\nload {0} flash:0x8000\ndump flash:newcomer 4\n{1}"
    table = Script("", text.format(__file__, ""))
    check(shell.session, (table, ()))
    with pytest.raises(ScriptError, match="NOSUCH"):
        check(shell.session, (Script("", text.format(__file__, "peek NOSUCH")), ()))


def test_keep_going_remembers_the_worst_of_several_scripts(offline: Shell) -> None:
    """A run ends with the worst status of all its scripts, not with that of the last."""
    offline.session.keep_going = True
    offline.script("let zero = 0\nlet x = 1 // $zero")
    assert offline.script("expect 0").status == 1
    assert offline.session.worst == 2


def test_error_in_a_sourced_file_has_its_place(shell: Shell, tmp_path: Path) -> None:
    """The place is where the error is, not where the file was sourced."""
    shell.session.folder = tmp_path
    (tmp_path / "in.espsh").write_text("\nexpect 1 == 2\n")
    ran = shell.script("source in.espsh")
    assert ran.status == 1
    assert ran.err.splitlines() == [
        f"{tmp_path}/in.espsh:2: expect: `1 == 2` is false: left is 0x1 (1), right is 0x2 (2)",
        "    expect 1 == 2",
    ]


def test_bad_line_in_a_sourced_file_runs_nothing(offline: Shell, tmp_path: Path) -> None:
    """What a script sources is a part of what is checked."""
    offline.session.folder = tmp_path
    (tmp_path / "in.espsh").write_text("echo in\npek\n")
    ran = offline.script("echo started\nsource in.espsh")
    assert (ran.status, ran.out) == (2, "")
    assert f"{tmp_path}/in.espsh:2: pek: unknown command" in ran.err


@pytest.mark.parametrize("line", ["source self.espsh", "source $1 $1"])
def test_script_that_sources_itself_ends(offline: Shell, tmp_path: Path, line: str) -> None:
    """Found when it is checked, or where only running tells, when it runs."""
    offline.session.folder = tmp_path
    (tmp_path / "self.espsh").write_text(f"{line}\n")
    ran = offline.script(line, "self.espsh")
    assert (ran.status, "sources itself" in ran.err) == (2, True)
    assert offline.runner._depth == 0


def test_optional_source(offline: Shell, tmp_path: Path) -> None:
    """A dash allows a file to be missing, not to be wrong."""
    offline.session.folder = tmp_path
    assert offline.script("-source nosuch.espsh\necho on").out == "on\n"
    (tmp_path / "bad.espsh").write_text("pek\n")
    assert offline.script("-source bad.espsh\necho on").out == ""


def test_what_a_file_sets_whose_name_is_a_variable(offline: Shell, tmp_path: Path) -> None:
    """Behind a line whose meaning only shows when it runs, a variable is given the benefit."""
    offline.session.folder = tmp_path
    (tmp_path / "in.espsh").write_text("let inner = 3\n")
    assert offline.script("source $1\necho $inner", "in.espsh").out == "3\n"
    ran = offline.script("source $1\necho $nobody", "in.espsh")
    assert (ran.status, "`$nobody` is not set" in ran.err) == (2, True)


def test_text_forms(offline: Shell) -> None:
    """Line ends of Windows, a byte order mark, #! and continued lines are all right."""
    text = "\ufeff#!/usr/bin/env espshell\r\necho one\r\n\r\necho t\\\r\nwo # end\r\n"
    assert offline.script(text).out == "one\ntwo\n"


def test_read(tmp_path: Path) -> None:
    """A folder, a missing file and one that is not text are told in one line."""
    (tmp_path / "bin").write_bytes(b"\xff\xfe\x00")
    for name in ("nosuch", "bin", "."):
        with pytest.raises(Exception, match=r"cannot read|is not text") as raised:
            script.read(tmp_path / name)
        assert raised.value.status == 2  # type: ignore[attr-defined]


def test_interrupted_script_leaves_the_session_as_it_was(
    offline: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C passes through, and arguments and depth are those of before."""

    def press(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("espshell.clock.time.sleep", press)
    with pytest.raises(KeyboardInterrupt):
        offline.script("sleep 1", "argument")
    assert (offline.runner._depth, "1" in offline.session.variables) == (0, False)


def test_json_of_a_script_that_becomes_wrong_as_it_runs(offline: Shell, tmp_path: Path) -> None:
    """A file that is found wrong only when it is sourced is an object, too."""
    offline.session.folder = tmp_path
    offline.session.output.as_json = True
    (tmp_path / "bad.espsh").write_text('echo "\n')
    ran = offline.script("source $1", "bad.espsh")
    assert [(o["command"], o["ok"]) for o in ran.objects] == [("source", False)]


def test_script_errors_carry_status_and_source(offline: Shell) -> None:
    """Whoever runs scripts as a library gets the place, the line and the status as values."""
    with pytest.raises(ScriptError) as raised:
        check(offline.session, (Script("a.espsh", "echo\npek 1"), ()))
    assert (raised.value.status, raised.value.source) == (2, "pek 1")
    assert raised.value.message == "a.espsh:2: pek: unknown command `pek`"


# Before the first line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "load nosuch.bin flash:0x10000",
        "write-flash 0x10000 nosuch.bin",
        "write_flash 0x1000 here.bin 0x10000 nosuch.bin",
        "verify flash:0x10000 nosuch.bin",
        "verify-flash 0x10000 nosuch.bin",
        "load nosuch.bin mem:0x3fc90000",
        "loadram nosuch.bin",
        "load-ram nosuch.bin",
        "sr restore nosuch.json",
        "image info nosuch.bin",
        "image-info nosuch.bin",
        "image elf nosuch.elf",
        "elf2image nosuch.elf",
        "image merge out.bin nosuch.bin 0x1000",
        "image make out.bin --segfile nosuch.bin",
        "diff ./nosuch.bin DRAM",
        "source nosuch.espsh",
        "syms nosuch.elf",
        "source in.espsh",
        "repeat 2 load nosuch.bin flash:0",
        "alias up = load nosuch.bin flash:0; up",
        "load . flash:0x10000",
    ],
)
def test_files_are_looked_for_before_the_first_line(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """A file that a later line reads and that is not there stops a script that has not begun."""
    monkeypatch.chdir(tmp_path)
    Path("here.bin").write_bytes(b"here")
    Path("in.espsh").write_text("echo in\nload nosuch.bin flash:0\n")
    ran = shell.script(f"echo started\n{line}\n")
    assert (ran.status, ran.out) == (2, "")
    assert "no such file or directory" in ran.err or "is a directory" in ran.err


@pytest.mark.parametrize(
    "line",
    [
        "save DRAM..+16 no/x.bin",
        "read-flash 0 16 no/x.bin",
        "sr save here.bin/x",
        "log no/x.espsh",
        "trace no/x",
        "echo a > no/x",
        "echo a >> no/x",
        "diff nosuch.bin DRAM..+16",
        "diff DRAM..+16 nosuch.bin",
    ],
)
def test_a_folder_that_a_later_line_writes_into(
    line: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be written for want of its folder stops a script that has not begun."""
    monkeypatch.chdir(tmp_path)
    Path("here.bin").touch()
    ran = shell.script(f"echo started\n{line}\n")
    assert (ran.status, ran.out) == (2, "")
    assert "no such file or directory" in ran.err
    assert shell.script(f"echo a | mkdir no\n-{line}\n").status == 0


@pytest.mark.parametrize(
    "text",
    [
        "save DRAM..+16 x.bin\nload x.bin mem:0x3fc90000",
        "echo a > x.bin\nload x.bin mem:0x3fc90000",
        "echo a | cp here.bin x.bin\nload x.bin mem:0x3fc90000",
        'let n = "x"\nsave DRAM..+16 $n.bin\nload x.bin mem:0x3fc90000',
        "save DRAM..+16 $1\nload x.bin mem:0x3fc90000",
        "-load nosuch.bin mem:0x3fc90000\necho on",
        "fails load nosuch.bin mem:0x3fc90000",
        "-source missing.espsh",
        "if 0\nload nosuch.bin mem:0x3fc90000\nend",
        "load $1 mem:0x3fc90000",
        "save DRAM..+16 x.bin\ndiff x.bin DRAM..+16",
        "diff UART0.CONF0..+4 UART0.CONF0..+4; diff UART0.CONF0 UART0.CONF0; log off; trace off",
    ],
)
def test_files_that_may_be_there_by_then(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """What a line before may write, or what is allowed to fail, is not looked for."""
    monkeypatch.chdir(tmp_path)
    Path("here.bin").write_bytes(b"here")
    script_ = text.replace("load $1", "echo a > x.bin\nload $1")
    assert shell.script(script_, "x.bin").status == 0, shell.said(0)


@pytest.mark.parametrize(
    "text", ["poke 0x3fc90000 1\nneed esp32", "poke 0x3fc90000 1\nsource need.espsh"]
)
def test_need_holds_before_the_first_line(shell: Shell, tmp_path: Path, text: str) -> None:
    """A script for another chip changes nothing."""
    shell.session.folder = tmp_path
    (tmp_path / "need.espsh").write_text("need esp32\n")
    ran = shell.script(text)
    assert (ran.status, "this is an ESP32-C3, not an ESP32" in ran.err) == (1, True)
    assert shell.type("peek 0x3fc90000").out == "0x3fc90000  0x00000000  0\n"


@pytest.mark.parametrize(
    "text",
    [
        "fails need esp32",
        "-need esp32",
        "connect sim://esp32\nneed esp32\npeek DPORT",
        'let c = "esp32c3"\nneed $c',
    ],
)
def test_need_of_what_comes_later(shell: Shell, text: str) -> None:
    """What is meant to fail, and what another chip is needed for, is found out when it runs."""
    assert shell.script(text).status == 0


def test_only_a_script_that_is_run_needs_its_files(offline: Shell) -> None:
    """`espshell check` looks at the text, wherever it will be run."""
    assert check(offline.session, (Script("x", "load nosuch.bin flash:0"), ())).chip


def test_an_alias_holds_for_the_rest_of_its_line(shell: Shell) -> None:
    """At the prompt and in a script; its check knows it, too."""
    assert shell.type("alias pk = peek; pk 0x3fc90000").out == "0x3fc90000  0x00000000  0\n"
    assert shell.script("alias ec = echo; ec a; alias ec = echo b; ec").out == "a\nb\n"


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("repeat 2 rd", "repeat 2 peek DRAM"),
        ("fails rd 5 6", "fails peek DRAM 5 6"),
        ("fails fails up a", "fails fails echo a"),
        ("rep up", "repeat 3 echo"),
        ("rep expect 2 > 1", "repeat 3 expect 2 > 1"),
        ("no 1 > 2", "fails expect 1 > 2"),
        ("not 1 | 2 == 2", "fails expect 1 | 2 == 2"),
        ("-fails up a", "-fails echo a"),
        ("repeat 2 up a | cat", "repeat 2 echo a | cat"),
        ("repeat 2 keep; -peek 1", "repeat 2 echo kept >> /dev/null; -peek 1"),
        ("repeat 2 md DRAM 16", "repeat 2 dump32 DRAM 16"),
    ],
)
def test_an_alias_inside_another_command(shell: Shell, line: str, meaning: str) -> None:
    """Behind `fails` and `repeat`, and for them, it is what it stands for, redirects included."""
    shell.type("set aliases uboot; alias rd = peek DRAM; alias up = echo; alias rep = repeat 3")
    shell.type("alias no = fails expect; alias not = no; alias keep = 'echo kept >> /dev/null'")
    for run in (shell.type, shell.script):
        ran, expected = run(line), run(meaning)
        assert (ran.status, ran.out) == (expected.status, expected.out)
        assert "unknown" not in ran.err


def test_several_commands_are_not_one(shell: Shell) -> None:
    """An alias of two has no place where one is expected; alone it has."""
    shell.type("alias two = 'echo a; echo b'")
    assert shell.type("two").out == "a\nb\n"
    ran = shell.type("fails two")
    assert (ran.status, ran.out) == (2, "")
    assert "`two` stands for 2 commands, and `fails` takes one" in ran.err


@pytest.mark.parametrize("line", ["fails " * 500 + "echo", "repeat 2 " * 500 + "echo"])
def test_nesting_has_an_end(shell: Shell, line: str) -> None:
    """Commands in commands in commands are refused before anything runs."""
    for ran in (shell.type(line), shell.script(line), shell.type(f"alias x = map; {line}")):
        assert (ran.status, ran.out) == (2, "")
        assert "nested more than 20 deep" in ran.err
    assert shell.type("fails " * 20 + "echo").status == 0


def test_aliases_of_aliases_have_an_end(shell: Shell) -> None:
    """A chain of them is as long as anybody needs, and not longer."""
    shell.session.aliases.update({f"a{n}": f"a{n + 1}" for n in range(1000)})
    ran = shell.type("a0")
    assert (ran.status, "more than 20 deep" in ran.err) == (2, True)


def test_a_line_follows_the_names_that_change(shell: Shell) -> None:
    """The same text means another command when an alias, a variable or a default is another one."""
    lines = ("p", "$c DRAM", "repeat 1 $c DRAM", "${c:-peek} DRAM")
    for name in ("peek8", "peek16"):
        shell.type(f'alias p = {name} DRAM; let c = "{name}"')
        expected = shell.type(f"{name} DRAM").out
        assert [shell.type(line).out for line in lines] == [expected] * 4
