"""Results to what a person sees (``text``) and to what a script reads (``to_json``).

Pure: a result goes in, lines or plain values come out; nothing here can touch a port.
"""

from __future__ import annotations

from espshell.render.json import to_json
from espshell.render.text import render

__all__ = ["render", "to_json"]
