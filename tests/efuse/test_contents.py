"""What words of eFuses mean: numbers, protection, coding, words of the field."""

from __future__ import annotations

import pytest

from espshell.efuse import table as efuse
from espshell.efuse.contents import mac_crc
from espshell.efuse.verdict import Tone, boot, verdict
from tests.efuse.support import Words, contents_of


def text(chip: str, name: str, words: Words) -> str:
    """Return a field's value in words."""
    contents = contents_of(chip, words)
    fuse = contents.table.find(name)
    assert fuse is not None
    return contents.text(fuse)


@pytest.mark.parametrize(
    ("chip", "name", "words", "wanted"),
    [
        ("esp32c3", "SPI_BOOT_CRYPT_CNT", {0x34: 1 << 18}, "on (1 of 3 bits set)"),
        ("esp32c3", "SPI_BOOT_CRYPT_CNT", {0x34: 3 << 18}, "off (2 of 3 bits set)"),
        ("esp32c3", "MAC", {0x44: 0xA1B4C5D6, 0x48: 0x7CDF}, "7c:df:a1:b4:c5:d6"),
        ("esp32c3", "SECURE_VERSION", {0x3C: 7 << 14}, "3 of 16"),
        ("esp32c3", "KEY_PURPOSE_0", {0x34: 4 << 24}, "XTS_AES_128_KEY"),
        ("esp32c3", "UART_PRINT_CONTROL", {0x3C: 1 << 6}, "if GPIO8 is low at reset"),
        ("esp32c3", "TEMP_CALIB", {0x6C: 0x10A << 3}, "-1.0"),
        ("esp32c3", "BLOCK_KEY0", {0x9C: 1}, "32 bytes, readable (--keys shows them)"),
        ("esp32c3", "BLOCK_KEY0", {0x9C: 1, 0x34: 9 << 24}, "01000000" + " 00000000" * 7),
        ("esp32c3", "BLOCK_KEY0", {0x30: 1}, "read-protected"),
        ("esp32", "ADC_VREF", {0x10: 0x11 << 8}, "1093"),
        ("esp32", "CODING_SCHEME", {0x18: 1}, "3/4: 192 bits"),
        ("esp32", "BLOCK1", {0x18: 1}, "blank (24 bytes)"),
        ("esp32", "SPI_PAD_CONFIG_CLK", {0x14: 30}, "32"),
        ("esp32c6", "MAC_EUI64", {0x44: 0x51_6273, 0x48: 0xFFFE_404C}, "40:4c:00:ff:fe:51:62:73"),
        ("esp32c5", "BOOTLOADER_ANTI_ROLLBACK_SECURE_VERSION", {0x30: 0xE000_0080}, "4 of 4"),
    ],
)
def test_values_in_words(chip: str, name: str, words: Words, wanted: str) -> None:
    """A value is said in words of its field."""
    assert text(chip, name, words) == wanted


def test_keys_change_what_is_said_of_keys_alone() -> None:
    """Where keys are shown, too, a field that is none says the same as without."""
    contents = contents_of("esp32c3", {0x3C: 1 << 6, 0x9C: 1})
    fuses = [f for f in contents.table.fuses if contents.text(f) != contents.text(f, keys=True)]
    assert [fuse.name for fuse in fuses] == ["BLOCK_KEY0"]


def test_a_mac_with_its_crc() -> None:
    """An ESP32 keeps a CRC beside its MAC; a wrong one is said, and the right one."""
    right = mac_crc(bytes.fromhex("246f28a1b2c3"))
    words = {0x04: 0x28A1_B2C3, 0x08: 0x246F | right << 16}
    assert text("esp32", "MAC", words).startswith("24:6f:28:a1:b2:c3")
    assert text("esp32", "MAC", words).endswith(": right)")
    assert f"wrong, {right:#04x} is right" in text("esp32", "MAC", words | {0x08: 0x246F})


def test_protection() -> None:
    """WR_DIS ends burning of a group, RD_DIS reading of a block."""
    contents = contents_of("esp32c3", {0x2C: 1 << 4 | 1 << 23, 0x30: 1 << 1})
    find = contents.table.find
    states = [
        (contents.is_writable(fuse), contents.is_readable(fuse))
        for name in ("SPI_BOOT_CRYPT_CNT", "BLOCK_KEY0", "BLOCK_KEY1", "MAC")
        if (fuse := find(name))
    ]
    assert states == [(False, True), (False, True), (True, False), (True, True)]


def test_what_nothing_protects_can_always_be_written() -> None:
    """A field without a bit in WR_DIS is not closed by all of them."""
    contents = contents_of("esp32", {0x00: 0xFFFF})
    open_ones = [f for f in contents.table.fuses if f.protection.write is None]
    assert open_ones
    assert all(map(contents.is_writable, open_ones))
    closed = [f for f in contents.table.fuses if f.protection.write is not None]
    assert not any(map(contents.is_writable, closed))


@pytest.mark.parametrize(("signed", "is_key"), [(False, True), (True, False)])
def test_block_2_of_an_esp32(signed: bool, is_key: bool) -> None:
    """It is a key, but with secure boot of version 2 the digest of a public one."""
    table = contents_of("esp32", {}).table
    fuse, done = table.find("BLOCK2"), table.find("ABS_DONE_1")
    assert fuse is not None
    assert done is not None
    (place,) = done.places
    words = {table.blocks[2].offset: 1}
    if signed:
        words[table.blocks[0].offset + place.first // 32 * 4] = 1 << place.first % 32
    assert contents_of("esp32", words).is_key(fuse) is is_key


def test_errors() -> None:
    """What the controller counts and what it could not correct are said by block."""
    contents = contents_of("esp32c3", {0x180: 5, 0x1C0: 2 << 12, 0x1C4: 8})
    assert contents.errors() == (
        "block 0: copies of 2 bits disagree",
        "block 4: 2 errors, corrected",
        "block 9: 0 errors, not corrected",
    )
    assert contents_of("esp32", {0x11C: 4}).errors() == (
        "blocks 1 to 3: damaged coding (DEC_STATUS 0x4)",
    )
    assert contents_of("esp32c3", {}).errors() == ()


@pytest.mark.parametrize(
    ("chip", "words", "subject", "said", "tone"),
    [
        ("esp32c3", {}, "plain firmware", "yes", Tone.OPEN),
        ("esp32c3", {0x38: 1 << 20}, "plain firmware", "signed: secure boot is on", Tone.CLOSED),
        ("esp32c3", {0x34: 1 << 18}, "flash encryption", "turned off once more", Tone.LIMITED),
        ("esp32", {0x00: 1 << 20}, "flash encryption", "can be turned off 3 times", Tone.LIMITED),
        ("esp32c3", {0x34: 7 << 18}, "flash encryption", "cannot be turned off", Tone.LIMITED),
        ("esp32c3", {0x34: 3 << 18}, "at the last step", "encryption on for good", Tone.LIMITED),
        ("esp32c3", {0x34: 1 << 18, 0x2C: 16}, "flash encryption", "for good", Tone.LIMITED),
        ("esp32c3", {0x3C: 1}, "flashing over UART", "no download mode", Tone.CLOSED),
        ("esp32c3", {0x3C: 1 << 5}, "flashing over UART", "secure download mode", Tone.LIMITED),
        ("esp32c3", {0x30: 1 << 19}, "JTAG", "closed for good (DIS_PAD_JTAG), USB", Tone.LIMITED),
        ("esp32c3", {0x30: 1 << 19 | 1 << 9}, "JTAG", "USB closed", Tone.CLOSED),
        ("esp32c3", {0x30: 1 << 16}, "JTAG", "until the HMAC unit", Tone.LIMITED),
        ("esp32c3", {0x30: 1 << 11}, "USB serial/JTAG", "off", Tone.CLOSED),
        ("esp32c3", {0x3C: 3 << 14}, "rollback", "only versions from 2 on", Tone.LIMITED),
        ("esp32c3", {0x9C: 1}, "keys", "KEY0 USER/EMPTY (readable!)", Tone.LIMITED),
        ("esp32", {0x14: 9}, "flash pins", "CLK 9", Tone.OPEN),
        ("esp32", {0x10: 7 << 14}, "flash voltage", "3.3 V by fuses", Tone.OPEN),
        ("esp32s3", {0x34: 0x50}, "flash voltage", "1.8 V by fuses", Tone.OPEN),
        ("esp8266", {}, "protection", "none", Tone.OPEN),
    ],
)
def test_verdict(chip: str, words: Words, subject: str, said: str, tone: Tone) -> None:
    """Each subject has a sentence that says what the fuses leave, and how much that is."""
    found = {each.subject: each for each in verdict(contents_of(chip, words))}
    assert said in found[subject].text
    assert found[subject].tone is tone


@pytest.mark.parametrize("protected", [False, True])
def test_rd_dis_that_can_still_be_burnt(protected: bool) -> None:
    """With secure boot it could hide the digest; where WR_DIS closes it, nothing is said."""
    words = {0x38: 1 << 20, 0x2C: int(protected)}
    found = {each.subject: each.text for each in verdict(contents_of("esp32c3", words))}
    assert ("RD_DIS can still be burnt" in found["at the last step"]) is not protected


@pytest.mark.parametrize("revoked", range(4))
def test_the_last_signing_key(revoked: int) -> None:
    """That nothing boots without it is said where two of the three are revoked, and only there."""
    words = {0x38: 1 << 20, 0x34: (1 << revoked) - 1 << 21}
    found = {each.subject: each.text for each in verdict(contents_of("esp32c3", words))}
    assert ("two of three signing keys" in found["at the last step"]) is (revoked == 2)


@pytest.mark.parametrize(("version", "is_said"), [(14, False), (15, True), (16, False)])
def test_the_last_bit_of_the_version(version: int, is_said: bool) -> None:
    """It is said while there is one left, and only one."""
    words = {0x3C: (1 << version) - 1 << 14}
    found = {each.subject: each.text for each in verdict(contents_of("esp32c3", words))}
    assert ("SECURE_VERSION has one bit left" in found["at the last step"]) is is_said


def test_early_chips_know_fewer_fuses() -> None:
    """ABS_DONE_1 and UART_DOWNLOAD_DIS close nothing on an ESP32 before revision 3.0."""
    contents = contents_of("esp32", {0x00: 1 << 27, 0x18: 1 << 5})
    subjects = ("flashing over UART", "plain firmware")
    for revision, wanted in (((1, 0), Tone.OPEN), ((3, 0), Tone.CLOSED)):
        found = {each.subject: each.tone for each in verdict(contents, revision)}
        assert [found[subject] for subject in subjects] == [wanted, wanted]


@pytest.mark.parametrize(
    ("chip", "words", "revision", "said"),
    [
        ("esp32c3", {}, (0, 4), "download mode by pins or by software, the ROM's log always"),
        ("esp32c3", {0x30: 1 << 12, 0x3C: 3 << 6}, (0, 4), "pins only, the ROM's log never"),
        ("esp32c3", {0x3C: 1, 0x38: 1 << 20}, (0, 4), "no download mode, signed images only"),
        ("esp32c3", {0x3C: 1 << 5}, (0, 4), "which is the secure one"),
        ("esp32", {0x00: 1 << 27}, (1, 0), "by pins or by software"),
        ("esp32", {0x00: 1 << 27}, (3, 0), "from flash only"),
        ("esp8266", {}, None, ""),
    ],
)
def test_what_fuses_say_about_the_next_boot(
    chip: str, words: Words, revision: tuple[int, int] | None, said: str
) -> None:
    """Whether there is a download mode and who asks for it, what starts, and when the ROM talks."""
    assert said in boot(contents_of(chip, words), revision)


@pytest.mark.parametrize(
    ("name", "bits", "value"),
    [
        ("ADC_VREF", 0b0_0011, 1121),
        ("ADC_VREF", 0b1_0011, 1079),
        ("ADC1_TP_LOW", 1, 282),
        ("ADC1_TP_LOW", -1, 274),
        ("ADC2_TP_HIGH", -3, 3394),
    ],
)
def test_calibrations_with_a_sign(name: str, bits: int, value: int) -> None:
    """In some the highest bit is a minus, in others they are two's complements (esp-idf)."""
    fuse = efuse.of("esp32").find(name)
    assert fuse is not None
    (place,) = fuse.places
    offset = efuse.of("esp32").blocks[place.block].offset
    number = (bits & (1 << place.width) - 1) << place.first
    words = {offset + 4 * n: number >> 32 * n & 0xFFFF_FFFF for n in range(8)}
    assert contents_of("esp32", words).value(fuse) == value
