"""VQGAN against taming-transformers' own modules, and what steers it against the published formulas."""

import contextlib
import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from taming.modules.diffusionmodules.model import Decoder, Encoder
from torch import Tensor, nn

from t2iflow.nodes import losses, vqgan
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.catalog import find
from t2iflow.nodes.core.run_files import CHECKPOINT
from t2iflow.nodes.core.types import Image, Latent
from t2iflow.nodes.generators import codes
from t2iflow.nodes.generators.clamp import cut
from t2iflow.nodes.generators.vqgan import enlarging, group_norm
from t2iflow.nodes.generators.vqgan.layout import Layout
from t2iflow.nodes.generators.vqgan.network import Painter, Reader, nearest
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.text.recipe import read_text
from t2iflow.runner.events import Event, Fitted
from t2iflow.runner.execution import checkpoint
from t2iflow.runner.execution.link import Surroundings
from t2iflow.runner.execution.loop import Loop, Stopped
from tests.weights import vqgan as files

from .conftest import Heard, RunFolder

CPU = torch.device("cpu")
SIZE = (32, 24)
KINDS: list[files.Kind] = ["vq", "gumbel", "net2net"]
Make = Callable[..., vqgan.Canvas]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: files.make(tmp_path_factory.mktemp(kind), kind=kind) for kind in KINDS}


@pytest.fixture
def make(folders: dict[str, Path], notes: Heard) -> Make:
    """A canvas of small weights in float32."""

    def canvas(kind: str = "vq", init: Image | None = None, seed: int = 0, **settings: Any) -> vqgan.Canvas:
        settings = {"weights": str(folders.get(kind, kind)), "size": SIZE, "precision": "float32", **settings}
        return vqgan.Canvas(Random(seed, "canvas"), CPU, notes, init, **settings)

    return canvas


def chance(seed: int = 0) -> Random:
    return Random(seed, "called")


def photograph(seed: int = 3, size: tuple[int, int] = SIZE) -> Image:
    """Soft blobs of colour."""
    numbers = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(seed))
    return Image(F.interpolate(numbers, (size[1], size[0]), mode="bicubic").clamp(0, 1))


class Theirs(nn.Module):
    """The model as taming.models.vqgan puts it together, of taming's own modules."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__()
        quantizers = pytest.importorskip("taming.modules.vqvae.quantize")
        params = yaml.safe_load((folder / "model.yaml").read_text())["model"]["params"]
        params = params.get("first_stage_config", {}).get("params", params)
        levels, width = params["ddconfig"], params["embed_dim"]
        with contextlib.redirect_stdout(io.StringIO()):
            self.encoder, self.decoder = Encoder(**levels), Decoder(**levels)
        self.quant_conv = nn.Conv2d(levels["z_channels"], width, 1)
        self.post_quant_conv = nn.Conv2d(width, levels["z_channels"], 1)
        if kind == "gumbel":
            self.quantize = quantizers.GumbelQuantize(levels["z_channels"], width, n_embed=params["n_embed"])
        else:
            self.quantize = quantizers.VectorQuantizer2(params["n_embed"], width, beta=0.25)
        with files.lightning():
            state = torch.load(folder / "last.ckpt", weights_only=False)["state_dict"]
        state = {name.removeprefix("first_stage_model."): tensor for name, tensor in state.items()}
        own = self.state_dict()
        self.load_state_dict({name: state[name] for name in own})
        self.requires_grad_(False)
        self.eval()

    @property
    def codes(self) -> Tensor:
        book = self.quantize.embed if hasattr(self.quantize, "embed") else self.quantize.embedding
        codes: Tensor = book.weight
        return codes

    def picture(self, z: Tensor) -> Tensor:
        painted: Tensor = (self.decoder(self.post_quant_conv(z)) + 1) / 2
        return painted


@pytest.mark.parametrize(
    ("kind", "number", "digest"),
    [
        ("vq", 343, "886736755b7de3be4c8636715c28450e9ce16b8a670022869ad6100f2986ca01"),
        ("gumbel", 301, "18ebae98837146da82f124a58cb26c9ca9c4eea15778a7963799bf21c2318f76"),
    ],
)
def test_the_network_has_the_tensors_of_the_published_files(kind: files.Kind, number: int, digest: str) -> None:
    layout = Layout.read(yaml.safe_dump({"model": files.config(True, kind)}), "full")
    assert layout.factor == {"vq": 16, "gumbel": 8}[kind]
    with torch.device("meta"), contextlib.redirect_stdout(io.StringIO()):
        places = {**Painter(layout).state_dict(), **Reader(layout).state_dict()}
    lines = sorted(f"{name} {'x'.join(map(str, place.shape))}" for name, place in places.items())
    assert len(lines) == number
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


def test_the_small_files_are_written_as_lightning_writes_them(folders: dict[str, Path]) -> None:
    # What refuses the published file of 16384 codes, too: it names a class of Lightning's.
    with pytest.raises(Exception, match=r"model_checkpoint\.ModelCheckpoint"):
        torch.load(folders["vq"] / "last.ckpt", weights_only=True)


@pytest.mark.parametrize(("kind", "large"), [*((kind, False) for kind in KINDS), ("vq", True)])
def test_a_picture_and_its_gradient_are_tamings(
    kind: str, large: bool, folders: dict[str, Path], make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:  # what is done for large pictures, with more than one strip
        for module, name, value in ((group_norm, "LARGE", 0), (enlarging, "LARGE", 0), (group_norm, "STRIP", 1000)):
            monkeypatch.setattr(module, name, value)
    theirs, canvas = Theirs(folders[kind], kind), make(kind)
    (z,) = canvas.trainable()
    with torch.no_grad():
        z.add_(0.3 * torch.randn(z.shape, generator=torch.Generator().manual_seed(1)))
    their_z = z.detach().clone().requires_grad_()
    flat = their_z.permute(0, 2, 3, 1).flatten(0, 2)
    number = torch.cdist(flat.detach(), theirs.codes).argmin(1)
    picked = theirs.codes[number].view(1, 6, 8, -1).permute(0, 3, 1, 2)
    expected = theirs.picture(their_z + (picked - their_z).detach())
    painted = canvas(chance()).image
    torch.testing.assert_close(painted, expected.clamp(0, 1), atol=1e-5, rtol=0)
    assert painted.std() > 0.1
    pull = torch.randn(painted.shape, generator=torch.Generator().manual_seed(2))
    pull[(expected < 0) | (expected > 1)] = 0  # what is cut has a test of its own
    painted.backward(pull)
    expected.backward(pull)
    assert z.grad is not None
    assert their_z.grad is not None
    torch.testing.assert_close(z.grad, their_z.grad, atol=1e-4, rtol=1e-4)


def test_the_nearest_codes_are_tamings(folders: dict[str, Path]) -> None:
    theirs = Theirs(folders["vq"], "vq")
    z = torch.randn(2, 16, 40, 50, generator=torch.Generator().manual_seed(1))
    _, _, (_, _, expected) = theirs.quantize(z)
    assert torch.equal(nearest(z.permute(0, 2, 3, 1).flatten(0, 2), theirs.codes), expected)
    assert len(expected.unique()) > 32


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_read_as_taming_reads_it(kind: str, folders: dict[str, Path], make: Make) -> None:
    theirs, canvas = Theirs(folders[kind], kind), make(kind, photograph())
    for number, picture in enumerate((photograph(), make(kind, seed=5)(chance()).image.detach())):
        if number:
            canvas.repaint(Image(picture))
        read = theirs.quant_conv(theirs.encoder(picture * 2 - 1))
        if kind == "gumbel":
            expected = theirs.codes[theirs.quantize.proj(read).argmax(1)].permute(0, 3, 1, 2)
        else:
            expected, _, _ = theirs.quantize(read)
        torch.testing.assert_close(canvas.trainable()[0], expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(canvas(chance()).start, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(canvas(chance()).image, theirs.picture(expected).clamp(0, 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["vq", "gumbel"])
def test_codebook_sampling_has_the_gradient_of_crowsons_notebook(
    kind: str, folders: dict[str, Path], make: Make
) -> None:
    theirs, canvas = Theirs(folders[kind], kind), make(kind, steer="codebook")
    (logits,) = canvas.trainable()
    assert logits.shape == (48, 64)
    assert 0.95 < logits.std() < 1.05
    painted, latent, _ = canvas(chance())
    drawn = torch.cdist(latent.detach()[0].flatten(1).T, theirs.codes).argmin(1)
    their_logits = logits.detach().clone().requires_grad_()
    likely = their_logits.softmax(1)
    one_hot = F.one_hot(drawn, 64).to(likely) + (likely - likely.detach())
    z = (one_hot @ theirs.codes).T.reshape(1, -1, 6, 8)
    expected = theirs.picture(z)
    torch.testing.assert_close(painted, expected.clamp(0, 1), atol=1e-5, rtol=0)
    pull = torch.randn(painted.shape, generator=torch.Generator().manual_seed(2))
    pull[(expected < 0) | (expected > 1)] = 0
    painted.backward(pull)
    expected.backward(pull)
    assert logits.grad is not None
    assert their_logits.grad is not None
    torch.testing.assert_close(logits.grad, their_logits.grad, atol=1e-4, rtol=1e-4)


def test_codes_are_drawn_as_often_as_they_are_likely(make: Make) -> None:
    canvas = make(steer="codebook", size=(512, 512))
    (logits,) = canvas.trainable()
    with torch.no_grad():
        logits.copy_(torch.full((64,), -100.0).index_fill(0, torch.tensor([0, 7, 63]), 0))
        logits[:, 7] = 1.0
    drawn = codes.drawn(logits.detach().softmax(1), chance())
    shares = torch.bincount(drawn, minlength=64) / len(drawn)
    expected = logits[0].softmax(0).detach()
    assert torch.equal(shares > 0, expected > 1e-6)
    torch.testing.assert_close(shares, expected, atol=0.02, rtol=0)
    assert torch.equal(drawn, codes.drawn(logits.detach().softmax(1), chance()))
    assert not torch.equal(drawn, codes.drawn(logits.detach().softmax(1), chance(1)))


@pytest.mark.parametrize(("lowest", "expected"), [(True, 1), (False, 2)])
def test_codes_without_a_chance_are_not_drawn_at_either_end(lowest: bool, expected: int) -> None:
    class Edge(Random):
        def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
            return torch.full(shape, low if lowest else high)

    likely = torch.tensor([[0.0, 0.5, 0.5, 0.0]]).repeat(3, 1)
    assert codes.drawn(likely, Edge(0)).tolist() == [expected] * 3


def test_soft_codes_are_mixed_by_their_likelihoods_the_less_the_lower_the_temperature(
    folders: dict[str, Path], make: Make
) -> None:
    theirs, canvas = Theirs(folders["vq"], "vq"), make(steer="soft")
    (logits,) = canvas.trainable()
    for temperature in (1.0, 0.3):
        z = ((logits / temperature).softmax(1) @ theirs.codes).T.reshape(1, -1, 6, 8)
        painted, latent, _ = canvas(chance(), temperature=temperature)
        torch.testing.assert_close(latent, z, atol=1e-5, rtol=0)
        torch.testing.assert_close(painted, theirs.picture(z).clamp(0, 1), atol=1e-5, rtol=0)
    hard = theirs.codes[logits.argmax(1)].T.reshape(1, -1, 6, 8)
    torch.testing.assert_close(canvas(chance(), temperature=1e-4).latent, hard, atol=1e-3, rtol=0)


@pytest.mark.parametrize("steer", ["codebook", "soft"])
def test_the_finished_picture_has_the_likeliest_codes(steer: str, folders: dict[str, Path], make: Make) -> None:
    theirs, canvas = Theirs(folders["vq"], "vq"), make(steer=steer)
    best = theirs.codes[canvas.trainable()[0].argmax(1)].T.reshape(1, -1, 6, 8)
    assert not torch.equal(canvas(chance()).latent, best)
    with canvas.finished():
        for seed in (0, 1):
            assert torch.equal(canvas(chance(seed)).latent, best)
    canvas.repaint(photograph())
    assert not torch.equal(canvas(chance()).latent, canvas(chance()).start)


@pytest.mark.parametrize("steer", ["codebook", "soft"])
@pytest.mark.parametrize("kind", ["vq", "gumbel"])
def test_the_codes_of_a_picture_are_as_likely_as_certainty_says(kind: str, steer: str, make: Make) -> None:
    hard = make(kind, photograph()).trainable()[0]
    for certainty in (0.5, 0.9, 0.999):
        canvas = make(kind, photograph(), steer=steer, certainty=certainty)
        likely = canvas.trainable()[0].softmax(1)
        torch.testing.assert_close(likely.amax(1), torch.full((48,), certainty), atol=1e-4, rtol=0)
        assert torch.equal(canvas(chance()).start, hard)


def test_blacklisted_codes_are_never_painted(folders: dict[str, Path], make: Make) -> None:
    theirs, banned = Theirs(folders["vq"], "vq"), list(range(10, 64))
    allowed = {tuple(code) for code in theirs.codes[:10].tolist()}
    for settings in ({"steer": "codebook"}, {"steer": "quantize"}, {"steer": "quantize", "init": photograph()}):
        canvas = make(blacklist=banned, **settings)
        painted = canvas(chance()).latent[0].flatten(1).T
        assert {tuple(code) for code in painted.tolist()} <= allowed
    assert make("gumbel", photograph(), blacklist=banned, steer="soft").trainable()[0].shape == (48, 10)
    for wrong in ([64], list(range(63))):
        with pytest.raises(
            ValueError, match=r"no code 64: these weights have 0 to 63|64 codes, of which at least two must remain"
        ):
            make(blacklist=wrong)


def test_vectors_settle_within_the_bounds_of_the_codes(folders: dict[str, Path], make: Make) -> None:
    codes = Theirs(folders["vq"], "vq").codes
    for bounded in (True, False):
        canvas = make(bounded=bounded)
        with torch.no_grad():
            canvas.trainable()[0].mul_(9)
        before = canvas.trainable()[0].clone()
        canvas.settle()
        low, high = (ends.view(1, -1, 1, 1) for ends in (codes.amin(0), codes.amax(0)))
        expected = torch.minimum(torch.maximum(before, low), high) if bounded else before
        assert torch.equal(canvas.trainable()[0], expected)


def test_colours_are_cut_and_what_is_cut_can_only_come_back() -> None:
    picture = torch.tensor([-0.5, -0.5, 0.3, 0.3, 1.5, 1.5], requires_grad=True)
    painted = cut(picture)
    assert painted.tolist() == pytest.approx([0, 0, 0.3, 0.3, 1, 1])
    painted.backward(torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]))  # a step goes against it
    assert picture.grad is not None
    assert picture.grad.tolist() == [0, -1, 1, -1, 1, 0]


@pytest.mark.parametrize("steer", ["quantize", "codebook", "soft"])
def test_the_start_stays_while_the_picture_moves_on(steer: str, make: Make) -> None:
    canvas = make(steer=steer)
    start = canvas(chance()).start.clone()
    if steer == "quantize":
        assert torch.equal(start, canvas(chance()).latent)
    fit = torch.optim.Adam(canvas.trainable(), lr=0.1)
    for _ in range(3):
        (canvas(chance()).image - photograph()).square().mean().backward()
        fit.step()
        canvas.settle()
    assert torch.equal(canvas(chance()).start, start)
    assert not torch.equal(canvas(chance()).latent, start)
    canvas.repaint(photograph())
    other = canvas(chance()).start
    assert not torch.equal(other, start)
    again = make(steer=steer)
    again.load_state_dict(canvas.state_dict())
    assert torch.equal(again(chance()).start, other)


def test_a_canvas_starts_from_codes_or_from_what_is_read_of_noise(folders: dict[str, Path], make: Make) -> None:
    codes = {tuple(code) for code in Theirs(folders["vq"], "vq").codes.tolist()}
    starts = [make(start=start).trainable()[0] for start in ("codes", "noise", "gradient")]
    for one in starts:
        assert {tuple(place) for place in one[0].flatten(1).T.tolist()} <= codes
    assert len({tuple(one.flatten().tolist()) for one in starts}) == 3
    assert torch.equal(make(start="noise").trainable()[0], starts[1])
    assert not torch.equal(make(start="noise", seed=1).trainable()[0], starts[1])
    assert torch.equal(make(init=photograph(), start="noise").trainable()[0], make(init=photograph()).trainable()[0])


@pytest.mark.parametrize("steer", ["quantize", "codebook", "soft"])
def test_training_moves_the_picture_towards_another(steer: str, make: Make) -> None:
    target = make(seed=8)(chance()).image.detach()
    canvas = make(steer=steer)
    fit = torch.optim.Adam(canvas.trainable(), lr=0.1)
    apart = []
    for step in range(25):
        fit.zero_grad()
        loss = (canvas(chance(step)).image - target).square().mean()
        loss.backward()
        fit.step()
        canvas.settle()
        apart.append(float(loss.detach()))
    if steer == "codebook":
        with canvas.finished():
            apart.append(float((canvas(chance()).image - target).square().mean().detach()))
    assert apart[-1] < 0.85 * apart[0]


def test_bfloat16_changes_little_and_trains_in_float32(make: Make) -> None:
    for steer in ("quantize", "soft"):
        exact, quick = make(steer=steer), make(steer=steer, precision="bfloat16")
        assert torch.equal(exact.trainable()[0], quick.trainable()[0])
        assert quick.trainable()[0].dtype == torch.float32
        painted = quick(chance()).image
        assert painted.dtype == torch.float32
        assert painted.is_contiguous()
        assert (painted - exact(chance()).image).abs().mean() < 0.02


def test_the_encoder_is_asked_for_only_where_a_picture_comes_in(
    folders: dict[str, Path], tmp_path: Path, make: Make
) -> None:
    shutil.copy(folders["vq"] / "model.yaml", tmp_path)
    theirs = Theirs(folders["vq"], "vq").state_dict()
    state = {name: tensor for name, tensor in theirs.items() if not name.startswith(("encoder.", "quant_conv."))}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    assert torch.equal(make(str(tmp_path))(chance()).image, make()(chance()).image)
    with pytest.raises(ValueError, match=r"missing: encoder\.conv_in\.weight"):
        make(str(tmp_path), photograph())


@pytest.mark.parametrize(
    ("kind", "size", "near"),
    [("vq", (33, 24), "4 x 4 pixels, which don't fill 33 x 24; take 32 x 24"), ("vq", (1, 7), "take 4 x 8")],
)
def test_a_size_that_codes_do_not_fill_is_refused(kind: str, size: tuple[int, int], near: str, make: Make) -> None:
    with pytest.raises(ValueError, match=near):
        make(kind, size=size)


def test_a_size_that_known_weights_do_not_paint_is_refused_before_anything_is_loaded() -> None:
    spec = find("vqgan.canvas")
    defaults = {name: setting.default for name, setting in spec.settings.items()}
    spec.check(defaults)
    with pytest.raises(ValueError, match="16 x 16 pixels, which don't fill 500 x 300; take 496 x 304"):
        spec.check({**defaults, "size": (500, 300)})
    with pytest.raises(ValueError, match="16 x 16"):
        spec.check({**defaults, "weights": "imagenet-f16-1024", "size": (200, 200)})


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"n_embed": 32}, r"quantize\.embedding\.weight is \(64, 16\), not \(32, 16\)"),
        ({"ddconfig": {"ch_mult": [1, 2]}}, r"decoder\..* and \d+ more"),
        ({"ddconfig": {"ch": 64}}, r"decoder\.conv_in\.weight is \(64, 16, 3, 3\), not \(128, 16, 3, 3\)"),
        ({"ddconfig": {"ch": "wide"}}, r"not a VQGAN's: ddconfig\.ch: Input should be a valid integer"),
        ({"embed_dim": None}, "not a VQGAN's: embed_dim"),
        ({"target": "os.system"}, "`os.system` is not one of taming.models.vqgan.VQModel"),
        ({"target": ["taming"]}, "not a VQGAN's"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_the_reason(
    wrong: dict[str, Any], reason: str, folders: dict[str, Path], tmp_path: Path, make: Make
) -> None:
    config = yaml.safe_load((folders["vq"] / "model.yaml").read_text())
    model, wrong = config["model"], dict(wrong)
    model["target"] = wrong.pop("target", model["target"])
    model["params"]["ddconfig"] |= wrong.pop("ddconfig", {})
    model["params"] |= wrong
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(config))
    shutil.copy(folders["vq"] / "last.ckpt", tmp_path)
    with pytest.raises(ValueError, match=reason):
        make(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "model: {params: {}}", "!!python/name:os.system x"])
def test_a_file_that_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the yaml of the weights `mine` is not a VQGAN's"):
        Layout.read(text, "mine")


def test_the_latent_loss_is_the_mean_squared_distance_from_zero_or_from_the_start(make: Make) -> None:
    painted = make()(chance())
    latent, other = painted.latent, Latent(painted.start + 0.5)
    torch.testing.assert_close(losses.latent(latent), latent.square().mean())
    torch.testing.assert_close(losses.latent(latent, other), torch.tensor(0.25))
    assert losses.latent(latent, painted.start) == 0


RECIPE = """
t2iflow: 1
title: Copy a picture
seed: 3
nodes:
  photo:  {use: images.noise, size: [32, 24], kind: fractal}
  canvas: {use: vqgan.canvas, weights: "WEIGHTS", size: [32, 24], STEER, precision: float32}
  same:   {use: losses.reference, image: $canvas, reference: $photo}
  held:   {use: losses.latent, latent: $canvas.latent, reference: $canvas.start}
  fit:    {use: optimizers.adam, image: $canvas, loss: [$same, {of: $held, weight: 0.1}], rate: 0.1, steps: 7}
  still:  {use: output.image, image: $fit}
"""


@pytest.mark.parametrize("steer", ["steer: quantize", "steer: codebook", "steer: soft, temperature: {0: 1, 100%: 0.2}"])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    steer: str, folders: dict[str, Path], tmp_path: Path, folder: RunFolder, notes: Heard
) -> None:
    text = RECIPE.replace("WEIGHTS", str(folders["vq"])).replace("STEER", steer)
    plan = compile_recipe(read_text(text, "mine.yaml", tmp_path))
    around = Surroundings(3, CPU, folder, lambda node: notes)
    finished: list[Tensor] = []

    def tell(event: Event) -> None:
        if isinstance(event, Fitted):
            finished.append(event.image.clone())

    Loop(plan, around, tell).run()
    asked: list[None] = []

    def stopping() -> bool:
        asked.append(None)
        return len(asked) == 4

    with pytest.raises(Stopped):
        Loop(plan, around, tell, save=lambda state: state.save(tmp_path), stopping=stopping).run()
    Loop(plan, around, tell).run(checkpoint.read(tmp_path / CHECKPOINT))
    unbroken, resumed = finished
    assert torch.equal(unbroken, resumed)
    assert unbroken.std() > 0.05
