"""The program, stopped in the middle of a command: a process a case, forked from a warm one.

Reads cases as JSON objects, one a line, and answers each with one.  A case is a folder to run in,
arguments, and an end, which comes when the program has sent so many requests or waited so many
times: so it is always at the same place, and nothing sleeps.  In a case without an end the numbers
are counted at which its last command begins and ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from espshell import __main__, cli
from espshell.clock import VirtualClock
from espshell.device import Target
from espshell.shell.declaration import Outcome
from espshell.shell.lines import Prepared
from espshell.shell.runner import Runner
from espshell.sim import fault
from espshell.sim.wire import Wire

LIMIT_S = 60
"""How long a case may run."""

_send, _sleep, _execute, _leave = Wire.send, VirtualClock.sleep, Runner.execute, Target.leave


class Events:
    """Counts what happens on the simulated wire, and brings the end."""

    def __init__(self, end: Callable[[Wire | None], None], at: int) -> None:
        self.count = self.begin = self.stop = 0
        self.left: list[str] = []
        self._end, self._at = end, at
        self._wire: Wire | None = None
        self._first: Wire | None = None
        self.flash_before = ""
        self._is_inside = False

    def happens(self) -> None:
        """Count one, and end if it is the one."""
        self.count += 1
        if self.count == self._at:
            self._end(self._wire)

    def flash(self) -> str:
        """Return a digest of what is in the flash of the board."""
        return hashlib.md5(self._first.chip.flash.data).hexdigest() if self._first else ""

    def install(self) -> None:
        """Count from now on what this process does."""

        def send(wire: Wire, data: bytes) -> None:
            self._wire, self._first = wire, self._first or wire
            self.happens()
            _send(wire, data)

        def sleep(clock: VirtualClock, seconds: float) -> None:
            self.happens()
            _sleep(clock, seconds)

        def execute(runner: Runner, prepared: Prepared) -> Outcome:
            is_job = not self._is_inside and prepared.verb.name != "echo"
            if is_job:
                self._is_inside, self.begin = True, self.count
                self.flash_before = self.flash()
            try:
                return _execute(runner, prepared)
            finally:
                if is_job:
                    self.stop, self._is_inside = self.count, False

        def leave(target: Target, after: str) -> None:
            self.left.append(after)
            _leave(target, after)

        for owner, name, function in (
            (Wire, "send", send),
            (VirtualClock, "sleep", sleep),
            (Runner, "execute", execute),
            (Target, "leave", leave),
        ):
            setattr(owner, name, function)


def _unplug(wire: Wire | None) -> None:
    assert wire is not None
    passage = fault.Passage(b"", ending=fault.FaultAction.UNPLUG)
    wire._pass_on(passage)


def _close_reader(number: int) -> Callable[[Wire | None], None]:
    """Make a stream a pipe; return what closes the end that is read."""
    reading, writing = os.pipe()
    os.dup2(writing, number)
    os.close(writing)
    return lambda _: os.close(reading)


def _fill_disk(_wire: Wire | None) -> None:
    """Let no file grow any more, as on a full disk (with EFBIG for ENOSPC)."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def _fill_stdout(_wire: Wire | None) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _end_of(name: str) -> Callable[[Wire | None], None]:
    """Prepare an end of a name; return what brings it."""
    if name.startswith("SIG"):
        return lambda _: os.kill(os.getpid(), signal.Signals[name])
    if name in ("stdout closed", "stderr closed"):
        return _close_reader(1 if name == "stdout closed" else 2)
    ends: dict[str, Callable[[Wire | None], None]] = {
        "": lambda _: None,
        "stdout full": _fill_stdout,
        "disk full": _fill_disk,
        "unplugged": _unplug,
    }
    return ends[name]


def _run(case: dict[str, Any], report: int, streams: tuple[int, int]) -> None:
    """Be the program; report through a pipe; does not return."""
    signal.alarm(LIMIT_S)
    os.chdir(case["folder"])
    for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
        os.dup2(stream, number)
        os.close(stream)
    events = Events(_end_of(case["end"]), case["at"])
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    events.install()
    sys.argv = ["espshell", *case["arguments"]]
    status = __main__.main()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    facts = {"begin": events.begin, "stop": events.stop, "left": events.left}
    facts |= {"flash_before": events.flash_before, "flash": events.flash()}
    os.write(report, json.dumps(facts).encode())
    os._exit(status)


def _contents(*pipes: int) -> list[str]:
    """Read pipes to their ends, all at once; close them."""
    held = dict.fromkeys(pipes, b"")
    waiting = list(pipes)
    while waiting:
        for number in select.select(waiting, [], [])[0]:
            data = os.read(number, 65536)
            held[number] += data
            if not data:
                waiting.remove(number)
                os.close(number)
    return [data.decode() for data in held.values()]


def main() -> None:
    """Run cases until there are no more."""
    folder = Path(sys.argv[1])
    with open(os.devnull, "w") as nowhere:
        kept, sys.stdout = sys.stdout, nowhere
        warm = ["load x.bin flash:0", "dump DRAM 64", "verify x.bin flash:0", "hash DRAM 64"]
        os.chdir(folder)
        Path("x.bin").write_bytes(b"warm")
        words = [word for line in warm for word in ("-c", line)]
        cli.main(["-p", "sim://esp32c3", "--yes", "--keep-going", *words])
        sys.stdout = kept
    for line in sys.stdin:
        (reading, writing), (out, to_out), (err, to_err) = (os.pipe() for _ in range(3))
        pid = os.fork()
        if not pid:
            for number in (reading, out, err):
                os.close(number)
            try:
                _run(json.loads(line), writing, (to_out, to_err))
            except BaseException:  # noqa: BLE001 - a fault of this file is reported
                Path("harness").write_text(traceback.format_exc())
            finally:
                os._exit(99)
        for number in (writing, to_out, to_err):
            os.close(number)
        report, shown, notes = _contents(reading, out, err)
        _, status = os.waitpid(pid, 0)
        facts = {**json.loads(report or "{}"), "out": shown, "err": notes}
        facts["status"] = os.waitstatus_to_exitcode(status)
        print(json.dumps(facts), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
