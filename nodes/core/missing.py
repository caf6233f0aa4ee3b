"""What a perceptor may be missing; the command line has an exit code of its own for it."""

from importlib.util import find_spec
from pathlib import Path


class MissingPackageError(RuntimeError):
    """A package is not installed, or doesn't work with the others; the text says what to install."""


class MissingWeightsError(RuntimeError):
    """Weights are neither here nor available for download; the text says which, and how to get them."""


def package_folder(package: str) -> Path:
    """Where a package is, found without running it; ModuleNotFoundError, with how to install it, where it isn't."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"pip install {package.replace('_', '-')}", name=package)
    return Path(found.submodule_search_locations[0])
