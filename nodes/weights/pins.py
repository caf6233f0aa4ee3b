"""Digests kept beside the cache's files: a file must stay what it was when it was first seen.

A digest takes a second per gigabyte, so it is computed anew only where a file's size or time has changed.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2iflow.nodes.core.whole import cached
from t2iflow.nodes.weights.content import WrongFileError, examine, sha256
from t2iflow.nodes.weights.records import File


@dataclass(frozen=True)
class Pin:
    """Which digest a file has to have that belongs at a place of our cache, and where it was seen to have it."""

    file: File
    own: Path

    @property
    def digest(self) -> str | None:
        """The digest that the file has to have, if it is known."""
        return self.file.sha256 or self._read().get("sha256")

    def confirm(self, path: Path, *, anew: bool = False, bound_for: Path | None = None) -> str:
        """The digest of what is at a path, computed `anew` or trusted if nothing has touched it since.

        `bound_for` is where it goes next. WrongFileError where it is neither the published nor the pinned file.
        """
        pin, now = self._read(), _state(path)
        known, seen = self.file.sha256 or pin.get("sha256"), pin.get("seen", {})
        if known and not anew and pin.get("sha256") == known and seen.get(str(path.absolute())) == now:
            return str(known)
        examine(path, self.file.name, None if known else self.file)
        digest = sha256(path)
        if known and digest != known:
            whose = "the published file's" if self.file.sha256 else f"the one that was pinned in {self._place}"
            raise WrongFileError(f"its sha256 is {digest}, and not {whose}, {known}")
        self._write(digest, {**seen, str((bound_for or path).absolute()): now})
        return digest

    def vouch(self) -> None:
        """Pin what is in the cache now, for which the user vouches."""
        now = _state(self.own)
        self._write(sha256(self.own), {str(self.own.absolute()): now})

    @property
    def _place(self) -> Path:
        return self.own.with_name(f"{self.own.name}.pin")

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            told = json.loads(self._place.read_text(encoding="utf-8"))
            if isinstance(told, dict) and isinstance(told.get("seen"), dict):
                return told
        return {}

    def _write(self, digest: str, seen: dict[str, list[int]]) -> None:
        with contextlib.suppress(OSError), cached(self._place) as fresh:  # a cache that is only read serves as well
            fresh.write_text(json.dumps({"sha256": digest, "seen": seen}), encoding="utf-8")


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
