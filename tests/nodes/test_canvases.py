import pytest
import torch
from torch import Tensor

from t2iflow.nodes import canvas, siren
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.catalog import find
from t2iflow.nodes.core.types import Image

CPU = torch.device("cpu")
SIZES = [(24, 16), (15, 21), (8, 8)]


def chance(seed: int = 0) -> Random:
    return Random(seed, "canvas")


def photograph(width: int = 48, height: int = 32) -> Image:
    """Soft blobs of colour."""
    numbers = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(3))
    return Image(torch.nn.functional.interpolate(numbers, (height, width), mode="bicubic").clamp(0.02, 0.98))


def descend(painter: canvas.Pixels | canvas.Fourier | canvas.Palette | siren.Canvas, rate: float, steps: int) -> Tensor:
    """How far from a photograph a canvas is, before each of some steps of Adam towards it."""
    target = canvas.fitted(photograph(), (painter().shape[-1], painter().shape[-2]))
    fit = torch.optim.Adam(painter.trainable(), lr=rate)
    losses = []
    for _ in range(steps):
        fit.zero_grad()
        loss = (painter() - target).square().mean()
        loss.backward()
        fit.step()
        if isinstance(painter, canvas.Pixels | canvas.Palette):
            painter.settle()
        losses.append(loss.detach())
    return torch.stack(losses)


@pytest.mark.parametrize("size", SIZES)
def test_a_canvas_paints_in_its_size(size: tuple[int, int]) -> None:
    for painted in (
        canvas.Pixels(chance(), size=size)(),
        canvas.Fourier(chance(), CPU, size=size)(),
        canvas.Palette(chance(), CPU, size=size, cell=1)(),
        siren.Canvas(chance(), CPU, size=size, layers=1, width=8)(),
    ):
        assert painted.shape == (1, 3, size[1], size[0])
        assert painted.min() >= 0
        assert painted.max() <= 1


def test_a_size_is_width_and_height_from_one_up() -> None:
    for name in ("canvas.pixels", "canvas.fourier", "canvas.palette", "siren.canvas"):
        adapter = find(name).settings["size"].adapter
        assert adapter.validate_python([320, 200]) == (320, 200)
        for wrong in ([0, 200], [320], "wide", [320, -1]):
            with pytest.raises(ValueError, match="validation error"):
                adapter.validate_python(wrong)


def test_training_moves_every_canvas_towards_a_picture() -> None:
    size = (48, 32)
    for painter, rate in (
        (canvas.Pixels(chance(), size=size), 0.02),
        (canvas.Fourier(chance(), CPU, size=size), 0.05),
        (canvas.Palette(chance(), CPU, size=size, cell=4), 0.02),
        (siren.Canvas(chance(), CPU, size=size, layers=3, width=32), 1e-3),
    ):
        losses = descend(painter, rate, 60)
        assert losses[-1] < 0.6 * losses[0], type(painter).__name__


def test_pixels_settle_within_bounds() -> None:
    pixels = canvas.Pixels(chance(), size=(8, 8))
    with torch.no_grad():
        pixels.trainable()[0].mul_(9).sub_(4)
    pixels.settle()
    assert pixels().min() == 0
    assert pixels().max() == 1


@pytest.mark.parametrize("size", SIZES)
def test_pixels_and_spectra_take_on_a_picture_exactly(size: tuple[int, int]) -> None:
    start = photograph(*size)
    for painter in (canvas.Pixels(chance(), start, size=size), canvas.Fourier(chance(), CPU, start, size=size)):
        torch.testing.assert_close(painter(), start, atol=1e-3, rtol=0)
        other = Image(start.flip(3))
        painter.repaint(other)
        torch.testing.assert_close(painter(), other, atol=1e-3, rtol=0)


def test_a_picture_of_another_size_is_resized() -> None:
    start = photograph(96, 64)
    painted = canvas.Pixels(chance(), start, size=(48, 32))()
    torch.testing.assert_close(painted, torch.nn.functional.avg_pool2d(start, 2), atol=0.05, rtol=0)


def test_a_higher_decay_paints_smoother() -> None:
    rough, smooth = (canvas.Fourier(chance(), CPU, size=(64, 64), decay=decay, noise=1.0)() for decay in (0.5, 2.0))
    assert (smooth.diff(dim=3).std() / smooth.std()) < 0.5 * (rough.diff(dim=3).std() / rough.std())


def test_pixel_art_has_only_its_colours_and_whole_squares() -> None:
    art = canvas.Palette(chance(), CPU, photograph(), size=(48, 32), cell=8, colours=["#000000", "#ff0000", "#00ff80"])
    painted = art()
    corners = painted[:, :, ::8, ::8]
    assert torch.equal(painted, corners.repeat_interleave(8, 2).repeat_interleave(8, 3))
    used = {tuple(round(255 * value) for value in colour.tolist()) for colour in corners[0].flatten(1).T}
    assert used <= {(0, 0, 0), (255, 0, 0), (0, 255, 128)}
    assert len(art.trainable()) == 1


def test_learnt_colours_are_few_and_start_as_those_of_the_picture() -> None:
    start = photograph()
    art = canvas.Palette(chance(), CPU, start, size=(48, 32), cell=1, colours=12)
    painted = art()
    assert len(painted[0].flatten(1).T.unique(dim=0)) <= 12
    assert (painted - start).square().mean() < 0.2 * start.var()
    painted.sum().backward()
    assert all(tensor.grad is not None and tensor.grad.any() for tensor in art.trainable())


def test_squares_that_do_not_fill_the_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="squares of 5 pixels don't fill 48 x 32"):
        canvas.Palette(chance(), CPU, size=(48, 32), cell=5)


def test_palettes_are_checked() -> None:
    adapter = find("canvas.palette").settings["colours"].adapter
    assert adapter.validate_python(["#1d2b53", "#FF004D"]) == ["#1d2b53", "#FF004D"]
    for wrong in (1, ["#1d2b53"], ["reddish", "blue"], ["#12345", "#123456"], [0x1D2B53, 0xFF004D]):
        with pytest.raises(ValueError, match="validation error"):
            adapter.validate_python(wrong)


def test_a_siren_draws_a_sketch_of_a_part_of_its_size() -> None:
    whole, sketch = (siren.Canvas(chance(), CPU, size=(48, 32), scale=scale, layers=2, width=16) for scale in (1, 0.5))
    assert sketch().shape == (1, 3, 16, 24)
    torch.testing.assert_close(canvas.fitted(whole(), (24, 16)), sketch(), atol=0.05, rtol=0)


def test_the_siren_is_deep_dazes() -> None:
    reference = pytest.importorskip("siren_pytorch").SirenNet(2, 24, 3, 3, w0=30.0, w0_initial=30.0)
    painter = siren.Canvas(chance(), CPU, size=(20, 20), layers=3, width=24, precision="float32")
    theirs = list(reference.parameters())
    with torch.no_grad():
        for ours, their in zip(painter.trainable(), theirs, strict=True):
            their.copy_(ours)
    line = torch.linspace(-1, 1, 20)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)
    expected = ((reference(grid).T.view(1, 3, 20, 20) + 1) / 2).clamp(0, 1)
    painted = painter()
    torch.testing.assert_close(painted, expected, atol=1e-5, rtol=0)
    pull = torch.randn(1, 3, 20, 20, generator=torch.Generator().manual_seed(2))
    painted.backward(pull)
    expected.backward(pull)
    for ours, their in zip(painter.trainable(), theirs, strict=True):
        torch.testing.assert_close(ours.grad, their.grad, atol=1e-3, rtol=1e-3)


def test_a_siren_starts_as_deep_daze_starts_its() -> None:
    parameters = siren.Canvas(chance(), CPU, size=(8, 8)).trainable()
    assert sum(tensor.numel() for tensor in parameters) == 988_419
    assert 0.49 < parameters[0].abs().max() <= 0.5
    assert all(tensor.abs().max() <= (6 / 256) ** 0.5 / 30 for tensor in parameters[2:])


def test_strips_and_bfloat16_change_the_picture_by_less_than_the_eye_sees() -> None:
    painted, gradients = [], []
    for precision, strip in (("float32", 5000), ("float32", 333), ("bfloat16", 333)):
        painter = siren.Canvas(chance(), CPU, size=(64, 48), layers=5, width=64, precision=precision)
        painter._strip = strip
        painted.append(painter())
        (painted[-1] - 0.3).square().mean().backward()
        gradients.append(torch.cat([tensor.grad.flatten() for tensor in painter.trainable()]))
    torch.testing.assert_close(painted[1], painted[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(painted[2], painted[0], atol=0.01, rtol=0)
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-3)
    assert torch.cosine_similarity(gradients[2], gradients[0], dim=0) > 0.99


@pytest.mark.parametrize("output", ["clamp", "sigmoid"])
def test_a_siren_is_fitted_to_the_picture_it_starts_from(output: str) -> None:
    start = photograph()
    settings = {"size": (48, 32), "layers": 3, "width": 64, "output": output, "start_steps": 150, "start_rate": 1e-3}
    painter = siren.Canvas(chance(), CPU, start, **settings)
    error = (painter() - start).square().mean()
    assert error < 0.1 * start.var()
    assert all(tensor.grad is None for tensor in painter.trainable())
    before = painter.trainable()
    painter.repaint(Image(1 - start))
    assert all(one is other for one, other in zip(painter.trainable(), before, strict=True))
    assert (painter() - (1 - start)).square().mean() < 0.1 * start.var()
