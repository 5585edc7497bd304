"""Results to what a person sees (``render``) and to what a script reads (``to_json``).

Pure: a result goes in, a renderable or plain values come out; nothing here can touch a port.
"""

from __future__ import annotations

from espshell.render.forms import render, to_json
from espshell.render.view import View

__all__ = ["View", "render", "to_json"]
