"""Packages of pictures: fetched by name and version, shown to be the right ones, unpacked."""

import subprocess
import tempfile
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, Field

from training.kept import alone

Kind = Literal["photographs", "cut-outs", "icons", "scenes"]
LIST = Path(__file__).parent / "packages.yaml"


class PackageError(Exception):
    """A package is unavailable, or its file is not the one that is listed."""


class Package(BaseModel, frozen=True, extra="forbid"):
    """A package of a registry, and what is known of its pictures."""

    key: str
    registry: Literal["debian", "npm"]
    version: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    kind: Kind
    licence: str
    by: str
    name: str = ""
    held_out: bool = False

    @cached_property
    def spec(self) -> str:
        """The package as its registry's client names it."""
        name = self.name or self.key
        return f"{name}={self.version}" if self.registry == "debian" else f"{name}@{self.version}"


def listed() -> list[Package]:
    """All packages of the list, in its order."""
    return [Package(key=key, **told) for key, told in yaml.safe_load(LIST.read_text(encoding="utf-8")).items()]


def unpacked(package: Package, work: Path) -> Path:
    """The folder of the package's files, which is fetched and unpacked where it is not there yet."""
    folder = work / "unpacked" / f"{package.key}-{package.sha256[:8]}"
    with alone(folder):
        if not folder.is_dir():
            _unpack(fetched(package, work / "packages"), package, folder)
    return folder


def _unpack(archive: Path, package: Package, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        open_deb, open_tgz = ["dpkg-deb", "-x", str(archive), scratch], ["tar", "-xzf", str(archive), "-C", scratch]
        _run(open_deb if package.registry == "debian" else open_tgz, package)
        inside = Path(scratch) / "inside"
        inside.mkdir()
        for entry in Path(scratch).iterdir():
            if entry != inside:
                entry.rename(inside / entry.name)
        inside.rename(folder)


def fetched(package: Package, folder: Path) -> Path:
    """The package's file, from the folder or else from its registry; PackageError where its digest is another."""
    kept = (
        folder
        / f"{package.key}-{package.version.replace(':', '_')}{'.deb' if package.registry == 'debian' else '.tgz'}"
    )
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        client = {"debian": ["apt-get", "download"], "npm": ["npm", "pack"]}[package.registry]
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _run([*client, package.spec], package, cwd=scratch)
            (file,) = Path(scratch).iterdir()
            file.rename(kept)
    digest = sha256(kept.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise PackageError(
            f"{kept} is not the file of the package {package.spec} that is listed: its sha256 is {digest}, not "
            f"{package.sha256}. Remove it, and it is fetched again; if the registry serves this one, it has changed"
        )
    return kept


def _run(command: list[str], package: Package, cwd: str | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    except FileNotFoundError as fault:
        raise PackageError(f"the package {package.spec} needs the program `{command[0]}`, which is not here") from fault
    except subprocess.CalledProcessError as fault:
        last = (fault.stderr.strip() or fault.stdout.strip() or "it said nothing").splitlines()[-1]
        raise PackageError(f"the package {package.spec} is unavailable: `{command[0]}` said: {last}") from fault
