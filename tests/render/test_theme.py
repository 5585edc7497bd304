"""The themes: contrast, and what stands for what."""

from __future__ import annotations

import re

import pytest
from prompt_toolkit.styles.defaults import PROMPT_TOOLKIT_STYLE

from espshell.render.theme import STYLES, THEMES, chosen, paint, recolored, rich_style
from espshell.shell.terminal import highlight

LEAST = 4.5
"""WCAG 2.2, success criterion 1.4.3: the contrast of text."""

BACKGROUNDS = {
    "dark": ["#000000", "#1e1e1e", "#002b36", "#282a36", "#300a24"],
    "light": ["#ffffff", "#fdf6e3", "#eeeeee", "#fafafa"],
}
"""Black and white, and those of VS Code, Solarized, Dracula, Ubuntu and One Light."""


UNUSED = {"cursor-column", "color-column", "line-number", "tilde"}
"""Classes of prompt_toolkit's that belong to editors."""


def luminance(color: str) -> float:
    """Return the relative luminance of a colour. Source: WCAG 2.2, definitions."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21. Source: WCAG 2.2, definitions."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula() -> None:
    """Black on white is 21, and #767676 on white just enough, as the WCAG's own notes say."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    ("theme", "background"), [(name, b) for name, all_of in BACKGROUNDS.items() for b in all_of]
)
def test_contrast(theme: str, background: str) -> None:
    """Every colour of a theme can be read on every background that it is for."""
    for name, codes in STYLES.items():
        for index in re.findall(r"38;5;(\d+)", THEMES[theme].get(codes, "")):
            ratio = contrast(highlight.rgb_text(int(index)), background)
            assert ratio >= LEAST, (name, index, ratio)


@pytest.mark.parametrize("theme", BACKGROUNDS)
def test_contrast_of_menus(theme: str) -> None:
    """A menu brings its own background along."""
    text, background, current, chosen_background = highlight._MENUS[theme]
    assert contrast(text, background) >= LEAST
    assert contrast(current, chosen_background) >= LEAST


@pytest.mark.parametrize("theme", ["dark", "light", "mono"])
def test_nothing_is_left_to_the_terminal(theme: str) -> None:
    """Every style has its place in a theme, and none is one of the 16 colours or dim."""
    for codes in filter(None, STYLES.values()):
        shown = re.sub(r"38;5;(?:1\d\d|2\d\d|1[6-9]|[2-9]\d)", "", THEMES[theme][codes])
        assert set(filter(None, shown.split(";"))) <= {"1", "3", "4", "7"}
        assert theme != "mono" or "38;5" not in THEMES[theme][codes]


@pytest.mark.parametrize("theme", THEMES)
def test_every_class_of_the_prompt_is_ours(theme: str) -> None:
    """No default of prompt_toolkit or pygments is left where the prompt shows a colour."""
    rules = dict(highlight.prompt_style(theme).style_rules)
    assert {f"espsh.{name}" for name in highlight._STYLES.values()} <= set(rules)
    shown = " ".join(rules.values())
    assert "ansi" not in shown or theme == "terminal"
    theirs = {name for name, style in PROMPT_TOOLKIT_STYLE if re.search("#|ansi", style)}
    assert {name for name in theirs - set(rules) if "fuzzymatch" not in name} == UNUSED


@pytest.mark.parametrize(
    ("theme", "environment", "name"),
    [
        ("auto", {"COLORFGBG": "15;0", "TERM": "xterm-256color"}, "dark"),
        ("auto", {"COLORFGBG": "0;15", "TERM": "xterm-256color"}, "light"),
        ("auto", {"COLORFGBG": "0;default;15", "TERM": "rxvt", "COLORTERM": "rxvt"}, "light"),
        ("auto", {"COLORFGBG": "15;8", "TERM": "xterm-256color"}, "dark"),
        ("auto", {"COLORFGBG": "12;7", "TERM": "xterm-256color"}, "light"),
        ("auto", {"COLORFGBG": "15;0", "TERM": "linux"}, "terminal"),
        ("auto", {"COLORFGBG": "15;default", "TERM": "xterm-256color"}, "terminal"),
        ("auto", {"TERM": "xterm-256color"}, "terminal"),
        ("light", {"COLORFGBG": "15;0"}, "light"),
    ],
)
def test_chosen(theme: str, environment: dict[str, str], name: str) -> None:
    """The background decides where the terminal tells it; a choice of a person's stands."""
    assert chosen(theme, environment) == name


def test_recolored() -> None:
    """Results are painted with names of colours, for which the theme puts its own."""
    painted = paint("ff", "error") + " " + paint("00", "byte.zero")
    assert recolored(painted, "terminal") == painted
    assert recolored(painted, "dark") == "\x1b[1;38;5;210mff\x1b[0m \x1b[38;5;247m00\x1b[0m"
    assert recolored(paint("00", "note"), "mono") == "00\x1b[0m"
    assert recolored("\x1b[0;34mof the chip", "dark") == "\x1b[0;34mof the chip"


@pytest.mark.parametrize("theme", THEMES)
def test_rich_has_the_same(theme: str) -> None:
    """What rich writes by itself, as progress bars, is in the colours of the theme."""
    for name in STYLES:
        shown = recolored(paint("ff", name), theme).replace("ff\x1b[0m", "ff")
        assert rich_style(name, theme).render("ff").removesuffix("\x1b[0m") == shown
