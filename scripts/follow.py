"""Count what somebody has to read who follows one line of the shell down to the wire.

    scripts/follow.py [--list] [LINE]

Runs a line on a simulated chip and counts the modules, functions and classes of ours that it goes
through; the simulator and what runs at import do not count, nor what these call.
"""

from __future__ import annotations

import argparse
import inspect
import random
import sys
import tempfile
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

import espshell
from espshell.shell.output import Output
from espshell.shell.runner import Runner
from espshell.shell.session import Session
from espshell.shell.settings import Bench

ROOT = Path(espshell.__file__).parent


class Followed:
    """The code of ours that was run, by module."""

    def __init__(self) -> None:
        self.functions: dict[str, set[str]] = defaultdict(set)
        self.classes: set[str] = set()
        """Those whose methods were run."""

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Take note of a call, as ``sys.setprofile`` wants it."""
        if event == "call" and (module := _module(frame.f_code)) and not _is_aside(frame):
            self._note(module, frame.f_code)

    def _note(self, module: str, code: CodeType) -> None:
        name = getattr(code, "co_qualname", code.co_name)
        if "<" not in name.replace("<locals>.", ""):
            self.functions[module].add(name.replace("<locals>.", ""))
            owner = name.rpartition(".")[0]
            if owner and not owner.endswith("<locals>"):
                self.classes.add(f"{module}.{owner}")


@cache
def _module(code: CodeType) -> str:
    # the module of ours that holds this code, empty if none does
    path = Path(code.co_filename)
    if ROOT not in path.parents:
        return ""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _is_aside(frame: FrameType | None) -> bool:
    # whether this is of the simulator or the body of a module or class, or is called by one
    while frame:
        code = frame.f_code
        module = _module(code)
        if module.startswith("sim.") or (module and not code.co_flags & inspect.CO_OPTIMIZED):
            return True
        frame = frame.f_back
    return False


def follow(line: str) -> Followed:
    """Run a line with a file ``image.bin`` at hand; return what it went through."""
    session = Session(Output(color="never", stdout=sys.stderr), assume_yes=True)
    session.connect(Bench(port="sim://esp32c3"))
    runner = Runner(session)
    followed = Followed()
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.bin")
        image.write_bytes(random.Random(1).randbytes(0x18000))
        runner.run_line("stub")
        sys.setprofile(followed)
        try:
            status = runner.run_line(line.replace("image.bin", str(image)))
        finally:
            sys.setprofile(None)
    if status:
        sys.exit(f"the line failed with status {status}")
    return followed


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("line", nargs="?", default="load image.bin flash:0x10000")
    parser.add_argument("--list", action="store_true", help="name them, module by module")
    options = parser.parse_args()
    followed = follow(options.line)
    if options.list:
        for module, names in sorted(followed.functions.items()):
            sys.stdout.write(f"{module:36} {len(names):3}  {' '.join(sorted(names))}\n")
    functions = sum(map(len, followed.functions.values()))
    sys.stdout.write(
        f"{len(followed.functions)} modules, {functions} functions,"
        f" {len(followed.classes)} classes\n"
    )


if __name__ == "__main__":
    main()
