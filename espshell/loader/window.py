"""Several requests in flight: as many as the loader can hold, and the first fault ends it.

A ROM's UART holds 128 bytes and the ROM may be busy, so at most ``dialect.pipeline_bytes`` of
*encoded* requests are unanswered at any time; then nothing can overflow however slow the ROM is.  A
stub has one request in flight, by the same code: of two that are sent back to back it answers one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from espshell.loader.loader import Loader
from espshell.protocol.packet import Opcode, Response


class Fault(Exception):
    """A run of requests is not to be trusted; ``code`` is the status if a reply was a refusal."""

    def __init__(self, what: str, code: int = 0) -> None:
        super().__init__(what)
        self.code = code


class Window:
    """One run of requests of a kind, until the end or the first fault.

    ``alone`` leaves one request in flight; then, or if ``patient``, no reply counts as late.
    """

    def __init__(
        self,
        loader: Loader,
        opcode: Opcode,
        *,
        payload: int = 0,
        alone: bool = False,
        patient: bool = False,
    ) -> None:
        self._loader = loader
        self._opcode = opcode
        self._body_size = payload + loader.dialect.status_size
        self._limit = 0 if alone else loader.dialect.pipeline_bytes
        self.late_after_s = math.inf if alone or patient else loader.late_after_s
        self.longest_wait_s = 0.0
        self._unanswered: deque[int] = deque()  # encoded sizes
        self._in_flight = 0

    def replies(self, requests: Iterator[bytes], timeout_s: float) -> Iterator[list[Response]]:
        """Send encoded requests as the window allows; yield the replies as they come.

        Raises: Fault if replies are missing, too many, late, damaged, refusals or of another kind.
        """
        link = self._loader.link
        with self._loader.exchange():
            damaged = link.damaged
            waiting = next(requests, None)
            while True:
                batch: list[bytes] = []
                while waiting and self._fits(len(waiting)):
                    batch.append(waiting)
                    self._unanswered.append(len(waiting))
                    self._in_flight += len(waiting)
                    waiting = next(requests, None)
                if batch:
                    link.send(b"".join(batch))
                if not self._unanswered:
                    return
                replies = self._receive(timeout_s)
                if link.damaged != damaged:
                    raise Fault("replies were damaged")
                yield [self._checked(reply) for reply in replies]

    def _fits(self, size: int) -> bool:
        return not self._unanswered or self._in_flight + size <= self._limit

    def _receive(self, timeout_s: float) -> list[Response]:
        link = self._loader.link
        start = link.clock.now()
        wire_s = link.wire_s(2 * self._in_flight + self._body_size * len(self._unanswered))
        replies = link.receive_all(timeout_s + wire_s)
        waited_s = link.clock.now() - start
        self.longest_wait_s = max(self.longest_wait_s, waited_s)
        if not replies:
            raise Fault("no reply")
        if waited_s > self.late_after_s:
            raise Fault("replies were late")
        if len(replies) > len(self._unanswered):
            raise Fault("more replies than requests")
        return replies

    def _checked(self, reply: Response) -> Response:
        self._in_flight -= self._unanswered.popleft()
        if code := self._loader.failure(reply):
            raise Fault("refused", code)
        if reply.opcode != self._opcode or len(reply.body) != self._body_size:
            raise Fault("a reply of another kind")
        return reply
