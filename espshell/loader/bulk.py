"""Sixteen words a round trip: the handler for READ_MEMORY is believed after a known answer.

The value of a reply is the address plus all words in it.  So a bit that flips, in the request or in
the reply, is seen, and so is a reply that answers another request.  ``plugins.install`` puts the
handler into the stub.
"""

from __future__ import annotations

from espshell.errors import EspError
from espshell.loader.loader import Loader
from espshell.protocol.commands import ReadMemory
from espshell.units import WORD


def enable(loader: Loader) -> bool:
    """Have long reads go through the handler, if it reads what READ_REG reads.

    The words that are compared are the connection's markers, so it costs one round trip.  Whatever
    goes wrong, the loader is as good as without it.
    """
    start = min(marker.address for marker in loader.markers)
    try:
        data = loader.execute(ReadMemory(start, ReadMemory.MOST))
    except EspError:
        return False
    expected = {marker.address - start: marker.value for marker in loader.markers}
    loader.has_bulk_read = all(
        int.from_bytes(data[at : at + WORD], "little") == value
        for at, value in expected.items()
        if at < len(data)
    )
    return loader.has_bulk_read
