"""TAESD: the networks against the published layers, and the canvas."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes import losses, taesd
from t2iflow.nodes.augment import gentle
from t2iflow.nodes.clip import look, model, text
from t2iflow.nodes.core.ambient import Random, Share
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.cutouts import mixed
from t2iflow.nodes.generators.taesd import Tiny
from tests.nodes.conftest import Heard
from tests.weights import taesd as weights

CPU = torch.device("cpu")


class Published(nn.Module):
    """A block of taesd.py."""

    def __init__(self, width: int, pool: bool) -> None:
        super().__init__()
        layers = [nn.Conv2d(width, width, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        wide = 4 * width
        one = [nn.Conv2d(width, wide, 1, bias=False), nn.Conv2d(wide, width, 1, bias=False)]
        self.pool = nn.Sequential(one[0], nn.GroupNorm(4, wide), nn.ReLU(), one[1]) if pool else None

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.pool is None else x + self.pool(x)
        return F.relu(self.conv(x) + x)


class Bounded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * torch.tanh(x / 3)


def published(role: str, width: int, latent: int, pool: bool) -> nn.Sequential:
    """The layers in the order of taesd.py."""

    def blocks(number: int, pool: bool = False) -> list[nn.Module]:
        return [Published(width, pool) for _ in range(number)]

    def plain(stride: int = 1) -> nn.Module:
        return nn.Conv2d(width, width, 3, stride, 1, bias=False)

    if role == "encoder":
        ends = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, latent, 3, padding=1)
        inner = [plain(2), *blocks(3), plain(2), *blocks(3), plain(2), *blocks(3, pool)]
        return nn.Sequential(ends[0], *blocks(1), *inner, ends[1])
    ends = nn.Conv2d(latent, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
    doubled = [nn.Upsample(scale_factor=2), plain()]
    inner = [*blocks(3, pool), *doubled, *blocks(3), nn.Upsample(scale_factor=2), plain(), *blocks(3)]
    return nn.Sequential(
        Bounded(), ends[0], nn.ReLU(), *inner, nn.Upsample(scale_factor=2), plain(), *blocks(1), ends[1]
    )


@pytest.mark.parametrize("middle", [True, False])
@pytest.mark.parametrize(("role", "channels"), [("decoder", 4), ("encoder", 3)])
def test_the_networks_give_what_the_published_layers_do(role: str, channels: int, middle: bool, tmp_path: Path) -> None:
    tensors = torch.load(weights.make(tmp_path, middle=middle) / f"taef2_{role}.pth", weights_only=True)
    reference = published(role, 8, 4, middle)
    reference.load_state_dict(tensors)
    reference.double()  # in which the order of sums makes no difference, whatever the CPU
    x = torch.randn(1, channels, 16, 24, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    results = []
    for network in (reference, Tiny(tensors, "small", CPU, torch.float64)):
        result = network(x)
        (gradient,) = torch.autograd.grad(result.square().sum(), x)
        results.append((result.detach(), gradient))
    (wanted, wanted_gradient), (found, found_gradient) = results
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(found_gradient, wanted_gradient, atol=1e-4, rtol=1e-4)


def test_the_names_and_shapes_are_those_of_the_published_layers(tmp_path: Path) -> None:
    for role, channels in (("decoder", 8), ("encoder", 8)):
        tensors = torch.load(weights.make(tmp_path, full=True) / f"taef2_{role}.pth", weights_only=True)
        state = published(role, 8 * channels, 32, True).state_dict()
        assert {key: tensor.shape for key, tensor in tensors.items()} == {key: one.shape for key, one in state.items()}


def test_layers_may_be_named_as_diffusers_does(tmp_path: Path) -> None:
    tensors = torch.load(weights.make(tmp_path) / "taef2_decoder.pth", weights_only=True)
    renamed = {f"layers.{key}": tensor for key, tensor in tensors.items()}
    x = torch.randn(1, 4, 2, 2)
    plain, other = (Tiny(one, "small", CPU, torch.float32)(x) for one in (tensors, renamed))
    assert torch.equal(plain, other)


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    tensors = torch.load(weights.make(tmp_path) / "taef2_decoder.pth", weights_only=True)
    with pytest.raises(ValueError, match="`small` are not those of a tiny autoencoder"):
        Tiny({"conv_in.weight": torch.zeros(3, 3, 3, 3)}, "small", CPU, torch.float32)
    with pytest.raises(ValueError, match=r"`small` do not fit: missing: 3\.conv\.2\.weight"):
        Tiny({key: one for key, one in tensors.items() if key != "3.conv.2.weight"}, "small", CPU, torch.float32)


def painter(folder: Path, init: Image | None = None, **settings: object) -> taesd.Canvas:
    weights.make(folder)
    chance = Random(0, "canvas")
    return taesd.Canvas(chance, CPU, Heard(), init, weights=str(folder), **settings)  # type: ignore[arg-type]


def test_a_size_that_it_can_not_paint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="take 64 x 32"):
        painter(tmp_path, size=(60, 33))


def test_a_picture_is_read_by_the_encoder(tmp_path: Path) -> None:
    picture = Image(torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2)))
    canvas = painter(tmp_path, picture, size=(48, 32), precision="float32")
    encoder = published("encoder", 8, 4, True)
    encoder.load_state_dict(torch.load(tmp_path / "taef2_encoder.pth", weights_only=True))
    assert torch.allclose(canvas().latent, encoder(picture), atol=1e-4)


def test_without_an_encoder_it_is_fitted_to_the_picture(tmp_path: Path) -> None:
    rough = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(2))
    picture = Image(F.interpolate(rough, (32, 48), mode="bilinear"))
    read = painter(tmp_path, picture, size=(48, 32))
    (tmp_path / "taef2_encoder.pth").unlink()
    start, fitted = (
        taesd.Canvas(Random(0, "canvas"), CPU, Heard(), one, weights=str(tmp_path), size=(48, 32))
        for one in (None, picture)
    )
    far, near = ((one().image - picture).square().mean() for one in (start, fitted))
    assert near < 0.7 * far
    assert not torch.equal(fitted().latent, read().latent)


def test_weights_of_pictures_in_other_colours_are_refused(tmp_path: Path) -> None:
    tensors = torch.load(weights.make(tmp_path) / "taef2_decoder.pth", weights_only=True)
    last = max(int(key.split(".")[0]) for key in tensors)
    for part in ("weight", "bias"):
        tensors[f"{last}.{part}"] = torch.cat([tensors[f"{last}.{part}"]] * 2)[:4]
    with pytest.raises(ValueError, match="`small` are of pictures with 4 channels"):
        Tiny(tensors, "small", CPU, torch.float32)


def test_random_weights_learn_under_lite(tmp_path: Path) -> None:
    clip, canvas = model(CPU, Heard(), name="lite", precision="float32"), painter(tmp_path, size=(96, 96))
    wanted = text(clip, Heard(), prompt="a red fox")
    fit = torch.optim.Adam(canvas.trainable(), lr=0.05)
    values = []
    for step in range(20):
        chance = Random(0, "crops", step)
        seen = look(gentle(mixed(canvas().image, chance, Share(), count=3, size=96), chance), clip)
        loss = 10 * losses.spherical(seen, wanted) + 5 * losses.naturalness(seen)
        fit.zero_grad()
        loss.backward()
        fit.step()
        values.append(loss.item())
    assert sum(values[-4:]) < 0.96 * sum(values[:4])
