"""A file of weights that have a name: where it is, and whether it is the right one.

A digest is kept beside each file of the cache, so that it must stay what it was when it was first seen. That takes a
second per gigabyte, and is computed anew only where a file's size or time has changed.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from t2iflow.nodes.core import json_file
from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.core.whole import keep
from t2iflow.nodes.weights import places
from t2iflow.nodes.weights.content import WrongFileError, examine, sha256
from t2iflow.nodes.weights.records import File, Record

if TYPE_CHECKING:
    from t2iflow.nodes.core.ambient import Notes


@dataclass(frozen=True)
class Entry:
    """The file of some weights for one role."""

    record: Record
    role: str

    @property
    def file(self) -> File:
        """What is known of it."""
        return self.record.files[self.role]

    @property
    def own(self) -> Path:
        """Where it is in our cache, if it is there."""
        return places.cache() / self.record.name / self.file.name

    @property
    def elsewhere(self) -> Iterator[Path]:
        """Where other programs keep it, if they fetched it."""
        return places.elsewhere(self.file)

    @property
    def urls(self) -> Sequence[str]:
        """Where it is to be fetched from, in turn."""
        return places.addresses(self.record.name, self.file)

    @property
    def digest(self) -> str | None:
        """The digest that it has to have, as far as that is known."""
        return self.file.sha256 or self._pinned().get("sha256")

    def seen(self) -> Path | None:
        """Where it seems to be, without a look into it."""
        return next((path for path in (self.own, *self.elsewhere) if os.path.isfile(path)), None)

    def confirm(self) -> bool:
        """Whether it is in our cache; WrongFileError where what is there is not the right file."""
        if not os.path.isfile(self.own):
            return False
        try:
            self.verify(self.own)
        except WrongFileError as fault:
            raise WrongFileError(f"{self.own} is not the file it should be: {fault}") from fault
        return True

    def found(self, notes: "Notes") -> Path | None:
        """Where it is, shown to be the right one; a wrong one of another program's is passed over."""
        try:
            if self.confirm():
                return self.own
        except WrongFileError as fault:
            anew = f"`t2iflow weights pull {self.record.name}` fetches it anew" if self.urls else "put the old one back"
            raise MissingWeightsError(f"{fault}. {self.meant}; else {anew}") from fault
        return self.borrowed(notes)

    def borrowed(self, notes: "Notes") -> Path | None:
        """Where another program keeps the right one."""
        for path in self.elsewhere:
            if os.path.isfile(path):
                try:
                    self.verify(path)
                    return path
                except (WrongFileError, OSError) as fault:
                    notes.warn(f"{path} is passed over: {fault}")
        return None

    @property
    def meant(self) -> str:
        """How to confirm that a file in our cache is another one on purpose."""
        command = f"t2iflow weights add {self.record.name} {quote(str(self.own))}"
        return f"If you meant to change it, confirm that with `{command}`"

    def verify(self, path: Path, *, anew: bool = False, bound_for: Path | None = None) -> str:
        """The digest of what is at a path, computed `anew` or trusted if nothing has touched it since.

        `bound_for` is where it goes next. WrongFileError where it is neither the published nor the pinned file.
        """
        pin, pinned, now = self._pin, self._pinned(), _state(path)
        known, seen = self.file.sha256 or pinned.get("sha256"), pinned.get("seen", {})
        if known and not anew and pinned.get("sha256") == known and seen.get(str(path.absolute())) == now:
            return str(known)
        examine(path, self.file.name, None if known else self.file)
        digest = sha256(path)
        if known and digest != known:
            whose = "the published file's" if self.file.sha256 else f"the one that was pinned in {pin}"
            raise WrongFileError(f"its sha256 is {digest}, and not {whose}, {known}")
        keep(pin, json.dumps({"sha256": digest, "seen": {**seen, str((bound_for or path).absolute()): now}}))
        return digest

    def vouch(self) -> None:
        """Pin what is in the cache now, for which the user vouches."""
        seen = {str(self.own.absolute()): _state(self.own)}
        keep(self._pin, json.dumps({"sha256": sha256(self.own), "seen": seen}))

    def remove(self) -> None:
        """Remove it from our cache, with its pin."""
        for path in (self.own, self._pin):
            path.unlink(missing_ok=True)

    @property
    def _pin(self) -> Path:
        return self.own.with_name(f"{self.own.name}.pin")

    def _pinned(self) -> dict[str, Any]:
        """The digest that it was seen to have, and where."""
        pinned = json_file.read(self._pin)
        return pinned if isinstance(pinned.get("seen"), dict) else {}


def entries(record: Record) -> dict[str, Entry]:
    """The files of weights, by role."""
    return {role: Entry(record, role) for role in record.files}


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
