"""Signals: SIGTERM and SIGHUP end the program as Ctrl-C does, and say what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from espshell import cli, lazy
from espshell.device import Target
from espshell.ops.result import Step
from espshell.shell.output import Output
from espshell.signals import Terminated, as_exceptions, uninterrupted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")

SIM = "sim://esp32c3"
ENDING = (signal.SIGINT, signal.SIGTERM)


def stop_at(monkeypatch: pytest.MonkeyPatch, number: int, action: str, left: list[str]) -> None:
    """Send this process a signal when an operation has come so far; note how the chip is left."""

    def progress(_self: Output, step: Step) -> None:
        if step.action == action and step.done:
            signal.raise_signal(number)

    monkeypatch.setattr(Output, "progress", progress)
    monkeypatch.setattr(Target, "leave", lambda _self, after: left.append(after))


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
        (signal.SIGINT, 130, "interrupted"),
    ],
)
@pytest.mark.parametrize("is_json", [False, True])
def test_a_signal_in_the_middle_of_load(
    number: int,
    status: int,
    word: str,
    is_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The state of the flash is said, the chip is left as --after says, and status is 128 + n."""
    left: list[str] = []
    stop_at(monkeypatch, number, "writing", left)
    path = tmp_path / "app.bin"
    path.write_bytes(os.urandom(200_000))
    line = f"load {path} flash:0x10000 --force"
    options = ["--yes", "--after", "hard-reset", *["--json"] * is_json]
    assert cli.main(["-p", SIM, *options, "-c", line, "-c", "echo no"]) == status
    out, err = capsys.readouterr()
    assert "in doubt" in err
    assert err.endswith(f"espshell: {word}\n")
    assert left == ["hard-reset"]
    assert out.count('"ok": false') == is_json
    assert "no" not in out.split()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_temporary_file(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was being written is as it was before, and nothing lies beside it."""
    stop_at(monkeypatch, number, "reading", [])
    path = tmp_path / "ram.bin"
    assert cli.main(["-p", SIM, "-c", f"save DRAM {path}"]) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_handlers_are_given_back() -> None:
    """Who calls the program as a function has the handlers of before, and ignored ones stay so."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_exceptions():
            signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Terminated), as_exceptions():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, old)
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_what_must_not_be_left_half_done() -> None:
    """A signal waits for the end of it, and is not lost."""
    done = []

    def work() -> None:
        with as_exceptions(), uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            done.append("all")

    with pytest.raises(Terminated):
        work()
    assert done == ["all"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_stop_the_cleanup(number: int) -> None:
    """From the first one on, those that end the program are ignored, until all has been left."""
    done = []
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)]

    def work() -> None:
        with as_exceptions():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(number)
                done.append("left")

    with pytest.raises(Terminated) as caught:
        work()
    assert (done, caught.value.name) == (["left"], "SIGTERM")
    assert caught.value.__context__ is None
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)] == before


def test_a_handler_that_python_cannot_put_back_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that a program in C has set, of which nothing is known, stays through all of it."""
    real = signal.getsignal
    monkeypatch.setattr(
        signal, "getsignal", lambda number: None if number == signal.SIGHUP else real(number)
    )
    before = real(signal.SIGHUP)
    with as_exceptions(), uninterrupted():
        assert real(signal.SIGHUP) is before
    assert real(signal.SIGHUP) is before


def test_work_inside_of_other_work_lets_nothing_through() -> None:
    """A signal that comes in the inner one waits for the end of the outer one."""
    done = []

    def work() -> None:
        with as_exceptions(), uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGTERM)
            done.append("all")

    with pytest.raises(Terminated):
        work()
    assert done == ["all"]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((signal.SIGINT, signal.SIGTERM), Terminated),
        ((signal.SIGTERM, signal.SIGINT), KeyboardInterrupt),
    ],
)
def test_of_several_signals_the_last_one_comes(
    numbers: tuple[int, ...], expected: type[BaseException]
) -> None:
    """As without the delay, after which the last one would be what ends the program."""

    def work() -> None:
        with as_exceptions(), uninterrupted():
            for number in numbers:
                signal.raise_signal(number)

    with pytest.raises((KeyboardInterrupt, Terminated)) as caught:
        work()
    assert caught.type is expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_program_starts(number: int) -> None:
    """One line and no traceback, although nothing has been imported yet."""
    program = (
        "import os, sys, importlib.abc, espshell\n"
        "class Press(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == 'espshell.cli': os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Press())\n"
        "from espshell.__main__ import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout) == (128 + number, "")
    assert ran.stderr == "espshell: interrupted\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("statement", ["from slow.module import end", "slow.module.end"])
def test_a_module_that_is_running_is_run_to_its_end(
    number: int, statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal meanwhile is neither lost nor does it leave half a module for the session."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__init__.py").touch()
    body = f"import signal\nbegin = 1\nsignal.raise_signal({int(number)})\nend = 2\n"
    (tmp_path / "slow" / "module.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [lazy.LazyModules("slow"), *sys.meta_path])
    names: dict[str, object] = {}
    exec("import slow.module", names)
    try:
        with pytest.raises((KeyboardInterrupt, Terminated)), as_exceptions():
            exec(statement, names)
        exec("from slow.module import begin, end", names)
        assert (names["begin"], names["end"]) == (1, 2)
    finally:
        for name in ("slow", "slow.module"):
            del sys.modules[name]


def test_a_module_is_whole_wherever_ctrl_c_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever line it is pressed, it leaves a whole module and the handlers of before."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__init__.py").touch()
    (tmp_path / "slow" / "module.py").write_text("begin = 1\nend = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [lazy.LazyModules("slow"), *sys.meta_path])
    names: dict[str, object] = {}
    before, tracing = [signal.getsignal(n) for n in ENDING], sys.gettrace()
    for pressed_at in range(1, 1000):
        for name in ("slow", "slow.module"):
            sys.modules.pop(name, None)
        exec("import slow.module", names)
        lines = iter(range(1, 1000))

        def press(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line" and next(lines) == pressed_at:  # noqa: B023
                signal.raise_signal(signal.SIGINT)
            return press

        sys.settrace(press)
        try:
            exec("slow.module.end", names)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(tracing)
        assert eval("slow.module.begin, slow.module.end", names) == (1, 2), pressed_at
        assert [signal.getsignal(n) for n in ENDING] == before, pressed_at
        if next(lines) <= pressed_at:
            break
    assert 20 < pressed_at < 900  # fewer where no .pyc is written
    for name in ("slow", "slow.module"):
        del sys.modules[name]


def test_a_module_that_fails_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in a module is there again with the next use, until its cause has gone."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__init__.py").touch()
    (tmp_path / "slow" / "module.py").write_text("import cause\nend = cause.value\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [lazy.LazyModules("slow"), *sys.meta_path])
    names: dict[str, object] = {}
    exec("import slow.module", names)
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="cause"):
            exec("slow.module.end", names)
    monkeypatch.setitem(sys.modules, "cause", SimpleNamespace(value=2))
    assert eval("slow.module.end", names) == 2
    for name in ("slow", "slow.module"):
        del sys.modules[name]
