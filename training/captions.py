"""Named things as a VQGAN reads them, and what is said of them: what a transformer learns to draw from.

Pictures are read into codes once, in some views each. Some texts are empty, which supercondition needs.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from t2iflow.nodes.core.ambient import SILENCE
from t2iflow.nodes.core.precision import dtype_of
from t2iflow.nodes.generators.vqgan.network import VQGAN
from t2iflow.nodes.weights.find import obtain
from t2iflow.nodes.weights.weights import Weights
from training.kept import kept
from training.packages import Kind
from training.pictures import sized
from training.things import Thing, things

SIDE = 96
"""Pixels of a picture: 144 codes, by which what is small in an icon is just told apart (64 codes blur it)."""
VIEWS = 4
"""Of each picture."""
TOGETHER = 8
"""Things that are read at a time."""
EMPTY, SHUFFLED = 0.15, 0.1
"""Parts of the texts: those that say nothing, and those whose name has its words in any order."""
WHITE = 0.85
"""The part of views on white."""

TEMPLATES: dict[Kind, tuple[str, ...]] = {
    "icons": ("{name}", "{a} {name}", "a picture of {a} {name}", "{name} icon", "an icon of {a} {name}"),
    "cut-outs": ("{name}", "{a} {name}", "a picture of {a} {name}", "{name} photo", "a photo of {a} {name}"),
}
GROUNDS = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "red": (220, 50, 50),
    "orange": (245, 150, 40),
    "yellow": (250, 220, 70),
    "green": (70, 160, 80),
    "blue": (50, 110, 210),
    "purple": (130, 80, 180),
    "pink": (245, 160, 190),
}
"""Colours behind things; all but the first are named in captions."""
BEHIND = (" on {}", " on a {} background")
SIGNS = {
    *("letter", "letters", "latin", "input", "keycap", "button", "symbol", "mark", "oclock", "thirty", "flag"),
    *("banknote", "selector"),
}
"""Words of things that are written more than drawn, and are left out: one in seven, which few ask for."""
SIDED = {
    "left",
    "leftwards",
    "right",
    "rightwards",
    "clockwise",
    "anticlockwise",
    "counterclockwise",
    "arrow",
    "arrows",
}
"""Words of things that would be others if they were mirrored."""


class Views(NamedTuple):
    """Codes of things in some views each, (things, views, codes), int16, and the numbers of the colours behind them,
    (things, views)."""

    codes: Tensor
    grounds: Tensor


def views(things: list[Thing], weights: Weights, vqgan: VQGAN, work: Path) -> Views:
    """Views of things as a VQGAN reads them; from a file, where the same one has read the same things before."""
    seen = repr((SIDE, VIEWS, WHITE, GROUNDS, [thing.words for thing in things]))
    digest = sha256(weights.files["checkpoint"].read_bytes() + seen.encode()).hexdigest()
    path = work / "codes" / f"{digest[:16]}.pt"
    return Views(**kept(path, lambda: _read(things, vqgan)))


@torch.no_grad()
def _read(things: list[Thing], vqgan: VQGAN) -> dict[str, Tensor]:
    codes, grounds = [], []
    for start in range(0, len(things), TOGETHER):
        if start % 1000 < TOGETHER:
            print(f"{start} of {len(things)} things read", flush=True)
        seen = []
        for number, thing in enumerate(things[start : start + TOGETHER], start):
            random = np.random.default_rng(number)
            for _ in range(VIEWS):
                ground = 0 if random.random() < WHITE else int(random.integers(1, len(GROUNDS)))
                seen.append(seen_on(tuple(GROUNDS.values())[ground], thing, random))
                grounds.append(ground)
        images = torch.from_numpy(np.stack(seen)).to(vqgan.codes.device).permute(0, 3, 1, 2).float() / 255
        codes.append(vqgan.nearness(images).argmax(1).view(-1, VIEWS, (SIDE // vqgan.layout.factor) ** 2).short().cpu())
    return {"codes": torch.cat(codes), "grounds": torch.tensor(grounds, dtype=torch.uint8).view(-1, VIEWS)}


def seen_on(colour: tuple[int, int, int], thing: Thing, random: np.random.Generator) -> np.ndarray:
    """A thing on a plain ground, somewhat larger or smaller, off the middle, or mirrored; (side, side, 3), 0 to 255."""
    picture = Image.fromarray(thing.picture)
    picture = sized(picture, SIDE * random.uniform(0.75, 0.98))
    if random.random() < 0.5 and SIDED.isdisjoint(thing.words):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    behind = Image.new("RGB", (SIDE, SIDE), colour)
    left, top = (round((SIDE - length) * random.uniform(0.3, 0.7)) for length in picture.size)
    behind.paste(picture, (left, top), picture)
    return np.array(behind)


def phrase(thing: Thing, ground: int, random: np.random.Generator) -> str:
    """A text for a thing on a ground, or none."""
    if random.random() < EMPTY:
        return ""
    name = " ".join(random.permutation(thing.words) if random.random() < SHUFFLED else thing.words)
    template = str(random.choice(TEMPLATES[thing.kind]))
    text = template.format(a="an" if name[0] in "aeiou" else "a", name=name)
    return text + str(random.choice(BEHIND)).format(tuple(GROUNDS)[ground]) if ground else text


class Captions:
    """Texts and codes, batch after batch."""

    def __init__(self, work: Path, vqgan: Path, device: torch.device, batch: int, seed: int) -> None:
        self._device, self._size, self._seed = device, batch, seed
        self._things = [thing for thing in things(work) if SIGNS.isdisjoint(thing.words)]
        self.weights = obtain(str(vqgan), "vqgan", SILENCE)
        self.vqgan = VQGAN(self.weights, [], device, dtype_of("auto", device))
        self._views = views(self._things, self.weights, self.vqgan, work)

    @property
    def words(self) -> Sequence[str]:
        """All that is said; what is said of all things is as common as the commonest words of names."""
        said = re.findall(r"(?<!{)\b[a-z]+", " ".join((*TEMPLATES["icons"], *TEMPLATES["cut-outs"], *BEHIND, *GROUNDS)))
        return [word for thing in self._things for word in thing.words] + 100 * said

    @property
    def side(self) -> int:
        """Codes across a picture."""
        return SIDE // self.vqgan.layout.factor

    def __call__(self, step: int) -> tuple[list[str], Tensor]:
        """The texts and codes, (n, side * side), of a step."""
        random = np.random.default_rng((self._seed, step))
        chosen, view = random.integers(len(self._things), size=self._size), random.integers(VIEWS, size=self._size)
        grounds = self._views.grounds[chosen, view].tolist()
        texts = [phrase(self._things[one], ground, random) for one, ground in zip(chosen, grounds, strict=True)]
        return texts, self._views.codes[chosen, view].long().to(self._device)

    def painted(self, codes: Tensor) -> Tensor:
        """Pictures (n, 3, h, w) in about 0..1 of codes (n, side * side)."""
        z = self.vqgan.codes[codes].unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        return (torch.cat([self.vqgan.decode(one) for one in z.split(1)]) + 1) / 2
