"""Paths as people write them, and in words why nothing can be read at one.

Every name that a user gives, in a recipe, on the command line or in a variable, becomes a path here.
"""

import errno
import os
import re
import stat
from itertools import islice
from pathlib import Path

MOST_BESIDE = 3000
UNSOUND = re.compile(r'[\x00-\x1f\\:*?"<>|]')
"""Signs that not every system takes in a file's name, or takes for a folder's end."""
MISSING = "doesn't exist"
WHY = {
    errno.ENOENT: MISSING,
    errno.ENOTDIR: MISSING,
    errno.EACCES: "can't be read: you have no permission",
    errno.EPERM: "can't be read: you have no permission",
    errno.ELOOP: "is a link that points back to itself",
    errno.ENAMETOOLONG: "has a name that is too long",
}


def given(name: str | Path, folder: Path = Path()) -> Path:
    """The path that a person wrote: `~` is a home folder where there is one, and a relative path starts at `folder`."""
    return folder / os.path.expanduser(name)


def real(name: str | Path, folder: Path = Path()) -> Path:
    """The same from the root on, with links followed; one that can't be followed stays."""
    path = given(name, folder)
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # older Pythons raise RuntimeError where links run in circles
        return path.absolute()


def is_sound(name: str) -> bool:
    """Whether a name, with `/` between its parts, leads to a file beneath the folder where it is put, on any system,
    and to none hidden."""
    return not UNSOUND.search(name) and not any(part == "" or part.startswith(".") for part in name.split("/"))


def sound(name: str) -> str:
    """The name of a file such that it is sound, with `-` for what not every system takes."""
    return UNSOUND.sub("-", name).lstrip(".") or "file"


def no_file(path: Path) -> str | None:
    """Why there is no file to read, such as `doesn't exist`; None where there is one."""
    mode = _mode(path)
    if isinstance(mode, str):
        return mode
    if stat.S_ISDIR(mode):
        return "is a folder, not a file"
    if not stat.S_ISREG(mode):  # a pipe or a device might never end
        return "is a pipe or a device, not a file"
    return None if os.access(path, os.R_OK) else WHY[errno.EACCES]


def beside(path: Path) -> list[str]:
    """The names of the files in the folder where a path leads, some thousands at most; none where there is none."""
    try:
        with os.scandir(path.parent) as entries:
            return sorted(entry.name for entry in islice(entries, MOST_BESIDE) if os.path.isfile(entry))
    except (OSError, ValueError):
        return []


def matching(folder: Path, pattern: str) -> list[Path]:
    """What in a folder has names like this, in order; nothing where there is no folder, or none that may be read."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def no_content(path: Path) -> str | None:
    """Why there is no file with something in it; None where there is one. Files of /proc, too, say that they are
    empty."""
    return no_file(path) or (None if path.stat().st_size else "is empty")


def nothing(path: Path) -> str | None:
    """Why there is neither a file nor a folder to read; None where there is one."""
    mode = _mode(path)
    if isinstance(mode, int) and stat.S_ISDIR(mode):
        return None if os.access(path, os.R_OK | os.X_OK) else WHY[errno.EACCES]
    return no_file(path)


def reason(fault: OSError) -> str:
    """Why a file could not be used, as it follows its name."""
    return WHY.get(fault.errno or 0) or f"can't be read: {fault.strerror or fault}"


def _mode(path: Path) -> int | str:
    """What is there, or why that can't be known."""
    try:
        return path.stat().st_mode
    except OSError as fault:
        return reason(fault)
    except ValueError:
        return "can't be a file's name: it contains a character that no name can have"


def read_start(path: Path, most: int) -> bytes:
    """The first bytes of a file, as far as they are there at once; OSError, also for what is no file."""
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it isn't a regular file")
        return file.read(most) or b""
