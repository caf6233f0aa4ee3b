"""Where weights are: in our cache, where another program put them, or at an address."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.caches import cache_folder
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.weights.records import File

OFFLINE = "T2IFLOW_OFFLINE"
"""Set to anything but 0, it forbids fetching anything."""
MIRROR = "T2IFLOW_MIRROR"
"""Addresses, with spaces between, that are asked for `NAME/FILE` in place of those that are known."""


def cache() -> Path:
    """The folder that holds a folder for each name."""
    own = os.environ.get("T2IFLOW_WEIGHTS")
    return paths.given(own) if own else cache_folder("weights")


@contextmanager
def alone(name: str, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock of the folder that a name has in the cache, which is made if need be."""
    folder = cache() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"another process is fetching or adding `{name}`; waiting for it")
            lock.acquire()
    except OSError as fault:
        raise MissingWeightsError(
            f"the weights `{name}` can't be kept in {folder}: {fault.strerror}; set T2IFLOW_WEIGHTS to a folder that "
            "can be written"
        ) from fault
    try:
        yield
    finally:
        lock.release()


def offline() -> bool:
    """Whether nothing may be fetched."""
    return os.environ.get(OFFLINE, "0") not in ("", "0")


def addresses(name: str, file: File) -> Sequence[str]:
    """Where a file is to be fetched from, in turn."""
    mirrors = os.environ.get(MIRROR, "").split()
    return [f"{base.rstrip('/')}/{name}/{file.name}" for base in mirrors] or file.urls


def elsewhere(file: File) -> Iterator[Path]:
    """Where other programs keep such a file, if they fetched it."""
    if file.kept:
        yield paths.given(file.kept)
    for url in file.urls:
        yield from _kept(url)


def searched(files: Iterable[File]) -> str:
    """The folders that are searched for these files, as shown to the user."""
    folders = [str(cache())]
    for file in files:
        folders += [str(Path(file.kept).parent)] if file.kept else []
        for host in {urlsplit(url).netloc for url in file.urls}:
            folders += [str(_hub())] if host == "huggingface.co" else []
            folders += ["~/.pytorch_pretrained_biggan"] if host == "s3.amazonaws.com" else []
    return ", ".join(dict.fromkeys([*folders, str(_torch_hub())]))


def _kept(url: str) -> Iterator[Path]:
    parts = urlsplit(url)
    if parts.netloc == "huggingface.co":
        owner, repository, _, _, *rest = parts.path.strip("/").split("/")
        yield from paths.matching(_hub(), f"models--{owner}--{repository}/snapshots/*/{'/'.join(rest)}")
    elif parts.netloc == "s3.amazonaws.com":
        # pytorch_pretrained_biggan names a file after its address and its version there.
        folder = os.environ.get("PYTORCH_PRETRAINED_BIGGAN_CACHE", "~/.pytorch_pretrained_biggan")
        found = paths.matching(paths.given(folder), f"{sha256(url.encode()).hexdigest()}*")
        yield from (path for path in found if path.suffix != ".json")
    if not parts.query:
        yield _torch_hub() / "checkpoints" / Path(parts.path).name


def _hub() -> Path:
    home = os.environ.get("HF_HOME") or f"{_caches()}/huggingface"
    return paths.given(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")


def _torch_hub() -> Path:
    return paths.given(os.environ.get("TORCH_HOME") or f"{_caches()}/torch") / "hub"


def _caches() -> str:
    return os.environ.get("XDG_CACHE_HOME") or "~/.cache"
