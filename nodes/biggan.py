"""BigGAN-deep's pictures of ImageNet classes and mixtures of them: Big Sleep's canvas and its two priors.

Phil Wang's big-sleep 0.9 (2021), after Ryan Murdock's notebook of January 2021: CLIP steers what a trained generator
paints from, and the priors keep that where the generator was trained.
"""

from collections.abc import Mapping
from functools import cache
from itertools import zip_longest
from typing import Annotated, Any, NamedTuple

import torch
from annotated_types import Gt, Interval, Le
from torch import Tensor

from t2iflow.nodes.core.ambient import Notes, Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.precision import Precision, dtype_of
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.spelling import near
from t2iflow.nodes.core.types import Count, Factor, Image, Latent, Loss, Positive
from t2iflow.nodes.generators.biggan.network import BigGAN
from t2iflow.nodes.optimizing.target import fit
from t2iflow.nodes.perceptors import imagenet
from t2iflow.nodes.perceptors.interface import Clip, Sorts, Wanted
from t2iflow.nodes.pictures.resizing import fitted, resized
from t2iflow.nodes.weights.find import loads, obtain

Number = Annotated[int, Interval(ge=0, le=999)]
"""An ImageNet class by its index."""

OWN = 0.95
"""What the starting classes share between them; the others share the rest."""


class Painted(NamedTuple):
    """The picture, and what it was painted from: a row for the start of the network and one for each of its blocks."""

    image: Image
    latent: Latent
    classes: Latent


def _check_classes(settings: Mapping[str, Any]) -> None:
    """Refuse unknown classes, and more than `max_classes` keeps."""
    numbers, most = _numbers(settings.get("classes")), settings.get("max_classes")
    if most is not None and len(numbers) > most:
        raise ValueError(f"there are {len(numbers)} classes to start from, but max_classes keeps only {most}")


@node(check=_check_classes)
class Canvas:
    """A picture painted by BigGAN-deep; each block's noise and classes are trained.

    `weights` decide the size: 128, 256 or 512 pixels square. `truncation`, above 0 and up to 1: the truncation for
    which the network's statistics are taken. `max_classes`: the most classes that a block mixes, by a softmax at
    `temperature` (higher is more even); without it every class has its own share, from 0 to 1. `classes`: what to start
    from, as names or numbers of ImageNet classes; by default those that `wanted` is about, if the perceptor wired to
    `clip` knows ImageNet's classes, as `lite` does; otherwise a little of each.

    `init`: a picture to start from, cropped to its middle; `start_steps` and `start_rate`: the steps and rate of Adam
    with which noise and classes are fitted to it, and to every frame of a zoom. BigGAN has no encoder, and only
    approximates what it can't paint.

    `seamless`: opposite edges meet, so that the picture can be laid side by side with itself; see `images.roll`.
    `precision`: what convolutions compute in; `auto` is bfloat16 where the device has it.

    Gives the picture, the noise (`latent`, rows x 128) and the shares of the classes (`classes`, rows x 1000); rows are
    11, 13 and 15 for the three sizes. Follows Big Sleep, whose rate is 0.07.
    """

    usual_rate = 0.07

    def __init__(
        self,
        random: Random,
        device: torch.device,
        notes: Notes,
        init: Image | None = None,
        clip: Clip | None = None,
        wanted: Wanted | None = None,
        shelf: Shelf = NOWHERE,
        *,
        weights: Annotated[str, loads("biggan")] = "biggan-deep-512",
        truncation: Annotated[float, Gt(0), Le(1)] = 1.0,
        max_classes: Annotated[int, Interval(ge=1, le=1000)] | None = None,
        temperature: Positive = 2.0,
        classes: Number | str | list[Number | str] | None = None,
        start_steps: Count = 100,
        start_rate: Factor = 0.07,
        seamless: bool = False,
        precision: Precision = "auto",
    ) -> None:
        self._max_classes, self._temperature = max_classes, temperature
        self._start_steps, self._start_rate = start_steps, start_rate
        dtype = dtype_of(precision, device)
        self._network = shelf.get(BigGAN, obtain(weights, "biggan", notes), truncation, device, dtype, seamless)
        layout, rows = self._network.layout, self._network.layout.rows
        self._noise = random.normal(rows, layout.z_dim).requires_grad_()
        spread = random.normal(rows, layout.num_classes, std=0.3)
        numbers = _numbers(classes) or _classes_of(clip, wanted, notes)[:max_classes]
        self._logits = (self._start(sorted(numbers), layout.num_classes).to(device) + spread).requires_grad_()
        if init is not None:
            side = self._network.layout.side
            self.repaint(Image(resized(init, (side, side), "fill")))

    def __call__(self) -> Painted:
        """The picture, the noise and the classes' shares."""
        noise = self._noise * 1  # a tensor of its own: a leaf can't be told from what it paints
        if self._max_classes is None:
            classes = torch.sigmoid(self._logits)
        else:
            classes = foremost(self._logits / self._temperature, self._max_classes)
        return Painted(Image((self._network(noise, classes) + 1) / 2), Latent(noise), Latent(classes))

    def trainable(self) -> list[Tensor]:
        """The noise, and what the classes' shares are computed from: a row for the start and one for each block."""
        return [self._noise, self._logits]

    def repaint(self, image: Image) -> None:
        """Fit noise and classes to the picture for `start_steps` steps."""
        side = self._network.layout.side
        target = fitted(image.detach(), (side, side)).clamp(0, 1)
        fit(self.trainable(), lambda: self().image, target, self._start_steps, self._start_rate)

    def _start(self, numbers: list[int], count: int) -> Tensor:
        """What each class starts around, (count,): Big Sleep's -3.9, or so that those of `numbers` prevail."""
        if not numbers:
            return torch.full((count,), -3.9)
        if numbers[-1] >= count:
            raise ValueError(f"these weights know {count} classes; there is no number {numbers[-1]}")
        shares = torch.full((count,), (1 - OWN) / max(count - len(numbers), 1))
        shares[numbers] = OWN / len(numbers)
        return torch.logit(shares) if self._max_classes is None else shares.log() * self._temperature


@node
def latent_prior(latent: Latent) -> Loss:
    """How far rows of noise are from Gaussian noise, which BigGAN was trained on.

    The sum of how far each row's deviation is from 1 and its mean from 0, four times the mean square where that is
    above 1, and each row's skewness and excess kurtosis. At least 4, and about 4.6 at the start. Follows Big Sleep,
    where its weight is 1.
    """
    mean = latent.mean(1, keepdim=True)
    apart = latent - mean
    scores = apart / (apart**2).mean(1, keepdim=True).sqrt()
    skew, kurtosis = (scores**3).mean(1), (scores**4).mean(1) - 3
    spread = (1 - latent.std(1)).abs() + mean[:, 0].abs()
    return Loss((spread + skew.abs() + kurtosis.abs()).mean() + 4 * (latent**2).mean().clamp(min=1))


@node
def class_prior(classes: Latent) -> Loss:
    """How much each row holds of classes other than the first: the mean square of 50 times their shares.

    It keeps a block from mixing many classes, which BigGAN never saw in training. Follows Big Sleep, where its weight
    is 1.
    """
    first = classes.argmax(1, keepdim=True)
    others = classes.scatter(1, first, 0)
    return Loss((50 * others).square().sum(1).mean() / (classes.shape[1] - 1))


def foremost(logits: Tensor, count: int) -> Tensor:
    """The `count` largest of each row as shares, 0 for the others; (rows, n) of both.

    Each share is a softmax over what is left once those before it are removed, so shares may add up to more than 1.
    Follows Big Sleep's differentiable top-k, which computes a softmax for each; one sum along the sorted row is enough.
    """
    ordered, places = logits.sort(1, descending=True)
    left = ordered.flip(1).logcumsumexp(1).flip(1)
    shares = (ordered - left)[:, :count].exp()
    return torch.zeros_like(logits).scatter(1, places[:, :count], shares)


def _classes_of(clip: Clip | None, wanted: Wanted | None, notes: Notes) -> list[int]:
    """The index of the class that each prompt is about, the heaviest first; prompts that push away are left out."""
    if clip is None or wanted is None:
        return []
    if not isinstance(clip, Sorts):
        notes.say(f"{clip.name} doesn't know ImageNet's classes, so the picture starts from a little of each")
        return []
    first = clip.classes(wanted.embeddings).argmax(1).tolist()
    weighed = sorted(zip(wanted.weights.tolist(), first, strict=True), reverse=True)
    return list(dict.fromkeys(number for weight, number in weighed if weight > 0))


def _numbers(classes: int | str | list[int | str] | None) -> list[int]:
    """The indices of classes given by name or index; ValueError, with similar names, for others."""
    given = classes if isinstance(classes, list) else [] if classes is None else [classes]
    return sorted({one if isinstance(one, int) else _number(one) for one in given})


def _number(name: str) -> int:
    names = _names()
    wanted = name.strip().lower()
    if wanted not in names:
        alike = near(wanted, names, 4, 0.5)
        hint = f"; near are {', '.join(alike)}" if alike else ""
        raise ValueError(f"ImageNet has no class `{name}`{hint}")
    return names[wanted]


@cache
def _names() -> dict[str, int]:
    """The index of each class by all its names; where classes share a name, the first."""
    places: dict[str, int] = {}
    for some in zip_longest(*imagenet.classes(), fillvalue=""):  # all first names before all second ones
        for number, name in enumerate(some):
            if name:
                places.setdefault(name.lower(), number)
                places.setdefault(imagenet.bare(name.lower()), number)
    return places
