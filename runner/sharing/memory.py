"""What the user has confirmed: for each address the digest of its content, and when."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from platformdirs import user_state_path

from t2iflow.nodes.core import json_file
from t2iflow.nodes.core.whole import share
from t2iflow.runner.sharing.address import Address


@dataclass(frozen=True)
class Confirmed:
    """The digest that was confirmed, and on which day."""

    digest: str
    day: str


def confirmed(address: Address) -> Confirmed | None:
    """What was confirmed at an address, if anything was."""
    said = _read().get(address.where)
    return Confirmed(*said) if said else None


def confirm(address: Address) -> None:
    """Remember a pinned address; where that can't be written, it is asked about again."""
    known = _read() | {address.where: (address.digest, date.today().isoformat())}
    with suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        share(_file(), json.dumps({where: list(said) for where, said in known.items()}, indent=1))


def _read() -> dict[str, tuple[str, str]]:
    try:
        return {where: (str(digest), str(day)) for where, (digest, day) in json_file.read(_file()).items()}
    except (ValueError, TypeError):  # somebody's edit
        return {}


def _file() -> Path:
    return user_state_path("t2iflow") / "addresses.json"
