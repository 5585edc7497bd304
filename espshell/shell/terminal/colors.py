"""What the prompt looks like: its classes of text, each in a colour of the theme."""

from __future__ import annotations

import re

from prompt_toolkit.styles import Style

from espshell.render.theme import STYLES, THEMES

_MENUS = {
    "dark": ("#d0d0d0", "#303030", "#ffffff", "#005f87"),
    "light": ("#303030", "#e4e4e4", "#ffffff", "#005f87"),
}
"""Text and background of a menu, then of its chosen row; elsewhere it is reverse."""

# What prompt_toolkit would else show in colours of its own.
_MENU_PARTS = (
    "completion-menu",
    "completion-menu.completion",
    "completion-menu.meta.completion",
    "completion-toolbar.completion",
)
_MENU_REST = (
    "completion-menu.multi-column-meta",
    "completion-toolbar",
    "completion-toolbar.arrow",
    "scrollbar.background",
)
_RECEDE = ("aborting", "exiting", "auto-suggestion", "tab", "trailing-whitespace")
_ODD = ("control-character", "nbsp", "digraph")
_MARKED = (
    "search",
    "matching-bracket.cursor",
    "matching-bracket.other",
    "multiple-cursors",
    "validation-toolbar",
    "window-too-small",
)


def prompt_style(theme: str) -> Style:
    """Return the style of the prompt: every class that it can show, in colours of a theme."""
    styles = {name: attributes(THEMES[theme].get(codes, "")) for name, codes in STYLES.items()}
    rules = {f"espsh.{name}": style for name, style in styles.items()}
    rules |= {"bottom-toolbar": "noreverse", "bottom-toolbar.usage": styles["hint"]}
    for name, style in (("note", _RECEDE), ("warning", _ODD), ("changed", _MARKED)):
        rules |= dict.fromkeys(style, f"noinherit {styles[name]}")
    menu = _MENUS.get(theme)
    rest = "noinherit " + (f"{menu[0]} bg:{menu[1]}" if menu else "reverse")
    current = "noinherit " + (f"{menu[2]} bg:{menu[3]}" if menu else "bold")
    for part in _MENU_PARTS:
        rules[part] = rest
        rules[f"{part}.current"] = current
    rules |= dict.fromkeys(_MENU_REST, rest) | {"scrollbar.button": current}
    return Style.from_dict(rules)


def attributes(codes: str) -> str:
    """Return SGR codes as prompt_toolkit has them."""
    words = {"1": "bold", "2": "dim", "3": "italic", "4": "underline", "7": "reverse"}
    names = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "gray")
    if indexed := re.search(r"38;5;(\d+)", codes):
        codes = codes.replace(indexed[0], "")
    parts = [code for code in codes.split(";") if code]
    styles = [words.get(code) or f"fg:ansi{names[int(code) - 30]}" for code in parts]
    return " ".join([*styles, rgb_text(int(indexed[1]))] if indexed else styles)


def rgb_text(index: int) -> str:
    """Return a colour of xterm's palette, 16 to 255: a cube of six levels, then greys."""
    if index >= 232:
        return "#" + f"{8 + 10 * (index - 232):02x}" * 3
    levels = (0, 95, 135, 175, 215, 255)
    cube = index - 16
    return "#" + "".join(f"{levels[cube // step % 6]:02x}" for step in (36, 6, 1))
