"""Fetching from an address: https through every redirect, from public servers, in time, and nothing is unpacked."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, responses
from typing import BinaryIO
from urllib.parse import urljoin
from urllib.request import getproxies

from t2iflow.nodes.core.texts import shortened
from t2iflow.nodes.weights import places
from t2iflow.nodes.weights.connection import Answer, patience
from t2iflow.nodes.weights.content import amount
from t2iflow.runner.sharing.address import AddressError, checked
from t2iflow.runner.sharing.public import PublicConnection

REDIRECTS = 5
"""How often servers may point to another address."""
MOVED = (301, 302, 303, 307, 308)
CHUNK = 1 << 20
HEAD = 16
"""Bytes by which a kind of file is known."""
SLOWEST = 64 * 1024
"""Bytes a second; what is slower, beyond the time that a server may be silent, counts as no answer."""
LEADS = 200
"""Letters of a location that a message shows."""
PROXIES = ". Recipes are not fetched through a proxy, as is set here: download it by hand, and run the file"
HEADERS = {"User-Agent": "t2iflow", "Accept": "*/*", "Accept-Encoding": "identity"}


def fetch(url: str, target: BinaryIO, most: Callable[[bytes], int]) -> None:
    """Write what is at an address to a file, at most as many bytes as its beginning allows; AddressError where it can't
    be fetched."""
    if places.offline():
        raise AddressError(f"{places.OFFLINE} forbids fetching anything")
    try:
        with _answer(url) as answer:
            _take(answer, target, most)
    except (OSError, HTTPException) as fault:
        raise AddressError(
            f"it can't be fetched: {_reason(fault)}{PROXIES if getproxies().get('https') else ''}"
        ) from fault


def _reason(fault: Exception) -> str:
    if isinstance(fault, socket.gaierror):
        return "its server's name is unknown, or there is no network"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its server's certificate is refused: {fault.verify_message}"
    return (isinstance(fault, OSError) and fault.strerror) or str(fault) or type(fault).__name__


@contextmanager
def _answer(url: str) -> Iterator[Answer]:
    """The answer of the server that an address leads to in the end."""
    for _ in range(REDIRECTS + 1):
        parts = checked(url)
        connection = PublicConnection(parts.hostname or "", parts.port or 443)
        try:
            connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=HEADERS)
            answer = connection.getresponse()
            assert isinstance(answer, Answer)
            if answer.status not in MOVED:
                yield answer
                return
            url = _joined(url, answer.headers.get("Location", ""))
        finally:
            connection.close()
    raise AddressError(f"it redirects more than {REDIRECTS} times")


def _joined(url: str, location: str) -> str:
    """Where an address leads that a server calls a location, which may be anything."""
    try:
        return urljoin(url, location)
    except ValueError as fault:
        raise AddressError(f"it leads to `{shortened(location, LEADS)}`, which is not an address") from fault


def _take(answer: Answer, target: BinaryIO, most: Callable[[bytes], int]) -> None:
    if answer.status != 200:
        raise AddressError(f"the server answers {answer.status} {responses.get(answer.status, '')}".rstrip())
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise AddressError("the server sends it compressed, which is refused: it could unpack to any size")
    promised, began, done, head = answer.length, time.monotonic(), 0, b""
    while chunk := answer.next(CHUNK):
        target.write(chunk)
        done += len(chunk)
        head += chunk[: HEAD - len(head)]
        if done > (limit := most(head)):
            raise AddressError(f"it is larger than {amount(limit)}")
        if time.monotonic() - began > patience() + done / SLOWEST:
            raise AddressError("the server has become too slow")
    if promised is not None and done < promised:
        raise AddressError(f"it was cut off after {amount(done)} of {amount(promised)}")
