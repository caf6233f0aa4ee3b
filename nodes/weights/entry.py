"""A file of weights that have a name: where it is, whether it is the right one, and how it comes here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2iflow.nodes.core.missing import MissingWeightsError
from t2iflow.nodes.weights import download, places
from t2iflow.nodes.weights.content import WrongFileError, amount
from t2iflow.nodes.weights.pins import Pin
from t2iflow.nodes.weights.progress import Watch
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
    def pin(self) -> Pin:
        """Which digest it has to have, as far as that is known."""
        return Pin(self.file, self.own)

    def seen(self) -> Path | None:
        """Where it seems to be, without a look into it."""
        return next((path for path in (self.own, *self.elsewhere) if path.is_file()), None)

    def confirm(self) -> bool:
        """Whether it is in our cache; WrongFileError where what is there is not the right file."""
        if not self.own.is_file():
            return False
        try:
            self.pin.confirm(self.own)
        except WrongFileError as fault:
            raise WrongFileError(f"{self.own} is not the file it should be: {fault}") from fault
        return True

    def found(self, notes: "Notes") -> Path | None:
        """Where it is, shown to be the right one; a wrong one of another program's is passed over."""
        name, own, pin = self.record.name, self.own, self.pin
        try:
            if self.confirm():
                return own
        except WrongFileError as fault:
            raise MissingWeightsError(
                f"{fault}. If it is meant to have changed, confirm it with `t2iflow weights add {name} {own}`; else "
                f"`t2iflow weights pull {name}` fetches it anew"
            ) from fault
        for path in self.elsewhere:
            if path.is_file():
                try:
                    pin.confirm(path)
                    return path
                except (WrongFileError, OSError) as fault:
                    notes.warn(f"{path} is passed over: {fault}")
        return None

    def fetch(self, watch: Watch, notes: "Notes") -> Path:
        """Fetch it into the cache, unless it is there by now; MissingWeightsError where no address gives it."""
        if not self.own.is_file():
            size = f", {amount(self.file.size)}" if self.file.size else ""
            notes.say(
                f"fetching `{self.file.name}` of `{self.record.name}`{size}, licence {self.record.licence}, "
                f"from {self.urls[0]}"
            )
            download.fetch(self.record.name, self.pin, self.urls, watch, notes)
        return self.own


def entries(record: Record) -> dict[str, Entry]:
    """The files of weights, by role."""
    return {role: Entry(record, role) for role in record.files}
