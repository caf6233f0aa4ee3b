"""BigGAN-deep and Big Sleep, held against pytorch-pretrained-biggan and big-sleep with the same small weights."""

import ast
import copy
import hashlib
import json
import math
import random
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes import biggan, losses
from t2iflow.nodes.core.ambient import Notes, Random
from t2iflow.nodes.core.catalog import find
from t2iflow.nodes.core.types import Image, Latent
from t2iflow.nodes.generators.biggan.checkpoint import Layout, Stored
from t2iflow.nodes.generators.biggan.network import BigGAN
from t2iflow.nodes.perceptors.interface import Seen, Wanted
from t2iflow.nodes.pictures.resizing import resized
from t2iflow.nodes.weights.find import obtain
from tests.nodes.conftest import Heard
from tests.weights.biggan import LAYERS, layout, make

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Small weights of all three sizes."""
    folder = tmp_path_factory.mktemp("biggan")
    return {side: make(folder / str(side), side=side) for side in LAYERS}


@pytest.fixture
def canvas(weights: dict[int, Path], notes: Notes) -> Callable[..., biggan.Canvas]:
    """Make a canvas with small weights, in float32."""

    def make_one(init: Image | None = None, *, side: int = 128, seed: int = 0, **settings: Any) -> biggan.Canvas:
        given = {"weights": str(weights[side]), "precision": "float32", **settings}
        return biggan.Canvas(Random(seed, "canvas"), CPU, notes, init, **given)

    return make_one


def test_a_photo_is_cropped_and_not_stretched(
    canvas: Callable[..., biggan.Canvas], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    monkeypatch.setattr(biggan, "fit", lambda tensors, paint, target, steps, rate: seen.append(target))
    wide = torch.zeros(1, 3, 128, 192)
    wide[..., 32:160] = torch.linspace(0, 1, 128)
    canvas(Image(wide))
    height, width = seen[0].shape[-2:]
    assert torch.equal(seen[0], resized(wide[..., 32:160], (width, height), "fill"))


def network(folder: Path, truncation: float, notes: Notes, dtype: torch.dtype = torch.float32) -> BigGAN:
    return BigGAN(obtain(str(folder), "biggan", notes), truncation, CPU, dtype)


MODEL = "snconv2d", "snlinear", "SelfAttn", "BigGANBatchNorm", "GenBlock", "Generator", "BigGAN", "BigGANConfig"


def source(package: str, files: tuple[str, ...], names: tuple[str, ...]) -> SimpleNamespace:
    """Definitions in a package's source: importing them asks for CUDA, and for packages that it doesn't declare."""
    space = {"torch": torch, "nn": nn, "F": F, "math": math, "json": json, "copy": copy, "random": random}
    for file in files:
        try:
            path = Path(str(distribution(package).locate_file(file)))
        except PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tree.body = [part for part in tree.body if getattr(part, "name", None) in names]
        exec(compile(tree, str(path), "exec"), space)
    return SimpleNamespace(**{name: space[name] for name in names})


def big_sleep(*names: str) -> SimpleNamespace:
    return source("big-sleep", ("big_sleep/big_sleep.py",), names)


def big_sleeps_biggan() -> SimpleNamespace:
    return source("big-sleep", ("big_sleep/biggan.py",), MODEL)


def pretrained_biggan() -> SimpleNamespace:
    folder = "pytorch_pretrained_biggan"
    return source("pytorch-pretrained-biggan", (f"{folder}/config.py", f"{folder}/model.py"), MODEL)


def reference(library: Any, folder: Path) -> Any:
    model = library.BigGAN(library.BigGANConfig.from_json_file(str(next(folder.glob("*config.json")))))
    model.load_state_dict(torch.load(next(folder.glob("*.bin")), weights_only=True))
    return model.eval().requires_grad_(False)


def latents(rows: int) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(rows)
    noise, classes = torch.randn(rows, 128, generator=chance), torch.rand(rows, 1000, generator=chance) * 0.04
    return noise.requires_grad_(), classes.requires_grad_()


def compare(ours: Callable[..., Tensor], theirs: Callable[..., Tensor], rows: int) -> None:
    """Hold pictures, and their gradients for noise and classes, against each other."""
    given, painted = [latents(rows), latents(rows)], []
    for paint, (noise, classes) in zip((ours, theirs), given, strict=True):
        painted.append(paint(noise, classes))
        pull = torch.linspace(-1, 1, painted[-1].numel()).view(painted[-1].shape)
        painted[-1].backward(pull / pull.norm())
    assert painted[1].std() > 0.1
    torch.testing.assert_close(*painted, atol=1e-5, rtol=0)
    for one, other in zip(*given, strict=True):
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", LAYERS)
@pytest.mark.parametrize("truncation", [1.0, 0.43, 0.415])
def test_with_the_same_row_for_all_it_is_pytorch_pretrained_biggan(
    side: int, truncation: float, weights: dict[int, Path], notes: Notes
) -> None:
    theirs, ours = reference(pretrained_biggan(), weights[side]), network(weights[side], truncation, notes)
    compare(
        lambda noise, classes: ours(noise.expand(ours.layout.rows, -1), classes.expand(ours.layout.rows, -1)),
        lambda noise, classes: theirs(noise, classes, truncation),
        rows=1,
    )


@pytest.mark.parametrize("side", LAYERS)
@pytest.mark.parametrize("truncation", [1.0, 0.43])
def test_with_rows_of_their_own_it_is_big_sleeps(
    side: int, truncation: float, weights: dict[int, Path], notes: Notes
) -> None:
    theirs, ours = reference(big_sleeps_biggan(), weights[side]), network(weights[side], truncation, notes)
    compare(ours, lambda noise, classes: theirs(noise, classes, truncation), rows=ours.layout.rows)


def test_bfloat16_changes_the_picture_by_less_than_the_eye_sees(weights: dict[int, Path], notes: Notes) -> None:
    exact, fast = (network(weights[512], 1.0, notes, dtype) for dtype in (torch.float32, torch.bfloat16))
    given, painted = [latents(exact.layout.rows), latents(exact.layout.rows)], []
    for paint, (noise, classes) in zip((exact, fast), given, strict=True):
        painted.append(paint(noise, classes))
        (painted[-1] - 0.3).square().mean().backward()
    assert painted[1].dtype == torch.float32
    assert (painted[1] - painted[0]).square().mean().sqrt() < 0.02
    for one, other in zip(*given, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.cosine_similarity(one.grad.flatten(), other.grad.flatten(), dim=0) > 0.99


@pytest.mark.parametrize(
    ("side", "digest"),
    [
        (128, "903d386b52b46a8f93b53f1fee5f2d464de5f5673251d68ba141574c318e07bb"),
        (256, "b433f579e9870f54f51f4ab9f2a44bc404118faa000649b75eeeeb2a1bf2f718"),
        (512, "544657e61641fd5bc7086a43644e948ae0fd7024458c3f2f71f4431a2d8f5c2e"),
    ],
)
def test_it_takes_the_names_and_shapes_of_the_published_files(side: int, digest: str) -> None:
    told = Layout.model_validate(layout(full=True, side=side))
    with torch.device("meta"):
        places = Stored(told).state_dict()
    lines = sorted(f"{name} {'x'.join(map(str, place.shape))}" for name, place in places.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest
    assert told.side == side


@pytest.mark.parametrize(("count", "temperature"), [(1, 2.0), (3, 2.0), (7, 0.5), (1000, 2.0)])
def test_the_foremost_classes_are_big_sleeps_differentiable_top_k(count: int, temperature: float) -> None:
    theirs = big_sleep("differentiable_topk").differentiable_topk
    given, shares = [latents(5)[1].detach() * 100 - 3.9 for _ in range(2)], []
    for logits in given:
        logits.requires_grad_()
    shares.append(biggan.foremost(given[0] / temperature, count))
    shares.append(theirs(given[1], count, temperature=temperature))
    for one in shares:
        one.backward(torch.linspace(-1, 2, one.numel()).view(one.shape))
    assert ((shares[0] > 0).sum(1) == count).all()
    torch.testing.assert_close(*shares, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(given[0].grad, given[1].grad, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize(("max_classes", "size"), [(None, 1.2), (4, 0.7)])
def test_the_losses_are_big_sleeps(max_classes: int | None, size: float) -> None:
    parts = "exists", "differentiable_topk", "Latents", "rand_cutout", "BigSleep"
    library = big_sleep(*parts)
    start = library.Latents(max_classes=max_classes)
    chance = torch.Generator().manual_seed(4)
    with torch.no_grad():
        start.normu.copy_(torch.randn(15, 128, generator=chance) * size + 0.1)
        start.cls.copy_(torch.randn(15, 1000, generator=chance) * 2 - 3.9)
    seen, words = torch.randn(6, 16, generator=chance), torch.randn(2, 16, generator=chance)

    class Painter(SimpleNamespace):
        """Something to call, with attributes."""

        def __call__(self) -> Any:
            return self.paint()

    painter = Painter(paint=lambda: torch.zeros(1, 3, 16, 16), latents=Painter(paint=start, model=start))
    sleeper = SimpleNamespace(
        image_size=16,
        num_cutouts=1,
        center_bias=False,
        experimental_resample=False,
        interpolation_settings={"mode": "nearest"},
        loss_coef=100,
        model=painter,
        normalize_image=lambda picture: picture,
        perceptor=SimpleNamespace(encode_image=lambda pixels: seen),
    )
    sleeper.sim_txt_to_img = partial(library.BigSleep.sim_txt_to_img, sleeper)
    _, theirs = library.BigSleep.forward(sleeper, [words[0:1]], [words[1:2]])
    noise, classes = start()
    wanted = Wanted(F.normalize(words, dim=-1), torch.tensor([1.0, -1.0]), torch.full((2,), -math.inf))
    ours = (
        biggan.latent_prior(Latent(noise)),
        biggan.class_prior(Latent(classes)),
        losses.cosine(Seen(F.normalize(seen, dim=-1), ()), wanted, scale=100),  # 1 for and -1 against cancel
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)
    for mine, other, trained in zip(ours, theirs, (start.normu, start.cls), strict=False):
        (slope,) = torch.autograd.grad(mine, trained, retain_graph=True)
        (expected,) = torch.autograd.grad(other, trained, retain_graph=True)
        assert expected.any()
        torch.testing.assert_close(slope, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("side", "rows"), [(128, 5), (256, 5), (512, 6)])
def test_it_starts_as_big_sleep_does_with_rows_for_the_start_and_each_block(
    side: int, rows: int, canvas: Callable[..., biggan.Canvas]
) -> None:
    painter = canvas(side=side)
    noise, logits = painter.trainable()
    assert noise.shape == (rows, 128)
    assert logits.shape == (rows, 1000)
    assert abs(noise.std() - 1) < 0.1
    assert abs(logits.mean() + 3.9) < 0.02
    assert abs(logits.std() - 0.3) < 0.02
    image, latent, classes = painter()
    assert image.shape == (1, 3, side // 8, side // 8)
    torch.testing.assert_close(latent, noise)
    torch.testing.assert_close(classes, torch.sigmoid(logits))
    kept = canvas(side=side, max_classes=3)().classes
    assert ((kept > 0).sum(1) == 3).all()


@pytest.mark.parametrize("max_classes", [None, 2])
def test_it_starts_from_classes_by_name_or_number(
    max_classes: int | None, canvas: Callable[..., biggan.Canvas]
) -> None:
    one = canvas(classes="Goldfish", max_classes=max_classes)().classes
    assert (one.argmax(1) == 1).all()
    assert one[:, 1].min() > 0.9
    both = canvas(classes=["impala (antelope)", 997], max_classes=max_classes)().classes.mean(0)
    assert sorted(both.topk(2).indices.tolist()) == [352, 997]
    assert 0.3 < both[997] < 0.8
    others = both.clone()
    others[[352, 997]] = 0
    assert others.sum() < 0.1


class Sorting:
    """A perceptor whose embeddings are shares of ImageNet's classes; enough of it to be asked for them."""

    name = "sorting"

    def classes(self, embeddings: Tensor) -> Tensor:
        return embeddings


def test_it_starts_from_the_classes_that_prompts_are_about(canvas: Callable[..., biggan.Canvas], notes: Heard) -> None:
    rows = F.one_hot(torch.tensor([1, 997, 352]), 1000).float()
    asked = Wanted(rows, torch.tensor([1.0, 2.0, -1.0]), torch.full((3,), -math.inf))
    both = canvas(clip=Sorting(), wanted=asked)().classes.mean(0)
    assert sorted(both.topk(2).indices.tolist()) == [1, 997]
    one = canvas(clip=Sorting(), wanted=asked, max_classes=1)().classes
    assert (one.argmax(1) == 997).all()
    named = canvas(clip=Sorting(), wanted=asked, classes=[7])().classes
    assert (named.argmax(1) == 7).all()
    anything = canvas(clip=SimpleNamespace(name="ViT-B/32"), wanted=asked)().classes
    assert anything.max() < 0.2
    assert any("doesn't know ImageNet's classes" in text for text in notes.said)


def test_classes_that_there_are_not_or_too_many_are_refused_before_anything_runs() -> None:
    spec = find("biggan.canvas")
    with pytest.raises(ValueError, match="no class `gold fish`; near are goldfish"):
        spec.check({"classes": ["tench", "gold fish"]})
    with pytest.raises(ValueError, match="2 classes to start from, but max_classes keeps only 1"):
        spec.check({"classes": ["tench", 7], "max_classes": 1})
    for wrong in (1000, -1, [1000]):
        with pytest.raises(ValueError, match="validation error"):
            spec.settings["classes"].adapter.validate_python(wrong)


def test_it_is_fitted_to_a_picture(canvas: Callable[..., biggan.Canvas]) -> None:
    wanted, other = (Image(canvas(seed=seed)().image.detach()) for seed in (1, 2))
    far = (other - wanted).square().mean()
    painter = canvas(wanted, start_steps=100)
    assert (painter().image - wanted).square().mean() < 0.3 * far
    before = painter.trainable()
    assert all(tensor.grad is None for tensor in before)
    with torch.no_grad():
        painter.repaint(Image(F.interpolate(other, scale_factor=2)))
    assert all(one is same for one, same in zip(painter.trainable(), before, strict=True))
    assert (painter().image - other).square().mean() < 0.3 * far


def test_weights_that_are_not_its_own_are_refused_by_name(
    weights: dict[int, Path], tmp_path: Path, canvas: Callable[..., biggan.Canvas]
) -> None:
    folder = shutil.copytree(weights[128], tmp_path / "mixed")
    checkpoint, config = next(folder.glob("*.bin")), next(folder.glob("*.json"))
    shutil.copy(next(weights[512].glob("*.bin")), checkpoint)
    with pytest.raises(ValueError, match=r"mixed` do not fit: without a place: generator.layers.5.bn_0.running_means"):
        canvas(weights=str(folder))
    tensors = torch.load(next(weights[128].glob("*.bin")), weights_only=True)
    del tensors["generator.layers.0.conv_1.weight_u"]
    torch.save(tensors, checkpoint)
    with pytest.raises(ValueError, match=r"missing: generator.layers.0.conv_1.weight_u"):
        canvas(weights=str(folder))
    config.write_text(json.dumps({"z_dim": 128, "layers": []}))
    with pytest.raises(ValueError, match=r"no configuration of BigGAN-deep: .*num_classes: Field required"):
        canvas(weights=str(folder))
    config.write_text("not json")
    with pytest.raises(ValueError, match=r"no configuration of BigGAN-deep: Invalid JSON"):
        canvas(weights=str(folder))
