"""What a pickle may name and call, and what stands for it: tensors that lie elsewhere, objects that are never made."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

HELD = ("__torch__", "torch.nn", "dall_e", "taming", "pytorch_lightning", "lightning", "lightning_fabric", "omegaconf")
"""Packages whose classes checkpoints name: TorchScript's, whole modules', Lightning's callbacks and settings."""

HELD_TOO = {
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
}


class RefusedError(ValueError):
    """A pickle does or names what no checkpoint needs."""


class Name(NamedTuple):
    """A class or function that a pickle names."""

    module: str
    name: str


@dataclass(eq=False)
class Holder:
    """An object of a class that isn't looked up: what its attributes were."""

    attributes: dict[Any, Any] = field(default_factory=dict)


class Storage(NamedTuple):
    """Numbers that lie elsewhere in the file, under a key."""

    dtype: torch.dtype
    key: str
    length: int


class Stored(NamedTuple):
    """A tensor as a view of a storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def allowed(module: Any, name: Any) -> Name:
    """A name that checkpoints have a reason for; RefusedError for any other."""
    if not (isinstance(module, str) and isinstance(name, str)):
        raise RefusedError("it names what is no name")
    named = Name(module, name)
    whole = ".".join(named)
    numbers = module == "torch" and (name in DTYPES or isinstance(vars(torch).get(name), torch.dtype))
    if numbers or whole in CALLS or _is_held(named):
        return named
    raise RefusedError(f"it names {whole:.100}")


def stand_in(called: Name, arguments: tuple[Any, ...]) -> Any:
    """What stands for what a pickle calls; nothing of that name is."""
    name = ".".join(called)
    if name in CALLS:
        return CALLS[name](*arguments)
    if _is_held(called):
        return Holder()
    raise RefusedError(f"it calls {name}")


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, Name):
        return ".".join(value)
    return {Stored: "a tensor", Holder: "an object"}.get(type(value), f"a {type(value).__name__.lower()}")


def _is_held(named: Name) -> bool:
    inside = any(named.module == package or named.module.startswith(f"{package}.") for package in HELD)
    return (inside and named.name.isidentifier()) or ".".join(named) in HELD_TOO


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Stored:
    if not isinstance(storage, Storage):
        raise RefusedError(f"it makes a tensor of {kind_of(storage)}")
    if len(size) != len(stride) or len(size) > 8:
        raise ValueError("a tensor of no possible shape")
    numbers = (offset, *size, *stride)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError("a tensor of no possible shape")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if math.prod(size) and (last >= storage.length or math.prod(size) > storage.length):
        raise ValueError("a tensor is larger than what is stored of it")
    return Stored(storage, offset if math.prod(size) else 0, tuple(size), tuple(stride))


def _empty(given: Any = None, *_: Any) -> dict[Any, Any]:
    if isinstance(given, list):  # what Python 2 wrote
        raise RefusedError("it makes a dict of a list")
    return {}


def _first(value: Any = None, *_: Any) -> Any:
    return value


CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch.Size": _first,
    "torch.device": _first,
    "torch.jit._pickle.build_intlist": _first,
    "torch.jit._pickle.build_doublelist": _first,
    "torch.jit._pickle.build_boollist": _first,
    "torch.jit._pickle.restore_type_tag": _first,
    "collections.OrderedDict": _empty,
    "collections.defaultdict": _empty,
    "__builtin__.set": _first,
    "builtins.set": _first,
    "_codecs.encode": _first,
}
"""What torch's pickles call, and what is done in its stead."""
