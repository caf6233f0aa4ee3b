"""Connections to public servers alone, so that no address or redirect reaches into this machine or its network.

A name is resolved once; each of its addresses must be public, and one of just these is connected to: a second answer of
the name's server could be another. Proxies are not used, because what they connect to can't be checked.
"""

import socket
import ssl
from http.client import HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from t2iflow.nodes.weights.connection import Answer, in_time, patience
from t2iflow.runner.sharing.address import AddressError

TRANSLATED = IPv6Network("64:ff9b::/96")
"""Where networks of IPv6 alone show those of IPv4: the last 32 bits are the real address (RFC 6052)."""


class PublicConnection(HTTPSConnection):
    """A connection to a public server, which must answer in time."""

    response_class = Answer

    def __init__(self, host: str, port: int) -> None:
        self._secured = trusting()
        super().__init__(host, port, timeout=patience(), context=self._secured)

    def connect(self) -> None:
        """Connect to one of the addresses that were checked, and see by its certificate that it is the server."""
        plain = _connected(self.host, self.port)
        try:
            with in_time(plain):
                self.sock = self._secured.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network."""
    ip = ip_address(address.partition("%")[0])
    inner = _inner(ip)
    if inner is not None:
        return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def trusting() -> ssl.SSLContext:
    """Whose certificates are believed: the system's."""
    return ssl.create_default_context()


def _inner(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for."""
    if isinstance(ip, IPv4Address):
        return None
    return IPv4Address(int(ip) & 0xFFFFFFFF) if ip in TRANSLATED else ip.ipv4_mapped or ip.sixtofour


def _connected(host: str, port: int) -> socket.socket:
    fault: OSError | None = None
    for family, kind, protocol, place in _resolved(host, port):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(patience())
            made.connect(place)
            return made
        except BaseException as why:
            made.close()
            if not isinstance(why, OSError):
                raise
            fault = why
    raise fault or OSError("it has no address")


def _resolved(host: str, port: int) -> list[tuple[int, int, int, Any]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, place in found:
        if not is_public(str(place[0])):
            raise AddressError(f"`{host}` is in a private network or this machine, and only public servers are allowed")
    return [(family, kind, protocol, place) for family, kind, protocol, _, place in found]
