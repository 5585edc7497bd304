"""The pictures of the manual: drawn from the program, and as it is today."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest

pytest.importorskip("termios")

import pyte

from scripts import picture
from scripts.svg import THEMES, Drawing, Frame
from scripts.terminal import cells

FILES = [f"{name}-{theme}.svg" for name in picture.NAMES for theme in THEMES]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize("name", picture.NAMES)
def test_a_picture_says_what_the_program_says(name: str) -> None:
    """Typed anew, the session has the same text; `scripts/picture.py NAME` draws it again."""
    assert not picture.is_outdated(name)


def test_pictures_are_small_and_fetch_nothing() -> None:
    """Each is there in both themes, is XML, names no other file, and the recording is small."""
    assert sorted(path.name for path in picture.FOLDER.glob("*.svg")) == sorted(FILES)
    for path in picture.FOLDER.glob("*.svg"):
        text = path.read_text("utf-8")
        assert len(text) < 300_000
        assert ET.fromstring(text).tag.endswith("svg")
        assert re.findall(r"https?://[^\s\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_the_recording_is_a_cast() -> None:
    """A header, then what was written when, in order."""
    head, *events = map(json.loads, (picture.FOLDER / "session.cast").read_text().splitlines())
    assert (head["version"], head["width"], head["height"]) == (2, 80, 24)
    times = [at for at, kind, text in events if kind == "o" and isinstance(text, str)]
    assert times == sorted(times)
    assert len(times) == len(events) > 100


def test_a_moving_picture_shows_each_row_when_it_was_there() -> None:
    """A row is a strip of its states; what comes again is there once."""
    screen = pyte.Screen(4, 1)
    stream = pyte.Stream(screen)
    frames = []
    for second, text in enumerate(("a", "\rb", "\ra")):
        stream.feed(text)
        frames.append(Frame(second, cells(screen)))
    drawn = Drawing("dark", "x", 4, 1).moving(frames, 4, "a & b")
    assert 'values="0,0;0,-18;0,0" keyTimes="0;0.25;0.5"' in drawn
    assert drawn.count(">a</text>") == drawn.count(">b</text>") == 1
    assert "<desc>a &amp; b</desc>" in drawn
