"""How far a picture is from what is wanted, each a single number for an optimiser to minimise.

Those that judge what a perceptor saw take the mean over crops and the sum over prompts, each times its weight, as the
notebooks do; those that judge the picture itself take the mean over its pixels, so that weights mean the same at any
size.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Len
from torch import Tensor

from t2iflow.nodes.core.constants import table
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.numbers import counts
from t2iflow.nodes.core.types import Colour, Fraction, Image, Latent, Loss, Mask, NonNegative, Positive, rgb
from t2iflow.nodes.perceptors.interface import Layer, Layered, Seen, Wanted
from t2iflow.nodes.pictures.symmetry import Sectors, Symmetry, mirrored

Colours = Annotated[list[Colour], Len(1, 256)]

TINY = 1e-8
"""Keeps the slope of a square root finite at 0."""


@node
def spherical(seen: Seen, wanted: Wanted) -> Loss:
    """Half the squared angle between what is seen and what is wanted, in radians: 0 to 4.93 per prompt.

    2 arcsin(d / 2)^2 with d the distance on the unit sphere. A negative weight counts the angle negatively, and a
    prompt whose (signed) loss has fallen below its stop no longer pulls. Follows the Prompt class of Crowson's
    VQGAN+CLIP notebooks (2021): the mean over crops, the sum over prompts.
    """
    # Not from the cosine, whose rounding hides small angles; not at 2, where the slope of the arcsine has no end.
    half = ((seen.embeddings[:, None] - wanted.embeddings).norm(dim=-1) / 2).clamp(max=1 - 1e-6)  # (n, k)
    return Loss(_weighted(2 * half.arcsin() ** 2, wanted, wanted.heed(seen)))


@node
def cosine(seen: Seen, wanted: Wanted, *, scale: Positive = 1.0, averaging: Fraction = 0.0) -> Loss:
    """One minus the cosine between what is seen and what is wanted, times `scale`: 0 to 2 per prompt, before scaling.

    `averaging` is the share that judges the mean of all crops' embeddings instead of each crop's own. Weights and stops
    as in `spherical` (a stop is compared before scaling).

    `scale: 100` gives the gradients of Big Sleep's -100 cosine, with `averaging: 0.3` those of Deep Daze (2021), except
    that the mean is of unit-length embeddings; `scale: 10` those of Aleph2Image.
    """
    loss = _weighted(1 - seen.embeddings @ wanted.embeddings.T, wanted, wanted.heed(seen))
    if counts(averaging):
        together = Seen(F.normalize(seen.embeddings.mean(0, keepdim=True), dim=-1))
        others = _weighted(1 - together.embeddings @ wanted.embeddings.T, wanted, wanted.heed(together))
        loss = torch.lerp(loss, others, averaging)
    return Loss(scale * loss)


def _weighted(distances: Tensor, wanted: Wanted, heed: Tensor) -> Tensor:
    """The mean over crops and the sum over prompts of (n, k) weighted distances, flat below the stops."""
    signed = distances * wanted.weights.sign()
    pulling = torch.where(signed > wanted.stops, signed, signed.detach())
    return (pulling * heed).sum(1).mean()


@node
def naturalness(seen: Layered) -> Loss:
    """How far the perceptor's activations are from those of the photographs it was trained on.

    The mean over its normalised layers, and over their channels, of ((mean - m) / s)^2 + (deviation / s - 1)^2, where m
    and s are the mean and deviation that the layer was trained to show (s at least 0.05). It turns texture into
    pictures, with perceptors that know these figures: `lite`, and those with batch normalisation.

    After DeepInversion (Yin et al. 2020), which compares with the running statistics before normalisation.
    """
    if not seen.layers:
        raise ValueError(
            "losses.naturalness needs a perceptor that knows its layers' statistics, as `lite` does; "
            "take this loss out, or judge the picture with losses.photographic instead"
        )
    return Loss(torch.stack([_strangeness(layer) for layer in seen.layers]).mean())


def _strangeness(layer: Layer) -> Tensor:
    trained, scale = layer.mean.float(), layer.scale
    channels = layer.activations.permute(0, 2, 3, 1).flatten(0, 2).float()  # (n * h * w, channels)
    mean = channels.mean(0)
    # Seven times as fast on a CPU as torch.var_mean, and as good while means are no hundredfold deviations.
    variance = ((channels**2).mean(0) - mean**2).clamp(min=0)
    deviation = (variance + TINY).sqrt()
    return (((mean - trained) / scale) ** 2 + (deviation / scale - 1) ** 2).mean()


@node
def style(seen: Layered, like: Layered) -> Loss:
    """How far the texture and colours of what is seen are from those of another picture, wherever they are in it.

    The squared differences of the Gram matrices of the perceptor's normalised activations, summed over pairs of
    channels for each channel, and the mean over its layers but the last, which recognises things rather than strokes.
    `like` is a `clip.study` of the picture with that style; both need the same perceptor, one that shows its layers:
    `lite`, and those with batch normalisation.

    After Gatys, Ecker and Bethge 2016, with activations in trained deviations.
    """
    texture, wanted = (layers[:-1] or layers for layers in (_shown(seen, "style"), _shown(like, "style")))
    pairs = list(zip(texture, wanted, strict=True))
    apart = [(_gram(one) - _gram(other)).square().sum() / len(one.mean) for one, other in pairs]
    return Loss(torch.stack(apart).mean())


@node
def content(seen: Layered, like: Layered) -> Loss:
    """How far what is seen differs from what is seen in another picture, place by place: a perceptual distance.

    One minus the cosine of the embeddings, and the mean over the perceptor's layers of the squared differences of their
    activations, in trained deviations. `like` is a `clip.study` of the other picture; `seen` should come from
    `cutouts.whole`, so that places meet.

    After Zhang et al. 2018 (LPIPS).
    """
    pairs = zip(_shown(seen, "content"), _shown(like, "content"), strict=True)
    if len(like.embeddings) not in (1, len(seen.embeddings)):
        raise ValueError("losses.content compares crops with one picture: take `clip.study` with `count: 1`")
    layers = tuple(_sized(other, one.activations.shape[-2:]) for one, other in pairs)
    return Loss(seen.unlike(Seen(like.embeddings, layers)))


def _sized(layer: Layer, size: torch.Size) -> Layer:
    """A layer of a picture that was seen in another size."""
    if layer.activations.shape[-2:] == size:
        return layer
    return layer._replace(activations=F.interpolate(layer.activations.float(), size, mode="bilinear", antialias=True))


def _shown(seen: Seen, loss: str) -> tuple[Layer, ...]:
    """The layers that a perceptor shows."""
    if not seen.layers:
        raise ValueError(
            f"losses.{loss} needs a perceptor that shows its layers: `lite`, or one with batch normalisation, such as "
            "RN50"
        )
    return seen.layers


def _gram(layer: Layer) -> Tensor:
    """How much the channels of a layer go together, (channels, channels), over all crops and places."""
    apart = (layer.activations.float() - layer.mean.float().view(1, -1, 1, 1)) / layer.scale.view(1, -1, 1, 1)
    channels = apart.transpose(0, 1).flatten(1)  # (channels, n * h * w)
    return channels @ channels.T / channels.shape[1]


@node
def total_variation(image: Image, *, variant: Literal["squared", "absolute"] = "squared") -> Loss:
    """Total variation: how much neighbouring pixels differ; a little of it reduces noise.

    `squared`: the squared differences to the right and lower neighbours, as in the codebook notebook, PyTTI and Disco
    Diffusion. `absolute`: the length of the two differences, which keeps edges (Rudin, Osher and Fatemi 1992), as in
    the MSE notebook.
    """
    padded = F.pad(image, (0, 1, 0, 1), mode="replicate")
    across = padded[..., :-1, 1:] - padded[..., :-1, :-1]
    down = padded[..., 1:, :-1] - padded[..., :-1, :-1]
    squares = across**2 + down**2
    return Loss(squares.mean() if variant == "squared" else (squares + TINY).sqrt().mean())


@node
def reference(image: Image, reference: Image, mask: Mask | None = None, *, kind: Literal["mse", "l1"] = "mse") -> Loss:
    """How far the picture is from another, pixel by pixel.

    `mse`: squared differences; `l1`: absolute ones. With a `mask`, only what is white in it counts, and the mean is
    over that. A reference or mask of another size is resized.
    """
    difference = image - _resized(reference, image)
    error = difference**2 if kind == "mse" else difference.abs()
    if mask is None:
        return Loss(error.mean())
    weights = _resized(mask, image).expand_as(error)
    return Loss((error * weights).sum() / (weights.sum() + TINY))


def _resized(picture: Tensor, like: Tensor) -> Tensor:
    if picture.shape[-2:] == like.shape[-2:]:
        return picture
    return F.interpolate(picture, like.shape[-2:], mode="bilinear", antialias=True, align_corners=False)


@node
def latent(latent: Latent, reference: Latent | None = None) -> Loss:
    """How far a generator's latent is from zero, or from a reference: the mean squared difference.

    It keeps a picture near its start (`reference: $canvas.start`, Crowson's notebooks) or near zero (nerdyrodent's,
    jbustter's). Their init_weight counts half of it: an init_weight of 1 is a weight of 0.5.
    """
    difference = latent if reference is None else latent - reference
    return Loss(difference.square().mean())


@node
def saturation(image: Image) -> Loss:
    """How far colours are from grey: the mean squared difference of each channel from the pixel's mean, 0 to 0.22.

    A negative weight makes the picture more colourful.
    """
    return Loss(((image - image.mean(1, keepdim=True)) ** 2).mean())


@node
def symmetry(image: Image, *, kind: Symmetry = "left-right", sectors: Sectors = 6) -> Loss:
    """How far a picture is from being symmetric: the mean squared difference from what `images.mirror` makes of it.

    It pulls both sides towards each other. With halves it is half of pixray's symmetry loss (2022).
    """
    return Loss(((image - mirrored(image, kind, sectors)) ** 2).mean())


@node
def palette(image: Image, *, colours: Colours, softness: Positive = 0.2) -> Loss:
    """How far colours are from those of a palette: the mean squared distance in RGB, 0 to 3.

    `colours`: by name or as "#rrggbb", such as [navy, "#ffd700"]. Each pixel belongs partly to every colour, more to
    nearer ones, and about evenly to those within `softness` (a distance in RGB). To paint in only these colours, use
    `canvas.palette`.
    """
    rows = table(tuple(tuple(rgb(one)) for one in colours), image.device)  # (k, 3)
    far = (image[:, None] - rows[:, :, None, None]).square().sum(2)  # (n, k, h, w)
    return Loss((torch.softmax(-far / softness**2, 1) * far).sum(1).mean())


@node
def range(image: Image) -> Loss:
    """How far values leave 0..1, squared; for canvases that don't clamp them themselves.

    Follows the range loss of Crowson's guided diffusion notebooks (2021).
    """
    return Loss(((image - image.clamp(0, 1)) ** 2).mean())


@node
def photographic(
    image: Image, *, mean: Fraction = 0.45, contrast: NonNegative = 0.22, colour: NonNegative = 0.1
) -> Loss:
    """How far brightness, contrast and colour are from those of an ordinary photograph.

    Squared differences, summed: of the mean from `mean`; of the deviation of the picture's grey from `contrast`; of the
    deviation of red, green and blue from that grey (root of the mean square) from `colour`. The defaults are roughly
    the medians of the photographs included in scikit-image and scikit-learn. A mild pull: give it a weight near 1.
    """
    grey = image.mean(1, keepdim=True)
    spread = (grey.var((1, 2, 3), correction=0) + TINY).sqrt()
    vivid = (((image - grey) ** 2).mean((1, 2, 3)) + TINY).sqrt()
    brightness = grey.mean((1, 2, 3))
    return Loss(((brightness - mean) ** 2 + (spread - contrast) ** 2 + (vivid - colour) ** 2).mean())


def _check_weights(wires: Mapping[str, int], settings: Mapping[str, Any]) -> None:
    """Refuse a number of weights other than that of the terms."""
    weights = settings["weights"]
    if weights is not None and len(weights) != wires["terms"]:
        raise ValueError(f"there are {wires['terms']} terms but {len(weights)} weights")


@node(joins=_check_weights)
def total(terms: list[Loss], *, weights: list[float] | None = None) -> Loss:
    """The sum of several losses, each times its weight.

    `weights`: one per term, 1 each by default; a list on a loss port in a recipe stands for this node.
    """
    if weights is None:
        weights = [1.0] * len(terms)
    _check_weights({"terms": len(terms)}, {"weights": weights})
    return Loss(torch.stack([term * weight for term, weight in zip(terms, weights, strict=True)]).sum())
