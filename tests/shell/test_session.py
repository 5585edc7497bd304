"""One session: a line in, results out, errors told, and the state that is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.errors import BenchError, DeviceError, NoReply, ScriptError, UsageError
from espshell.image.partitions import PartitionTable
from espshell.link.trace import Recorder
from espshell.shell.session import Quit
from espshell.shell.settings import Bench
from espshell.span import Span
from tests.loader.support import wire_of
from tests.shell.support import RAM, Shell

JSON_FIELDS = ["command", "ok", "value", "error", "hint", "seconds", "slug"]


def test_result_goes_to_stdout_and_error_to_stderr(shell: Shell) -> None:
    """A result and an error never share a stream."""
    good, bad = shell.type(f"peek {RAM:#x}"), shell.type("peek 0x10")
    assert (good.status, good.out, good.err) == (0, "0x3fc90000  0x00000000  0\n", "")
    assert (bad.status, bad.out) == (2, "")
    assert bad.err.startswith("peek: 0x00000010 is outside the memory map of the ESP32-C3")


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("pek 0", 2, "did you mean `peek`?"),
        ("peek 3ff40000", 2, "did you mean `0x3ff40000`?"),
        ("peek32 0x3fc90001", 2, "a multiple of 4"),
        ("poke8 0x3fc90000 256", 2, "does not fit 8 bits"),
        ("peek", 2, "PLACE is missing"),
        ("peek 1 2 3", 2, "one argument too many"),
        ("peek --bogus 0", 2, "no option `--bogus`"),
        ("peek --forc 0", 2, "did you mean `--force`?"),
        ("poke 0x3fc90000 1 --mask", 2, "--mask needs a value"),
        ("dump 0x3fcdfff0 64", 2, "DRAM ends at 0x3fcdffff"),
        ("dump 0x3fc90000 0", 2, "a length is at least 1 byte"),
        ("dump 0x3fc90010..0x3fc90000", 2, "not after the start"),
        ("peek NOSUCH", 2, "`NOSUCH` is not a known name"),
        ("save 0x3fc90000 4 /nonexistent/x", 2, "cannot write /nonexistent/x"),
        ("source /nonexistent/x", 2, "cannot read /nonexistent/x"),
        ('echo "abc', 2, 'unclosed `"`'),
        ("echo $nobody", 2, "`$nobody` is not set"),
        ("let x == 5", 2, "expected NAME = VALUE, not `x == 5`"),
        ("let x = 1 / 2", 2, "division of whole numbers is `//`"),
        ("set nothing on", 2, "there is no setting `nothing`"),
        ("set squeeze maybe", 2, "on or off"),
        ("sleep soon", 2, "not a duration"),
        ("need esp99", 2, "not a known chip"),
        ("quit 256", 2, "an exit status is 0 to 255"),
        ("expect [0x3fc90000] == 1", 1, "left is 0x0 (0), right is 0x1 (1)"),
        ("need esp32", 1, "this is an ESP32-C3"),
        ("fails echo", 1, "should have failed"),
        ("connect /nonexistent", 3, "cannot open /nonexistent"),
    ],
)
def test_error_is_one_line_with_the_status_of_who_must_act(
    shell: Shell, line: str, status: int, told: str
) -> None:
    """Every error is one line on stderr, says what is wrong, and has its status."""
    ran = shell.type(line)
    assert ran.status == status
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""


@pytest.mark.parametrize("line", ["peek 0", "info", "dump 0 16", "baud", "reset", "need esp32"])
def test_without_a_chip_the_bench_is_wrong(offline: Shell, line: str) -> None:
    """A command that needs a chip says so, with the status of the bench."""
    ran = offline.type(line)
    assert (ran.status, "no chip is connected" in ran.err) == (3, True)


def test_what_secure_download_mode_leaves(offline: Shell) -> None:
    """A command that needs memory is refused by its name, with those that are possible."""
    ran = offline.connect("?sdm=1").type("peek DRAM")
    assert ran.status == 2
    assert ran.err.startswith(
        "peek: `peek` is not possible: the chip is in secure download mode; available: "
    )
    assert {"load,", "reset,"} <= set(ran.err.split())


def test_commands_of_a_line_run_until_one_fails(shell: Shell) -> None:
    """The first failure ends the line, unless a dash says otherwise."""
    assert shell.type("echo a; peek 0x10; echo b").out == "a\n"
    assert shell.type("echo a; -peek 0x10; echo b $?").out == "a\nb 2\n"


def test_the_value_of_a_finding_and_an_empty_one_are_values(shell: Shell) -> None:
    """$_ is the last value also where it is not as expected; a variable may be empty."""
    shell.type("print 5; -poke --force ROM0 9")
    assert shell.type("echo $_ $?").out == "0xe9efe1fe 1\n"
    shell.type('let x = ""')
    assert shell.type("echo a${x}b").out == "ab\n"


def test_last_value_and_status_are_variables(shell: Shell) -> None:
    """$_ is the last value and $? the last status, also when the command itself is a variable."""
    shell.type('let verb = "peek"; $verb 0x3fc90000')
    assert shell.type("echo $_ $?").out == "0 0\n"
    shell.type(f"poke {RAM:#x} 7; -peek 0x10")
    assert shell.type("echo $_ $?").out == "7 2\n"


def test_the_status_of_a_line_that_cannot_be_cut_is_a_variable(offline: Shell) -> None:
    """$? is that of the last line, also of one in which no command could run."""
    offline.type("echo fine")
    assert offline.type('echo "').status == 2
    assert offline.type("echo $?").out == "2\n"


def test_results_go_to_a_file_and_behind_it(offline: Shell, tmp_path: Path) -> None:
    """One arrow empties the file, two go on behind what it holds; what is shown stays empty."""
    offline.session.variables["to"] = str(tmp_path / "x")
    for line, held in (
        ("a > $to", "a"),
        ("b >> $to", "a b"),
        ("c >> $to", "a b c"),
        ("d > $to", "d"),
    ):
        assert offline.type(f"echo {line}").out == ""
        assert (tmp_path / "x").read_text().split() == held.split()


def test_an_error_before_its_command_keeps_its_kind(offline: Shell) -> None:
    """A chip that is lost while places of lines are looked up is a fault of the bench in JSON."""
    offline.session.output.as_json = True
    error = ScriptError("script:1", NoReply("the loader stopped answering"), source="erase chip")
    offline.runner.refuse(error)
    assert offline.type("").objects[0]["slug"] == "bench"


def test_json_has_exactly_the_promised_fields(shell: Shell) -> None:
    """One object a command, its fields in one order and of one type, for failures too."""
    shell.session.output.as_json = True
    good, bad = (
        shell.type(f"peek {RAM:#x} 2").objects[0],
        shell.type("pek 0").objects[0],
    )
    assert list(good) == list(bad) == JSON_FIELDS
    assert isinstance(good.pop("seconds"), float)
    assert good == {
        "command": "peek",
        "ok": True,
        "value": {"address": RAM, "width": 32, "values": [0, 0], "readings": 2},
        "error": None,
        "hint": None,
        "slug": None,
    }
    assert (bad["ok"], bad["value"], bad["slug"]) == (False, None, "wrong-line")
    assert (bad["error"], bad["hint"]) == ("unknown command `pek`", "did you mean `peek`?")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("poke 0x3fc90000 5", {"address": RAM, "width": 32, "old": 0, "new": 5, "wanted": 5}),
        ("dump 0x3fc90000 3", {"address": RAM, "size": 3, "data": "000000", "readings": 1}),
        ("echo a  b", {"text": "a b"}),
        ("let x = 5", {"name": "x", "value": 5}),
        ('let x = "5"', {"name": "x", "value": "5"}),
        ("read-mac", {"mac": "7c:df:a1:b4:c5:d6"}),
        ("chip-id", {"chip": "esp32c3", "chip_id": None, "mac": "7c:df:a1:b4:c5:d6"}),
        ("set check", {"check": False}),
        ("history", []),
        ("alias", {}),
        ("sleep 1ms", None),
        ("need esp32c3", None),
        (
            "expect 1 == 1",
            {"expression": "1 == 1", "value": 1, "left": 1, "operator": "==", "right": 1},
        ),
    ],
)
def test_json_value(shell: Shell, line: str, value: object) -> None:
    """Numbers are numbers, bytes hexadecimal text, and nothing is null."""
    shell.session.output.as_json = True
    assert shell.type(line).objects[0]["value"] == value


def test_json_of_a_false_expectation_has_both_value_and_error(shell: Shell) -> None:
    """What was found is told, and that it is not as wanted."""
    shell.session.output.as_json = True
    (told,) = shell.type("expect [0x3fc90000] == 2").objects
    assert (told["ok"], told["value"]["left"], told["value"]["right"]) == (False, 0, 2)
    assert told["error"] == "`[0x3fc90000] == 2` is false: left is 0x0 (0), right is 0x2 (2)"


def test_json_of_a_held_command_is_in_its_holder(shell: Shell) -> None:
    """`fails` prints one object: its own, with the error that was wanted."""
    shell.session.output.as_json = True
    (told,) = shell.type("fails expect 1 == 2").objects
    assert told["command"] == "fails"
    assert told["value"]["command"] == "expect 1 == 2"
    assert told["value"]["error"].startswith("`1 == 2` is false")


def test_json_tells_a_line_that_cannot_be_cut(shell: Shell) -> None:
    """A line without a command in it still gives an object, so that nothing is lost."""
    shell.session.output.as_json = True
    (told,) = shell.type('echo "abc').objects
    assert (told["command"], told["ok"]) == (None, False)


def test_seconds_are_those_of_the_clock_that_the_command_began_with(shell: Shell) -> None:
    """A command that leaves the chip does not subtract one clock from another."""
    shell.session.output.as_json = True
    (left,) = shell.type("run").objects
    assert 0 <= left["seconds"] < 1


def test_alias_is_replaced_once(shell: Shell) -> None:
    """An alias may have the name of the command that it stands for."""
    shell.type("alias peek = peek8")
    assert shell.type("peek 0x3fc90001").out == "0x3fc90001  0x00  0\n"
    shell.type("alias echo = echo said")
    assert shell.type("echo x").out == "said x\n"


def test_alias_of_an_alias_and_what_follows_it(shell: Shell) -> None:
    """What follows an alias goes behind what it stands for; its variables are replaced at use."""
    shell.type('alias say = "echo $who"; alias tell = say')
    shell.type('let who = "you"')
    assert shell.type("tell a b").out == "you a b\n"


def test_an_alias_stands_for_a_line_with_its_dash_and_its_redirect(
    offline: Shell, tmp_path: Path
) -> None:
    """Its own redirect holds, that of the line goes before; either may allow a failure."""
    to, other = tmp_path / "to", tmp_path / "other"
    offline.session.variables.update(to=str(to), other=str(other))
    offline.type('alias say = echo; alias keep = "echo kept > $to"')
    offline.type("say x > $other; keep")
    assert (to.read_text(), other.read_text()) == ("kept\n", "x\n")
    offline.type("keep > $other")
    assert other.read_text() == "kept\n"
    offline.type('alias may = "-fails echo"; alias must = fails echo')
    for line, status in (("may; say on", 0), ("-must; say on", 0), ("must; say on", 1)):
        ran = offline.type(line)
        assert (ran.status, ran.out) == (status, "" if status else "on\n"), line


def test_an_alias_of_a_condition_takes_one(
    offline: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the command that it stands for takes an expression, `>` compares."""
    monkeypatch.chdir(tmp_path)
    offline.type("alias want = expect")
    assert [offline.type(f"want {n} > 1").status for n in (2, 1)] == [0, 1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", ['alias a = ""', 'alias a = "# nothing"', "alias a = nosuch"])
def test_alias_must_stand_for_a_command(shell: Shell, line: str) -> None:
    """What is not a command is refused when it is named, not when it is used."""
    assert shell.type(line).status == 2
    assert shell.session.aliases == {}


def test_names_may_be_shortened_by_a_person_only(shell: Shell) -> None:
    """At the prompt the unique beginning of a command or region does; in a script it does not."""
    shell.session.interactive = True
    assert shell.type("pee rtc").out == "0x50000000  0x00000000  0\n"
    assert shell.type("dump dr 16").err == "dump: `dr` could be DRAM, DROM\n"
    assert shell.type("p rtc").err == "p: `p` could be parts, peek, poke, ports, print\n"
    assert shell.script("peek rtc").status == 2
    assert shell.script("pee RTC_FAST").status == 2
    assert shell.type("im i nosuch.bin").err.startswith("im i: cannot read nosuch.bin")
    assert "unknown command `im`" in shell.script("im i nosuch.bin").err
    assert shell.session.interactive


def test_register_that_changes_when_read_is_never_guessed(shell: Shell) -> None:
    """A prefix finds regions and registers; one with side effects must be named in full."""
    shell.session.interactive = True
    assert "UART0.STATUS" in shell.type("peek uart0.stat").out
    assert "not a known name" in shell.type("peek UART0.FI").err
    assert shell.type("peek UART0.FIFO").status == 0


def test_lost_port_leaves_the_session_disconnected(offline: Shell) -> None:
    """After the device was unplugged nothing is believed of the chip, and `connect` is possible."""
    shell = offline.connect("?fault=unplug@request:60")
    ran = shell.type("dump 0x3fc90000 4k")
    assert (ran.status, ran.err.count("lost sim://esp32c3")) == (3, 1)
    assert shell.session.target is None
    assert shell.type("connect sim://esp32c3").status == 0


def test_failed_connection_leaves_no_port_open(offline: Shell) -> None:
    """Another chip than the wanted one is refused, and then nothing is connected."""
    from espshell.chips import by_name

    with pytest.raises(Exception, match="this is an ESP32-C3, not an ESP32"):
        offline.session.connect(Bench(port="sim://esp32c3", chip=by_name("esp32")))
    assert offline.session.target is None


@pytest.mark.parametrize(
    "port", ["/nonexistent", "sim://nosuch", "sim://esp32?fault=drop@request:1+"]
)
def test_a_port_without_a_chip_leaves_the_connection(shell: Shell, port: str) -> None:
    """`connect` to what is not there fails; the chip before stays connected."""
    assert shell.type(f"connect {port}").status in (2, 3)
    assert shell.type("peek 0x3fc90000").status == 0
    assert shell.session.bench.port == "sim://esp32c3"


def test_connect_without_a_port_is_a_wrong_line(offline: Shell) -> None:
    """There is nothing to try, so the bench cannot be at fault."""
    with pytest.raises(UsageError, match="there is no port to connect to"):
        offline.session.connect(Bench())
    with pytest.raises(BenchError):
        _ = offline.session.chip


def test_quit_carries_its_status(shell: Shell) -> None:
    """`quit` leaves whoever runs the session, with a status or with none."""
    for line, status in (("quit", None), ("exit 7", 7)):
        with pytest.raises(Quit) as leaving:
            shell.type(line)
        assert leaving.value.status == status


def test_chip_is_left_as_the_bench_says(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing leaves the chip as --after says; losing it for another does not touch it."""
    left: list[str] = []
    monkeypatch.setattr(type(shell.session.target), "leave", lambda _, after: left.append(after))
    shell.session.bench = Bench(port="sim://esp32c3", after="soft-reset")
    shell.type("connect")
    shell.session.close()
    assert left == ["no-reset", "soft-reset"]


def test_trace_reaches_the_connected_chip(shell: Shell, tmp_path: object) -> None:
    """A recording that is begun late holds what passes from then on, and can be played back."""
    path = f"{tmp_path}/t.jsonl"
    shell.type(f"trace {path}; connect; peek 0x3fc90000; trace off; peek 0x3fc90000")
    assert not isinstance(shell.session.tap, Recorder)
    assert shell.type(f"connect replay://{path}; peek 0x3fc90000").status == 0


def test_who_is_asked_before_something_is_destroyed(offline: Shell) -> None:
    """A person, unless --yes, a dry run or `set confirm off` says that it need not be."""
    session, asked = offline.session, list[str]()

    def no(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(UsageError, match="there is no terminal to ask at"):
        session.may_destroy("erase")
    session.ask = no
    assert not session.may_destroy("erase")
    with session.with_settings({"dry_run": True}):
        assert session.may_destroy("erase")
    with session.with_settings({"confirm": False}):
        assert session.may_destroy("erase")
    session.assume_yes = True
    assert session.may_destroy("erase")
    assert asked == ["erase?"]


def test_settings_of_one_command_end_with_it(shell: Shell) -> None:
    """Also when it fails: the next command is no dry run any more."""
    assert shell.type("poke --dry-run 0x10 1").status == 2
    assert not shell.session.dry_run
    assert not shell.session.chip.memory.dry_run
    assert shell.type(f"poke {RAM:#x} 7; peek {RAM:#x}").out.endswith("0x00000007  7\n")


def test_a_port_is_given_back_though_the_chip_cannot_be_left(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the way is a note."""
    closed, target = [], shell.session.chip

    def lost(after: str) -> None:
        raise NoReply(f"no {after}")

    monkeypatch.setattr(target, "leave", lost)
    monkeypatch.setattr(target.link.port, "close", lambda: closed.append(True))
    shell.session.disconnect()
    assert (closed, shell.session.connection) == ([True], None)
    assert "the chip was not left as requested: no hard-reset" in shell.said(0).err


def test_writes_around_the_partition_table_leave_it(shell: Shell) -> None:
    """It is read again only if one of its own bytes may have changed."""
    connection = shell.session.connected
    for written, is_kept in (
        ((0x7000, 0x1000), True),
        ((0x8C00, 0x400), True),
        ((0x7000, 0x1001), False),
        ((0x8BFF, 1), False),
        ((0, 0x10000), False),
    ):
        connection.partitions = PartitionTable((), 0x8000)
        connection.forget_partitions([Span.of(0x20000, 0x1000), Span.of(*written)])
        assert (connection.partitions is not None) is is_kept, written


def test_changes_of_an_earlier_connection_are_not_undone(shell: Shell) -> None:
    """Another chip may be connected then, or the same one after a reset."""
    shell.type(f"poke {RAM:#x} 7")
    shell.session.disconnect()
    shell.connect()
    assert shell.type("undo").status == 2
    assert "the chip was reset or reconnected since" in shell.type("undo").err


def test_no_question_is_no_permission(shell: Shell) -> None:
    """`set confirm off` spares a person the question; a program still has to say --yes."""
    shell.session.settings.confirm = False
    with pytest.raises(UsageError, match="there is no terminal to ask at"):
        shell.session.may_destroy("erasing everything")
    shell.session.ask = lambda _: False
    assert shell.session.may_destroy("erasing everything")


def test_a_chip_that_cannot_be_left_is_let_go(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it answers, the port is closed, and what was not done is said."""
    target = shell.session.chip

    def refuse(_: str) -> None:
        raise DeviceError("it does not want to")

    monkeypatch.setattr(target, "leave", refuse)
    ran = shell.type("disconnect")
    assert (ran.status, shell.session.connection) == (0, None)
    assert "the chip was not left as requested: it does not want to" in ran.err


def test_a_dry_run_starts_no_stub(shell: Shell) -> None:
    """It would write to RAM, whoever asks for it."""
    shell.session.dry_run = True
    shell.session.apply_settings()
    with pytest.raises(UsageError, match="a dry run does not start the flasher stub"):
        shell.session.start_stub()
    assert not shell.session.chip.loader.dialect.is_stub


@pytest.mark.parametrize(
    "line", ["erase flash:0x1000 4k", "poke flash:0x1000 5", "fill flash:0x1000 16 0", "erase chip"]
)
def test_a_dry_run_leaves_flash_and_memory(shell: Shell, line: str) -> None:
    """From the moment that it is set, on the connection that there is as on the next one."""
    shell.session.assume_yes = True
    for _ in range(2):
        flash = wire_of(shell.session.chip).chip.flash
        flash.data[0x1000:0x2000] = b"\xa5" * 0x1000
        assert shell.type("set dry-run on").status == 0
        assert shell.type(line).status == 0
        assert shell.type(f"poke {RAM:#x} 0x55").status == 0
        assert bytes(flash.data[0x1000:0x2000]) == b"\xa5" * 0x1000
        assert wire_of(shell.session.chip).chip.memory.word(RAM) == 0
        shell.type("connect sim://esp32c3")


def test_connecting_in_a_dry_run_starts_no_stub(offline: Shell) -> None:
    """Not even `--stub always` does."""
    offline.session.dry_run = True
    target = offline.session.connect(Bench(port="sim://esp32c3", stub="always"))
    assert not target.loader.dialect.is_stub
