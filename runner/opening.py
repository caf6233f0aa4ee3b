"""What is taken as a recipe: a file, a shipped recipe's name, a picture, film or bundle with one, an address, `-`, or a
text."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.texts import shortened
from t2iflow.nodes.pictures.endings import CARRIERS, DRAWN
from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.pipelines.graph.graph import Named
from t2iflow.pipelines.graph.wiring import wire
from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.text.origin import (
    HERE,
    Origin,
    of_address,
    of_picture,
    of_standard_input,
)
from t2iflow.pipelines.text.overrides import Passed
from t2iflow.pipelines.text.recipe import Recipe, read, read_text
from t2iflow.pipelines.text.yaml_reader import MAX_BYTES, decoded, load
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder import bundle, lock, provenance
from t2iflow.runner.folder.bundle import ENDING, Bundle, BundleError
from t2iflow.runner.folder.history import RECIPE, recipe_name, resuming
from t2iflow.runner.folder.own_recipe import origin
from t2iflow.runner.sharing.address import Address, AddressError, recorded
from t2iflow.runner.sharing.address import read as read_address
from t2iflow.runner.sharing.copies import Copy, copy

STANDARD_INPUT = "-"
ADDRESS = 200
"""Letters of an address that a message shows."""
OFFERED = 3
"""How many recipes in a folder a message names."""

Reader: TypeAlias = Callable[[Sequence[str], Sequence[str | Passed], Problems], Recipe]
"""Reads the recipe with these presets and overrides, adding its mistakes; RecipeError if none can be made of it."""


@dataclass(frozen=True)
class Carried:
    """A recipe out of a picture, film or bundle: its text, what messages call that, whose it is, and its name."""

    text: str
    file: str
    whose: Origin
    name: str

    @property
    def reader(self) -> Reader:
        """What reads it."""
        return _reader(self.text, self.file, self.whose, self.name)


def opened(where: str, resumed: bool = False, text: str | None = None) -> Reader:
    """The reader of a recipe, which may be called several times; RecipeError if there is none to be read, UsageError
    for an address without a digest. A text is the user's own."""
    if text is not None:
        return _reader(decoded(text.encode(errors="surrogatepass"), where), where, HERE, "recipe")
    if where == STANDARD_INPUT:
        file = "standard input"
        text = decoded(sys.stdin.buffer.read(MAX_BYTES + 1), file)
        return _reader(text, file, of_standard_input(), "recipe")
    if address := addressed(where):
        return _at(address)
    path = paths.given(where)
    if os.path.isdir(path):  # which answers for impossible names too
        raise RecipeError([Problem("T2I107", f"`{where}` is a folder, not a recipe", hints=tuple(in_folder(path)))], {})
    if carries(path):
        return carried(path, path.name, path.stem).reader
    ran = path.name == RECIPE and not paths.no_file(path)
    whose = origin(path, resumed) if ran else None
    name = recipe_name(path.parent) if path.name == RECIPE else ""
    return lambda presets, overrides, problems: read(
        where, presets=presets, overrides=overrides, problems=problems, whose=whose, name=name
    )


def addressed(where: str) -> Address | None:
    """The address that this is, None if it is none; RecipeError for one that is not taken."""
    try:
        return read_address(where)
    except AddressError as fault:
        raise _unavailable(where, fault) from fault


def fetched(address: Address) -> Copy:
    """What is at an address; RecipeError where that is unavailable, or not what its digest names."""
    try:
        return copy(address)
    except AddressError as fault:
        raise _unavailable(address.where, fault) from fault
    except OSError as fault:
        reason = f"it can't be kept in `{fault.filename}`: {fault.strerror}"
        raise _unavailable(address.where, reason) from fault


def carrier(where: str) -> Path | None:
    """The picture, film or bundle that is meant, if it is one; of an address the copy."""
    if address := addressed(where):
        here = fetched(address)
        return here.path if here.carries else None
    path = paths.given(where)
    return path if carries(path) else None


def published_text(address: Address) -> str:
    """The recipe at an address, as it is, also out of a picture, film or bundle."""
    here = fetched(address)
    if here.carries:
        return carried_text(here.path, address.where)
    return decoded(here.path.read_bytes(), address.where)


def _unavailable(where: str, why: object) -> RecipeError:
    return RecipeError([Problem("T2I107", f"can't take the recipe at `{shortened(where, ADDRESS)}`: {why}")], {})


def _at(address: Address) -> Reader:
    here = fetched(address)
    if not address.digest:
        raise UsageError(
            f"what is at `{address.where}` may change, so its digest must be given with it:\n"
            f"  {address.pinned(here.digest)}"
        )
    if here.carries:
        return carried(here.path, address.where, address.name, address.shared).reader
    whose = of_address(here.path, address.shared, shlex.quote(str(address)))
    return _reader(decoded(here.path.read_bytes(), address.where), address.where, whose, address.name)


def carried(path: Path, shown: str, name: str, address: str = "") -> Carried:
    """What a picture, film or bundle carries that messages call as shown, and that was fetched from an address, if it
    was; RecipeError if it carries no recipe."""
    text, file = carried_text(path, shown), f"recipe in {shown}"
    if not is_bundle(path):
        made_from = address or recorded(provenance.read(text).get("from"))
        return Carried(text, file, of_picture(path, made_from), name)
    whole = unpacked(path, shown)
    made_from = address or recorded(lock.read(whole.folder).get("from"))
    return Carried(text, file, of_picture(whole.folder / RECIPE, made_from), whole.recipe)


def is_bundle(path: Path) -> bool:
    """Whether this is a file that may be a bundle."""
    return path.suffix.lower() == ENDING and not paths.no_file(path)


def unpacked(path: Path, shown: str = "") -> Bundle:
    """A bundle, unpacked; RecipeError, which calls it as shown, if it is none."""
    try:
        return bundle.opened(path)
    except BundleError as fault:
        reason = str(fault)
    except OSError as fault:
        reason = f"it can't be unpacked to `{fault.filename}`: {fault.strerror}"
    place = Place(shown or str(path), 1, 1)
    raise RecipeError([Problem("T2I107", f"can't open the bundle `{shown or path}`: {reason}", place)], {})


def lacking(text: str, place: Path) -> list[Named]:
    """What a recipe out of a picture reads and does not find from a place; nothing, if it has mistakes of its own."""
    try:
        named = wire(read_text(text, str(place), of_picture(place), problems=Problems()), Problems()).named
    except RecipeError:
        return []
    return [one for one in named if one.missing]


def carries(path: Path) -> bool:
    """Whether this is a file that may carry a recipe."""
    return path.suffix.lower() in (*CARRIERS, DRAWN, ENDING) and not paths.no_file(path)


def carried_text(path: Path, shown: str = "") -> str:
    """The recipe in a picture, film or bundle, as it is; RecipeError, which calls it as shown, if there is none."""
    if is_bundle(path):
        return load(unpacked(path, shown).folder / RECIPE)
    try:
        text = read_recipe(path)
        reason = "it carries no recipe; was it saved again or re-encoded by another program?"
    except (ValueError, OSError) as fault:
        text, reason = None, str(fault)
    if text is None:
        place = Place(shown or str(path), 1, 1)
        refusal = Problem("T2I107", f"can't read a recipe from `{shown or path}`: {reason}", place)
        raise RecipeError([refusal], {})
    return text


def threads(path: Path) -> int | None:
    """With how many threads the picture, film, bundle or run was made that a path leads to, where that is known."""
    if is_bundle(path):
        return lock.threads(unpacked(path).folder)
    if not carries(path):
        return lock.threads(path)
    said = provenance.read(carried_text(path)).get("threads", "")
    return int(said) if re.fullmatch("[1-9][0-9]{0,2}", said) else None


def _reader(text: str, file: str, whose: Origin, name: str) -> Reader:
    return lambda presets, overrides, problems: read_text(
        text, file, whose, name=name, presets=presets, overrides=overrides, problems=problems
    )


def in_folder(folder: Path) -> list[str]:
    """What a person may have meant who named a folder."""
    if os.path.isfile(folder / RECIPE):
        return [f"its recipe is `{folder / RECIPE}`", f"`{resuming(folder)}` resumes it, if it was stopped"]
    try:
        found = sorted(str(path) for path in folder.glob("*.yaml"))
    except OSError:
        return []
    more = f" and {len(found) - OFFERED} more" if len(found) > OFFERED else ""
    return [f"recipes in it: {', '.join(found[:OFFERED])}{more}"] if found else ["there are no .yaml files in it"]
