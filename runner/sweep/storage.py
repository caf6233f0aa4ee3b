"""A storage: where a sweep is kept that is in no folder, `s3://bucket/sweeps/...`, reached by fsspec.

Each machine works on it in a folder of its own, and brings its share there.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.caches import cache_folder
from t2iflow.nodes.core.paths import is_sound
from t2iflow.nodes.core.run_files import BEFORE, CHECKPOINT, LOG
from t2iflow.nodes.core.whole import private, write
from t2iflow.runner.folder.claim import FolderError
from t2iflow.runner.folder.folder import SNAPSHOTS
from t2iflow.runner.sweep.lease import Lease, LostError

EXTRAS = {"s3": "t2iflow[s3]", "s3a": "t2iflow[s3]"}
"""What to install for addresses of a scheme."""
DECIDING = (CHECKPOINT, LOG)
"""Files that say how far a run is: kept last, as they were before the others were looked at."""
USELESS = {BEFORE, SNAPSHOTS}
"""Files and folders that are kept nowhere else; nor are files whose name begins with a dot, which are a process's."""
LEASES = "leases"
MARK = ".storage"
"""The file of a folder that says which storage it works for."""


class StorageError(FolderError):
    """A storage can't be used."""


def is_address(place: str) -> bool:
    """Whether this is a storage's address, and neither a path nor a page's address."""
    return "://" in place and not place.lower().startswith(("http://", "https://"))


@cache
def stored(folder: Path) -> "Storage | None":
    """The storage that a folder works for, if it does."""
    try:
        return Storage((folder / MARK).read_text(encoding="utf-8").strip(), folder)
    except FileNotFoundError:
        return None


def unkept(run: Path) -> Path:
    """The file that is there while a run has finished here, but could not be kept."""
    return private(run, ".unkept")


class Storage:
    """What is kept at an address, and the folder here in which this machine works on it."""

    def __init__(self, address: str, folder: Path | None = None) -> None:
        """Without a `folder`, it is one in the cache; StorageError where nothing can be kept at the address."""
        scheme, _, rest = address.rstrip("/").partition("://")
        self.address = f"{scheme.lower()}://{rest}"
        self._system, self._root = _opened(self.address)
        self.folder = _working(self.address) if folder is None else folder
        self._known: dict[str, tuple[int, int]] = {}

    def mark(self) -> None:
        """Let the folder say that it works for this storage."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write(self.folder / MARK, self.address + "\n")
        stored.cache_clear()

    def names(self, under: str = "") -> list[str]:
        """The files that are kept, by their paths below the address; not what others put there by names that lead
        elsewhere."""
        return list(self.sizes(under))

    def sizes(self, under: str = "") -> dict[str, int]:
        """The same, with how many bytes each has."""
        with self.reaching():
            self._system.invalidate_cache()
            found = self._system.find(self._there(under), detail=True)
        named = {path.removeprefix(f"{self._root}/"): int(about["size"]) for path, about in found.items()}
        return {name: size for name, size in named.items() if is_sound(name)}

    def get(self, names: Iterable[str]) -> None:
        """Let files here be what is kept of them."""
        wanted = list(names)
        for name in wanted:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        if wanted:
            with self.reaching():
                self._system.get([self._there(name) for name in wanted], [str(self.folder / name) for name in wanted])
        self._known |= {name: _stamp(self.folder / name) for name in wanted}

    def put(self, names: Iterable[str]) -> None:
        """Keep files that have changed here since they last were."""
        stamps = {name: _stamp(self.folder / name) for name in names}
        fresh = [name for name, stamp in stamps.items() if self._known.get(name) != stamp]
        if fresh:
            with self.reaching():
                self._system.put([str(self.folder / name) for name in fresh], [self._there(name) for name in fresh])
        self._known |= {name: stamps[name] for name in fresh}

    def fetch(self, under: str) -> None:
        """Let a folder here be what is kept of it, and nothing else."""
        shutil.rmtree(self.folder / under, ignore_errors=True)
        self.get(self.names(under))
        unkept(self.folder / under).unlink(missing_ok=True)

    def keep(self, under: str) -> None:
        """Keep a folder as it is here, and nothing that is no longer in it.

        A run may be writing into it: what says how far it is may then be older than the rest, and is never newer.
        """
        here = {name: self.folder / name for name in self.files(under)}
        deciding = {name: path.read_bytes() for name, path in here.items() if path.name in DECIDING}
        self.put(set(here) - set(deciding))
        with self.reaching():
            for name, content in deciding.items():
                self._system.pipe_file(self._there(name), content)
        if gone := set(self.names(under)) - set(here):
            with self.reaching():
                self._system.rm([self._there(name) for name in gone])
        unkept(self.folder / under).unlink(missing_ok=True)

    def files(self, under: str = "") -> Iterator[str]:
        """The files here that are worth keeping."""
        for path in sorted((self.folder / under).rglob("*")):
            name = path.relative_to(self.folder)
            if os.path.isfile(path) and USELESS.isdisjoint(name.parts) and not path.name.startswith("."):
                yield name.as_posix()

    def lease(self, name: str) -> Lease:
        """A lease on what has this name."""
        return Lease(self._system, self._there(f"{LEASES}/{name}"))

    def _there(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Whatever goes wrong with a storage within it is a StorageError."""
        try:
            yield
        except (FolderError, LostError):
            raise
        except Exception as fault:  # each of fsspec's file systems raises its own
            raise _unusable(self.address, fault) from fault


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    from fsspec.core import url_to_fs

    scheme = address.partition("://")[0]
    try:
        system, root = url_to_fs(address)
    except ImportError:
        package = EXTRAS.get(scheme)
        what = f"`pip install '{package}'`" if package else f"fsspec's package for {scheme}://"
        raise StorageError(f"`{address}` needs {what}") from None
    except ValueError:
        raise StorageError(
            f"`{address}` is not the address of a storage; write s3://BUCKET/PATH, or a folder"
        ) from None
    except Exception as fault:  # each of fsspec's file systems raises its own
        raise _unusable(address, fault) from fault
    if "file" in system.protocol:
        raise StorageError(f"`{address}` is on this machine's disk: write it as a path")
    if "memory" in system.protocol:
        raise StorageError(f"`{address}` is gone when the command ends; write s3://BUCKET/PATH, or a folder")
    return system, str(root).rstrip("/")


def _unusable(address: str, fault: Exception) -> StorageError:
    return StorageError(f"can't use `{address}`: {str(fault) or type(fault).__name__}")


def _working(address: str) -> Path:
    """The folder of this machine for a sweep at an address."""
    name, digest = address.rpartition("/")[2], hashlib.sha256(address.encode()).hexdigest()
    return cache_folder("sweeps") / f"{name}-{digest[:8]}"


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does."""
    about = path.stat()
    return about.st_mtime_ns, about.st_size
