"""Files of CLIP weights, read as tensors only: nothing in a file is ever run.

OpenAI's own files are TorchScript archives, which `torch.load` reads only with code and all. They are ordinary zips of
raw tensors and a pickle that says how these hang together; here that pickle may name tensors and modules and nothing
else. Other files are safetensors, or what `torch.load` reads with `weights_only`.
"""

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch
from torch import Tensor

BOOKKEEPING = {"input_resolution", "context_length", "vocab_size"}
"""Buffers that only OpenAI's archives have."""

DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}


class Weights(NamedTuple):
    """What a file holds."""

    tensors: dict[str, Tensor]
    openai: bool
    """Whether it is an archive of OpenAI's, whose networks use QuickGELU."""


def read(path: Path) -> Weights:
    """The tensors in a file; ValueError if it is damaged or holds anything else."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return Weights(load_file(path), False)
        if is_archive(path):
            return Weights(_read_archive(path), True)
        return Weights(_plain(torch.load(path, "cpu", weights_only=True)), False)
    except Exception as fault:  # a stranger's bytes fail in zipfile, pickle, safetensors and torch, each in many ways
        reason = " ".join(str(fault).split())[:300]
        raise ValueError(f"`{path.name}` is damaged, holds no weights, or more than weights: {reason}") from fault


def is_archive(path: Path) -> bool:
    """Whether this is a TorchScript archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") and name.count("/") == 1 for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _plain(loaded: Any) -> dict[str, Tensor]:
    """The tensors of a plain checkpoint: under `state_dict` in those of open_clip's training, named `module.`..."""
    tensors = loaded.get("state_dict", loaded)
    if not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ValueError("no tensors where they should be")
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _read_archive(path: Path) -> dict[str, Tensor]:
    with zipfile.ZipFile(path) as archive:
        entry = next(name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1)
        with archive.open(_stored(archive, entry)) as file:
            root = _Unpickler(file, archive, entry.removesuffix("data.pkl")).load()
        return {name: tensor for name, tensor in _tensors(root, "", set()) if name not in BOOKKEEPING}


def _stored(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """An entry as torch writes them, uncompressed; so nothing can swell beyond the file's own size."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"`{name}` is compressed")
    return entry


class _Unpickler(pickle.Unpickler):
    """Rebuilds modules as empty objects with attributes, and tensors; refuses to name anything else."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder
        self._storages: dict[str, Tensor] = {}
        self._module = type("Module", (), {})  # of its own, because a pickle can set attributes of a class

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return self._module
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle" and name in ("build_intlist", "build_doublelist", "build_boollist"):
            return list
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, key: Any) -> Tensor:
        _, dtype, entry, _, count = key
        if entry not in self._storages:
            data = bytearray(self._archive.read(_stored(self._archive, f"{self._folder}data/{entry}")))
            self._storages[entry] = torch.frombuffer(data, dtype=dtype, count=count) if count else torch.empty(0)
        return self._storages[entry].view(dtype)

    def _tensor(self, storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
        if math.prod(size) > storage.numel():
            raise ValueError("a tensor is larger than what is stored of it")
        return storage.as_strided(size, stride, offset)


def _tensors(module: Any, prefix: str, met: set[int]) -> Iterator[tuple[str, Tensor]]:
    """The tensors in a module and in those it holds, by their path; each module once."""
    met.add(id(module))
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif type(value) is type(module) and id(value) not in met:
            yield from _tensors(value, f"{prefix}{name}.", met)


class Shape(NamedTuple):
    """What the tensors of a CLIP say of its architecture, as open_clip's configurations put it."""

    embed_dim: int
    vision_cfg: dict[str, Any]
    text_cfg: dict[str, Any]


HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104}
"""Width of an attention head by width of the tower, where it isn't 64: open_clip's ViT-H, -g and -bigG."""


def shape(tensors: dict[str, Tensor]) -> Shape:
    """The architecture of a CLIP in OpenAI's form, as its own build_model finds it; KeyError for anything else."""
    sizes = {name: tensor.shape for name, tensor in tensors.items()}
    context, width = sizes["positional_embedding"]
    text = {
        "context_length": context,
        "vocab_size": sizes["token_embedding.weight"][0],
        "width": width,
        "heads": max(1, width // 64),
        "layers": _count(sizes, "transformer.resblocks."),
    }
    return Shape(sizes["text_projection"][1], _vision(sizes), text)


def _vision(sizes: dict[str, torch.Size]) -> dict[str, Any]:
    if "visual.proj" not in sizes:
        side = math.isqrt(sizes["visual.attnpool.positional_embedding"][0] - 1)
        layers = [_count(sizes, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)]
        return {"layers": layers, "width": sizes["visual.layer1.0.conv1.weight"][0], "image_size": 32 * side}
    width, _, _, patch = sizes["visual.conv1.weight"]
    return {
        "layers": _count(sizes, "visual.transformer.resblocks."),
        "width": width,
        "head_width": HEAD_WIDTHS.get(width, min(64, width)),
        "patch_size": patch,
        "image_size": patch * math.isqrt(sizes["visual.positional_embedding"][0] - 1),
    }


def _count(names: dict[str, Any], prefix: str) -> int:
    """How many numbered parts there are under a prefix."""
    return len({name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)})
