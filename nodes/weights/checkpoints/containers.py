"""The containers that checkpoints come in: what each says that it holds, and its tensors, mapped from the file."""

import zipfile
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from typing import Any, Protocol

import torch
from torch import Tensor

from t2iflow.nodes.weights.checkpoints import pickles
from t2iflow.nodes.weights.checkpoints.allowed import RefusedError, Storage
from t2iflow.nodes.weights.checkpoints.state_dict import sorted_out

LONGEST = 16 << 20
"""Bytes of what describes the tensors; in the largest checkpoints it takes less than one million."""

PACKED = b"PK\x03\x04"
"""What a zip, and each of its entries, begins with."""

LEGACY = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""What files begin with that torch wrote before 1.6, after two bytes of the pickles' protocol."""

NO_CHECKPOINTS = {
    b"<": "it is a web page",
    b"\x1f\x8b": "it is compressed with gzip",
    b"version https://git-lfs": "it is only a Git LFS pointer",
    b"\x80": "it is a pickle, but not one of torch's",
}


class Container(Protocol):
    """A file that holds tensors; making one reads what the file says of them, and none of their numbers."""

    names: list[str]
    data: dict[str, Any]
    """What it says beside the tensors in plain values, by the outermost keys."""
    archive: bool = False
    """Whether it is a TorchScript archive: OpenAI's CLIPs are."""

    def tensors(self, file: BufferedReader, names: Iterable[str]) -> dict[str, Tensor]:
        """Those of these names, from the same file, opened again."""


class Safetensors(Container):
    """What Hugging Face's library of that name writes: a table in JSON, then the numbers."""

    def __init__(self, file: BufferedReader) -> None:
        with self._opened(file) as content:
            self.names = list(content.keys())
            self.data = dict(content.metadata() or {})
        if not self.names:
            raise ValueError("it holds no tensors")

    def tensors(self, file: BufferedReader, names: Iterable[str]) -> dict[str, Tensor]:
        """Those of these names, from the same file, opened again."""
        with self._opened(file) as content:
            return {name: content.get_tensor(name) for name in names}

    @contextmanager
    def _opened(self, file: BufferedReader) -> Iterator[Any]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file.name, "pt") as content:
                yield content
        except SafetensorError as fault:
            raise ValueError(str(fault)) from fault


class _Pickled(Container):
    """A file of torch's, whose pickle says which views of which storages its tensors are."""

    def __init__(self, root: Any) -> None:
        self._stored, self.data = sorted_out(root)
        self.names = list(self._stored)
        if not self._stored:
            # Where DeepSpeed keeps the tensors elsewhere, DALLE-pytorch leaves a message in their place.
            said = root.get("weights") if isinstance(root, dict) else None
            raise ValueError("it holds no tensors" + (f" but says: {said}" if isinstance(said, str) else ""))

    def tensors(self, file: BufferedReader, names: Iterable[str]) -> dict[str, Tensor]:
        """Those of these names, from the same file, opened again."""
        asked = {name: self._stored[name] for name in names}
        numbers = self._numbers(file, dict.fromkeys(stored.storage for stored in asked.values()))
        return {
            name: torch.empty(0, dtype=stored.storage.dtype).set_(numbers[stored.storage], *stored[1:])
            for name, stored in asked.items()
        }

    @abstractmethod
    def _numbers(self, file: BufferedReader, storages: Iterable[Storage]) -> dict[Storage, torch.UntypedStorage]:
        """The numbers of storages."""


class Zip(_Pickled):
    """What torch writes since 1.6, and TorchScript: a zip in which nothing is compressed."""

    def __init__(self, file: BufferedReader) -> None:
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
        if f"{self._folder}byteorder" in self._entries and self._read(file, "byteorder") != b"little":
            raise ValueError("its numbers are stored big end first")
        super().__init__(pickles.follow(BytesIO(self._read(file, "data.pkl"))))

    def _numbers(self, file: BufferedReader, storages: Iterable[Storage]) -> dict[Storage, torch.UntypedStorage]:
        mapped = torch.UntypedStorage.from_file(file.name, False, file.seek(0, 2))
        left, numbers = len(mapped), {}
        for storage in storages:
            start, length = self._span(file, f"data/{storage.key}")
            needed = storage.length * storage.dtype.itemsize
            if length < needed:
                raise ValueError(f"its storage {storage.key} is cut short")
            left -= needed
            if left < 0:
                raise RefusedError("its storages overlap")
            part: torch.UntypedStorage = mapped[start : start + needed]
            # torch puts storages at multiples of 64; other programs, which have packed a file again, do not.
            numbers[storage] = part if start % storage.dtype.itemsize == 0 else part.clone()
        return numbers

    def _read(self, file: BufferedReader, name: str) -> bytes:
        start, length = self._span(file, name)
        if length > LONGEST:
            raise RefusedError(f"its `{name}` is longer than {LONGEST >> 20} MB")
        file.seek(start)
        return file.read(length)

    def _span(self, file: BufferedReader, name: str) -> tuple[int, int]:
        """Where an entry's bytes begin in the file, and how many they are."""
        entry = self._entries.get(self._folder + name)
        if entry is None:
            raise ValueError(f"it lacks `{name}`")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"its `{name}` is compressed, which torch never does")
        file.seek(entry.header_offset)
        header = file.read(30)
        if not header.startswith(PACKED):
            raise ValueError(f"its `{name}` is not where it should be")
        start = entry.header_offset + 30 + sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        if start + entry.file_size > file.seek(0, 2):
            raise ValueError(f"its `{name}` is cut short")
        return start, entry.file_size


class Legacy(_Pickled):
    """What torch wrote before 1.6: five pickles, the last of them the storages' keys; then these, each with its length.

    They lie at odd places, where nothing can be mapped; so what is asked for is read.
    """

    def __init__(self, file: BufferedReader) -> None:
        file.seek(0)
        program = BytesIO(file.read(LONGEST))
        storages: dict[str, Storage] = {}
        _, version, system, root, keys = (pickles.follow(program, storages) for _ in range(5))
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
        super().__init__(root)

    def _numbers(self, file: BufferedReader, storages: Iterable[Storage]) -> dict[Storage, torch.UntypedStorage]:
        found = {}
        for storage in storages:
            numbers = torch.empty(storage.length * storage.dtype.itemsize, dtype=torch.uint8)
            file.seek(self._starts[storage.key])
            room: Any = numbers.numpy()
            if file.readinto(room) < len(room):
                raise ValueError(f"its storage {storage.key} is cut short")
            found[storage] = numbers.untyped_storage()
        return found


FORMATS: tuple[tuple[int, bytes, Callable[[BufferedReader], Container]], ...] = (
    (0, PACKED, Zip),
    (2, LEGACY, Legacy),
    (8, b"{", Safetensors),
)
"""The kinds of container: after how many bytes of another meaning each begins with what, and what opens it."""


def opened(file: BufferedReader) -> Container:
    """The container that a file is, whatever it is called; ValueError for what is none, or is damaged."""
    start = file.read(512)
    for skipped, sign, opens in FORMATS:
        if start[skipped:].startswith(sign):
            return opens(file)
    known = (what for sign, what in NO_CHECKPOINTS.items() if start.lstrip().startswith(sign))
    raise ValueError(next(known, "it is not in any format of checkpoints" if start else "it is empty"))
