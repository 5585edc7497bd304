"""The elements of an SVD file that matter, parsed within limits.

Files come from strangers.  Expat of the standard library does the parsing; a document type, without
which there are no entities of any kind, ends it before one is defined, and the number of elements,
their depth and the length of a text are bounded.  This is all that defusedxml would do, so it is
not needed.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from espshell.errors import UsageError, printable

MOST_ELEMENTS = 250_000
"""Elements of any kind; the SVD of an ESP32-P4 has 67,000."""
MOST_DEPTH = 40
MOST_TEXT = 4096
"""Characters of one text."""

_KEPT = {
    *("device", "peripherals", "peripheral", "registers", "register", "cluster", "fields", "field"),
    *("enumeratedValues", "enumeratedValue", "name", "description", "value", "baseAddress"),
    *("addressOffset", "access", "size", "resetValue", "readAction", "dim", "dimIncrement"),
    *("dimIndex", "bitOffset", "bitWidth", "bitRange", "lsb", "msb"),
}


class Reader:
    """Builds the tree of what matters, within the limits."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = self._elements = self._size = 0
        self._skipped = 0  # elements around that do not matter

    def read(self, data: bytes) -> Element:
        """Return the root element. Raises: UsageError."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = self._text, self._refuse
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, LookupError, ValueError) as error:  # an encoding that is none
            raise UsageError(f"not valid XML: {printable(str(error))}") from error
        return self._builder.close()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MOST_DEPTH:
            raise UsageError(f"it nests elements more than {MOST_DEPTH} deep")
        if self._elements > MOST_ELEMENTS:
            raise UsageError(f"it has more than {MOST_ELEMENTS} elements")
        if self._skipped or (tag not in _KEPT and self._depth > 1):
            self._skipped += 1
            return
        self._size = 0
        model = attributes.get("derivedFrom", "")[:MOST_TEXT]
        self._builder.start(tag, {"derivedFrom": model} if model else {})

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._skipped:
            self._skipped -= 1
        else:
            self._builder.end(tag)

    def _text(self, characters: str) -> None:
        room = MOST_TEXT - self._size
        if not self._skipped and room > 0:
            self._builder.data(characters[:room])
        self._size += len(characters)

    def _refuse(self, *_: object) -> None:
        raise UsageError("it has a document type, which no SVD file needs")
