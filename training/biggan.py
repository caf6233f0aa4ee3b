"""A small BigGAN-deep: drawn things of 220 of ImageNet's classes, 128 x 128 pixels.

The generator is that of Brock et al. 2018, at an eighth of its width. With a thousand pictures no two networks can play
against each other from nothing; each picture has a place of its own instead, near which it is painted again (Zadeh et
al. 2019, "Variational Auto-Decoder"; Bojanowski et al. 2018, "Optimizing the Latent Space of Generative Networks"), and
a critic is only heard at the end. A class that has no picture paints what those with names near its own paint.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from t2iflow.nodes.generators.biggan.checkpoint import Layout
from t2iflow.nodes.perceptors.lite.subjects import Subjects
from training.autoencoder import Painted
from training.pictures import Batch, sized
from training.things import Thing, things

LAYOUT = Layout(
    z_dim=128,
    num_classes=1000,
    channel_width=16,
    layers=[
        (False, 16, 16),
        (True, 16, 16),
        (False, 16, 16),
        (True, 16, 8),
        (False, 8, 8),
        (True, 8, 4),
        (False, 4, 4),
        (True, 4, 2),
        (False, 2, 2),
        (True, 2, 1),
    ],
    attention_layer_position=4,
    eps=1e-4,
    n_stats=2,
)
"""That of BigGAN-deep-128, but for the width, for the attention, which is where there are few pixels, and for the
statistics, which are the same at all truncations."""
STYLES = 8
"""Numbers of the noise that make a difference: enough to tell a class's few pictures apart, too few to do without the
class."""
NOISE = 0.5
"""How far from a picture's place, in deviations of all places, it is still painted."""
BOUND = 2.0
"""Numbers further from 0 cost something: most of a picture is white, which is the tangent of what has no end, and a
generator that ran after it painted all else white as well."""
TINY = 1e-6
"""In place of the deviation of places that are all the same, as where each class has one picture."""
SHARPNESS = 0.05
"""Nearness of names over which a class counts less by e for one that has no picture."""


class Drawings:
    """Things that have the name of a class, with it."""

    def __init__(self, work: Path, batch: int, seed: int) -> None:
        self._batch, self._seed = batch, seed
        self.names = Subjects().names
        known = _classes(self.names)
        found = [(thing, known.get(" ".join(_plain(thing.words)))) for thing in things(work)]
        self._things: list[Thing] = [thing for thing, number in found if number is not None]
        self.classes = torch.tensor([number for _, number in found if number is not None])

    def __len__(self) -> int:
        return len(self._things)

    def __call__(self, step: int) -> Batch:
        """The pictures of a step, and which they are."""
        random = np.random.default_rng((self._seed, step))
        numbers = random.permutation(len(self))[: self._batch]
        return Batch(self._drawn(numbers), torch.from_numpy(numbers))

    def all(self) -> Tensor:
        """All pictures (n, 3, side, side) in 0..1."""
        return self._drawn(range(len(self)))

    def _drawn(self, numbers: Iterable[int]) -> Tensor:
        made = np.stack([_on_white(self._things[number]) for number in numbers])
        return torch.from_numpy(made).permute(0, 3, 1, 2).float() / 255


def _on_white(thing: Thing) -> np.ndarray:
    """A thing in the middle of white, (side, side, 3), 0 to 255."""
    picture = sized(Image.fromarray(thing.picture), 0.95 * LAYOUT.side)
    behind = Image.new("RGB", (LAYOUT.side, LAYOUT.side), "white")
    left, top = ((LAYOUT.side - length) // 2 for length in picture.size)
    behind.paste(picture, (left, top), picture)
    return np.array(behind)


def _plain(words: Sequence[str]) -> Sequence[str]:
    """A name without what says that only the head is drawn."""
    return words[:-1] if len(words) > 1 and words[-1] == "face" else words


def _classes(names: Sequence[Sequence[str]]) -> dict[str, int]:
    """The number of each class by all its names; those that are named so first go first."""
    known: dict[str, int] = {}
    for place in range(max(map(len, names))):
        for number, line in enumerate(names):
            for name in line[place : place + 1]:
                known.setdefault(name.lower(), number)
    return known


class Coder:
    """The generator, what classes are to it, and the places of pictures."""

    def __init__(self, drawings: Drawings) -> None:
        self._drawings = drawings
        self._generator = Generator()
        classes, pictures = begun(drawings)
        self._classes: nn.Embedding = nn.Embedding.from_pretrained(classes, freeze=False)
        self._pictures: nn.Embedding = nn.Embedding.from_pretrained(pictures, freeze=False)
        parts = {"generator": self._generator, "classes": self._classes, "pictures": self._pictures}
        self.networks = nn.ModuleDict(parts)

    def paint(self, batch: Batch, progress: float) -> Painted:
        """Paint from near the places of the pictures."""
        places = self._places(batch)
        numbers = self._numbers(places + NOISE * torch.randn_like(places), batch)
        beyond = F.relu(numbers.abs() - BOUND).square().mean()
        return Painted(_seen(numbers), beyond, {"beyond": beyond.item()})

    def reconstruct(self, batch: Batch) -> Tensor:
        """Paint from the places."""
        return _seen(self._numbers(self._places(batch), batch))

    def export(self, folder: Path) -> None:
        """Write `biggan-deep-small-config.json` and `biggan-deep-small-pytorch_model.bin`, in half precision."""
        stem = folder / "biggan-deep-small"
        told = {**LAYOUT.model_dump(mode="json"), "class_embed_dim": LAYOUT.z_dim, "output_dim": LAYOUT.side}
        stem.with_name(f"{stem.name}-config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        tensors = {"embeddings.weight": self._embeddings().T}
        tensors |= {f"generator.{name}": tensor for name, tensor in self._generator.stored()}
        halved = {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}
        torch.save(halved, stem.with_name(f"{stem.name}-pytorch_model.bin"))

    def _places(self, batch: Batch) -> Tensor:
        """Of deviation 1 with the noise that is added to them."""
        all_places = self._pictures.weight
        apart = (all_places - all_places.mean(0)) / all_places.std(0).clamp_min(TINY)
        assert batch.numbers is not None
        return apart[batch.numbers] * math.sqrt(1 - NOISE**2)

    def _numbers(self, styles: Tensor, batch: Batch) -> Tensor:
        assert batch.numbers is not None
        classes = self._drawings.classes.to(styles.device)[batch.numbers]
        condition = torch.cat([styles, self._classes(classes)], 1)
        numbers: Tensor = self._generator(condition)
        return numbers.float()

    def _embeddings(self) -> Tensor:
        """What each class is to the generator, (1000, 128); those without pictures are mixtures of others."""
        learnt = self._classes.weight.detach().cpu()
        drawn = torch.unique(self._drawings.classes)
        subjects, rest = Subjects(), sorted({*range(len(learnt))} - {*drawn.tolist()})
        near = subjects.likeness([self._drawings.names[number][0] for number in rest])[:, drawn]
        whole = learnt.clone()
        whole[rest] = torch.softmax(near / SHARPNESS, 1) @ learnt[drawn]
        return whole


def _seen(numbers: Tensor) -> Tensor:
    """What a picture's numbers are in 0..1."""
    return (numbers.tanh() + 1) / 2


def begun(drawings: Drawings) -> tuple[Tensor, Tensor]:
    """Where classes (1000, 128) and pictures (n, styles) start from: the main ways in which their thumbnails differ, as
    Bojanowski et al. do it."""
    thumbnails = F.avg_pool2d(drawings.all(), LAYOUT.side // 16).flatten(1)
    drawn, which, many = torch.unique(drawings.classes, return_inverse=True, return_counts=True)
    means = torch.zeros(len(drawn), thumbnails.shape[1]).index_add_(0, which, thumbnails) / many[:, None]
    classes = 0.1 * torch.randn(LAYOUT.num_classes, LAYOUT.z_dim)
    classes[drawn] = _components(means, LAYOUT.z_dim)
    return classes, _components(thumbnails - means[which], STYLES)


def _components(rows: Tensor, number: int) -> Tensor:
    """The main components of rows, of variance 1 on the average; the first ones count for more, though not by as much
    as they do in the rows. Where there are fewer, the rest is chance."""
    u, strength, _ = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    found: Tensor = u[:, :number] * strength[:number].sqrt()
    scaled = found.div(found.pow(2).mean().sqrt().clamp_min(TINY))
    return torch.cat([scaled, torch.randn(len(rows), number - scaled.shape[1])], 1)


class Generator(nn.Module):
    """BigGAN-deep with its norms left out: what they would do to channels, the condition's scales learn."""

    def __init__(self) -> None:
        super().__init__()
        width, condition = LAYOUT.channel_width, STYLES + LAYOUT.z_dim
        self.gen_z = nn.Linear(condition, 4 * 4 * 16 * width)
        layers: list[nn.Module] = []
        for number, (doubles, taken, made) in enumerate(LAYOUT.layers):
            if number == LAYOUT.attention_layer_position:
                layers.append(Attention(taken * width))
            layers.append(Block(taken * width, made * width, doubles, condition))
        self.layers = nn.ModuleList(layers)
        self.bn = Norm(width)
        self.conv_to_rgb = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, condition: Tensor) -> Tensor:
        """Conditions (n, numbers) to pictures (n, 3, side, side), whose hyperbolic tangents are in -1..1."""
        x = self.gen_z(condition).unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        for layer in self.layers:
            x = layer(x, condition) if isinstance(layer, Block) else layer(x)
        numbers: Tensor = self.conv_to_rgb(F.relu(self.bn(x)))
        return numbers

    def stored(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names in a checkpoint."""
        yield from _spectral("gen_z", _for_noise(self.gen_z.weight), self.gen_z.bias)
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, Block | Attention)
            for name, tensor in layer.stored():
                yield f"layers.{number}.{name}", tensor
        for name, tensor in self.bn.stored():
            yield f"bn.{name}", tensor
        more = LAYOUT.channel_width - 3  # colours that no picture shows
        yield from _spectral("conv_to_rgb", *(_longer(one, more) for one in self.conv_to_rgb.parameters()))


class Block(nn.Module):
    """Four convolutions in a bottleneck beside a shortcut."""

    def __init__(self, taken: int, made: int, doubles: bool, condition: int) -> None:
        super().__init__()
        inner = taken // 4
        self._doubles, self._made = doubles, made
        self._norms = [Conditioned(width, condition) for width in (taken, inner, inner, inner)]
        self._convolutions = [
            nn.Conv2d(old, new, side, padding=side // 2)
            for old, new, side in ((taken, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, made, 1))
        ]
        self.parts = nn.ModuleList([*self._norms, *self._convolutions])
        for number, layer in enumerate(self._convolutions):
            gain = 0.3 if number == 3 else math.sqrt(2)  # a block begins as little more than its shortcut
            nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(n, taken, h, w) to (n, made, h, w), or twice as high and wide."""
        shortcut = x[:, : self._made]
        for number, (norm, convolution) in enumerate(zip(self._norms, self._convolutions, strict=True)):
            x = F.relu(norm(x, condition))
            if number == 1 and self._doubles:
                x, shortcut = (F.interpolate(one, scale_factor=2.0, mode="nearest") for one in (x, shortcut))
            x = convolution(x)
        return x + shortcut

    def stored(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names in a checkpoint."""
        for number, (norm, convolution) in enumerate(zip(self._norms, self._convolutions, strict=True)):
            for name, tensor in norm.stored():
                yield f"bn_{number}.{name}", tensor
            yield from _spectral(f"conv_{number}", convolution.weight, convolution.bias)


class Attention(nn.Module):
    """Each place takes what it asks for from the largest of every four places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        ends = {"theta": (channels, channels // 8), "phi": (channels, channels // 8), "g": (channels, channels // 2)}
        ends["o_conv"] = (channels // 2, channels)
        self.kernels = nn.ModuleDict({name: nn.Conv2d(*each, 1, bias=False) for name, each in ends.items()})
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to the same."""
        offered, given = (F.max_pool2d(self.kernels[name](x), 2) for name in ("phi", "g"))
        query, key, value = (
            one.flatten(2).transpose(1, 2)[:, None] for one in (self.kernels["theta"](x), offered, given)
        )
        taken = F.scaled_dot_product_attention(query, key, value, scale=1.0)[:, 0]
        out: Tensor = x + self.gamma * self.kernels["o_conv"](taken.transpose(1, 2).unflatten(2, x.shape[2:]))
        return out

    def stored(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names in a checkpoint."""
        yield "gamma", self.gamma
        for name, weight in self.kernels.named_parameters():
            yield from _spectral(f"snconv1x1_{name.removesuffix('.weight')}", weight)


class Norm(nn.Module):
    """A scale and a shift for each channel, in place of a norm with them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to the same."""
        return x * self.weight[:, None, None] + self.bias[:, None, None]

    def stored(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names in a checkpoint."""
        yield from (("weight", self.weight), ("bias", self.bias), *_without_norm(len(self.weight)))


class Conditioned(nn.Module):
    """Scales and shifts that are made of a condition."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.scale, self.offset = (nn.Linear(condition, channels, bias=False) for _ in range(2))
        for layer in (self.scale, self.offset):
            nn.init.normal_(layer.weight, std=0.3 / math.sqrt(condition))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(n, channels, h, w) to the same."""
        scale, shift = (layer(condition)[:, :, None, None] for layer in (self.scale, self.offset))
        return torch.addcmul(shift, x, 1 + scale)

    def stored(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names in a checkpoint."""
        yield from _without_norm(len(self.scale.weight))
        for name, layer in (("scale", self.scale), ("offset", self.offset)):
            yield from _spectral(name, _for_noise(layer.weight))


def _longer(tensor: Tensor, more: int) -> Tensor:
    """With so many rows of zeros after its own."""
    return torch.cat([tensor, tensor.new_zeros(more, *tensor.shape[1:])])


def _without_norm(channels: int) -> Iterator[tuple[str, Tensor]]:
    """Means and variances that change nothing, at any truncation."""
    yield "running_means", torch.zeros(LAYOUT.n_stats, channels)
    yield "running_vars", torch.full((LAYOUT.n_stats, channels), 1 - LAYOUT.eps)


def _for_noise(weight: Tensor) -> Tensor:
    """A weight for a condition whose noise has many numbers, of which the first are the styles."""
    styles, classes = weight.detach().tensor_split([STYLES], 1)
    return torch.cat([F.pad(styles, (0, LAYOUT.z_dim - STYLES)), classes], 1)


def _spectral(name: str, weight: Tensor, bias: Tensor | None = None) -> Iterator[tuple[str, Tensor]]:
    """A weight as `torch.nn.utils.spectral_norm` keeps it; whoever reads it divides it by u W v.

    Which would be its largest singular value, were it not to stay as it is: u is divided by that.
    """
    matrix = weight.detach().float().cpu().flatten(1)
    u, largest, v = torch.linalg.svd(matrix, full_matrices=False)
    yield f"{name}.weight_orig", weight
    yield f"{name}.weight_u", u[:, 0] / largest[0]
    yield f"{name}.weight_v", v[0]
    if bias is not None:
        yield f"{name}.bias", bias
