"""The first lines at a terminal: which port is taken, and which chip is there.

Apart from the prompt, whose import takes longer than all of this: a person sees what is waited for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from espshell import __version__
from espshell.link import ports
from espshell.link.ports import PortInfo
from espshell.ops.chip import info as chip
from espshell.records import replace
from espshell.render import render
from espshell.shell.crash import as_error
from espshell.shell.session import Session
from espshell.shell.terminal import background, last_port
from espshell.shell.terminal.background import TerminalInput

_MOST_PORTS = 4
"""How many ports that are no board are named."""


def greet(session: Session) -> TerminalInput:
    """Connect and describe the chip; without an answer of one the shell opens, too.

    Returns what the terminal has sent meanwhile.
    """
    output, terminal = session.output, TerminalInput()
    if output.color and output.chosen_theme == "terminal" and output.theme == "auto":
        with contextlib.suppress(KeyboardInterrupt):
            terminal = background.learn(os.environ)
        output.background = terminal.background
    with background.hidden_answer(terminal):
        output.note(
            f"espshell {__version__}; `help` lists the commands, Tab completes, Ctrl-D leaves"
        )
    if session.target is None:
        try:
            _choose_port(session)
            if session.bench.port:
                with background.hidden_answer(terminal):
                    session.connect(session.bench)
        except (KeyboardInterrupt, EOFError):
            output.note("not connected")
        except Exception as error:  # noqa: BLE001 - whatever it is, the shell opens
            output.error(as_error(error).with_link())
    if session.target is not None:
        # Painted without rich, which is imported while the first line is typed.
        output.write(str(render(chip.info(session.target, with_flash=False), output.view)))
    return terminal


def _choose_port(session: Session) -> None:
    """Take the port of the last time or the only likely board, or let the person choose."""
    if session.bench.port:
        return
    present = ports.list_ports()
    likely = [port for port in present if port.is_likely]
    number = 1
    if (last := last_port.recall(present)) is not None:
        session.output.note(f"using {last.device}, as last time ({last.kind or 'a port'})")
        likely = [last]
    elif not likely:
        _advise(session, present)
    elif len(likely) > 1:
        for index, port in enumerate(likely, 1):
            session.output.note(f"{index}  {port.device}  {port.kind}  {port.serial}")
        answer = input("which board? ").strip()
        number = int(answer) if answer.isdecimal() else 0
    if 1 <= number <= len(likely):
        session.bench = replace(session.bench, port=likely[number - 1].device)


def _advise(session: Session, present: Sequence[PortInfo]) -> None:
    """Say what was looked for in vain, and what to try."""
    others = ", ".join(port.device for port in present[:_MOST_PORTS])
    more = " and more" if len(present) > _MOST_PORTS else ""
    session.output.note(
        "no board found (looked for USB ports of Espressif chips and common bridges)"
        + (f"; there is {others}{more}" if others else "")
    )
    session.output.note(
        "try `ports`, `connect PORT`, `connect sim://demo` (a simulated board), or `help tour`"
    )
