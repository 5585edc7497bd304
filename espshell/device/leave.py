"""Leaving the loader: into the application, by the lines, by command or by the watchdog.

Which way works depends on how the chip is reached.  Over its own USB-OTG the lines cannot leave
download mode, so the RTC watchdog is let bite; a FORCE_DOWNLOAD_BOOT bit that something has set
would survive the reset, so it is cleared first.  Both are data of the chip.
"""

from __future__ import annotations

import contextlib

from espshell.chips import Quirk
from espshell.device.board import Board
from espshell.errors import EspError, NoReply, PortError, UsageError
from espshell.link import reset
from espshell.link.port import Port
from espshell.loader import spi
from espshell.protocol import flash as frames
from espshell.protocol.commands import RegisterWrite
from espshell.protocol.dialect import STUB

_GONE_S = 0.3  # for an answer that may not have left when the loader goes
_WATCHDOG_S = 0.5  # until it has bitten


def leave(board: Board, after: str) -> None:
    """Leave a chip as ``--after`` says, or by a sequence of one's own.

    Raises: UsageError where that way does not exist on this chip; what the link raises.
    """
    if after == "hard-reset":
        by_reset(board)
    elif after == "soft-reset":
        by_command(board)
    elif after == "watchdog-reset":
        by_watchdog(board)
    elif "|" in after:
        reset.play(board.link.port, reset.parse(after))


def early(board: Board, *, before: str, after: str) -> bool:
    """Leave a chip that was stopped on the way to its stub or rate; return whether it was reset."""
    if after != "soft-reset":  # which needs a loader that is in step
        with contextlib.suppress(EspError):
            leave(board, after)
            return board.link.port.has_lines and not after.startswith("no-reset")
    return half_way(board.link.port, before=before, after=after)


def half_way(port: Port, *, before: str, after: str) -> bool:
    """Leave a chip whose connecting was stopped, by the lines alone; return whether it was reset.

    No loader is in step that could be asked to leave; so a port without lines leaves it as it is,
    and so does a chip that must be reset neither ``before`` nor ``after``.
    """
    is_custom = "|" in after
    may_reset = is_custom or after == "hard-reset" or not before.startswith("no-reset")
    if after.startswith("no-reset") or not may_reset:
        return False
    sequence = reset.parse(after) if is_custom else reset.HARD_RESET
    with contextlib.suppress(PortError):  # there is no chip left to reset
        return reset.play(port, (reset.RELEASE, *sequence))
    return False


def by_reset(board: Board) -> bool:
    """Reset by the lines, or by the watchdog where lines cannot; return whether there was a way."""
    chip, is_secure = board.chip, board.loader.dialect.is_secure
    bit = chip.force_download
    if Quirk.FORCED_DOWNLOAD_STAYS in chip.quirks and bit is not None and not is_secure:
        with contextlib.suppress(EspError):  # a loader that is gone cannot be asked
            board.memory.send([RegisterWrite(bit.address, 0, bit.mask)])
    if board.over_usb_otg and Quirk.OTG_RESET_BY_WATCHDOG in chip.quirks and not is_secure:
        # By the lines the chip would come up in download mode again if its strap says so.
        strap = chip.boot_strap
        if strap is None or strap.of(board.memory.words(strap.address, 1)[0]) == 0:
            by_watchdog(board)
            return True
    return reset.play(board.link.port, reset.HARD_RESET)


def by_command(board: Board) -> None:
    """Start the application by command, without the reset line.

    Raises: UsageError where a stub runs that answers it and stays.
    """
    dialect = board.loader.dialect
    if ignores_commands(board):
        raise UsageError(
            "the flasher stub does not start the application, and this port has no reset line",
            hint="`stub never`, reset the board by hand, then `connect` and `run`",
        )
    if dialect.is_stub:
        with contextlib.suppress(NoReply):
            board.loader.execute(frames.RunUserCode(), timeout_s=_GONE_S)
        return
    if dialect.attach_words:
        spi.attach(board.loader)
    board.loader.execute(frames.FlashBegin(0, 0, dialect.block_size, 0, dialect.flash_begin_words))
    with contextlib.suppress(NoReply):  # it may be gone before its answer has left
        board.loader.execute(frames.FlashEnd(run=True), timeout_s=_GONE_S)


def ignores_commands(board: Board) -> bool:
    """Return whether no command leaves this loader: a v2 stub answers FLASH_END and stays."""
    return board.loader.dialect == STUB


def by_watchdog(board: Board) -> None:
    """Let the RTC watchdog reset the chip. Raises: UsageError where it cannot."""
    chip = board.chip
    if not chip.watchdog_reset:
        loses = Quirk.WATCHDOG_RESET_LOSES_USB in chip.quirks
        why = ": its USB-JTAG/serial port may be gone until plugged in again" if loses else ""
        raise UsageError(f"the {chip.title} cannot be reset by its watchdog{why}")
    board.memory.send(chip.watchdog_reset)
    board.link.clock.sleep(_WATCHDOG_S)
