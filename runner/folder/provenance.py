"""What a picture depends on beside its recipe, in a line that it carries: versions, threads and the device.

The line is a comment of YAML before the recipe, and the same for the same machine, so that bytes stay the same too.
Reads without torch.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.nodes.weights.content import brief

MARK = "# made with: "


def line(made_with: Mapping[str, object], address: str = "") -> str:
    """The line of a picture that is made with these, by a recipe from an address, if that is not empty."""
    said = {**made_with, **({"from": address} if address else {})}
    return MARK + "; ".join(f"{name} {value}" for name, value in said.items()) + "\n"


def read(recipe: str) -> dict[str, str]:
    """What the line before a recipe says; nothing where there is none."""
    first = recipe.partition("\n")[0]
    if not first.startswith(MARK):
        return {}
    pairs = (part.partition(" ") for part in first.removeprefix(MARK).split("; "))
    return {name: value for name, _, value in pairs}


def carried(path: Path) -> dict[str, str]:
    """What that line says in a picture or film; nothing where it can't be read, or carries none."""
    try:
        return read(read_recipe(path) or "")
    except (ValueError, OSError):
        return {}


def threads(path: Path) -> int | None:
    """With how many threads a picture or film says that it was made, where it does."""
    said = carried(path).get("threads", "")
    return int(said) if re.fullmatch("[1-9][0-9]{0,2}", said) else None


def differences(there: Mapping[str, object], here: Mapping[str, object]) -> Iterator[str]:
    """What differs between there and here, in words; what one of the two lacks is passed over."""
    for name, value in there.items():
        other = here.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from differences(value, other)
        elif name in here and value != other:
            yield f"{name}: {brief(str(value))} there, {brief(str(other))} here"
