"""Type lines that nobody would type, thousands of them, into one session; it must live.

Lines come from the declarations of the commands: each argument and option is given numbers beyond
every bound, hostile paths, nesting, quotes, control characters.  A line may fail, in one line of
plain text; any exception but ``EspError`` is a finding.  The same seed gives the same lines.

    scripts/fuzz [--count 20000] [--seed 1] [--show]
"""

from __future__ import annotations

import argparse
import collections
import io
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from espshell import files
from espshell.clock import VirtualClock
from espshell.errors import EspError
from espshell.shell import session as session_module
from espshell.shell.declaration import Option, Param, Verb
from espshell.shell.output import Output
from espshell.shell.registry import COMMANDS as VERBS
from espshell.shell.runner import Runner
from espshell.shell.session import Quit, Session
from espshell.shell.settings import Bench
from espshell.shell.terminal import complete

CHIPS = ("esp32c3", "esp32c3", "esp32", "esp8266", "esp32s3", "esp32p4")
LONGEST_S = 0.15
"""Time of the processor after which a line is interrupted, as by Ctrl-C: ``repeat 0xffffffff``."""

HANGS_S = 20.0
"""Time after which a line hangs."""

NUMBERS = (
    *("0", "1", "2", "3", "4", "16", "0x100", "4k", "1m", "64", "255", "256", "-1", "-4"),
    *("0x3fc90000", "0x3fc90001", "0x60000000", "0x40000000", "0x3ff00000", "0xfffffffc"),
    *("0xffffffff", "0x100000000", "0x1ffffffff", "-0x80000000", "0x7fffffffffffffff"),
    *("0xffffffffffffffff", "0x10000000000000000", "-0x8000000000000000", "1" + "0" * 30),
    *("9" * 5000, "1.5", "1e9", "nan", "inf", "-inf", "0x", "0b2", "08", "1_0", "4096m", "'A'"),
    *("$_", "$?", "$nothing", "${a:-1}", "1<<63", "1<<64", "1//0", "0x8000_0000*2", "~0", "-~0"),
)
SECONDS = ("0", "1", "0.1", "1ms", "1us", "0.0000001", "1e9", "9" * 400, "-1", "nan", "10000000")
SPACES = ("", "mem:", "flash:", "efuse:", "flash:", "what:", ":", "flash:flash:")
NAMES = ("dram", "iram", "UART0", "GPIO", "GPIO.OUT", "nvs", "app", "factory", "all", "end", "chip")
TEXTS = (
    *("", "a", "on", "off", "auto", "keep", "0x", "40m", "4MB", "dio", "detect", "always", "never"),
    *("é", "日本", "\u202e", "\x1b[2J", "\x07", "\x00", "\udcff", "\U0001f600", "a" * 3000, "%s{}"),
    *("*", "??", "hex:de??be", "hex:", '"text"', "--", "-", "--all", "a=b", "BP=1", "SRP0=9" * 9),
    *("sim://esp32c3", "sim://nope", "sim://esp32?flash=999999999999m", "socket://", "socket://["),
    *("replay://", "rfc2217://x:99999999", "spy://", "socket://127.0.0.1:1", "/dev/null"),
)
PORTS = ("sim://esp32c3?flash=1M", "sim://esp32?fault=x", "replay://folder", "socket://[")
JUNK = "'\"\\$(){}[]<>|&;#!~*?=,.:-+ \t\r\n\x00\x1b\x7f\x85\u2028\ufeff\udc80é0x9a"


def hostile_paths(folder: Path) -> tuple[str, ...]:
    """Make files and folders of every awkward kind; return their names, and some of no file."""
    (folder / "folder").mkdir()
    (folder / "file").write_bytes(bytes(range(256)) * 16)
    (folder / "text.hex").write_text(":0400000001020304F2\n:00000001FF\n")
    (folder / "bad.hex").write_text(":zz\n")
    (folder / "script").write_text("echo $1\npeek 0x3fc90000\n")
    (folder / "itself").write_text("source itself\n")
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "odd.json").write_text('{"entry": Infinity, "text": 3, "id": "x", "registers": 7}')
    (folder / "bad.elf").write_bytes(b"\x7fELF" + b"\xff" * 200)
    (folder / "image").write_bytes(b"\xe9\xff\x02\x2f" + b"\xff" * 500)
    (folder / "empty").touch()
    (folder / "dangling").symlink_to("nowhere")
    (folder / "circle").symlink_to("circle")
    (folder / "name\x1b[31mred").write_bytes(b"x")
    os.mkfifo(folder / "fifo")
    names = sorted(path.name for path in folder.iterdir())
    odd = ("~nouser/x", "~", "n" * 300, "a\x00b", "nowhere/x", "file/x", "", ".", "..", "new", "é")
    return (*names, *odd, "x.hex", "/dev/full", "/dev/null", "/dev/zero", "\udcff", "./" * 3000)


@dataclass
class Lines:
    """Lines from the declarations of all commands."""

    random: random.Random
    paths: tuple[str, ...]
    verbs: tuple[Verb, ...] = field(default_factory=lambda: tuple(VERBS.verbs()))

    def line(self, depth: int = 0) -> str:
        """Return a line: mostly one command with arguments, sometimes damaged."""
        text = self.command(self.random.choice(self.verbs), depth)
        chance = self.random.random()
        if chance < 0.002:
            return (
                self.random.choice(("fails ", "repeat 1 ")) * self.random.choice((30, 900)) + text
            )
        if chance < 0.06:
            text += f" {self.random.choice(('>', '>>'))} {self.quoted(self.path())}"
        elif chance < 0.1 and depth < 3:
            text = f"{text}; {self.line(depth + 1)}"
        elif chance < 0.25 and "/dev/" not in text:
            text = self.damaged(text)
        return text

    def command(self, verb: Verb, depth: int) -> str:
        """Return a command of a verb with arguments of the declared types."""
        words = [verb.name]
        for option in verb.options:
            if self.random.random() < 0.3:
                words.append(self.random.choice([option.flag, option.short or option.flag]))
                words += [self.argument(option)] if option.type else []
        for param in verb.params:
            if not param.optional or self.random.random() < 0.7:
                words += [self.argument(param) for _ in range(self.count(param))]
        if verb.rest == "expression":
            words.append(self.expression())
        elif verb.rest == "command" and depth < 3:
            words.append(self.command(self.random.choice(self.verbs), depth + 1))
        elif verb.rest == "assignment":
            words.append(f"v{self.random.randrange(9)} = {self.expression()}")
        return " ".join(words)

    def count(self, param: Param) -> int:
        """Return how many words an argument gets."""
        least, most = param.type.least, min(param.type.most, 4)
        return self.random.randint(least, most) if self.random.random() < 0.9 else most + 1

    def argument(self, slot: Param | Option) -> str:
        """Return a word for a parameter or option, mostly of its kind."""
        kind = slot.type.kind if slot.type is not None else ""
        if slot.key == "port":
            return self.random.choice(PORTS)
        if slot.key == "count" and self.random.random() < 0.9:
            return self.random.choice(("1", "2", "3", "0", "-1", "0x100000000"))
        if self.random.random() < 0.15:
            kind = self.random.choice(("number", "text", "file", "place", "expression"))
        if "file" in kind or kind == "operands":
            return self.random.choice((self.quoted(self.path()), self.place()))
        if kind == "seconds":
            return self.random.choice(SECONDS)
        if kind in ("place", "address", "snapshot") or "region" in kind:
            return self.place()
        if kind in ("number", "size", "bytes"):
            return self.random.choice(NUMBERS)
        if slot.type is not None and self.random.random() < 0.5 and "|" in slot.type.label:
            return self.random.choice(slot.type.label.split("|"))
        return self.random.choice((self.text(), self.random.choice(NAMES), self.expression()))

    def place(self) -> str:
        """Return a place or a range, perhaps of no space."""
        start = self.random.choice(SPACES) + self.random.choice((*NUMBERS, *NAMES))
        if self.random.random() < 0.3:
            return start + self.random.choice(("..", "..+", "...")) + self.random.choice(NUMBERS)
        return start

    def expression(self) -> str:
        """Return an expression, at times nested without end."""
        text = self.random.choice((*NUMBERS, *NAMES))
        for _ in range(self.random.choice((0, 1, 2, 5))):
            symbol = self.random.choice(("+", "-", "*", "//", "%", "<<", ">>", "==", "<", "and"))
            around = self.random.choice(("{}", "({})", "[{}]", "u8[{}]", "not {}", "-{}", "~{}"))
            text = around.format(f"{text} {symbol} {self.random.choice(NUMBERS)}")
        if self.random.random() < 0.02:
            opener = self.random.choice(("(", "[", "not ", "-", "~", "u8[", "${a:-", "'", '"'))
            text = opener * self.random.choice((10, 200, 5000)) + text
        return text

    def text(self) -> str:
        """Return a word of any kind."""
        return self.quoted(self.random.choice(TEXTS))

    def path(self) -> str:
        """Return the name of an awkward file."""
        return self.random.choice(self.paths)

    def quoted(self, text: str) -> str:
        """Return a word, mostly in quotes where it needs them."""
        return f'"{text}"' if self.random.random() < 0.5 or " " in text else text

    def damaged(self, text: str) -> str:
        """Return a line with characters put in, taken out or doubled."""
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randint(0, len(text))
            junk = "".join(self.random.choices(JUNK, k=self.random.randint(0, 3)))
            text = text[:at] + junk + text[at + self.random.randint(0, 2) :]
        return text


FILES = ("file", "input file", "file or pattern", "file or place in flash")

VALID = {
    **dict.fromkeys(("place", "address"), "0x3fc90000"),
    **dict.fromkeys(("region", "region and algorithm", "expression or region"), "0x3fc90000 16"),
    **dict.fromkeys(("number", "seconds", "pattern"), "1"),
    **dict.fromkeys(FILES, "file"),
    "region of flash": "flash:0x1000 0x1000",
    "files and places": "file flash:0",
    "places and files": "0 file",
    "snapshot": "s 0x3fc90000 16",
    "operands": "file file",
    "registers and fields": "GPIO.OUT",
    "eFuse": "SECURE_VERSION",
    "rate": "115200",
    "pin": "3",
    "SVD file": "off",
    "help on": "DRAM",
}
"""Words that are right, by the kind of the argument; for all other kinds ``4``."""

NUMERIC = {
    **dict.fromkeys(("place", "address"), ("{}", "flash:{}", "efuse:{}")),
    **dict.fromkeys(
        ("region", "region of flash", "region and algorithm", "expression or region"),
        ("{} 4", "0x3fc90000 {}", "{}..+4", "0..{}", "flash:{} 4", "flash:0 {}", "efuse:{} 4"),
    ),
    "files and places": ("file {}", "file flash:{}", "{} file"),
    "places and files": ("{} file",),
    "file or place in flash": ("flash:{}",),
    "operands": ("file {}", "{} 4 flash:0 4", "0x3fc90000 {} file"),
    "snapshot": ("s {} 4", "s 0x3fc90000 {}"),
    "registers and fields": ("GPIO.OUT={}", "{}"),
    "pattern": ("{}", "hex:{}"),
    "settings": ("BP={}", "SR1={}"),
}
"""Where a number can stand, by the kind of the argument; in all other kinds alone."""

PATHS = {
    **dict.fromkeys(FILES, '"{}"'),
    "files and places": '"{}" flash:0',
    "places and files": '0 "{}"',
    "operands": '"{}" file',
}
"""Where a path can stand, by the kind of the argument."""

BOUNDS = (
    *("-1", "0", "0xffffffff", "0x100000000", "0xffffffffffffffff", "0x10000000000000000"),
    *("1" + "0" * 30, "1.5", "nan"),
)


def number_lines(*, forced: bool) -> Iterator[str]:
    """Yield each command with each number beyond its bounds in each of its arguments.

    ``forced``: only those that can be forced, and forced.
    """
    for verb in (verb for verb in VERBS.verbs() if not verb.preset):
        flags = [o.flag for o in verb.options if o.flag in ("--force", "--risk")]
        if forced and not flags:
            continue
        force = flags[0] if forced else ""
        for slot in slots(verb):
            if slot.type is None or (slot.key == "port" and verb.name == "connect"):
                continue
            for form in NUMERIC.get(slot.type.kind, ("{}",)):
                for number in BOUNDS:
                    yield filled(verb, slot, form.format(number), force)


def path_lines(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield each command with each hostile path in each of its arguments that is a file."""
    for verb in (verb for verb in VERBS.verbs() if not verb.preset):
        for slot in slots(verb):
            form = PATHS.get(slot.type.kind) if slot.type is not None else None
            if form is not None:
                for path in paths:
                    yield filled(verb, slot, form.format(path))
    for path in paths:
        yield from (f'{start} "{path}"' for start in ("echo x >", "echo x >>", "peek 0 >", "trace"))
        yield from (f'set parttable "{path}"; parts', f'connect "replay://{path}"')
        yield f'stub --dir "{path}"; reset; stub always; stub auto'
        yield f'connect "sim://esp32c3?flash-file={path}"'


def slots(verb: Verb) -> tuple[Param | Option, ...]:
    """Return all arguments of a command."""
    return (*verb.params, *verb.options)


def filled(verb: Verb, slot: Param | Option, text: str, flag: str = "") -> str:
    """Return a command in which one argument is given and all others are right."""
    words = [verb.name, flag] if flag else [verb.name]
    if isinstance(slot, Option):
        words += [slot.flag, text]
    for param in verb.params:
        if param is slot:
            words.append(text)
        elif not param.optional:
            words.append(VALID.get(param.type.kind, "4"))
    words += {"expression": ["1"], "command": ["echo x"], "assignment": ["v = 1"]}.get(
        verb.rest, []
    )
    return " ".join(words)


class _Quiet(Output):
    """Streams in memory; what would go to another program goes nowhere."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        super().__init__(stdout=self.out, stderr=self.err)

    @contextmanager
    def to_shell(self, text: str) -> Iterator[None]:
        """Run nothing."""
        yield

    def taken(self) -> tuple[str, str]:
        """Return what was written since the last time."""
        texts = self.out.getvalue(), self.err.getvalue()
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate()
        return texts


@dataclass
class Fuzz:
    """One session that is typed at."""

    output: _Quiet = field(default_factory=_Quiet)
    findings: collections.Counter[str] = field(default_factory=collections.Counter)
    examples: dict[str, str] = field(default_factory=dict)
    interrupted: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self.session = Session(self.output, Bench(port="sim://esp32c3"), assume_yes=True)
        self.runner = Runner(self.session)

    def reconnect(self, chip: str) -> None:
        """See that a chip is connected."""
        if self.session.target is None:
            self.session.bench = Bench(port=f"sim://{chip}?flash=1M")
            self.type("connect")

    def type(self, line: str, *, tab: bool = False) -> None:
        """Run a line, or complete it; count what it must not do."""
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S, LONGEST_S)  # once may be lost
            signal.setitimer(signal.ITIMER_REAL, HANGS_S)
            try:
                if tab:
                    list(complete.candidates(self.session, line))
                else:
                    self.failed += bool(self.runner.run_line(line))
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Quit:
            pass
        except KeyboardInterrupt:
            self.interrupted += 1
        except _Hangs:
            self.found("it hangs", line)
        except EspError as error:
            self.found(f"EspError escapes: {type(error).__name__}", line)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            at = next((f for f in reversed(frames) if "/espshell/" in f.filename), frames[-1])
            place = f"{at.filename.rpartition('/espshell/')[2]}:{at.lineno} {at.name}"
            self.found(f"{type(error).__name__} at {place}: {error!s:.60}", line)
        self.check(self.output.taken()[1], line)

    def check(self, told: str, line: str) -> None:
        """Look at what was said on the standard error: plain text in our words."""
        if "this is a bug of espshell" in told:
            self.found(told.partition("this is a bug of espshell")[2][:80], line)
        if not told.replace("\n", "").replace("\t", "").isprintable():
            self.found("control characters on the terminal", line)
        if "this is a bug" in told:  # an exception that the runner has made a line of
            self.found(told[told.index("this is a bug") :][:120].replace("\n", " "), line)
        for words in ("Errno", "invalid literal", "fromhex", "codec", "Traceback", "line 1 column"):
            if words in told:
                self.found(f"Python's words: {words}", f"{line!r} -> {told:.300}")

    def found(self, what: str, line: str) -> None:
        """Count a finding; keep its shortest line, and print the first."""
        if what not in self.findings:
            sys.stderr.write(f"found: {what}: {line!r:.400}\n")
        self.findings[what] += 1
        if what not in self.examples or len(line) < len(self.examples[what]):
            self.examples[what] = line


def _interrupt(number: int, _: object) -> None:
    """Press Ctrl-C, which waits where a signal must: a module that is run, for example."""
    if number == signal.SIGALRM:
        raise _Hangs
    signal.raise_signal(signal.SIGINT)


class _Hangs(BaseException):
    """A line has not come to its end in time."""


@contextmanager
def surroundings() -> Iterator[Path]:
    """Give an empty folder to work in, a home that is not ours, and no time that passes."""
    kept = os.getcwd(), os.environ.get("HOME"), vars(session_module)["SystemClock"], files.WAIT_S
    with tempfile.TemporaryDirectory(prefix="fuzz.", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "a" / "b" / "c"
        folder.mkdir(parents=True)
        os.chdir(folder)
        os.environ["HOME"] = name
        vars(session_module)["SystemClock"] = VirtualClock
        files.WAIT_S = 0.0
        old = [(s, signal.signal(s, _interrupt)) for s in (signal.SIGALRM, signal.SIGVTALRM)]
        try:
            yield folder
        finally:
            for number, handler in old:
                signal.signal(number, handler)
            os.chdir(kept[0])
            os.environ["HOME"] = kept[1] or "/"
            vars(session_module)["SystemClock"], files.WAIT_S = kept[2], kept[3]


def sweep(lines: Callable[[tuple[str, ...]], Iterable[str]]) -> tuple[int, Fuzz]:
    """Type lines that hostile paths go into, a chip connected for each; return how many."""
    fuzz = Fuzz()
    with surroundings() as folder:
        count = 0
        for line in lines(hostile_paths(folder)):
            fuzz.reconnect(CHIPS[0])
            fuzz.type(line)
            count += 1
        fuzz.session.close()
    return count, fuzz


def run(count: int, seed: int, *, show: bool = False) -> Fuzz:
    """Type so many lines into one session; return what was found."""
    chance = random.Random(seed)
    fuzz = Fuzz()
    with surroundings() as folder:
        lines = Lines(chance, hostile_paths(folder))
        for number in range(count):
            if number % 50 == 0 and chance.random() < 0.3:
                fuzz.type("disconnect")
            if chance.random() < 0.7:
                fuzz.reconnect(chance.choice(CHIPS))
            line = lines.line()
            if number % 10_000 == 0 and number:
                sys.stderr.write(f"{number} lines, {sum(fuzz.findings.values())} findings\n")
            if show:
                sys.stderr.write(f"{number}: {line!r:.200}\n")
            fuzz.session.interactive = chance.random() < 0.5
            fuzz.output.as_json = chance.random() < 0.2
            fuzz.type(line, tab=chance.random() < 0.1)
        fuzz.type("echo alive")
        fuzz.session.close()
    return fuzz


def main() -> int:
    """Run; print findings; return 1 if there are any."""
    parser = argparse.ArgumentParser(description="Fuzz a session with lines.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print each line before it is run")
    options = parser.parse_args()
    began = time.monotonic()
    fuzz = run(options.count, options.seed, show=options.show)
    sys.stdout.write(
        f"{options.count} lines in {time.monotonic() - began:.0f} s, seed {options.seed}: "
        f"{fuzz.failed} failed as they may, {fuzz.interrupted} were interrupted, "
        f"{sum(fuzz.findings.values())} findings of {len(fuzz.findings)} kinds\n"
    )
    for what, times in fuzz.findings.most_common():
        sys.stdout.write(f"{times:6} {what}\n       {fuzz.examples[what]!r:.300}\n")
    return int(bool(fuzz.findings))


if __name__ == "__main__":
    sys.exit(main())
