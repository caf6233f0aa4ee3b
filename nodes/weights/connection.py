"""Connections to servers that have to answer in time."""

import contextlib
import math
import os
import socket
import threading
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener

PATIENCE, LONGEST = 30.0, 86_400.0
"""Seconds without an answer, after which one counts as failed, and how long that may be made."""


def ask(request: Request) -> HTTPResponse:
    """The answer of a server, which is silent for no longer than `patience`."""
    answer: HTTPResponse = _OPENER.open(request, timeout=patience())
    return answer


def patience() -> float:
    """Seconds that a server may be silent: T2IFLOW_TIMEOUT, up to a day, or PATIENCE."""
    with contextlib.suppress(KeyError, ValueError):
        wanted = float(os.environ["T2IFLOW_TIMEOUT"])
        if not math.isnan(wanted):
            return min(max(wanted, 0.01), LONGEST)
    return PATIENCE


class _Answer(HTTPResponse):
    """An answer whose head comes in time: a server could else say `100 Continue` for ever, or a letter now and then."""

    def __init__(self, connection: socket.socket, *given: Any, **named: Any) -> None:
        super().__init__(connection, *given, **named)
        self._connection = connection

    def begin(self) -> None:
        """Read the head."""
        late = threading.Timer(patience(), self._hang_up)
        late.start()
        try:
            super().begin()
        finally:
            late.cancel()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


class _Http(HTTPHandler):
    class Connection(HTTPConnection):
        response_class = _Answer

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self.Connection, request)


class _Https(HTTPSHandler):
    class Connection(HTTPSConnection):
        response_class = _Answer

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(self.Connection, request)


_OPENER = build_opener(_Http, _Https)
