"""A picture painted by a tiny decoder, a light stand-in for VQGAN.

The decoders of Ollin Boer Bohan's tiny autoencoders (2023) were made to preview the latents of diffusion models; here
CLIP moves the latent, as in the VQGAN+CLIP notebooks, but there is no codebook.
"""

from functools import cached_property
from typing import Annotated, Literal, NamedTuple

import torch
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes, Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.precision import Precision, dtype_of
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import Count, Factor, Image, Latent, NonNegative, Size
from t2iflow.nodes.generators.carried import Carried
from t2iflow.nodes.generators.clamp import cut
from t2iflow.nodes.generators.grid import check_grid, grid
from t2iflow.nodes.generators.taesd import Tiny
from t2iflow.nodes.generators.wrapping import wrap
from t2iflow.nodes.optimizing.target import fit
from t2iflow.nodes.pictures.border import Border
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.nodes.pictures.resizing import fitted
from t2iflow.nodes.weights.find import loads, obtain, offers
from t2iflow.nodes.weights.weights import Weights


class Painted(NamedTuple):
    """The picture, and what it was painted from, (1, channels, h / 8, w / 8)."""

    image: Image
    latent: Latent


@node(check=check_grid)
class Canvas(Carried):
    """A picture painted by a tiny autoencoder's decoder, from a few numbers around 0 for every 8 x 8 pixels.

    `weights` by name, or a folder with a `*decoder*.pth` and, where there is one, an `*encoder*.pth`: `taef2` has 32
    numbers per place and the finest textures, `taesd` 4. Sides are multiples of 8 pixels.

    `noise` is the deviation of the start. The decoder bounds the numbers to +-3 softly; colours outside 0..1 are
    clamped.

    `init`: a picture to start from, which the encoder reads. For weights without an encoder, `start_steps` and
    `start_rate`: the steps and rate of Adam with which the numbers are fitted to it, and to every frame of a zoom.

    `seamless`: opposite edges meet, so that the picture can be laid side by side with itself; see `images.roll`.
    `precision`: what convolutions compute in; `auto` is bfloat16 where the device has it.

    Gives the picture, and what it is painted from (`latent`).
    """

    usual_rate = 0.05

    def __init__(
        self,
        random: Random,
        device: torch.device,
        notes: Notes,
        init: Image | None = None,
        shelf: Shelf = NOWHERE,
        *,
        weights: Annotated[str, loads("taesd")] = "taef2",
        size: Size = (384, 384),
        noise: NonNegative = 0.5,
        start_steps: Count = 100,
        start_rate: Factor = 0.1,
        seamless: bool = False,
        precision: Precision = "auto",
    ) -> None:
        check_grid({"weights": weights, "size": size})
        self._weights, self._notes, self._shelf, self._device, self._size = weights, notes, shelf, device, size
        self._start_steps, self._start_rate, self._seamless = start_steps, start_rate, seamless
        self._dtype = dtype_of(precision, device)
        self._decoder = self._network("decoder")
        columns, rows = grid(size, self._decoder.factor)
        start = noise * random.normal(1, self._decoder.channels, rows, columns)
        self._latent = start.to(device).requires_grad_()
        self._bare(size, device)
        if init is not None:
            self.repaint(init)

    def __call__(self) -> Painted:
        """The picture, and what it is painted from."""
        latent = self._latent * 1  # a tensor of its own: a leaf can't be told from what it paints
        return Painted(Image(cut(self._colours(latent) + self._over)), Latent(latent))

    def trainable(self) -> list[Tensor]:
        """What is painted from, (1, channels, h / 8, w / 8)."""
        return [self._latent]

    def repaint(self, image: Image) -> None:
        """Take on the picture, as the encoder reads it, or fitted for `start_steps` steps."""
        self._over.zero_()
        picture = fitted(image.detach(), self._size).clamp(0, 1)
        if self._encoder is None:
            latent = self._latent
            fit([latent], lambda: self._colours(latent), picture, self._start_steps, self._start_rate)
            return
        with torch.no_grad():
            self._latent.copy_(self._encoder(picture.to(self._dtype)))

    @torch.no_grad()
    def move(self, motion: Motion, border: Border) -> bool:
        """Take on the motion in what is painted from, which stands for 8 x 8 pixels each."""
        self._latent.copy_(motion(self._latent, border))
        return True

    def _painted(self) -> Tensor:
        return self._colours(self._latent)

    def _colours(self, latent: Tensor) -> Tensor:
        """What the decoder paints, before it is cut to 0..1."""
        colours: Tensor = self._decoder(latent.to(self._dtype))
        return colours.float()

    @cached_property
    def _encoder(self) -> Tiny | None:
        return self._network("encoder") if offers(self._weights, "taesd", "encoder") else None

    def _network(self, role: Literal["decoder", "encoder"]) -> Tiny:
        found = obtain(self._weights, "taesd", self._notes, roles=(role,))
        return self._shelf.get(_tiny, found, role, self._device, self._dtype, self._seamless)


def _tiny(weights: Weights, role: str, device: torch.device, dtype: torch.dtype, wraps: bool) -> Tiny:
    network = Tiny(weights.tensors(role), weights.name, device, dtype)
    if wraps:
        wrap(network)
    return network
