r"""Recognise boot logs, panics and brown-outs in the text of a chip that runs no loader.

Sources: boot messages as in the ESP-IDF guide "Fatal Errors" and the esptool manual "Boot Mode
Selection"; the ESP8266's line as in its SDK's getting-started guide.
"""

from __future__ import annotations

import re

from espshell.records import dataclass

# Compiled when first used, not at every start.
_RESET = (
    rb"rst:0x(?P<code>[0-9a-f]+) \((?P<reason>[^)\r\n]*)\),boot:0x[0-9a-f]+ \((?P<mode>[^\r\n]*)\)"
    rb"|rst cause:(?P<cause>\d+), boot mode:\((?P<mode8266>\d)"
)
_PANIC = rb"Guru Meditation Error: Core +\d+ panic'ed \(([^)\r\n]*)\)"
_ASSERT = rb"(?:abort\(\) was called|assert failed: [^\r\n]*)"
_BROWNOUT = rb"(?i)brownout detector was triggered|rst:0x[0-9a-f]+ \([A-Z_]*BROWN_?OUT"
"""The application's words, and those of a ROM whose application had none left to say."""
_BLANK = rb"invalid header: 0x|flash read err|ets_main\.c|csum err"
_DOWNLOAD_8266 = b"1"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the text of a chip says about its resets and failures."""

    panic: str = ""
    brownout: bool = False
    """Whether the supply voltage has dropped, by the application or by the cause of a reset."""
    blank_flash: bool = False
    resets: int = 0
    reason: str = ""
    """The cause of the last reset, in the chip's words."""
    mode: str = ""
    """The boot mode after the last reset, in the chip's words."""
    in_download_mode: bool = False

    @property
    def sentence(self) -> str:
        """The state of the chip as one clause; empty if the text says nothing about it."""
        if self.panic:
            return f"the application panicked ({self.panic})"
        if self.brownout:
            return "the chip had a brown-out: its supply voltage drops"
        why = f" ({self.reason})" if self.reason else ""
        if self.in_download_mode:
            return f"the chip was reset{why} and waits in download mode"
        if self.resets > 1:
            tail = ": its flash holds no program" if self.blank_flash else ""
            return f"the chip is in a boot loop{why}{tail}"
        if self.resets:
            return f"the chip was reset{why} and runs its application"
        return ""


def recognise(text: bytes) -> Heard:
    """Search the text of a chip for boot logs and panics."""
    panic = re.search(_PANIC, text)
    resets = list(re.finditer(_RESET, text))
    last = resets[-1] if resets else None
    mode = (last["mode"] or last["mode8266"] or b"") if last else b""
    reason = (last["reason"] or b"cause " + (last["cause"] or b"?")) if last else b""
    return Heard(
        panic=_text(panic[1]) if panic else "abort" if re.search(_ASSERT, text) else "",
        brownout=re.search(_BROWNOUT, text) is not None,
        blank_flash=re.search(_BLANK, text) is not None,
        resets=len(resets),
        reason=_text(reason),
        mode=_text(mode),
        in_download_mode=b"DOWNLOAD" in mode.upper() or mode == _DOWNLOAD_8266,
    )


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
