"""Batches of training pictures: crops of photographs, cut-outs laid over them, icons on plain colours.

What step N of a seed sees depends on nothing but N and the seed, so that a run that was stopped goes on as if it had
not been.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from t2iflow.nodes.core.whole import whole as whole_file
from t2iflow.nodes.core.whole import write
from training import icons
from training.kept import alone
from training.packages import Kind, Package, listed, unpacked

SIDES = (960, 480, 240)
"""Short sides in pixels at which a photograph is kept: near, whole, and from afar."""
LEAST = 700
"""A photograph with a shorter side than this is a thumbnail of another."""
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
SHARES: dict[Kind, float] = {"photographs": 0.6, "cut-outs": 0.3, "icons": 0.1}
"""Which part of a batch is of which kind."""

Image.MAX_IMAGE_PIXELS = None  # wallpapers are large, and their digests are known


@dataclass(frozen=True)
class Place:
    """Where a picture is in a file of bytes: its first, rows, columns and channels."""

    start: int
    shape: tuple[int, int, int]


class Shelf:
    """Pictures of one kind in a file of bytes, mapped, with an index beside it; 3 channels, or 4 with what is there."""

    def __init__(self, path: Path) -> None:
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self._places = [Place(start, tuple(shape)) for start, shape in told["places"]]
        self.names: list[str] = told["names"]
        self._bytes = np.memmap(path, np.uint8, "r")

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> np.ndarray:
        """(rows, columns, channels), 0 to 255; nothing is read before it is cut."""
        place = self._places[number]
        return self._bytes[place.start : place.start + int(np.prod(place.shape))].reshape(place.shape)

    @staticmethod
    def write(path: Path, pictures: Iterable[tuple[str, Image.Image]]) -> None:
        """Write all pictures and the index, the latter last: where it is, all is."""
        names, places, start = [], [], 0
        with whole_file(path) as fresh, fresh.open("wb") as file:
            for name, picture in pictures:
                values = np.asarray(picture)
                file.write(values.tobytes())
                names.append(name)
                places.append((start, values.shape))
                start += values.size
        write(path.with_suffix(".json"), json.dumps({"names": names, "places": places}))


def shelf(kind: Kind, work: Path, held_out: bool = False) -> Shelf:
    """The pictures of all packages of a kind, either those that train or those that are held out; made if need be."""
    packages = [package for package in listed() if package.kind == kind and package.held_out == held_out]
    mark = "-".join(package.sha256[:4] for package in packages)
    path = work / "shelves" / f"{kind}-{mark}.bin"
    with alone(path):
        if not path.with_suffix(".json").is_file():
            Shelf.write(path, (found for package in packages for found in _pictures(package, work)))
    return Shelf(path)


def _pictures(package: Package, work: Path) -> Iterator[tuple[str, Image.Image]]:
    folder = unpacked(package, work)
    if package.kind == "icons":
        yield from icons.drawn(folder)
        return
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and not path.is_symlink()):
        with Image.open(path) as picture:
            if package.kind == "cut-outs":
                if "symbols" not in path.parts and max(picture.size) >= 96:  # letters and coins
                    yield path.stem, picture.convert("RGBA")
            elif min(picture.size) >= LEAST:
                for side in SIDES:
                    scale = side / min(picture.size)
                    wide, high = (round(length * scale) for length in picture.size)
                    yield (
                        path.stem,
                        picture.convert("RGB").resize((wide, high), Image.Resampling.LANCZOS, reducing_gap=3),
                    )


class Batch(NamedTuple):
    """The pictures of a step, (n, 3, side, side) in 0..1, and where it matters which they are, their numbers."""

    images: Tensor
    numbers: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(self.images.to(device), None if self.numbers is None else self.numbers.to(device))


class Pictures:
    """What a model is trained on."""

    def __init__(self, work: Path, side: int, batch: int, seed: int) -> None:
        self._side, self._batch, self._seed = side, batch, seed
        self._kinds, self._shares = list(SHARES), list(SHARES.values())
        self._shelves = {kind: shelf(kind, work) for kind in SHARES}

    def __call__(self, step: int) -> Batch:
        """The pictures of a step."""
        random = np.random.default_rng((self._seed, step))
        kinds = random.choice(len(self._kinds), self._batch, p=self._shares)
        made = np.stack([self._one(self._kinds[kind], random) for kind in kinds])
        return Batch(torch.from_numpy(made).permute(0, 3, 1, 2).float() / 255)

    def _one(self, kind: Kind, random: np.random.Generator) -> np.ndarray:
        if kind == "photographs":
            return self._crop(random)
        shelf = self._shelves[kind]
        thing = Image.fromarray(shelf[int(random.integers(len(shelf)))])
        # A thing is seen whole, or, larger than the crop, a part of it.
        thing = sized(thing, self._side * random.uniform(0.6, 1.6))
        if random.random() < 0.5:
            thing = thing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        plain = kind == "icons" or random.random() < 0.3
        ground = self._plain(random) if plain else self._crop(random)
        behind = Image.fromarray(ground)
        left, top = (int(random.uniform(*sorted((0, self._side - length)))) for length in thing.size)
        behind.paste(thing, (left, top), thing)
        return np.array(behind)

    def _crop(self, random: np.random.Generator) -> np.ndarray:
        shelf = self._shelves["photographs"]
        picture = shelf[int(random.integers(len(shelf)))]
        top, left = (random.integers(length - self._side + 1) for length in picture.shape[:2])
        crop = picture[top : top + self._side, left : left + self._side]
        return np.ascontiguousarray(crop[:, ::-1] if random.random() < 0.5 else crop)

    def _plain(self, random: np.random.Generator) -> np.ndarray:
        """White, black or any colour."""
        colour = [np.full(3, 255), np.zeros(3), random.integers(0, 256, 3)][random.choice(3, p=(0.5, 0.1, 0.4))]
        return np.full((self._side, self._side, 3), colour, np.uint8)


def sized(picture: Image.Image, longest: float) -> Image.Image:
    """A picture whose longer side has this many pixels."""
    scale = longest / max(picture.size)
    wide, high = (max(1, round(length * scale)) for length in picture.size)
    return picture.resize((wide, high), Image.Resampling.LANCZOS)


def whole(work: Path, side: int, held_out: bool = True) -> Tensor:
    """Held-out photographs, the middle of each, (n, 3, side, side) in 0..1."""
    kept = shelf("photographs", work, held_out)
    middles = []
    for number in range(0, len(kept), len(SIDES)):  # a photograph is kept at each side in turn
        picture = kept[number + SIDES.index(240)]
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        middles.append(picture[top : top + side, left : left + side])
    return torch.from_numpy(np.stack(middles)).permute(0, 3, 1, 2).float() / 255
