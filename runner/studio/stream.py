"""The one stream of events: whoever listens has a queue, and hears everything that happens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeAlias

from t2iflow.runner.studio.plain import written
from t2iflow.runner.studio.refused import Refused

LISTENERS, BEHIND = 24, 500
"""How many may listen, and how many events one may be behind before it has to begin anew."""
BEAT = 15.0
"""Seconds after which a silent stream says that it is alive, and learns whether anybody is there."""

Event: TypeAlias = tuple[str, Any]
"""What happened, and what there is to say of it."""


class Stream:
    """Hands events, which may come from any thread, to all who listen."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[str | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._queues)

    def tell(self, event: str, data: Any) -> None:
        """Let everybody know."""
        if self._loop and self._queues:
            text = _written(event, data)
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._hand_out, text)

    def close(self) -> None:
        """End all streams; in the loop's own thread."""
        self._closed = True
        self._hand_out(None)

    def listen(self, first: Callable[[], Iterable[Event]]) -> AsyncIterator[str]:
        """What a listener is sent, which begins with these events; Refused if too many listen."""
        if len(self._queues) >= LISTENERS:
            raise Refused(503, f"{LISTENERS} pages are open already; close some")
        self._loop = asyncio.get_running_loop()
        queue: asyncio.Queue[str | None] = asyncio.Queue(BEHIND)
        self._queues.add(queue)
        return self._sent(queue, first)

    async def _sent(
        self, queue: "asyncio.Queue[str | None]", first: Callable[[], Iterable[Event]]
    ) -> AsyncIterator[str]:
        try:
            yield "retry: 1000\n\n"
            for event, data in await asyncio.to_thread(lambda: list(first())):
                yield _written(event, data)
            while not self._closed:
                try:
                    text = await asyncio.wait_for(queue.get(), BEAT)
                except (TimeoutError, asyncio.TimeoutError):
                    text = ": alive\n\n"
                if text is None:
                    return
                yield text
        finally:
            self._queues.discard(queue)

    def _hand_out(self, text: str | None) -> None:
        for queue in list(self._queues):
            is_late = queue.full()
            if is_late:  # it begins anew, with what is so by then
                self._queues.discard(queue)
                queue.get_nowait()
            queue.put_nowait(None if is_late else text)


def _written(event: str, data: Any) -> str:
    return f"event: {event}\ndata: {written(data)}\n\n"
