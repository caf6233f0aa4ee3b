"""What is taken as a recipe: a file, a shipped recipe's name, a picture, film or bundle with one, an address, `-`, or a
text."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.nodes.core.texts import first_of, shortened
from t2iflow.nodes.pictures.endings import CARRIERS, DRAWN, ZIP, proper
from t2iflow.nodes.pictures.metadata import read_recipe
from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.text.origin import HERE, Origin, of_address, of_picture, of_standard_input
from t2iflow.pipelines.text.overrides import ValueOverride
from t2iflow.pipelines.text.recipe import Recipe, find, read_text
from t2iflow.pipelines.text.yaml_reader import MAX_BYTES, decoded, load
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder import bundle, lock, provenance
from t2iflow.runner.folder.bundle import Bundle, BundleError
from t2iflow.runner.folder.history import recipe_name
from t2iflow.runner.folder.places import resume_command
from t2iflow.runner.sharing.address import Address, AddressError, recorded
from t2iflow.runner.sharing.address import read as read_address
from t2iflow.runner.sharing.copies import Copy, copy

STANDARD_INPUT = "-"
ADDRESS = 200
"""Letters of an address that a message shows."""
OFFERED = 3
"""How many recipes in a folder a message names."""


@dataclass(frozen=True)
class Source:
    """Where a recipe comes from: its text, what messages call that, whose it is, and what the recipe is called. `made`
    is the picture or film that it comes out of, or the folder of an unpacked bundle."""

    text: str
    file: str
    origin: Origin
    name: str
    made: Path | None = None

    def read(self, presets: Sequence[str], overrides: Sequence[str | ValueOverride], problems: Problems) -> Recipe:
        """The recipe with these presets and overrides, its mistakes added to the problems; RecipeError if none can be
        made of the text."""
        return read_text(
            self.text, self.file, self.origin, name=self.name, presets=presets, overrides=overrides, problems=problems
        )


def typed(text: str, file: str) -> Source:
    """A text that is the user's own."""
    return Source(text.removeprefix("\ufeff"), file, HERE, "recipe")


def opened(where: str) -> Source:
    """What a command or a call names as a recipe; RecipeError if there is none to be read, UsageError for an address
    without a digest."""
    if where == STANDARD_INPUT:
        file = "standard input"
        return Source(decoded(sys.stdin.buffer.read(MAX_BYTES + 1), file), file, of_standard_input(), "recipe")
    if address := addressed(where):
        return _at(address)
    return by_name(where)


def by_name(where: str) -> Source:
    """The recipe in a file, picture, film or bundle, or that is bundled or in a pack; RecipeError if there is none."""
    path = paths.given(where)
    if os.path.isdir(path):  # which answers for impossible names too
        raise RecipeError([Problem("T2I107", f"`{where}` is a folder, not a recipe", hints=tuple(in_folder(path)))], {})
    if carries(path):
        return carried(path, path.name, path.stem)
    found = find(where)
    origin, name = found.origin, ""
    if path.name == RECIPE:  # which may be a run's
        origin, name = replace(origin, address=lock.address(path.parent)), recipe_name(path.parent)
    return Source(load(found.path), str(found.path), origin, name or found.path.stem)


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


def pinned(address: Address) -> Address:
    """The address with the digest of what is there now, unless it has one; RecipeError as of `fetched`."""
    return address if address.digest else address.pinned(fetched(address).digest)


def _unavailable(where: str, why: object) -> RecipeError:
    return RecipeError([Problem("T2I107", f"can't take the recipe at `{shortened(where, ADDRESS)}`: {why}")], {})


def _at(address: Address) -> Source:
    here = fetched(address)
    if not address.digest:
        raise UsageError(
            f"what is at `{address.where}` may change, so its digest must be given with it:\n"
            f"  {address.pinned(here.digest)}"
        )
    if here.carries:
        return carried(here.path, address.where, address.name, address.shared)
    origin = of_address(here.path, address.shared, shlex.quote(str(address)))
    return Source(decoded(here.path.read_bytes(), address.where), address.where, origin, address.name)


def carried(path: Path, shown: str, name: str, address: str = "") -> Source:
    """The recipe in a picture, film or bundle that messages call as shown, and that was fetched from an address, if it
    was; RecipeError if it carries none."""
    text, file = carried_text(path, shown), f"recipe in {shown}"
    if not is_bundle(path):
        origin = of_picture(path, address or recorded(provenance.read(text).get("from")))
        return Source(text, file, origin, name, path)
    whole = unpacked(path, shown)
    origin = of_picture(whole.folder / RECIPE, address or lock.address(whole.folder))
    return Source(text, file, origin, whole.recipe, whole.folder)


def is_bundle(path: Path) -> bool:
    """Whether this is a file that may be a bundle, whatever it is called."""
    return not paths.no_file(path) and proper(path) == ZIP


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


def carries(path: Path) -> bool:
    """Whether this is a file that may carry a recipe: by its name, or whatever it is called, by its beginning."""
    if paths.no_file(path):
        return False
    return proper(path) in (*CARRIERS, DRAWN, ZIP)


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


def threads(made: Path) -> int | None:
    """With how many threads a picture or film, or the run in a folder, was made, where that is known."""
    return lock.threads(made) if os.path.isdir(made) else provenance.threads(made)


def in_folder(folder: Path) -> list[str]:
    """What a person may have meant who named a folder."""
    if os.path.isfile(folder / RECIPE):
        return [f"its recipe is `{folder / RECIPE}`", f"`{resume_command(folder)}` resumes it, if it was stopped"]
    try:
        found = sorted(str(path) for path in folder.glob("*.yaml"))
    except OSError:
        return []
    return [f"recipes in it: {first_of(found, OFFERED)}"] if found else ["there are no .yaml files in it"]
