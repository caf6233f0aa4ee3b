"""How far the pictures of one file are from those of another."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import PIL.ImageSequence
import torch
from torch import Tensor

from t2iflow.nodes.film.decoder import every_picture
from t2iflow.nodes.pictures.endings import IMAGES, VIDEOS, proper
from t2iflow.nodes.pictures.opening import opened


@dataclass(frozen=True)
class Finding:
    """Whether two files show the same, and how far off they are, in words."""

    same: bool
    text: str


def apart(one: Path, other: Path, where: str) -> Finding:
    """How far a picture or film is from another, of which the words say `where` that is."""
    name = one.name
    if one.read_bytes() == other.read_bytes():
        return Finding(True, f"{name}: the same, byte for byte")
    try:
        return _measured(name, pictures(one), pictures(other), where)
    except (ValueError, OSError, SyntaxError) as fault:  # as Pillow raises
        return Finding(False, f"{name}: the files differ, and the pictures can't be compared: {fault}")


def _measured(name: str, there: Iterator[Tensor], here: Iterator[Tensor], where: str) -> Finding:
    """How far pictures are from those made again, in levels of 255."""
    most, total, count, first = 0.0, 0.0, 0, None
    for number, (one, other) in enumerate(zip_longest(there, here)):
        if one is None:
            return Finding(False, f"{name}: it has {number} pictures, and more {where}")
        if other is None:
            return Finding(False, f"{name}: it has more pictures than the {number} {where}")
        if one.shape != other.shape:
            sizes = [f"{tensor.shape[1]} x {tensor.shape[0]}" for tensor in (one, other)]
            return Finding(False, f"{name}: it is {sizes[0]} pixels, and {sizes[1]} {where}")
        apart = (one.float() - other.float()).abs()
        most, total, count = max(most, float(apart.max())), total + float(apart.mean()), number + 1
        first = number if first is None and most else first
    if first is None:
        return Finding(True, f"{name}: every pixel is the same; the files differ in their other content")
    since = f" from picture {first + 1} of {count} on" if count > 1 else ""
    return Finding(
        False, f"{name}: differs{since}, by {total / count:.2g} of 255 levels on average and {most:.0f} at most"
    )


def pictures(path: Path) -> Iterator[Tensor]:
    """The pictures in a file, (h, w, channels) in 0..255."""
    ending = proper(path)
    if ending in VIDEOS:
        yield from every_picture(str(path))
        return
    if ending not in IMAGES:
        raise ValueError("they aren't pictures")
    with opened(path) as found:
        for frame in PIL.ImageSequence.Iterator(found):
            levels = frame.convert("RGBA")
            flat = torch.frombuffer(bytearray(levels.tobytes()), dtype=torch.uint8)
            yield flat.view(levels.height, levels.width, 4)
