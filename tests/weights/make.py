"""Write made-up weights of all families, or of some: `python -m tests.weights.make FOLDER [--full] [FAMILY...]`.

Each family has a folder of its own in FOLDER. Small ones take a few MB together; full ones have the shapes and the size
of the published files.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

import tests.weights as package


def families() -> list[str]:
    """The families that there are weights of: a module each beside this one."""
    own = __name__.rpartition(".")[2] if __name__ != "__main__" else Path(__file__).stem
    return [module.name.replace("_", "-") for module in pkgutil.iter_modules(package.__path__) if module.name != own]


def make(family: str, folder: Path, full: bool = False) -> Path:
    """Write the weights of a family into the folder; gives where they are, which may be a file in it."""
    module = family.replace("-", "_")
    if family not in families():
        raise LookupError(f"there are no small {family} weights: add tests/weights/{module}.py with make(folder, full)")
    folder.mkdir(parents=True, exist_ok=True)
    made: Path = importlib.import_module(f"{package.__name__}.{module}").make(folder, full=full)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.weights.make", description="Write made-up weights.")
    parser.add_argument("folder", type=Path, help="where each family gets a folder")
    parser.add_argument("families", nargs="*", metavar="family", help=f"some of {', '.join(families())}; all, if none")
    parser.add_argument("--full", action="store_true", help="in the true shapes: some GB in all")
    asked = parser.parse_intermixed_args(arguments)
    strangers = [name for name in asked.families if name not in families()]
    if strangers:
        parser.error(f"there is no family {', '.join(strangers)}; there are {', '.join(families())}")
    for name in asked.families or families():
        sys.stdout.write(f"{make(name, asked.folder / name, asked.full)}\n")


if __name__ == "__main__":
    main()
