"""The canvas of Aleph-Image: a picture painted from mixtures of the codes of OpenAI's dVAE.

Ryan Murdock's notebooks of February and March 2021 (Aleph2Image Delta and Gamma), and Katherine Crowson's, which
samples codes.
"""

import math
from functools import cached_property, partial
from typing import Annotated, Literal

import torch
from annotated_types import Len
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes, Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.numbers import counts
from t2iflow.nodes.core.precision import Precision, dtype_of
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import Image, NonNegative, Positive, Size
from t2iflow.nodes.generators.carried import Carried
from t2iflow.nodes.generators.clamp import cut
from t2iflow.nodes.generators.codes import Certainty, Code, Hardens, certain, drawn
from t2iflow.nodes.generators.dvae import Decoder, Encoder, chosen, mixed
from t2iflow.nodes.generators.grid import check_grid, grid, remaining, within
from t2iflow.nodes.generators.spreading import spreading
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resizing import fitted
from t2iflow.nodes.weights.find import loads, obtain
from t2iflow.nodes.weights.weights import Weights

BANNED = -100.0
"""Added to the logits of codes that must not be painted."""


@node(check=check_grid)
class Canvas(Hardens, Carried):
    """A picture painted by OpenAI's dVAE; what is trained is the probability of each of its 8192 codes at each place.

    `weights` by name, or a folder with encoder.pkl and decoder.pkl. Sides are multiples of 8 pixels, the side of a
    code.

    `steer`: what is painted. `soft`: a mixture of all codes by probability (Delta). `gumbel`: likewise, with Gumbel
    noise added to the logits (Gamma). `codebook`: one code, drawn at random, with the gradient of `soft` (Crowson). The
    finished picture has the likeliest codes.

    `softmax`: what the probabilities of a place are taken over. `interleaved`: over even and odd codes separately, so
    that two pictures are laid over each other, as Aleph's reshaping does. `plain`: over all. `temperature` divides the
    logits: lower is more decided (Aleph's temperature multiplies them).

    `start`: for each place a code whose logit is 1 above all others, at random (`codes`) or from a list of numbers; or
    Gaussian `noise`. An `init` picture takes precedence: the code that it has at a place gets the probability
    `certainty`, the others are as the encoder gives them; interleaved, the half of the codes that lacks it starts even.
    `blacklist`: numbers of codes that are never painted. `seamless`: opposite edges meet, so that the picture can be
    laid side by side with itself; see `images.roll`.

    `spread` lets codes learn together: their gradient is blurred by a Gaussian of that deviation, in codes. Large at
    first and small in the end, it keeps a perceptor that likes texture from covering the picture with scales and dots.

    `noise`: Laplace noise around what the decoder paints during the steps, as a fraction of the scale that the decoder
    predicts; Crowson has 1. The finished picture has none. `precision`: what convolutions compute in; `auto` is
    bfloat16 where the device has it.

    Rates are 0.05, growing by a factor of 1.005 per step (Delta), 0.01, growing by 1.015 (Gamma), and 0.05 (Crowson).
    Colours outside 0..1 are clamped; with `codebook` the gradient passes where it leads back (ClampWithGrad).
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
        weights: Annotated[str, loads("dvae")] = "openai-dvae",
        size: Size = (512, 512),
        steer: Literal["soft", "gumbel", "codebook"] = "soft",
        softmax: Literal["interleaved", "plain"] = "interleaved",
        start: Literal["codes", "noise"] | Annotated[list[Code], Len(1)] = "codes",
        certainty: Certainty = 0.9,
        blacklist: list[Code] | None = None,
        seamless: bool = False,
        precision: Precision = "auto",
    ) -> None:
        check_grid({"weights": weights, "size": size})
        self._weights, self._notes, self._shelf, self._device = weights, notes, shelf, device
        self._dtype = dtype_of(precision, device)
        self._size, self._steer, self._certainty, self._wraps = size, steer, certainty, seamless
        found = obtain(weights, "dvae", notes, roles=("decoder",))
        self._decoder = shelf.get(_decoder, found, device, self._dtype, seamless)
        self._grid = grid(size, self._decoder.factor)
        codes, places = len(self._decoder.rows), math.prod(self._grid)
        self._parts = 2 if softmax == "interleaved" else 1
        self._rows = self._parted(self._decoder.rows)
        self._banned = torch.zeros(codes, device=device)
        remaining(blacklist or [], codes)
        self._banned[blacklist or []] = BANNED
        self._banned = self._parted(self._banned)[:, None]
        if init is not None:
            trained = self._taken(init)
        elif start == "noise":
            trained = random.normal(self._parts, places, codes // self._parts) + self._banned
        else:
            # The notebook never starts from the last code.
            known = torch.tensor(range(codes - 1) if start == "codes" else within(start, codes), device=device)
            begun = known[random.integers(places, below=len(known))]
            trained = self._banned.repeat(1, places, 1)
            trained[begun % self._parts, torch.arange(places, device=device), begun // self._parts] += 1
        self._trained = trained.requires_grad_()
        self._bare(size, device)

    def __call__(
        self, random: Random, *, temperature: Positive = 1.0, noise: NonNegative = 0.0, spread: NonNegative = 0.0
    ) -> Image:
        """The picture."""
        if self._finished:
            features = chosen(self._trained.argmax(-1), self._rows)
        else:
            chance = gumbel(random.noise_like(self._trained)) if self._steer == "gumbel" else None
            choose = partial(drawn, random=random) if self._steer == "codebook" else None
            features = mixed(self._trained, self._rows, temperature, chance, choose)
        logits, scales = self._decoder(spreading(self._placed(features), spread, self._wraps)).chunk(2, 1)
        if counts(noise) and not self._finished:
            logits = logits + noise * scales.exp() * laplace(random.noise_like(scales))
        picture = _coloured(logits) + self._over
        return Image(cut(picture) if self._steer == "codebook" else picture.clamp(0, 1))

    def trainable(self) -> list[Tensor]:
        """The logits, (parts, places, codes); the parts are even and odd codes, or all."""
        return [self._trained]

    @torch.no_grad()
    def repaint(self, image: Image) -> None:
        """Take on the picture, as the encoder reads it."""
        self._over.zero_()
        self._trained.copy_(self._taken(image))

    @torch.no_grad()
    def move(self, motion: Motion, border: Border) -> bool:
        """Take on the motion in the logits, each of which stands for 8 x 8 pixels."""
        columns, lines = self._grid
        likely = self._trained.permute(0, 2, 1).unflatten(2, (lines, columns))
        self._trained.copy_(motion(likely, border).flatten(2).permute(0, 2, 1))
        return True

    def _painted(self) -> Tensor:
        features = chosen(self._trained.argmax(-1), self._rows)
        return _coloured(self._decoder(self._placed(features)).chunk(2, 1)[0])

    def _placed(self, features: Tensor) -> Tensor:
        """Features of each place, (places, features), as the decoder reads them, (1, features, h, w)."""
        columns, lines = self._grid
        return (features + self._decoder.bias).T.view(1, -1, lines, columns)

    @cached_property
    def _encoder(self) -> Encoder:
        found = obtain(self._weights, "dvae", self._notes, roles=("encoder",))
        return self._shelf.get(_encoder, found, self._device, self._dtype)

    @torch.no_grad()
    def _taken(self, image: Image) -> Tensor:
        """What to train so that the picture comes back."""
        near = self._encoder(fitted(image, self._size).clamp(0, 1))[0].flatten(1)
        near = self._parted(near).transpose(1, 2) + self._banned
        most, best = near.max(-1, keepdim=True)
        near = certain(near, best, self._certainty)
        taken: Tensor = torch.where(most == most.amax(0), near, self._banned).contiguous()
        return taken

    def _parted(self, rows: Tensor) -> Tensor:
        """Something of each code, (codes, ...), as (parts, codes of a part, ...)."""
        return torch.unflatten(rows, 0, (-1, self._parts)).transpose(0, 1).contiguous()


def _decoder(weights: Weights, device: torch.device, dtype: torch.dtype, wraps: bool) -> Decoder:
    return Decoder(weights.tensors("decoder"), weights.name, device, dtype, wraps)


def _encoder(weights: Weights, device: torch.device, dtype: torch.dtype) -> Encoder:
    return Encoder(weights.tensors("encoder"), weights.name, device, dtype)


def _coloured(logits: Tensor) -> Tensor:
    """Colours around 0..1 of what the decoder gives."""
    return (torch.sigmoid(logits) - 0.1) / 0.8


def gumbel(normal: Tensor) -> Tensor:
    """Gumbel noise from Gaussian noise, by matching quantiles."""
    noise: Tensor = torch.special.log_ndtr(normal)
    return noise.neg_().log_().neg_()


def laplace(normal: Tensor) -> Tensor:
    """Laplace noise of scale 1 from Gaussian noise."""
    tail: Tensor = torch.special.log_ndtr(-normal.abs())
    return -normal.sign() * (tail + math.log(2))
