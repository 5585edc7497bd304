"""Lines without a command: ``!COMMAND`` of the system, and at the prompt an expression alone.

An expression alone means ``print EXPRESSION``.

Scripts have no such lines: there a command is always named.  At the prompt a command, the unique
beginning of one and an alias come first: ``GPIO`` is the command, ``(GPIO)`` and ``GPIO.IN`` are
expressions.  A line that begins with a letter is one only if the chip knows all of its names, so
that a mistyped command stays a mistyped command.
"""

from __future__ import annotations

import re
import shlex

from espshell.errors import EspError, UsageError
from espshell.shell.language import expr, grammar
from espshell.shell.registry import COMMANDS
from espshell.shell.session import Session

_ADDRESSED = re.compile(r"(\w+)\s+([0-9a-f]{8})(?![\w.])")
_FIRST = re.compile(r"""[\w$(\['~]|-\s*[\d($\[]""")
"""What an expression begins with; ``-NAME`` is a command whose failure does not matter."""


def as_command(session: Session, text: str) -> str:
    """Return a line as one of a command: of ``print`` if it is an expression, or of ``!``."""
    if (line := text.strip()).startswith("!") and line[1:].strip():
        return f"! {shlex.quote(line[1:].strip())}"
    if not (session.interactive and _FIRST.match(line)):
        return text  # with its indentation, by which errors count their columns
    text = line
    if _is_command(session, text):
        return _with_address(session, text)
    line = f"print {text}"
    try:
        (command,) = grammar.parse_line(line, rest_is_expression=lambda name: name == "print")
        source = command.rest_word(0).expand_raw(session.variables)
        names = expr.parse(source).names()
        is_known = not source[:1].isalpha() or all(map(session.scope.knows, names))
    except (EspError, ValueError):
        return text
    return line if is_known and not _is_command(session, source) else text


def _with_address(session: Session, text: str) -> str:
    """Return a command with ``0x`` before an address as a dump prints it: ``peek 3fc90000``.

    Eight digits in decimal are the address of nothing on any chip.
    """
    match = _ADDRESSED.match(text)
    chip = session.target.chip if session.target else None
    if match is None or chip is None or (verb := COMMANDS.get(match[1])) is None:
        return text
    digits = match[2]
    takes_place = verb.params and verb.params[0].type.kind in ("place", "region", "address")
    if not takes_place or chip.region_at(int(digits, 16)) is None:
        return text
    return f"{text[: match.start(2)]}0x{text[match.start(2) :]}"


def _is_command(session: Session, text: str) -> bool:
    """Return whether a line begins with a command, an alias, or what several commands begin with.

    A number or a variable does not.
    """
    first = re.split(r"[\s;]", text, maxsplit=1)[0]
    if first in session.aliases or not first[:1].isalpha():
        return first in session.aliases
    try:
        COMMANDS.find(first, prefixes=True)
    except UsageError as error:
        return not error.message.startswith("unknown command")
    return True
