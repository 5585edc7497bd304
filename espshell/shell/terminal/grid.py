"""`sr edit`: status registers as a grid at the terminal, where bits are toggled one by one.

``Grid`` is what happens when keys are pressed and knows no screen; ``lines`` draws it; ``edit`` is
the little that needs a terminal.  Nothing is sent: what comes back are settings, which go the same
way as those that were typed.  They are fields (``BP=5``) and only those that differ, so that bits
that changed by themselves meanwhile are not put back.

What is surprising: a combination can be refused although each of its bits can be toggled, and the
other way round (of two candidates BP=7 may be certain and BP=3 not).  So bits are locked by what
they are, and the plan of all of it is made anew at every key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from espshell.errors import UsageError
from espshell.nor import plan
from espshell.nor.layout import WIDTH, Bit, BitGroup, BitKind, RegisterLayout
from espshell.nor.plan import StatusPlan
from espshell.nor.protection import LockMode
from espshell.nor.settings import Setting
from espshell.ops.status.registers import Status
from espshell.records import replace
from espshell.render import cells
from espshell.render.document import Block, Document, Labelled, Styled, Text
from espshell.render.status.change import fields_text
from espshell.render.status.registers import protection
from espshell.render.view import COLUMNS, View

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

Answer = tuple[Setting, ...] | None
"""What to set; empty: nothing; None: the person has left."""

KEYS = "arrows move, space toggles, u undoes all, Enter reviews, Escape leaves"

_KEYS = Text(Styled(KEYS, "hint"))
_ROWS = 24
_ABOUT_ROWS = 3  # at least, so that the picture does not jump with every step
_FREEZES = (LockMode.POWER_CYCLE, LockMode.PERMANENT)


class Grid:
    """Registers, a cursor on one of their bits, and the bits that were toggled."""

    def __init__(self, status: Status, *, volatile: bool = False) -> None:
        self.status = status
        self.registers = tuple(
            row for row in status.part.layout.registers if row.name in status.registers
        )
        self.row = 0
        self.position = WIDTH - 1
        self.values = dict(status.registers)
        """What the registers shall hold."""
        self._volatile = volatile
        self.plan = self._planned()
        """The plan of all of it."""

    @property
    def register(self) -> RegisterLayout:
        """The register in which the cursor is."""
        return self.registers[self.row]

    @property
    def bit(self) -> Bit:
        """The bit on which the cursor is."""
        return self.register.bits[self.position]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The fields whose value is another one now."""
        settings = []
        for field in self.status.part.layout.fields:
            before, after = field.value(self.status.registers), field.value(self.values)
            if after is not None and before != after:
                settings.append(Setting(field.name, after))
        return tuple(settings)

    def move(self, rows: int, bits: int) -> None:
        """Move the cursor down by rows and left by bits, as far as there is something."""
        self.row = min(max(self.row + rows, 0), len(self.registers) - 1)
        self.position = min(max(self.position + bits, 0), WIDTH - 1)

    def toggle(self) -> bool:
        """Change the bit below the cursor; False if it cannot be."""
        if self.locked(self.bit):
            return False
        self.values[self.register.name] ^= self.bit.mask
        self.plan = self._planned()
        return True

    def undo(self) -> None:
        """Make all bits what they were."""
        self.values = dict(self.status.registers)
        self.plan = self._planned()

    def locked(self, bit: Bit) -> str:
        """Say why a bit cannot be toggled; empty if it can."""
        status, part = self.status, self.status.part
        if bit.kind is BitKind.READ_ONLY:
            return "read-only: the flash sets it"
        if bit.kind is BitKind.RESERVED:
            return "reserved: it stays as it was read"
        if bit.kind is BitKind.OPEN:
            return f"candidates differ about it ({part.name}); --part says which it is"
        if status.identified.doubts:
            return status.identified.doubts[0]
        if status.lock in _FREEZES:
            return f"lock mode {status.lock.value}: {status.lock.text}"
        if bit.register not in part.written:
            return f"espshell does not write {bit.register} of {part.name}"
        if bit.kind is BitKind.ONE_WAY and status.registers[bit.register] & bit.mask:
            return "one-way: it is 1 and stays 1"
        return ""

    def field(self, bit: Bit) -> BitGroup | None:
        """Return the field that a bit belongs to."""
        fields = self.status.part.layout.fields
        return next((field for field in fields if bit in field.bits), None)

    def _planned(self) -> StatusPlan:
        before, identified = self.status.registers, self.status.identified
        return plan.make(identified, before, self.settings, volatile=self._volatile)


def lines(grid: Grid, view: View, *, rows: int = _ROWS) -> list[str]:
    """Return the picture, of at most so many rows; what matters least is left out first."""
    status = grid.status
    names = f"{status.identified.jedec_id:06x}  {'/'.join(status.part.names)}"
    head, keys = _drawn(view, [Labelled("flash", names)])[:1], _drawn(view, [_KEYS])
    bits, about = _drawn(view, _bits(grid)), _drawn(view, _about(grid))
    about += [""] * (_ABOUT_ROWS - len(about))
    after = [*about, *_drawn(view, _changes(grid))]
    plan, size = grid.plan.after, status.identified.size
    for partitions, blank in ((view.partitions, [""]), (view.partitions, []), (None, [])):
        protected = _drawn(view, protection(plan, size, partitions, view))
        picture = [*head, *blank, *bits, *blank, *after, *protected, *blank, *keys]
        if len(picture) <= rows:
            return picture
    room = rows - len(bits) - len(after) - 1
    return [*bits, *after, *protected[: max(room, 0)], *keys][-rows:]


def edit(
    status: Status, view: View, *, volatile: bool = False, recolored: Callable[[str], str] = str
) -> Answer:
    """Let a person toggle bits at the terminal; blocks until Enter, Escape or Ctrl-C.

    volatile: whether what comes of it will be written so; what is refused then is told at once.
    recolored: puts the colours of a theme into painted text.

    Returns settings for ``plan.make``; empty if nothing was changed; None if the person left.

    Raises: UsageError if the terminal has less than 80 columns.
    """
    from prompt_toolkit.application.current import get_app_session

    columns = get_app_session().output.get_size().columns
    if columns < COLUMNS:
        raise UsageError(
            f"the grid needs {COLUMNS} columns, and the terminal has {columns}",
            hint="widen it, or use `sr set NAME=VALUE`",
        )
    edited = Grid(status, volatile=volatile)
    try:
        return _application(edited, replace(view, width=COLUMNS), recolored).run()
    except EOFError:  # the terminal is gone: nobody can have meant to change anything
        return None


# --- the picture


def _drawn(view: View, blocks: Iterable[Block]) -> list[str]:
    return str(Document(lambda _: blocks, view)).splitlines()


def _bits(grid: Grid) -> Iterator[Block]:
    yield cells.ruler()
    for row, register in enumerate(grid.registers):
        before, now = grid.status.registers[register.name], grid.values[register.name]
        changed = before ^ now
        locked = sum(bit.mask for bit in register.bits if grid.locked(bit))
        cursor = grid.position if row == grid.row else None
        yield cells.names(register, locked=locked)
        if changed:
            yield cells.values(register, before, caption="before", changed=changed)
        caption = "after" if changed else ""
        yield cells.values(register, now, caption=caption, changed=changed, cursor=cursor)
        if changed:
            yield cells.carets(changed)


def _about(grid: Grid) -> Iterator[Block]:
    """Yield the purpose of the bit below the cursor, its hazard, and the reason of a lock."""
    bit, field = grid.bit, grid.field(grid.bit)
    place = f"{bit.register}.{bit.position}"
    if field is None:
        yield Labelled(place, bit.name.replace("-", "no name"))
    else:
        value = field.text(field.value(grid.values) or 0)
        yield Labelled(place, f"{field.name}={value}: {field.meaning}")
        if field.hazard:
            yield Labelled("danger", field.hazard, style="warning")
    if reason := grid.locked(bit):
        yield Labelled("locked", reason, style="note")


def _changes(grid: Grid) -> Iterator[Block]:
    yield Labelled("changes", fields_text(grid.plan) or "none")
    confirmations = (f"{c.name} ({c.kind.value})" for c in grid.plan.confirmations)
    if names := ", ".join(confirmations):
        yield Labelled("asks for", names, style="warning")
    for text in grid.plan.refusals[:1]:
        yield Labelled("refused", text, style="error")


# --- the terminal


def _application(
    grid: Grid, view: View, recolored: Callable[[str], str]
) -> Application[tuple[Setting, ...] | None]:
    from prompt_toolkit.application import Application, get_app
    from prompt_toolkit.formatted_text import ANSI
    from prompt_toolkit.layout import FormattedTextControl, Layout, Window
    from prompt_toolkit.output import ColorDepth

    def picture() -> str | ANSI:
        rows = get_app().output.get_size().rows
        text = "\n".join(lines(grid, view, rows=rows))
        return ANSI(recolored(text)) if view.color else text

    control = FormattedTextControl(picture, focusable=True, show_cursor=False)
    application: Application[tuple[Setting, ...] | None] = Application(
        layout=Layout(Window(control, always_hide_cursor=True)),
        key_bindings=_bindings(grid),
        color_depth=None if view.color else ColorDepth.MONOCHROME,
        erase_when_done=True,
    )
    application.ttimeoutlen = 0.05  # a lone Escape is that key after this time (seconds)
    return application


def _bindings(grid: Grid) -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()
    moves = {"up": (-1, 0), "down": (1, 0), "left": (0, 1), "right": (0, -1)}
    for key, (rows, bits) in moves.items():
        bindings.add(key)(lambda _, rows=rows, bits=bits: grid.move(rows, bits))
    bindings.add(" ")(lambda _: grid.toggle())
    bindings.add("u")(lambda _: grid.undo())

    @bindings.add("enter")
    def review(event: KeyPressEvent) -> None:
        if not grid.plan.refusals:
            event.app.exit(result=grid.settings)

    bindings.add("escape", eager=True)(lambda event: event.app.exit(result=None))
    bindings.add("c-c")(lambda event: event.app.exit(result=None))
    return bindings
