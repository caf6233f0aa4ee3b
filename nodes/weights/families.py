"""What files weights of a family are made of, and how these are called."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.weights.content import WrongFileError


@dataclass(frozen=True)
class Family:
    """What files its weights are made of, by role, and how these are called: as their publishers do, or in the format
    that is safe whatever is in it. Those `on_demand` are needed only where a run starts from a picture, or films, or
    where the weights were trained with a tokenizer of their own.
    """

    files: Mapping[str, tuple[str, ...]]
    on_demand: tuple[str, ...] = ()


FAMILIES: Mapping[str, Family] = {
    "vqgan": Family({"config": ("*.y*ml",), "checkpoint": ("*.ckpt", "*.safetensors")}),
    "biggan": Family({"config": ("*config.json",), "checkpoint": ("*pytorch_model.bin", "*model.safetensors")}),
    "dvae": Family(
        {"decoder": ("decoder*.pkl", "decoder*.safetensors"), "encoder": ("encoder*.pkl", "encoder*.safetensors")},
        on_demand=("encoder",),
    ),
    "dalle-mini": Family(
        {
            "encoder": ("encoder*.pt", "encoder*.safetensors"),
            "decoder": ("decoder*.pt", "decoder*.safetensors"),
            "detoker": ("detoker*.pt", "detoker*.safetensors"),
            "vocabulary": ("vocab*.json",),
            "merges": ("merges*.txt",),
        }
    ),
    "dalle-pytorch": Family(
        {"checkpoint": ("*.pt",), "tokenizer": ("*tokenizer*.json",)},
        on_demand=("tokenizer",),
    ),
    "taesd": Family(
        {"decoder": ("*decoder*.pth", "*decoder*.safetensors"), "encoder": ("*encoder*.pth", "*encoder*.safetensors")},
        on_demand=("encoder",),
    ),
}
"""All families, by name."""


def called(family: str, *roles: str) -> str:
    """How a family's files are called, in words: `config *.y*ml, checkpoint *.ckpt or *.safetensors`."""
    files = FAMILIES[family].files
    return ", ".join(f"{role} {' or '.join(files[role])}" for role in roles or files)


def lacking(family: str, roles: Collection[str]) -> list[str]:
    """The roles without which no weights of a family are of use, and which these are not."""
    known = FAMILIES[family]
    return [role for role in known.files if role not in (*roles, *known.on_demand)]


def incomplete(name: str, family: str, roles: Iterable[str]) -> str:
    """Says which files weights lack."""
    return f"the weights `{name}` are incomplete; missing: {called(family, *roles)}"


def fitting(name: str, family: str) -> list[str]:
    """The roles whose files are called like this one."""
    files = FAMILIES[family].files
    return [role for role, patterns in files.items() if any(fnmatch(name, pattern) for pattern in patterns)]


def guess(names: Sequence[str]) -> str:
    """The family whose files are called like this; of several the one that says most of the names."""

    def said(family: str) -> int:
        patterns = [pattern for patterns in FAMILIES[family].files.values() for pattern in patterns]
        return sum(len(one.replace("*", "")) for name in names for one in patterns if fnmatch(name, one))

    best = max(FAMILIES, key=said)
    if said(best) == 0:
        raise ValueError(f"{', '.join(names)}: no family's files have such names; name the family with --family")
    return best


def beside(place: Path, family: str, roles: Iterable[str] | None = None) -> dict[str, Path]:
    """The files in a folder, or those that belong to one file, by role; of all roles, or only of some.

    Where there are several, those whose names vary in the same way: `decoder_mini.pt` beside `encoder_mini.pt`.
    """
    folder = place if os.path.isdir(place) else place.parent
    try:
        names = sorted(path.name for path in folder.iterdir() if os.path.isfile(path))
    except OSError as fault:
        raise WrongFileError(f"the folder {folder} {paths.reason(fault)}") from fault
    varied = {role: _varied(patterns, names) for role, patterns in FAMILIES[family].files.items()}
    if os.path.isfile(place):
        keys = [key for candidates in varied.values() for key, name in candidates.items() if name == place.name]
        if not keys:
            raise WrongFileError(
                f"`{place.name}` is not a file of {family} weights, which are called: {called(family)}"
            )
    else:
        keys = [next(iter(candidates)) for candidates in varied.values() if len(candidates) == 1]
    found = {}
    for role in varied if roles is None else roles:
        candidates = varied[role]
        usual = list(candidates) if len(candidates) == 1 else ["", "model"]
        key = next((key for key in (*keys[:1], *usual) if key in candidates), None)
        if key is not None:
            found[role] = folder / candidates[key]
        elif candidates:
            listed = ", ".join(candidates.values())
            raise WrongFileError(
                f"{folder} holds several files for the {role}: {listed}; name one in place of the folder"
            )
    return found


def _varied(patterns: Iterable[str], names: list[str]) -> dict[str, str]:
    """The names that fit a pattern, by what its first `*` stands for; those of the first pattern before others."""
    found: dict[str, str] = {}
    for pattern in patterns:
        first, *rest = (re.escape(part) for part in pattern.split("*"))
        form = re.compile(f"{first}(.*){'.*'.join(rest)}")
        found = {match[1]: name for name in names if (match := form.fullmatch(name))} | found
    return found
