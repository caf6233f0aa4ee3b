"""A picture painted from a grid of learnt codes, the canvas of the VQGAN+CLIP notebooks.

Katherine Crowson's notebooks of 2021: z+quantize, which moves the vectors that codes are chosen by, and codebook
sampling, which moves the probability of each code; with what S2, nerdyrodent and jbustter added.
"""

import math
from typing import Annotated, Any, Literal, NamedTuple

import torch
from torch import Tensor

from t2iflow.nodes import images
from t2iflow.nodes.core.ambient import Notes, Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.precision import Precision, dtype_of
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import Image, Latent, NonNegative, Positive, Size
from t2iflow.nodes.generators.carried import Carried
from t2iflow.nodes.generators.clamp import cut
from t2iflow.nodes.generators.codes import Certainty, Code, Hardens, certain, drawn
from t2iflow.nodes.generators.grid import check_grid, grid
from t2iflow.nodes.generators.spreading import spreading
from t2iflow.nodes.generators.vqgan.network import VQGAN, nearest
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resizing import fitted
from t2iflow.nodes.weights.find import loads, obtain


class Painted(NamedTuple):
    """The picture, what it was painted from and what that was at the start; both (1, channels, h, w) of the codes."""

    image: Image
    latent: Latent
    start: Latent


@node(check=check_grid)
class Canvas(Hardens, Carried):
    """A picture painted by a VQGAN from a grid of codes, one for every 16 x 16 pixels (8 x 8 with f8).

    `weights` by name, or a folder with taming-transformers' yaml and ckpt. Sides are multiples of the pixels of a code.

    `steer`: what is trained. `quantize`: a vector for each place; the code nearest to it is painted, and the gradient
    goes to the vector. With `bounded`, vectors stay within the codes' smallest and largest values. `codebook`: the
    probability of each code at each place; every step draws one at random, and the gradient goes to the probabilities.
    `soft`: likewise, but all codes are mixed. `temperature` divides the logits: lower is more decided. The finished
    picture has the likeliest codes; the lower the temperature was, the closer it is to the last mixture.

    `start`: random `codes`, or what the encoder makes of `noise` or a `gradient`; an `init` picture takes precedence.
    With `codebook` and `soft` the code that a picture has at a place gets the probability `certainty`; of the others,
    nearer ones are likelier. `blacklist`: numbers of codes that are never painted. `seamless`: opposite edges meet, so
    that the picture can be laid side by side with itself; see `images.roll`.

    `spread` lets codes learn together: their gradient is blurred by a Gaussian of that deviation, in codes. Large at
    first and small in the end, it keeps a perceptor that likes texture from covering the picture with scales and dots.

    `precision`: what convolutions compute in; `auto` is bfloat16 where the device has it.

    Gives the picture, the codes that it is painted from (`latent`; with `quantize` the vectors themselves) and those of
    the start. Crowson's rates are 0.05, S2's and nerdyrodent's 0.1. Colours outside 0..1 are clamped; the gradient
    passes where it leads back (ClampWithGrad). GumbelVQ reads a picture without its noise.
    """

    usual_rate = 0.1

    def __init__(
        self,
        random: Random,
        device: torch.device,
        notes: Notes,
        init: Image | None = None,
        shelf: Shelf = NOWHERE,
        *,
        weights: Annotated[str, loads("vqgan")] = "imagenet-f16-16384",
        size: Size = (512, 512),
        steer: Literal["quantize", "codebook", "soft"] = "quantize",
        start: Literal["codes", "noise", "gradient"] = "codes",
        bounded: bool = True,
        certainty: Certainty = 0.9,
        blacklist: list[Code] | None = None,
        seamless: bool = False,
        precision: Precision = "auto",
    ) -> None:
        check_grid({"weights": weights, "size": size})
        dtype = dtype_of(precision, device)
        found = obtain(weights, "vqgan", notes)
        self._network = shelf.get(VQGAN, found, blacklist or [], device, dtype, seamless)
        self._size, self._grid = size, grid(size, self._network.layout.factor)
        self._quantizes, self._certainty = steer == "quantize", certainty
        self._draws, self._wraps = steer == "codebook", seamless
        codes = self._network.codes
        self._bounds = (codes.amin(0).view(1, -1, 1, 1), codes.amax(0).view(1, -1, 1, 1)) if bounded else None
        if init is None and start != "codes":
            init = images.noise(random, size=size, kind="gradient" if start == "gradient" else "uniform")
        if init is not None:
            trained = self._taken(init)
        elif self._quantizes:
            trained = self._placed(codes[random.integers(math.prod(self._grid), below=len(codes))])
        else:
            trained = random.normal(math.prod(self._grid), len(codes))
        self._trained = trained.requires_grad_()
        self._start = self._likeliest()
        self._bare(size, device)

    def __call__(self, random: Random, *, temperature: Positive = 1.0, spread: NonNegative = 0.0) -> Painted:
        """The picture, and the codes now and at the start."""
        codes = self._network.codes
        if self._quantizes:
            latent = self._trained * 1  # a tensor of its own: a leaf can't be told from what it paints
            painted = self._placed(codes[self._nearest()]) + (latent - latent.detach())
        else:
            likely = torch.softmax(self._trained / temperature, 1)
            mixed = likely @ codes
            if self._finished:
                mixed = codes[self._trained.argmax(1)] + (mixed - mixed.detach())
            elif self._draws:
                mixed = codes[drawn(likely.detach(), random)] + (mixed - mixed.detach())  # in this order exactly codes
            latent = painted = self._placed(mixed)
        picture = self._decoded(spreading(painted, spread, self._wraps))
        return Painted(Image(cut(picture + self._over)), Latent(latent), Latent(self._start))

    def trainable(self) -> list[Tensor]:
        """The vectors, (1, channels, h, w), or the logits, (h * w, n)."""
        return [self._trained]

    @torch.no_grad()
    def settle(self) -> None:
        """Clamp the vectors, each channel to the codes' bounds."""
        if self._quantizes and self._bounds is not None:
            self._trained.clamp_(*self._bounds)

    @torch.no_grad()
    def repaint(self, image: Image) -> None:
        """Take on the picture, as the encoder reads it; it is the new start."""
        self._over.zero_()
        self._trained.copy_(self._taken(image))
        self._start.copy_(self._likeliest())

    @torch.no_grad()
    def move(self, motion: Motion, border: Border) -> bool:
        """Take on the motion in the vectors or logits, each of which stands for some pixels."""
        rows = self._trained if self._quantizes else self._placed(self._trained)
        moved = motion(rows, border)
        self._trained.copy_(moved if self._quantizes else moved[0].flatten(1).T)
        self.settle()
        self._start.copy_(self._likeliest())
        return True

    def state_dict(self) -> dict[str, Any]:
        """The start, and what lies over what is painted."""
        return {"start": self._start, **super().state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        super().load_state_dict(state)
        self._start.copy_(state["start"])

    def _painted(self) -> Tensor:
        best = self._nearest() if self._quantizes else self._trained.argmax(1)
        return self._decoded(self._placed(self._network.codes[best]))

    def _decoded(self, latent: Tensor) -> Tensor:
        return (self._network.decode(latent) + 1) / 2

    @torch.no_grad()
    def _taken(self, image: Image) -> Tensor:
        """What to train so that the picture comes back."""
        near = self._network.nearness(fitted(image, self._size).clamp(0, 1))
        best = near.argmax(1, keepdim=True)
        if self._quantizes:
            return self._placed(self._network.codes[best[:, 0]])
        near = (near - near.mean(1, keepdim=True)) / near.std(1, keepdim=True)  # spread like a random start
        return certain(near, best, self._certainty)

    @torch.no_grad()
    def _likeliest(self) -> Tensor:
        """What is painted from, without randomness: the vectors, or the likeliest codes."""
        if self._quantizes:
            return self._trained.clone()
        return self._placed(self._network.codes[self._trained.argmax(1)])

    @torch.no_grad()
    def _nearest(self) -> Tensor:
        return nearest(self._trained[0].flatten(1).T, self._network.codes)

    def _placed(self, rows: Tensor) -> Tensor:
        """A row of channels for each place as (1, channels, h, w)."""
        columns, lines = self._grid
        return rows.T.reshape(1, -1, lines, columns)
