"""Connections to servers that have to answer in time."""

import contextlib
import math
import os
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener, getproxies, proxy_bypass

PATIENCE, LONGEST = 30.0, 86_400.0
"""Seconds without an answer, after which one counts as failed, and how long that may be made."""


_WAITING: set[int] = set()
"""The threads that only wait for files of others."""


def ask(request: Request) -> HTTPResponse:
    """The answer of a server, which is silent for no longer than `patience`."""
    answer: HTTPResponse = build_opener(_Http, _Https).open(request, timeout=patience())
    return answer


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """Within it this thread only waits for files of others, which is nothing that a run that stops must finish."""
    _WAITING.add(threading.get_ident())
    try:
        yield
    finally:
        _WAITING.discard(threading.get_ident())


def waits() -> bool:
    """Whether this thread does."""
    return threading.get_ident() in _WAITING


def proxy(address: str) -> SplitResult | None:
    """The proxy that is asked in place of an address's server, if one is."""
    parts = urlsplit(address)
    said = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
    return urlsplit(said if "//" in said else f"//{said}") if said else None


def patience() -> float:
    """Seconds that a server may be silent: T2IFLOW_TIMEOUT, up to a day, or PATIENCE."""
    with contextlib.suppress(KeyError, ValueError):
        wanted = float(os.environ["T2IFLOW_TIMEOUT"])
        if not math.isnan(wanted):
            return min(max(wanted, 0.01), LONGEST)
    return PATIENCE


@contextlib.contextmanager
def in_time(connection: socket.socket) -> Iterator[None]:
    """Within it a server has `patience` seconds: then the connection ends, and TimeoutError is raised."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)  # an SSLSocket's own would break whoever reads it

    timer = threading.Timer(patience(), hang_up)
    timer.start()
    try:
        yield
    except (OSError, HTTPException, ValueError):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"no answer within {patience():g} seconds")


class Answer(HTTPResponse):
    """An answer whose head comes in time: a server could else say `100 Continue` for ever, or a letter now and then."""

    def __init__(self, connection: socket.socket, *given: Any, **named: Any) -> None:
        super().__init__(connection, *given, **named)
        self._connection = connection

    def begin(self) -> None:
        """Read the head."""
        with in_time(self._connection):
            super().begin()

    def next(self, most: int) -> bytes:
        """What comes next, at most this many bytes; empty at the end."""
        with in_time(self._connection):
            return self.read1(most)


class _Http(HTTPHandler):
    class Connection(HTTPConnection):
        response_class = Answer

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self.Connection, request)


class _Https(HTTPSHandler):
    class Connection(HTTPSConnection):
        response_class = Answer

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self.Connection, request)
