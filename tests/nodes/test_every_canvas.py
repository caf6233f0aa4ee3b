"""What holds for every canvas. One that works in several ways, or better than the usual `Row`, has rows in `ROWS`.

Weights are small ones with made-up values, so none of these pictures is of anything.
"""

import io
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes import images
from t2iflow.nodes.core.ambient import Notes, Random, Tick
from t2iflow.nodes.core.catalog import every_node
from t2iflow.nodes.core.hooks import Carries, Finishes, Remembers, Settles
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures.motion import Affine, Deep, Moves
from t2iflow.nodes.pictures.resizing import fitted
from t2iflow.nodes.pictures.strokes import Strokes

from .conftest import Heard


@dataclass(frozen=True)
class Row:
    """How a canvas is tried: its settings and the size that they make, (width, height).

    `near`: what part of the start's distance from a picture may be left when the canvas has taken on that picture; None
    where an encoder that was never trained reads the picture for a decoder that never saw it, which need not be nearer.
    `rate`: Adam's, by which 30 steps come a tenth nearer to a picture. `alike`: how far bfloat16's picture may be from
    float32's, in the mean.
    """

    near: float | None = 0.9
    settings: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (32, 24)
    rate: float = 0.1
    alike: float = 0.01


ROWS: dict[str, Row] = {
    # Fitted by Adam; not all can be painted with these weights.
    "biggan.canvas": Row(0.9, {"start_steps": 30}, (16, 16)),
    "biggan.canvas seamless": Row(0.9, {"start_steps": 30, "seamless": True}, (16, 16)),
    "biggan.canvas foremost": Row(0.9, {"start_steps": 30, "max_classes": 3}, (16, 16)),
    # All but exact: a sigmoid never gives 0 and 1.
    "canvas.fourier": Row(0.001),
    # Squares of 4 pixels, in sixteen colours, which are those of the first picture; and in four that stay.
    "canvas.palette": Row(0.4),
    "canvas.palette given": Row(0.5, {"colours": ["#000000", "#ff8080", "#80ff80", "#8080ff"]}),
    "canvas.pixels": Row(1e-6),
    "canvas.pyramid": Row(0.001),
    "dvae.canvas soft": Row(None, {"steer": "soft"}),
    "dvae.canvas gumbel": Row(None, {"steer": "gumbel"}, rate=0.3),
    "dvae.canvas codebook": Row(None, {"steer": "codebook", "softmax": "plain", "start": "noise"}, rate=0.3),
    "dvae.canvas seamless": Row(None, {"seamless": True}),
    # Fitted by Adam.
    "siren.canvas": Row(0.01, {"layers": 3, "width": 64, "output": "sigmoid", "start_rate": 1e-3}, rate=1e-3),
    "siren.canvas clamp": Row(0.01, {"layers": 3, "width": 64, "output": "clamp", "start_rate": 1e-3}, rate=1e-3),
    "siren.canvas seamless": Row(
        0.01, {"layers": 3, "width": 64, "output": "sigmoid", "start_rate": 1e-3, "seamless": True}, rate=1e-3
    ),
    # Fitted by Adam; with few strokes much stays paper.
    "strokes.canvas": Row(0.8, {"count": 40, "width": 0.08, "start_steps": 40}),
    "strokes.canvas ink": Row(0.97, {"count": 40, "width": 0.05, "ink": "black", "start_steps": 40}, rate=0.05),
    "taesd.canvas": Row(None),
    "taesd.canvas seamless": Row(None, {"seamless": True}),
    "vqgan.canvas quantize": Row(None, {"steer": "quantize"}, rate=0.3),
    "vqgan.canvas codebook": Row(None, {"steer": "codebook"}, rate=0.3),
    "vqgan.canvas seamless": Row(None, {"seamless": True}, rate=0.3),
    "vqgan.canvas soft": Row(None, {"steer": "soft"}),
}

SPECS = {spec.name: spec for spec in every_node() if spec.role == "canvas"}
ROWS |= {name: Row() for name in SPECS.keys() - {name.split()[0] for name in ROWS}}
TRIED = sorted(name for name in ROWS if name.split()[0] in SPECS)


class Canvas:
    """A canvas as the runner would make and call it."""

    def __init__(self, name: str, weights: Callable[[str], Path], init: Image | None = None, **changes: Any) -> None:
        self.row, self.spec = ROWS[name], SPECS[name.split()[0]]
        written = {**self.row.settings, **changes}
        if "size" in self.spec.settings:
            written["size"] = list(self.row.size)
        for setting in self.spec.settings.values():
            if setting.loads:
                written[setting.name] = str(weights(setting.loads))
        settings = {key: self.spec.settings[key].adapter.validate_python(value) for key, value in written.items()}
        self._each = {key: value for key, value in settings.items() if not self.spec.settings[key].once}
        once = {key: value for key, value in settings.items() if self.spec.settings[key].once}
        if init is not None:
            once["init"] = init
        self.live: Any = self.spec.target(**once, **self._ambient(self.spec.ambient_once, 0))

    def __call__(self, step: int = 0) -> tuple[Tensor, ...]:
        """The picture of a step, and what else comes with it."""
        output = self.live(**self._each, **self._ambient(self.spec.ambient, step))
        several = output if isinstance(output, tuple) else (output,)
        return tuple(part for one in several for part in (one.tensors if isinstance(one, Strokes) else (one,)))

    def train(self, steps: int, first: int = 0, fit: torch.optim.Optimizer | None = None) -> torch.optim.Optimizer:
        """Take steps of Adam towards a picture, as the runner does."""
        fit = fit or torch.optim.Adam(self.live.trainable(), lr=self.row.rate)
        for step in range(first, first + steps):
            fit.zero_grad()
            (self(step)[0] - fitted(photograph(), self.row.size)).square().mean().backward()
            fit.step()
            if isinstance(self.live, Settles):
                self.live.settle()
        return fit

    def far(self, image: Image) -> float:
        """How far the picture is from another."""
        with torch.no_grad():
            return float((self()[0] - fitted(image, self.row.size)).square().mean())

    @staticmethod
    def _ambient(kinds: Any, step: int) -> dict[str, Any]:
        values: dict[Any, Any] = {
            Random: Random(0, "canvas", step),
            Tick: Tick(step, 10),
            Notes: Heard(),
            Shelf: NOWHERE,
            torch.device: torch.device("cpu"),
        }
        return {key: values[kind] for key, kind in kinds.items()}


Make = Callable[..., Canvas]


@pytest.fixture
def make(small_weights: Callable[[str], Path]) -> Make:
    def made(name: str, init: Image | None = None, **changes: Any) -> Canvas:
        return Canvas(name, small_weights, init, **changes)

    return made


def photograph(seed: int = 3) -> Image:
    """Soft blobs of colour."""
    numbers = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(seed))
    return Image(F.interpolate(numbers, (48, 64), mode="bicubic").clamp(0.02, 0.98))


def check(image: Tensor, row: Row) -> None:
    """A picture of the size that was asked for, in 0..1."""
    assert image.shape == (1, 3, row.size[1], row.size[0])
    assert image.dtype == torch.float32
    assert 0 <= image.min() <= image.max() <= 1


def copied(state: Any) -> Any:
    """As a checkpoint brings it back."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_every_row_has_a_canvas() -> None:
    strangers = {row.split()[0] for row in ROWS} - SPECS.keys()
    assert not strangers, "no canvas has this name: take its row out of ROWS in tests/nodes/test_every_canvas.py"


@pytest.mark.parametrize("name", TRIED)
def test_it_paints_a_picture_of_the_size_that_was_asked_for(name: str, make: Make) -> None:
    canvas = make(name)
    image, *others = canvas()
    check(image, canvas.row)
    assert image.std() > 0.002, "flat"
    assert all(other.isfinite().all() for other in others)


@pytest.mark.parametrize("name", TRIED)
def test_a_gradient_reaches_every_tensor_that_it_trains(name: str, make: Make) -> None:
    canvas = make(name)
    canvas.train(1)
    trained = canvas.live.trainable()
    assert trained
    for tensor in trained:
        assert tensor.is_leaf
        assert tensor.requires_grad
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.any()


@pytest.mark.parametrize("name", TRIED)
def test_what_comes_beside_the_picture_passes_a_gradient_or_never_changes(name: str, make: Make) -> None:
    canvas = make(name)
    for now, later in zip(canvas()[1:], [canvas.train(2), *canvas()][2:], strict=True):
        assert now.requires_grad != torch.equal(now, later)


@pytest.mark.parametrize("name", TRIED)
def test_the_same_seed_paints_the_same(name: str, make: Make) -> None:
    one, other = make(name), make(name)
    one.train(2)
    other.train(2)
    for mine, yours in zip(one(), other(), strict=True):
        assert torch.equal(mine, yours)


@pytest.mark.parametrize("name", TRIED)
def test_training_comes_nearer_to_a_picture(name: str, make: Make) -> None:
    canvas = make(name)
    before = canvas.far(photograph())
    canvas.train(30)
    assert canvas.far(photograph()) < 0.9 * before


@pytest.mark.parametrize("name", TRIED)
def test_it_starts_from_a_picture_and_takes_on_another(name: str, make: Make) -> None:
    picture, other = photograph(), photograph(4)
    plain, canvas = make(name), make(name, picture)
    trained, painted = canvas.live.trainable(), canvas()[0].detach()
    far = canvas.far(picture) / plain.far(picture)
    canvas.live.repaint(other)
    farther = canvas.far(other) / plain.far(other)
    assert all(old is new for old, new in zip(trained, canvas.live.trainable(), strict=True)), "not the optimiser's"
    assert all(tensor.grad is None and tensor.requires_grad for tensor in canvas.live.trainable())
    assert (canvas()[0] - painted).abs().mean() > 0.005, "what it paints does not depend on the picture"
    if canvas.row.near is None:
        canvas.live.repaint(picture)
        assert torch.equal(canvas()[0], painted)
    else:
        assert far < canvas.row.near
        assert farther < canvas.row.near
    canvas.train(1)


@pytest.mark.parametrize("name", TRIED)
def test_wherever_an_optimiser_led_it_it_settles_and_paints(name: str, make: Make) -> None:
    canvas = make(name)
    chance = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in canvas.live.trainable():
            tensor.add_(5 * torch.randn(tensor.shape, generator=chance))
    if isinstance(canvas.live, Settles):
        canvas.live.settle()
        settled = [tensor.clone() for tensor in canvas.live.trainable()]
        canvas.live.settle()
        assert all(torch.equal(once, twice) for once, twice in zip(settled, canvas.live.trainable(), strict=True))
    check(canvas()[0], canvas.row)


@pytest.mark.parametrize("name", [name for name in TRIED if issubclass(SPECS[name.split()[0]].target, Finishes)])
def test_a_finished_picture_is_not_left_to_chance(name: str, make: Make) -> None:
    canvas = make(name)
    canvas.train(2)
    with canvas.live.finished():
        finished = canvas(2)[0]
        check(finished, canvas.row)
        assert torch.equal(finished, canvas(3)[0])
    canvas.live.repaint(photograph())
    canvas.train(1)
    assert all(tensor.grad is not None and tensor.grad.any() for tensor in canvas.live.trainable())


@pytest.mark.parametrize("name", TRIED)
def test_from_a_checkpoint_it_goes_on_to_the_same_bytes(name: str, make: Make) -> None:
    first, again = make(name), make(name)
    first.live.repaint(photograph(4))
    if isinstance(first.live, Moves):
        first.live.move(Affine(scale=1.25), "reflect")
    fit = first.train(2)
    trained, memory = copied(first.live.trainable()), copied(first.live.state_dict() if _remembers(first) else {})
    moments = copied(fit.state_dict())
    with torch.no_grad():
        for tensor, saved in zip(again.live.trainable(), trained, strict=True):
            tensor.copy_(saved)
    if _remembers(again):
        again.live.load_state_dict(memory)
    other = torch.optim.Adam(again.live.trainable(), lr=again.row.rate)
    other.load_state_dict(moments)
    first.train(2, 2, fit)
    again.train(2, 2, other)
    for mine, yours in zip(first(4), again(4), strict=True):
        assert torch.equal(mine, yours)


SEAMLESS = [name for name in TRIED if ROWS[name].settings.get("seamless")] + ["canvas.fourier"]


def steps(image: Tensor, axis: int) -> Tensor:
    """The mean difference between each line or column and the next, the last being that across the seam."""
    return (image.roll(-1, axis) - image).abs().mean([dim for dim in range(4) if dim != axis % 4])


@pytest.mark.parametrize("name", SEAMLESS)
def test_across_the_seam_of_a_seamless_picture_it_goes_on_as_inside(name: str, make: Make) -> None:
    for image in (make(name)()[0], _trained(make(name))):
        for axis in (-1, -2):
            *_, seam = found = steps(image, axis)
            assert seam < 2 * found[7:-1:8].mean()  # where, too, another code begins


def _trained(canvas: Canvas) -> Tensor:
    """Its picture after some steps that look across the seam."""
    fit = torch.optim.Adam(canvas.live.trainable(), lr=canvas.row.rate)
    for step in range(20):
        fit.zero_grad()
        rolled = images.roll(Image(canvas(step)[0]), Random(step, "roll"))
        (rolled - fitted(photograph(step), canvas.row.size)).square().mean().backward()
        fit.step()
    return canvas(0)[0].detach()


@pytest.mark.parametrize("name", [name for name in SEAMLESS if name.split(".")[0] in ("dvae", "taesd", "vqgan")])
def test_moving_what_a_seamless_picture_is_painted_from_moves_the_picture(name: str, make: Make) -> None:
    canvas = make(name, precision="float32")
    painted = canvas()[0].detach()
    pan = Affine(pan=(1 / 3, 0.0))  # 8 pixels: whole places
    assert canvas.live.move(pan, "wrap")
    torch.testing.assert_close(canvas()[0].detach(), pan(painted, "wrap"), atol=0.01, rtol=0)


MOVING = [name for name in TRIED if issubclass(SPECS[name.split()[0]].target, Moves)]


@pytest.mark.parametrize("name", MOVING)
def test_a_canvas_that_moves_itself_shows_its_picture_moved(name: str, make: Make) -> None:
    canvas, pan = make(name), Affine(pan=(0.25, 0.0))
    border = "wrap" if name in SEAMLESS else "reflect"
    moved = pan(canvas()[0].detach(), border)
    assert canvas.live.move(pan, border)
    apart = difference(canvas, moved)
    if isinstance(canvas.live, Carries):
        canvas.live.carry(Image(moved))
        assert difference(canvas, moved) < 0.15 * apart
    else:
        assert apart < 0.02
    check(canvas()[0], canvas.row)


def difference(canvas: Canvas, moved: Tensor) -> float:
    """The mean difference between what a canvas would show when it is finished and a picture, away from the sides."""
    inner = slice(2, -10)
    with canvas.live.finished() if isinstance(canvas.live, Finishes) else nullcontext():
        return float((canvas()[0].detach() - moved)[..., inner].abs().mean())


@pytest.mark.parametrize("name", [name for name in MOVING if issubclass(SPECS[name.split()[0]].target, Carries)])
def test_what_is_carried_along_is_saved_and_gives_way_to_another_picture(name: str, make: Make) -> None:
    canvas, again, plain = make(name, photograph()), make(name, photograph()), make(name, photograph())
    canvas.live.carry(fitted(photograph(4), canvas.row.size))
    again.live.load_state_dict(copied(canvas.live.state_dict()))
    assert torch.equal(canvas()[0], again()[0])
    assert not torch.equal(canvas()[0], plain()[0])
    canvas.live.repaint(photograph())
    plain.live.repaint(photograph())
    assert torch.equal(canvas()[0], plain()[0])


@pytest.mark.parametrize("name", [name for name in MOVING if not name.startswith("canvas.fourier")])
def test_moving_what_is_painted_from_there_and_back_changes_little(name: str, make: Make) -> None:
    canvas = make(name)
    canvas.live.repaint(photograph(4))
    painted = canvas()[0].detach()
    for pan in (1 / 3, -1 / 3):  # whole squares of those that a number stands for, of 8 x 8 pixels at most
        assert canvas.live.move(Affine(pan=(pan, 0.0)), "wrap")
    torch.testing.assert_close(canvas()[0].detach(), painted, atol=0.01, rtol=0)


@pytest.mark.parametrize("name", ["siren.canvas", "canvas.fourier"])
def test_a_canvas_that_can_not_take_on_a_motion_is_left_as_it_is(name: str, make: Make) -> None:
    canvas = make(name)
    painted = canvas()[0].detach()
    assert not canvas.live.move(Deep(tilt=5), "reflect")
    assert torch.equal(canvas()[0], painted)


@pytest.mark.parametrize("name", [name for name in TRIED if "precision" in SPECS[name.split()[0]].settings])
def test_bfloat16_paints_nearly_the_same(name: str, make: Make) -> None:
    exact, fast = make(name, precision="float32"), make(name, precision="bfloat16")
    far = (exact()[0] - fast()[0]).abs().mean()
    assert 0 < far < exact.row.alike
    fast.train(1)
    assert all(tensor.dtype == torch.float32 for tensor in fast.live.trainable())


def _remembers(canvas: Canvas) -> bool:
    return isinstance(canvas.live, Remembers)


@pytest.mark.parametrize("name", ["dvae.canvas soft", "taesd.canvas", "vqgan.canvas quantize"])
def test_where_the_decoder_knows_its_encoder_a_picture_that_is_taken_on_comes_back(name: str, make: Make) -> None:
    canvas = make(name, precision="float32")
    canvas.live.repaint(photograph())  # now its encoder is there too
    weights = [tensor.requires_grad_() for network in networks(canvas.live) for tensor in network.parameters()]
    fit = torch.optim.Adam(weights, lr=5e-3)
    known = [photograph(seed) for seed in (10, 11)]
    for step in range(150):
        canvas.live.repaint(known[step % 2])
        fit.zero_grad()
        (canvas()[0] - fitted(known[step % 2], canvas.row.size)).square().mean().backward()
        fit.step()
    for image in known:
        canvas.live.repaint(image)
        picture = fitted(image, canvas.row.size)
        flat = float((picture - picture.mean((2, 3), keepdim=True)).square().mean())
        assert canvas.far(image) < 0.4 * flat, "no nearer than one picture for both"


def networks(thing: Any) -> list[torch.nn.Module]:
    """The networks that a canvas paints and reads with, its own and those of what it holds."""
    found = [value for value in vars(thing).values() if isinstance(value, torch.nn.Module)]
    held = [value for value in vars(thing).values() if type(value).__module__.startswith("t2iflow.nodes.generators")]
    return found + [network for value in held if value not in found for network in networks(value)]
