"""The text of a recipe, written back into its own file: one that lies in the folder in which the studio was opened."""

import shutil
from pathlib import Path, PurePath

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.whole import whole
from t2iflow.runner.studio.home import UNSOUND
from t2iflow.runner.studio.refused import Refused

ENDING, MOST = ".yaml", 10_000_000


def save(folder: Path, name: str, text: str, was: str) -> None:
    """Write another text into a recipe's file, whole or not at all; Refused where there is no such file in the folder
    itself, or where it no longer says what it `was` when it was opened."""
    path = folder / name
    is_plain = PurePath(name).name == name and not name.startswith(".") and not UNSOUND.search(name)
    if not is_plain or path.suffix != ENDING or path.is_symlink() or paths.no_file(path):
        raise Refused(404, f"there is no recipe `{name}` in the folder in which the studio was opened")
    if _lines(paths.read_start(path, MOST).decode("utf-8-sig", "replace")) != _lines(was):
        raise Refused(409, f"`{name}` was changed meanwhile: save your text as another file, and open that")
    try:
        with whole(path, lasting=True) as fresh:
            fresh.write_bytes(text.encode())
            shutil.copymode(path, fresh)
    except OSError as fault:
        raise Refused(409, f"can't write `{name}`: {fault.strerror}") from fault
    except UnicodeError:
        raise Refused(409, f"can't write `{name}`: the text has a character that UTF-8 can't encode") from None


def _lines(text: str) -> list[str]:
    """However they end."""
    return text.splitlines()
