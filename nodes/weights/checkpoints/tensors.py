"""Checkpoints in every container that weights are shared in, read as tensors only and mapped from the file.

Safetensors; torch's zips and what it wrote before them; TorchScript archives. In these flat state dicts, such dicts
under `state_dict` (Lightning's, open_clip's) or `weights` (DALLE-pytorch's), and whole modules. Nothing in a file is
run (see pickles.py), and nothing is read of a tensor that isn't asked for; so no copy in another format is kept, which
would save 50 ms (0.3 s for a large file from before torch 1.6).
"""

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from t2iflow.nodes.weights.checkpoints import pickles
from t2iflow.nodes.weights.checkpoints.pickles import Holder, RefusedError, Storage, Stored

UNDER = ("state_dict", "weights", "model", "model_state_dict", "module", "params_ema", "params", "ema")
"""Where dicts that hold more than weights have these: Lightning's, DALLE-pytorch's, and what others' trainers write."""

PARALLEL, COMPILED = "module.", "_orig_mod."
"""What DataParallel puts before the names of all tensors, and `torch.compile` before those of a module."""

LONGEST = 16 << 20
"""Bytes of what describes the tensors; in the largest checkpoints it takes less than one million."""

MOST = 100
"""Things that a checkpoint says beside its tensors."""

MOST_SAID = 10_000
"""Values in such a thing, written out: a few bytes can hold themselves twice, and so on, sixty times over."""

LEGACY = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""What files begin with that torch wrote before 1.6, after two bytes of the pickles' protocol."""

NO_CHECKPOINTS = {
    b"<": "it is a web page",
    b"\x1f\x8b": "it is compressed with gzip",
    b"version https://git-lfs": "it is only what git keeps in a file's place",
    b"\x80": "it is a pickle, but not one of torch's",
}


@dataclass(frozen=True)
class Content:
    """What a checkpoint holds."""

    tensors: dict[str, Tensor]
    data: dict[str, Any]
    """What it says beside them in plain values, by the outermost keys."""
    archive: bool = False
    """Whether it is a TorchScript archive: OpenAI's CLIPs are."""


def read(path: Path, *, drop: tuple[str, ...] = (), advice: str = "fetch it again") -> Content:
    """What a checkpoint holds, without the tensors under the prefixes in `drop`.

    ValueError, with the advice, for a file that is damaged, no checkpoint, or holds more than weights.
    """
    try:
        return _content(path, drop)
    except RefusedError as fault:
        raise ValueError(f"`{path.name}` is refused, as {fault}") from fault
    except ValueError as fault:
        raise ValueError(f"`{path.name}` is damaged or no checkpoint: {fault}; {advice}") from fault


def survey(path: Path) -> None:
    """Raise ValueError, with the reason alone, where a file is no whole checkpoint; no tensor is read for that."""
    _content(path, ("",))  # every name begins with nothing


def _content(path: Path, drop: tuple[str, ...]) -> Content:
    """What a checkpoint holds; RefusedError or ValueError with a reason, whatever is wrong."""
    with path.open("rb") as file:
        try:
            return _read(path, file, drop)
        except RefusedError as fault:
            raise RefusedError(f"it holds more than weights: {_spoken(fault)}") from fault
        except Exception as fault:  # a stranger's bytes fail in zipfile, pickletools, safetensors, torch and here
            reason = _spoken(fault) if isinstance(fault, ValueError) else f"it makes no sense ({fault!r:.100})"
            raise ValueError(reason) from fault


def _spoken(fault: Exception) -> str:
    """Its message in one line, without what would steer a terminal: names in it are the file's."""
    return "".join(letter if letter.isprintable() else " " for letter in str(fault)[:300])


def _read(path: Path, file: BufferedReader, drop: tuple[str, ...]) -> Content:
    start = file.read(512)
    if start.startswith(b"PK\x03\x04"):
        return _read_torch(_Zip(path, file), drop)
    if start[2:].startswith(LEGACY):
        return _read_torch(_Legacy(file), drop)
    if start[8:9] == b"{":
        return _read_safetensors(path, drop)
    known = (what for sign, what in NO_CHECKPOINTS.items() if start.lstrip().startswith(sign))
    raise ValueError(next(known, "it is in none of the formats of checkpoints" if start else "it is empty"))


def _read_safetensors(path: Path, drop: tuple[str, ...]) -> Content:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            names = _bare(file.keys())
            tensors = {name: file.get_tensor(given) for given, name in names.items() if not name.startswith(drop)}
            data = dict(file.metadata() or {})
    except SafetensorError as fault:
        raise ValueError(str(fault)) from fault
    if not names:
        raise ValueError("it holds no tensors")
    return Content(tensors, data)


class _Container(Protocol):
    """A file of torch's: what it describes, and the numbers of a storage."""

    root: Any
    archive: bool

    def numbers(self, storage: Storage) -> torch.UntypedStorage: ...


class _Zip:
    """What torch writes since 1.6, and TorchScript: a zip in which nothing is compressed."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self._file = file
        try:
            with zipfile.ZipFile(file) as archive:
                self._entries = {entry.filename: entry for entry in archive.infolist()}
        except zipfile.BadZipFile as fault:  # a zip's table of contents is at its end
            raise ValueError("it is cut short") from fault
        program = next((name for name in self._entries if name.endswith("/data.pkl") and name.count("/") == 1), None)
        if program is None:
            raise ValueError("it is a zip, but not one of torch's")
        self._folder = program.removesuffix("data.pkl")
        self.archive = f"{self._folder}constants.pkl" in self._entries
        if f"{self._folder}byteorder" in self._entries and self._read("byteorder") != b"little":
            raise ValueError("its numbers are stored big end first")
        self.root = pickles.follow(BytesIO(self._read("data.pkl")))
        self._mapped = torch.UntypedStorage.from_file(str(path), False, file.seek(0, 2))
        self._left = len(self._mapped)

    def numbers(self, storage: Storage) -> torch.UntypedStorage:
        start, length = self._span(f"data/{storage.key}")
        needed = storage.length * storage.dtype.itemsize
        if length < needed:
            raise ValueError(f"its storage {storage.key} is cut short")
        self._left -= needed
        if self._left < 0:
            raise RefusedError("its storages lie upon each other")
        part: torch.UntypedStorage = self._mapped[start : start + needed]
        # torch puts storages at multiples of 64; other programs, which have packed a file again, do not.
        return part if start % storage.dtype.itemsize == 0 else part.clone()

    def _read(self, name: str) -> bytes:
        start, length = self._span(name)
        if length > LONGEST:
            raise RefusedError(f"its `{name}` is longer than {LONGEST >> 20} MB")
        self._file.seek(start)
        return self._file.read(length)

    def _span(self, name: str) -> tuple[int, int]:
        """Where an entry's bytes begin in the file, and how many they are."""
        entry = self._entries.get(self._folder + name)
        if entry is None:
            raise ValueError(f"it lacks `{name}`")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"its `{name}` is compressed, which torch never does")
        self._file.seek(entry.header_offset)
        header = self._file.read(30)
        if not header.startswith(b"PK\x03\x04"):
            raise ValueError(f"its `{name}` is not where it should be")
        start = entry.header_offset + 30 + sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        if start + entry.file_size > self._file.seek(0, 2):
            raise ValueError(f"its `{name}` is cut short")
        return start, entry.file_size


class _Legacy:
    """What torch wrote before 1.6: five pickles, the last of them the storages' keys; then these, each with its length.

    They lie at odd places, where nothing can be mapped; so what is asked for is read.
    """

    archive = False

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        file.seek(0)
        program = BytesIO(file.read(LONGEST))
        storages: dict[str, Storage] = {}
        _, version, system, self.root, keys = (pickles.follow(program, storages) for _ in range(5))
        if version != 1001 or not system["little_endian"]:
            raise ValueError("its numbers are stored in another way than torch's")
        self._starts: dict[str, int] = {}
        at, end = program.tell(), file.seek(0, 2)
        for key in keys:
            if not isinstance(key, str):
                raise ValueError("its storages have no names")
            storage = storages[key]
            file.seek(at)
            count = int.from_bytes(file.read(8), "little")
            self._starts[key] = at + 8
            at += 8 + count * storage.dtype.itemsize
            if count != storage.length or at > end:
                raise ValueError(f"its storage {storage.key} is cut short")

    def numbers(self, storage: Storage) -> torch.UntypedStorage:
        numbers = torch.empty(storage.length * storage.dtype.itemsize, dtype=torch.uint8)
        self._file.seek(self._starts[storage.key])
        room: Any = numbers.numpy()
        self._file.readinto(room)
        return numbers.untyped_storage()


def _read_torch(file: _Container, drop: tuple[str, ...]) -> Content:
    tensors, data = _sorted_out(file.root)
    if not tensors:
        # Where DeepSpeed keeps the tensors elsewhere, DALLE-pytorch leaves a message in their place.
        said = file.root.get("weights") if isinstance(file.root, dict) else None
        raise ValueError("it holds no tensors" + (f" but says: {said}" if isinstance(said, str) else ""))
    names = _bare(tensors)
    asked = {names[given]: stored for given, stored in tensors.items() if not names[given].startswith(drop)}
    numbers = {storage: file.numbers(storage) for storage in {stored.storage: None for stored in asked.values()}}
    made = {
        name: torch.empty(0, dtype=stored.storage.dtype).set_(numbers[stored.storage], *stored[1:])
        for name, stored in asked.items()
    }
    return Content(made, data, file.archive)


def _sorted_out(root: Any) -> tuple[dict[str, Stored], dict[str, Any]]:
    """The tensors by their names, and what else is said in plain values."""
    if isinstance(root, Holder):
        return _tensors_in(root), {}
    if not isinstance(root, dict):
        raise ValueError(f"it holds a {type(root).__name__.lower()}, not tensors by their names")
    key = next((key for key in UNDER if _tensors_in(root.get(key))), None)
    tensors = _tensors_in(root if key is None else root[key])
    if key is None:
        return tensors, {}
    others = [(name, value) for name, value in root.items() if isinstance(name, str) and name != key]
    return tensors, {name: value for name, value in others[:MOST] if _is_plain(value)}


def _tensors_in(value: Any) -> dict[str, Stored]:
    """The tensors of a state dict, or of a whole module, by their names."""
    if isinstance(value, Holder):
        return dict(_walk(value, "", set()))
    named = value.items() if isinstance(value, dict) else ()
    return {name: part for name, part in named if isinstance(name, str) and isinstance(part, Stored)}


def _bare(names: Iterable[str]) -> dict[str, str]:
    """For each name in a file the one that the network itself has, without those of its wrappers."""
    given = list(names)
    bare = [name.replace(COMPILED, "") for name in given]
    while bare and all(name.startswith(PARALLEL) for name in bare):
        bare = [name.removeprefix(PARALLEL) for name in bare]
    return dict(zip(given, bare if len(set(bare)) == len(given) else given, strict=True))


def _walk(module: Holder, prefix: str, met: set[int]) -> Iterator[tuple[str, Stored]]:
    """The tensors in a module and in those it holds, by their path; each module once."""
    if len(prefix) > 500:
        raise RefusedError("it has modules in modules without end")
    met.add(id(module))
    held = module.attributes
    inner = [part for name in ("_parameters", "_buffers", "_modules") if isinstance(part := held.get(name), dict)]
    for part in inner or [held]:
        for name, value in () if id(part) in met else part.items():
            if isinstance(value, Stored):
                yield f"{prefix}{name}", value
            elif isinstance(value, Holder) and id(value) not in met:
                yield from _walk(value, f"{prefix}{name}.", met)
        met.add(id(part))


def _is_plain(value: Any) -> bool:
    """Whether there are only plain values in it, and not too many once each is written out where it stands."""
    waiting = [value]
    for _ in range(MOST_SAID):
        if not waiting:
            return True
        value = waiting.pop()
        if type(value) in (dict, list, tuple):
            waiting += [*value, *value.values()] if isinstance(value, dict) else value
        elif not isinstance(value, str | int | float | bytes | None):
            return False
    return False
