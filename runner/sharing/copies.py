"""What was fetched: a copy in the cache for each digest, and what it is by its content."""

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from t2iflow.nodes.core.caches import cache_folder, forget_old
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.nodes.pictures import endings
from t2iflow.nodes.weights.content import sha256
from t2iflow.pipelines.text.yaml_reader import MAX_BYTES
from t2iflow.runner.sharing import gist
from t2iflow.runner.sharing.address import Address, AddressError
from t2iflow.runner.sharing.fetching import fetch

MOST = 256_000_000
"""Bytes of a picture, film or bundle."""
BUNDLE = "bundle.zip"
"""The name of a copy of a bundle."""
PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml)", re.IGNORECASE)
GIST_PAGE = re.compile(r"https://gist\.github\.com/(?:[^/]+/)?([0-9a-f]{20,})(?:/([0-9a-f]{40}))?/?")
ON_GITHUB = re.compile(r"https://github\.com/([^/]+/[^/]+)/blob/(.+)")


@dataclass(frozen=True)
class Copy:
    """What was at an address: its digest, and its file in the cache, alone in a folder."""

    path: Path
    digest: str

    @property
    def carries(self) -> bool:
        """Whether it is a picture, film or bundle, in which the recipe is to be found."""
        return self.path.name != RECIPE


def copy(address: Address) -> Copy:
    """What is at an address, fetched unless its digest names what is here already; AddressError where it can't be
    fetched, is nothing that we read, or not what its digest names."""
    kept = _kept(address.digest) if address.digest else None
    return kept or _fetched(address)


def _kept(digest: str) -> Copy | None:
    """The copy of this digest, if it is here and unharmed."""
    folder = _cache() / digest
    for path in sorted(folder.glob("*")):
        if sha256(path) == digest:
            with suppress(OSError):  # of a cache that is only read
                os.utime(folder)
            return Copy(path, digest)
    return None


def _fetched(address: Address) -> Copy:
    url = gist.raw(address.gist) if address.gist else address.where
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    forget_old(cache)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache) as place:
        fresh = Path(place) / "fetched"
        with fresh.open("xb") as file:
            fetch(url, file, _most)
        digest = sha256(fresh)
        if address.digest not in ("", digest):
            raise AddressError(f"it is not what its digest names: its sha256 is {digest}")
        path = cache / digest / _name(fresh, address.where)
        path.parent.mkdir(exist_ok=True)
        os.replace(fresh, path)
    return Copy(path, digest)


def _most(head: bytes) -> int:
    return MOST if _kind(head) else MAX_BYTES


def _kind(head: bytes) -> str | None:
    """The name of a copy that begins like this, if it carries a recipe."""
    ending = endings.known(head)
    if ending == endings.ZIP:
        return BUNDLE
    return ending and f"{'film' if ending in endings.FILMS else 'picture'}{ending}"


def _name(path: Path, where: str) -> str:
    """What a fetched file is, as the name of its copy; AddressError for what holds no recipe."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES)
    if name := _kind(content):
        return name
    if PAGE.match(content):
        raise AddressError("it is a web page, not a recipe" + _instead(where))
    if b"\0" in content or not content.strip():
        raise AddressError("it is neither a recipe nor a picture, film or bundle that may carry one")
    return RECIPE


def _instead(page: str) -> str:
    """Where a recipe is that is shown on a page of GitHub."""
    if shown := ON_GITHUB.fullmatch(page):
        return f"; the file itself is at `https://raw.githubusercontent.com/{shown[1]}/{shown[2]}`"
    if shown := GIST_PAGE.fullmatch(page):
        return f"; write `gist:{'@'.join(filter(None, shown.groups()))}`"
    return "; give the address of the file itself"


def _cache() -> Path:
    return cache_folder("addresses")
