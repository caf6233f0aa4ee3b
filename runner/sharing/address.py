"""An address at which a recipe, a picture or a bundle is published, and the digest that names just one content of it.

https://example.org/fox.yaml#sha256=9f86...
gist:ID@REVISION/fox.yaml
"""

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urlsplit

from t2iflow.nodes.core.texts import shortened

LONGEST = 2000
"""Letters of an address."""
SCHEME = re.compile(r"\s*(?:(https?|gist|ftp|file|data|s3|git|ssh):|[a-z][a-z0-9+.-]+:/)", re.IGNORECASE)
"""How addresses begin, among them those that are refused; the letter of a disk begins none."""
GIST = re.compile(r"gist:(?P<id>[0-9a-f]{1,64})(?:@(?P<revision>[0-9a-f]{7,64}))?(?:/(?P<file>[^/]+))?", re.IGNORECASE)
DIGEST = re.compile(r"sha256=([0-9a-f]{64})", re.IGNORECASE)
SAFE = "/%:=&?~+!$,;'@()*[]"
"""Signs besides letters and digits that a path or query may have as they are."""


class AddressError(ValueError):
    """An address is not one that is taken, or nothing usable is there."""


@dataclass(frozen=True)
class Address:
    """Where something is published; `digest` is the sha256 that it must have, empty where any will do."""

    where: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.where}#sha256={self.digest}" if self.digest else self.where

    def pinned(self, digest: str) -> "Address":
        """The address of this content alone."""
        return replace(self, digest=digest)

    @property
    def gist(self) -> "re.Match[str] | None":
        """The parts of the address of a gist: `id`, `revision` and `file`."""
        return GIST.fullmatch(self.where)

    @property
    def name(self) -> str:
        """What a recipe from there is called: the name of its file, without the ending."""
        last = self.gist["file"] or self.gist["id"] if self.gist else urlsplit(self.where).path
        return re.sub(r"[^\w.-]+", "-", PurePosixPath(unquote(last)).stem).strip("-.")[:60] or "recipe"

    @property
    def shared(self) -> str:
        """The address as others may see it: without a query, which may hold a key."""
        return str(replace(self, where=self.where.partition("?")[0]))


def read(where: str) -> Address | None:
    """The address that this is, None if it is none; AddressError for one that is not taken."""
    if not SCHEME.match(where):
        return None
    place, _, fragment = where.strip().partition("#")
    digest = DIGEST.fullmatch(fragment)
    if fragment and not digest:
        raise AddressError("after `#` only the digest is allowed, as `#sha256=` and 64 hexadecimal digits")
    pinned = digest[1].lower() if digest else ""
    if not place.lower().startswith("gist:"):
        return Address(checked(place).geturl(), pinned)
    if not GIST.fullmatch(place):
        raise AddressError(
            "a gist is written `gist:ID@REVISION`, both hexadecimal, or `gist:ID@REVISION/FILE` if it has several files"
        )
    return Address(f"gist:{place[5:]}", pinned)


def recorded(said: object) -> str:
    """The address that a lock or a picture says it was made from; empty where that says none."""
    try:
        address = read(said) if isinstance(said, str) else None
    except AddressError:
        return ""
    return address.shared if address and address.digest else ""


def checked(url: str) -> SplitResult:
    """The parts of an https address, as a server is asked for it; AddressError for any other."""
    if len(url) > LONGEST:
        raise AddressError(f"the address is longer than {LONGEST} letters")
    if any(sign <= " " or sign in '\\"<>^`{|}' or not sign.isprintable() for sign in url):
        raise AddressError("the address has a character that no address can have, such as a space or a backslash")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").encode("idna").decode()
    except ValueError:  # of a port, brackets or a host's name
        raise AddressError("the address is malformed") from None
    if parts.scheme != "https":
        raise AddressError(f"only `https://` and `gist:` addresses are fetched, not `{shortened(parts.scheme)}:`")
    if "@" in parts.netloc:
        raise AddressError("an address with a user or password in it is not fetched")
    if not host or "%" in host:
        raise AddressError("the address names no server")
    place = f"[{host}]" if ":" in host else host
    return parts._replace(
        netloc=place if port in (None, 443) else f"{place}:{port}",
        path=quote(parts.path, SAFE) or "/",
        query=quote(parts.query, SAFE),
        fragment="",
    )
