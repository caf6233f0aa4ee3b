"""What files weights of a family are made of, and how these are called."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from t2iflow.nodes.weights.content import WrongFileError

ROLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "vqgan": {"config": ("*.y*ml",), "checkpoint": ("*.ckpt", "*.safetensors")},
    "biggan": {"config": ("*config.json",), "checkpoint": ("*pytorch_model.bin", "*model.safetensors")},
    "dvae": {
        "decoder": ("decoder*.pkl", "decoder*.safetensors"),
        "encoder": ("encoder*.pkl", "encoder*.safetensors"),
    },
    "dalle-mini": {
        "encoder": ("encoder*.pt", "encoder*.safetensors"),
        "decoder": ("decoder*.pt", "decoder*.safetensors"),
        "detoker": ("detoker*.pt", "detoker*.safetensors"),
        "vocabulary": ("vocab*.json",),
        "merges": ("merges*.txt",),
    },
    "dalle-pytorch": {"checkpoint": ("*.pt",), "tokenizer": ("*tokenizer*.json",)},
    "taesd": {
        "decoder": ("*decoder*.pth", "*decoder*.safetensors"),
        "encoder": ("*encoder*.pth", "*encoder*.safetensors"),
    },
}
"""What files weights of a family are made of, by role, and how these are called: as their publishers do, or in the
format that is safe whatever is in it."""


def called(family: str, *roles: str) -> str:
    """How a family's files are called, in words: `config *.y*ml, checkpoint *.ckpt or *.safetensors`."""
    return ", ".join(f"{role} {' or '.join(ROLES[family][role])}" for role in roles or ROLES[family])


def fitting(name: str, family: str, role: str) -> list[str]:
    """The patterns of a role that a file's name fits."""
    return [pattern for pattern in ROLES[family][role] if fnmatch(name, pattern)]


def guess(names: Sequence[str]) -> str:
    """The family whose files are called like this; of several the one that says most of the names."""

    def said(family: str) -> int:
        found = [pattern for name in names for role in ROLES[family] for pattern in fitting(name, family, role)]
        return sum(len(pattern.replace("*", "")) for pattern in found)

    best = max(ROLES, key=said)
    if said(best) == 0:
        raise ValueError(f"{', '.join(names)}: no family's files are called so; say which it is with --family")
    return best


def beside(place: Path, family: str, roles: Iterable[str] | None = None) -> dict[str, Path]:
    """The files in a folder, or those that belong to one file, by role; of all roles, or only of some.

    Where there are several, those whose names vary in the same way: `decoder_mini.pt` beside `encoder_mini.pt`.
    """
    folder = place if place.is_dir() else place.parent
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    varied = {role: _varied(patterns, names) for role, patterns in ROLES[family].items()}
    if place.is_file():
        keys = [key for candidates in varied.values() for key, name in candidates.items() if name == place.name]
        if not keys:
            raise WrongFileError(
                f"`{place.name}` is none of the files of {family} weights, which are called: {called(family)}"
            )
    else:
        keys = [next(iter(candidates)) for candidates in varied.values() if len(candidates) == 1]
    found = {}
    for role in varied if roles is None else roles:
        candidates = varied[role]
        key = next((key for key in (*keys[:1], *_usual(candidates)) if key in candidates), None)
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


def _usual(candidates: Mapping[str, str]) -> list[str]:
    return list(candidates) if len(candidates) == 1 else ["", "model"]
