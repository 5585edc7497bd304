"""Boot logs and panics, as the chips print them."""

from __future__ import annotations

import pytest

from espshell.protocol.bootlog import recognise

C3_DOWNLOAD = (
    b"ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n"
    b"rst:0x1 (POWERON),boot:0x5 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n"
)
APPLICATION = (
    b"ets Jul 29 2019 12:21:46\r\n\r\n"
    b"rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nflash read err, 1000\r\n"
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", ""),
        (b"hello from the application", ""),
        (C3_DOWNLOAD, "the chip was reset (POWERON) and waits in download mode"),
        (APPLICATION, "the chip was reset (RTCWDT_RTC_RESET) and runs its application"),
        (
            APPLICATION * 3,
            "the chip is in a boot loop (RTCWDT_RTC_RESET): its flash holds no program",
        ),
        (
            b"Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled."
            + APPLICATION,
            "the application panicked (LoadProhibited)",
        ),
        (b"abort() was called at PC 0x400d", "the application panicked (abort)"),
        (
            b"\r\nBrownout detector was triggered\r\n\r\n" + APPLICATION,
            "the chip had a brown-out: its supply voltage drops",
        ),
        (
            b"rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n",
            "the chip had a brown-out: its supply voltage drops",
        ),
        (
            b"rst:0xf (BROWNOUT_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n" * 3,
            "the chip had a brown-out: its supply voltage drops",
        ),
        (
            b" ets Jan  8 2013,rst cause:2, boot mode:(1,6)\r\n",
            "the chip was reset (cause 2) and waits in download mode",
        ),
        (
            b" ets Jan  8 2013,rst cause:4, boot mode:(3,6)\r\n",
            "the chip was reset (cause 4) and runs its application",
        ),
    ],
)
def test_sentence(text: bytes, sentence: str) -> None:
    """Each kind of text gives one sentence, also with noise around it."""
    assert recognise(text).sentence == sentence
    assert recognise(b"\xff\x00\x80" + text + b"\xc0\x01").sentence == sentence


def test_the_last_reset_counts() -> None:
    """After a reset into the loader it does not matter what ran before."""
    heard = recognise(APPLICATION + C3_DOWNLOAD)

    assert (heard.resets, heard.reason, heard.in_download_mode) == (2, "POWERON", True)
