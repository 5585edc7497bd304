"""What a process does up to its first command, in modules and calls: seconds cannot be repeated."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import sys
calls = 0
def profile(_frame, event, _argument):
    global calls
    calls += event in ("call", "c_call")
before = set(sys.modules)
sys.setprofile(profile)
from espshell import cli
status = cli.main(sys.argv[1:])
sys.setprofile(None)
from espshell.lazy import LazyModule
ran = {name for name, module in sys.modules.items() if type(module) is not LazyModule}
import json
print(json.dumps({"status": status, "calls": calls, "ran": sorted(ran - before)}))
"""
UNNEEDED = """
ast base64 bz2 concurrent.futures dataclasses difflib dis email inspect json logging lzma platform
prompt_toolkit pygments random rich shutil socket subprocess tempfile tokenize tomli xml.etree
espshell.api espshell.board_programs espshell.completion.script espshell.link.trace
espshell.loader.stub_file espshell.render.status espshell.shell.commands.flash
espshell.shell.commands.shell espshell.shell.config espshell.shell.junit espshell.shell.manual
espshell.shell.report_page espshell.shell.terminal.repl
"""
"""Modules that a line with one peek has no use for."""

OURS, OTHERS, CALLS = 155, 90, 115_000
"""The most modules of ours that run, other modules that are imported, and function calls."""


def test_what_a_first_peek_takes() -> None:
    """One command of 25 modules runs one of them, and little of what others need."""
    command = [sys.executable, "-c", PROGRAM, "-p", "sim://esp32c3", "-c", "peek DRAM"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["status"] == 0, ran.stderr
    assert {*UNNEEDED.split()} & {*found["ran"]} == set()
    ours = [name for name in found["ran"] if name.split(".")[0] == "espshell"]
    assert len(ours) <= OURS, ours
    assert len(found["ran"]) - len(ours) <= OTHERS, {*found["ran"]} - {*ours}
    assert found["calls"] <= CALLS
