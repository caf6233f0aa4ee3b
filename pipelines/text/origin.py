"""Whose recipe it is. Your own may read any file; a foreign one, which may be anybody's, only what lies beside it.

Foreign is what comes out of a picture or film, from an address, a package or standard input; what lies in a folder for
downloads or outside of both the home and the working folder; and what belongs to another user. Places decide, because
nothing else can: a recipe is a text, and its author can write anything into it.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_downloads_path

from t2iflow.nodes.core import paths

BY_MOVE = "read it, move it into a folder of your own (not a downloads folder), and run it there"
BY_COPY = "`t2iflow new {} mine.yaml`, read that, and run it"
"""How to make a foreign recipe your own."""

INPUTS = "inputs"
"""The folder beside a picture that holds what it was made from, and all that its recipe may read."""


@dataclass(frozen=True)
class Origin:
    """Where a text comes from: relative paths start at `folder`, and nothing outside `fence` is read, if it has one.

    `carried`: it comes out of a picture or film, which may have travelled without its inputs. `address`: where it was
    fetched from, or what it was made from, with the digest. `owned` is how to make a foreign one your own.
    """

    folder: Path
    fence: Path | None = None
    carried: bool = False
    address: str = ""
    owned: str = BY_MOVE

    def admits(self, path: Path) -> bool:
        """Whether a file may be read, links followed; behind a fence none that is hidden, for those hold secrets."""
        if self.fence is None:
            return True
        beneath = paths.real(path)
        return beneath.is_relative_to(self.fence) and not any(
            part.startswith(".") for part in beneath.relative_to(self.fence).parts
        )

    @property
    def rule(self) -> str:
        """What a foreign recipe may read, in words."""
        return f"it can read only files in `{self.fence}`, and no hidden ones"

    @property
    def remedy(self) -> str:
        """How to lift the limits of a foreign recipe."""
        return f"or make it your own: {self.owned}"


HERE = Origin(Path())
"""The command line, whose relative paths start where the command was given."""


def of_file(path: Path) -> Origin:
    """The origin of a recipe file."""
    return Origin(path.parent, paths.real(path.parent) if _is_foreign(paths.real(path)) else None)


def of_run(recipe: Path) -> Origin:
    """The origin of a run's own recipe when it is resumed: one's own wherever runs are kept, but for downloads."""
    whole = paths.real(recipe)
    theirs = _is_download(whole) or not _is_owned(whole)
    return Origin(recipe.parent, whole.parent if theirs else None)


def of_picture(picture: Path, address: str = "") -> Origin:
    """The origin of the recipe that a picture or film carries, which was made from one at an address, if it was."""
    owned = BY_COPY.format("PICTURE")
    return Origin(picture.parent, paths.real(picture.parent) / INPUTS, True, address, owned)


def of_address(copy: Path, address: str, shown: str) -> Origin:
    """The origin of a fetched recipe, whose copy is alone in a folder; `shown` is how the user names it."""
    return Origin(copy.parent, paths.real(copy.parent), address=address, owned=BY_COPY.format(shown))


def of_standard_input() -> Origin:
    """The origin of what comes from standard input, which may be anybody's."""
    owned = "save it in a file of your own, read that, and run it"
    return Origin(Path(), paths.real("."), owned=owned)


def _is_foreign(path: Path) -> bool:
    return not any(path.is_relative_to(ground) for ground in grounds()) or _is_download(path) or not _is_owned(path)


def grounds() -> Iterator[Path]:
    """The folders whose recipes are one's own: home, and where one works; but not all there is."""
    for ground in (Path.home, Path.cwd):
        with suppress(OSError, RuntimeError):  # there may be no home, and the working folder may be gone
            path = ground().resolve()
            if path.parent != path:
                yield path


def _is_download(path: Path) -> bool:
    with suppress(OSError, RuntimeError):
        folder = user_downloads_path().resolve()
        if folder != Path.home().resolve() and path.is_relative_to(folder):  # some desktops name the home instead
            return True
    return any(part.lower() == "downloads" for part in path.parts)


def _is_owned(path: Path) -> bool:
    """Whether a file belongs to the user or to the administrator, who as a user, often in a container, takes all."""
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    return user == 0 or path.stat().st_uid in (0, user)
