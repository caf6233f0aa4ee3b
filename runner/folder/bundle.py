"""A bundle: a finished run as one zip file to give away, with its recipe, its inputs, its lock and what it made.

Whoever opens one may have it from anybody. So nothing in a bundle is compressed, and it can't unpack to more than it is
itself; no name in it leads out of it, or to a link; and its recipe, like a picture's, reads nothing but its `inputs`.
"""

import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from t2iflow.nodes.core.caches import cache_folder, forget_old
from t2iflow.nodes.core.paths import is_sound
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.nodes.core.texts import in_line, shortened
from t2iflow.nodes.weights.content import sha256


class BundleError(ValueError):
    """A file is no bundle, or not a sound one."""


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds, as it lies in `folder`, and what its recipe is called."""

    folder: Path
    recipe: str


def opened(path: Path) -> Bundle:
    """Unpack a bundle into the cache, where it is not there yet; BundleError if it is none, or would do harm."""
    try:
        with ZipFile(path) as file:
            entries = _checked(file, path.stat().st_size)
            name = shortened(in_line(file.comment.decode("utf-8", "replace")))
            folder = cache_folder("bundles") / sha256(path)
            if not os.path.isdir(folder):
                forget_old(folder.parent)
                _unpack(file, entries, folder)
    except BundleError:
        raise
    except (BadZipFile, NotImplementedError, EOFError, ValueError) as fault:
        raise BundleError(f"it is damaged, or no zip file: {fault}") from fault
    os.utime(folder)
    return Bundle(folder, name or path.stem)


def _checked(file: ZipFile, size: int) -> list[ZipInfo]:
    """The files in a zip file of this size, none of which does harm."""
    entries = [entry for entry in file.infolist() if not entry.is_dir()]
    for entry in entries:
        if not is_sound(entry.orig_filename):
            raise BundleError(f"`{entry.orig_filename}` in it has a name that leads out of it, or is hidden")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BundleError(f"`{entry.filename}` in it is a link")
        if entry.flag_bits & 1:
            raise BundleError("it is encrypted")
        if entry.compress_type != ZIP_STORED:
            raise BundleError("it is compressed, which bundles are not: unpack it, and run the recipe that is in it")
    if sum(entry.file_size for entry in entries) > size:
        raise BundleError("it claims to hold more than it does")
    names = [entry.filename.casefold() for entry in entries]
    if len({*names}) < len(names):
        raise BundleError("it holds two files of one name")
    if RECIPE not in names:
        raise BundleError(f"it holds no `{RECIPE}`; bundles are made by `t2iflow bundle RUN`")
    return entries


def _unpack(file: ZipFile, entries: list[ZipInfo], folder: Path) -> None:
    """Whole or not at all."""
    making = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        for entry in entries:
            path = making / entry.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            with file.open(entry) as source, path.open("xb") as copy:
                shutil.copyfileobj(source, copy)
        try:
            making.replace(folder)
        except OSError:
            if not os.path.isdir(folder):  # or another process was quicker
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
