"""OpenAI's dVAE and the canvas of Aleph-Image, held against the DALL-E package where it can be imported."""

import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.hooks import Finishes, Remembers, Repaints
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.dvae import Canvas, gumbel, laplace
from t2iflow.nodes.generators.codes import drawn
from t2iflow.nodes.generators.dvae import Decoder, Encoder, mixed
from t2iflow.nodes.weights.find import obtain
from tests.weights import dvae

from .conftest import Heard

CPU = torch.device("cpu")
CODES = 64
NETWORKS = {"decoder": Decoder, "encoder": Encoder}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights."""
    return dvae.make(tmp_path_factory.mktemp("dvae"))


@pytest.fixture
def canvas(folder: Path, notes: Heard) -> Callable[..., Canvas]:
    def make(init: Image | None = None, seed: int = 0, **settings: Any) -> Canvas:
        settings = {"weights": str(folder), "size": (32, 24), "precision": "float32", **settings}
        return Canvas(Random(seed, "canvas"), CPU, notes, init, **settings)

    return make


@pytest.fixture
def decoder(folder: Path, notes: Heard) -> Decoder:
    return Decoder(obtain(str(folder), "dvae", notes).tensors("decoder"), "small", CPU, torch.float32)


def painted(canvas: Canvas, step: int = 0, **settings: Any) -> Image:
    return canvas(Random(0, "canvas", step), **settings)


def logits_of(canvas: Canvas) -> Tensor:
    """What the canvas trains, as the notebooks have it: (codes, places)."""
    (trained,) = canvas.trainable()
    parts, places, codes = trained.shape
    return trained.detach().permute(2, 0, 1).reshape(parts * codes, places)


def photograph(height: int = 24, width: int = 32) -> Image:
    """Something smooth."""
    down, across = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None]
    planes = [(3 * down + 2 * across).sin() / 2 + 0.5, (down * across).expand(height, width), (1 - across + 0 * down)]
    return Image(torch.stack(planes)[None])


def package() -> Any:
    return pytest.importorskip("dall_e", reason="the DALL-E package is not here", exc_type=ImportError)


# The networks


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """The package's networks, as small as it lets them be."""
    library = package()
    torch.manual_seed(1)
    networks = {
        "decoder": library.Decoder(n_init=16, n_hid=64, n_blk_per_group=2, vocab_size=512),
        "encoder": library.Encoder(n_hid=64, n_blk_per_group=2, vocab_size=512),
    }
    for network in networks.values():
        for name, parameter in network.named_parameters():
            if name.endswith(".b"):
                parameter.data.normal_(std=0.1)
    return networks


def test_the_decoder_is_that_of_the_package(theirs: dict[str, Any]) -> None:
    ours = Decoder(theirs["decoder"].state_dict(), "small", CPU, torch.float32)
    assert ours.factor == 8
    chance = torch.Generator().manual_seed(2)
    shares, pull = torch.rand(1, 512, 3, 4, generator=chance) / 64, torch.randn(1, 6, 24, 32, generator=chance)
    wanted, given = (shares.clone().requires_grad_() for _ in range(2))
    expected = theirs["decoder"](wanted)
    features = torch.einsum("nchw,cf->nfhw", given, ours.rows) + ours.bias.view(-1, 1, 1)
    picture = ours(features)
    torch.testing.assert_close(picture, expected, atol=1e-5, rtol=1e-5)
    for result in (picture, expected):
        (result * pull).sum().backward()
    assert wanted.grad is not None
    torch.testing.assert_close(given.grad, wanted.grad, atol=1e-4, rtol=1e-4)


def test_the_encoder_is_that_of_the_package(theirs: dict[str, Any]) -> None:
    ours = Encoder(theirs["encoder"].state_dict(), "small", CPU, torch.float32)
    expected = theirs["encoder"](package().map_pixels(photograph()))
    torch.testing.assert_close(ours(photograph()), expected, atol=1e-5, rtol=1e-5)


def test_the_small_weights_are_read_as_the_package_reads_them(folder: Path, notes: Heard) -> None:
    package()
    module = torch.load(folder / "decoder.pkl", weights_only=False)
    assert type(module).__module__ == "dall_e.decoder"
    read = obtain(str(folder), "dvae", notes).tensors("decoder")
    assert read.keys() == module.state_dict().keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize(
    ("role", "digest"),
    [
        ("decoder", "c8f62da02aed41133f091339594956cef7b890d724d58657c483030e8fa36a7f"),
        ("encoder", "8dda01e6a0c90131df50b24a5294062b5bc67e28f27af968bcdd41ee5e0283d5"),
    ],
)
def test_true_weights_have_a_place_each(role: str, digest: str) -> None:
    with torch.device("meta"):
        tensors = dvae.networks(full=True)[role].state_dict()
    lines = sorted(f"{name} {'x'.join(map(str, tensor.shape))}" for name, tensor in tensors.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest
    network = NETWORKS[role](tensors, "openai-dvae", torch.device("meta"), torch.bfloat16)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert parameters == {"decoder": 43_829_766, "encoder": 53_786_240}[role]


@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_both_forms_in_which_modules_are_pickled_are_read(container: Any, tmp_path: Path, canvas: Any) -> None:
    dvae.make(tmp_path, container=container)
    assert torch.equal(painted(canvas(weights=str(tmp_path))), painted(canvas()))


# What is painted


def test_the_interleaved_softmax_is_the_notebooks_reshape(canvas: Any, decoder: Decoder) -> None:
    ours = canvas(start="noise")
    latent = logits_of(ours).view(1, CODES, 3, 4).requires_grad_()
    shares = torch.softmax(latent.reshape(1, CODES // 2, 2 * 12) / 0.25, 1).view(1, CODES, 3, 4)
    assert torch.allclose(shares.sum(1), torch.full((1, 3, 4), 2.0))
    compare(ours, decoder, latent, shares, temperature=0.25)


def test_the_plain_softmax_is_over_all_codes(canvas: Any, decoder: Decoder) -> None:
    ours = canvas(start="noise", softmax="plain")
    latent = logits_of(ours).view(1, CODES, 3, 4).requires_grad_()
    compare(ours, decoder, latent, torch.softmax(latent, 1))


def compare(ours: Canvas, decoder: Decoder, latent: Tensor, shares: Tensor, **settings: Any) -> None:
    """Picture and gradient, ours against those that the decoder makes of shares (1, codes, h, w)."""
    features = torch.einsum("nchw,cf->nfhw", shares, decoder.rows) + decoder.bias.view(-1, 1, 1)
    expected = ((torch.sigmoid(decoder(features)[:, :3]) - 0.1) / 0.8).clamp(0, 1)
    picture = painted(ours, **settings)
    torch.testing.assert_close(picture, expected, atol=1e-5, rtol=1e-5)
    pull = torch.randn(picture.shape, generator=torch.Generator().manual_seed(3))
    for result in (picture, expected):
        (result * pull).sum().backward()
    (trained,) = ours.trainable()
    assert trained.grad is not None
    assert latent.grad is not None
    assert latent.grad.abs().max() > 1e-3
    gradient = trained.grad.permute(2, 0, 1).reshape(CODES, -1)
    torch.testing.assert_close(gradient, latent.grad.view(CODES, -1), atol=1e-5, rtol=1e-4)


def test_gumbel_noise_is_added_before_the_softmax(canvas: Any) -> None:
    chance = torch.Generator().manual_seed(4)
    latent, rows = torch.randn(2, 5, 7, generator=chance), torch.randn(2, 7, 3, generator=chance)
    noise = torch.randn(2, 5, 7, generator=chance)
    expected = (torch.softmax(latent / 0.5 + noise, -1) @ rows).sum(0)
    torch.testing.assert_close(mixed(latent, rows, 0.5, noise.clone()), expected)
    ours = canvas(steer="gumbel")
    assert not torch.equal(painted(ours, 0), painted(ours, 1))
    assert torch.equal(painted(ours, 1), painted(ours, 1))


def test_chance_follows_its_laws() -> None:
    normal = torch.randn(200_000, generator=torch.Generator().manual_seed(5))
    where = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    laws = torch.distributions.Gumbel(0.0, 1.0), torch.distributions.Laplace(0.0, 1.0)
    for noise, law in zip((gumbel(normal), laplace(normal)), laws, strict=True):
        torch.testing.assert_close(noise.quantile(where), law.icdf(where), atol=0.03, rtol=0)
        assert noise.isfinite().all()


def test_a_code_is_drawn_as_often_as_it_is_likely(canvas: Any) -> None:
    likely = torch.softmax(torch.randn(1, 1, CODES, generator=torch.Generator().manual_seed(6)), -1)
    likely[..., 3] = 0
    number = 20_000
    codes = drawn(likely.expand(1, number, CODES), Random(0))[0]
    shares = likely[0, 0] / likely.sum()
    often = torch.bincount(codes, minlength=CODES) / number
    assert often[3] == 0
    assert (often - shares).abs().max() < 5 * math.sqrt(float(shares.max()) / number)


def test_drawn_codes_are_painted_hard_with_the_gradient_of_all() -> None:
    """One-hot forward, likelihoods backward, as Crowson's ReplaceGrad has it."""
    chance = torch.Generator().manual_seed(7)
    start, rows = torch.randn(2, 5, 7, generator=chance), torch.randn(2, 7, 3, generator=chance)
    pull = torch.randn(5, 3, generator=chance)
    trained, latent = (start.clone().requires_grad_() for _ in range(2))
    features = mixed(trained, rows, 0.5, None, lambda likely: likely.argmin(-1))
    likely = torch.softmax(latent / 0.5, -1)
    hard = F.one_hot(likely.argmin(-1), 7).float()
    expected = ((hard + likely - likely.detach()) @ rows).sum(0)
    for result in (features, expected):
        (result * pull).sum().backward()
    torch.testing.assert_close(features, expected)
    torch.testing.assert_close(trained.grad, latent.grad, atol=1e-6, rtol=1e-4)


def test_a_step_paints_the_codes_that_it_draws(canvas: Any, decoder: Decoder) -> None:
    ours = canvas(start="noise", steer="codebook", softmax="plain")
    likely = torch.softmax(logits_of(ours).T[None], -1)
    codes = drawn(likely, Random(0, "canvas", 0))[0]
    features = (decoder.rows[codes] + decoder.bias).T.view(1, -1, 3, 4)
    expected = ((torch.sigmoid(decoder(features)[:, :3]) - 0.1) / 0.8).clamp(0, 1)
    torch.testing.assert_close(painted(ours), expected, atol=1e-5, rtol=1e-5)


def test_the_decoders_own_spread_is_drawn_from(canvas: Any) -> None:
    ours = canvas(steer="codebook", softmax="plain")
    assert not torch.equal(painted(ours, noise=1.0), painted(ours))
    near, far = ((painted(ours, noise=noise) - painted(ours)).abs().mean() for noise in (0.01, 0.1))
    assert near < far / 5


# Starts and ends


def test_it_starts_from_one_code_at_each_place_and_never_the_last(canvas: Any) -> None:
    logits = logits_of(canvas(size=(256, 256)))
    assert torch.equal(logits.sum(0), torch.ones(32 * 32))
    assert torch.equal(logits.amax(0), torch.ones(32 * 32))
    seen = logits.argmax(0).unique()
    assert seen.tolist() == list(range(CODES - 1))


def test_it_starts_from_the_codes_of_a_list(canvas: Any) -> None:
    assert set(logits_of(canvas(start=[5, 40])).argmax(0).tolist()) == {5, 40}
    assert set(logits_of(canvas(start=[5, 40], softmax="plain")).argmax(0).tolist()) == {5, 40}


def test_codes_of_the_blacklist_are_not_painted(canvas: Any) -> None:
    banned = list(range(0, CODES, 3))
    for softmax in ("interleaved", "plain"):
        for init in (None, photograph()):
            logits = logits_of(canvas(init, start="noise", softmax=softmax, blacklist=banned))
            assert (logits[banned].amax(0) < logits.amax(0) - 50).all()
            assert not {*logits.argmax(0).tolist()} & {*banned}


@pytest.mark.parametrize("softmax", ["interleaved", "plain"])
def test_the_finished_picture_has_the_likeliest_codes(softmax: str, canvas: Any) -> None:
    ours = canvas(start="noise", softmax=softmax, steer="gumbel")
    assert isinstance(ours, Finishes)
    decided = canvas(start="noise", softmax=softmax)
    with ours.finished():
        torch.testing.assert_close(painted(ours), painted(decided, temperature=1e-8), atol=1e-5, rtol=0)
        assert torch.equal(painted(ours, 0, noise=1.0), painted(ours, 1))
    assert not torch.equal(painted(ours, 0, noise=1.0), painted(ours, 1))


def test_a_picture_comes_back_as_the_encoder_reads_it(canvas: Any, folder: Path, notes: Heard) -> None:
    encoder = Encoder(obtain(str(folder), "dvae", notes).tensors("encoder"), "small", CPU, torch.float32)
    best = encoder(photograph())[0].flatten(1).argmax(0)
    for softmax in ("interleaved", "plain"):
        ours = canvas(photograph(), softmax=softmax, certainty=0.95)
        assert torch.equal(logits_of(ours).argmax(0), best)
        likely = torch.softmax(ours.trainable()[0], -1).amax(-1).amax(0)
        torch.testing.assert_close(likely, torch.full((12,), 0.95))
    blank = canvas(softmax="plain", certainty=0.95)
    assert isinstance(blank, Repaints)
    blank.repaint(photograph(48, 64))
    assert (logits_of(blank).argmax(0) == best).float().mean() > 0.6  # it was resized
    assert painted(blank).grad_fn is not None


def test_bfloat16_paints_nearly_the_same(canvas: Any) -> None:
    coarse, fine = painted(canvas(precision="bfloat16")), painted(canvas())
    assert coarse.dtype == torch.float32
    assert 0 < (coarse - fine).abs().mean() < 0.02


@pytest.mark.parametrize("steer", ["soft", "gumbel", "codebook"])
def test_what_is_trained_comes_nearer_to_what_is_wanted(steer: str, canvas: Any) -> None:
    ours = canvas(start="noise", steer=steer)
    fit = torch.optim.Adam(ours.trainable(), lr=0.3)
    losses = []
    for step in range(30):
        fit.zero_grad()
        loss = (painted(ours, step) - photograph()).square().mean()
        loss.backward()
        fit.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_what_is_trained_and_what_is_carried_is_all_that_there_is_to_keep(canvas: Any) -> None:
    one, other = canvas(steer="gumbel"), canvas(steer="gumbel", seed=1)
    one.carry(photograph())
    assert isinstance(one, Remembers)
    assert isinstance(other, Remembers)
    other.load_state_dict(one.state_dict())
    for mine, saved in zip(other.trainable(), one.trainable(), strict=True):
        mine.data.copy_(saved)
    assert torch.equal(painted(one, 7), painted(other, 7))


# What is refused


def test_sizes_that_codes_do_not_fill_are_refused_with_the_nearest(canvas: Any) -> None:
    with pytest.raises(ValueError, match="8 x 8 pixels, which don't fill 30 x 3; take 32 x 8"):
        canvas(size=(30, 3))


def test_codes_that_there_are_not_are_refused(canvas: Any) -> None:
    for settings in ({"start": [3, 64]}, {"blacklist": [64]}):
        with pytest.raises(ValueError, match="no code 64: these weights have 0 to 63"):
            canvas(**settings)


def test_other_weights_are_refused(canvas: Any, folder: Path, tmp_path: Path) -> None:
    torch.save({"decoder.conv_in.weight": torch.ones(2, 2)}, tmp_path / "decoder.pkl")
    with pytest.raises(ValueError, match=r"not those of a dVAE: there is no `blocks\.input\.w`"):
        canvas(weights=str(tmp_path))
    shutil.copy(folder / "encoder.pkl", tmp_path / "decoder.pkl")
    with pytest.raises(ValueError, match="do not fit"):
        canvas(weights=str(tmp_path))
    tensors = dict(obtain(str(folder), "dvae", Heard()).tensors("decoder"))
    del tensors["blocks.group_3.block_2.res_path.conv_3.w"]
    torch.save(tensors, tmp_path / "decoder.pkl")
    with pytest.raises(ValueError, match=r"missing: blocks\.group_3\.block_2\.res_path\.conv_3\.w"):
        canvas(weights=str(tmp_path))
