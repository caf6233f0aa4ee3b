import math
from collections.abc import Callable

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2iflow.nodes import losses
from t2iflow.nodes.core.types import Image, Loss, Mask
from t2iflow.nodes.perceptors.interface import Layer, Seen, Wanted

Judge = Callable[[Seen, Wanted], Loss]
CHANCE = torch.Generator().manual_seed(0)


def directions(number: int) -> Tensor:
    return F.normalize(torch.randn(number, 32, generator=CHANCE), dim=-1)


def wanted(embeddings: Tensor, weight: float = 1.0, stop: float = -math.inf) -> Wanted:
    number = len(embeddings)
    return Wanted(embeddings, torch.full((number,), weight), torch.full((number,), stop))


def at_angle(degrees: float) -> tuple[Seen, Wanted]:
    angle = math.radians(degrees)
    seen = torch.tensor([[math.cos(angle), math.sin(angle)]])
    return Seen(seen), wanted(torch.tensor([[1.0, 0.0]]))


def constant(*colour: float) -> Image:
    return Image(torch.tensor(colour, dtype=torch.float32).view(1, 3, 1, 1).expand(1, 3, 8, 8).clone())


@pytest.mark.parametrize("degrees", [1, 45, 90, 135, 179])
def test_spherical_is_half_the_squared_angle(degrees: float) -> None:
    assert float(losses.spherical(*at_angle(degrees))) == pytest.approx(math.radians(degrees) ** 2 / 2, rel=2e-3)


@pytest.mark.parametrize("degrees", [0, 60, 180])
def test_cosine_is_one_minus_the_cosine_times_its_scale(degrees: float) -> None:
    expected = 100 * (1 - math.cos(math.radians(degrees)))
    assert float(losses.cosine(*at_angle(degrees), scale=100.0)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("loss", [losses.spherical, losses.cosine])
def test_crops_are_averaged_and_prompts_are_summed(loss: Judge) -> None:
    seen, one, other = directions(5), directions(1), directions(1)
    both = Wanted(torch.cat([one, other]), torch.tensor([1.0, -0.5]), torch.full((2,), -math.inf))
    parts = [
        weight * torch.stack([loss(Seen(crop[None]), wanted(prompt)) for crop in seen]).mean()
        for weight, prompt in ((1.0, one), (-0.5, other))
    ]
    assert torch.allclose(loss(Seen(seen), both), parts[0] + parts[1])


@pytest.mark.parametrize("loss", [losses.spherical, losses.cosine])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_slopes_are_finite_where_seen_is_what_is_wanted_or_its_opposite(loss: Judge, sign: float) -> None:
    embeddings = directions(3)
    seen = (sign * embeddings).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(Seen(seen), wanted(embeddings)), seen)
    assert gradient.isfinite().all()


def test_a_negative_weight_pushes_away() -> None:
    seen, target = directions(1).requires_grad_(), directions(1)
    (gradient,) = torch.autograd.grad(losses.spherical(Seen(seen), wanted(target, -1.0)), seen)
    before = seen.detach()
    after = F.normalize(before - 0.1 * gradient, dim=-1)
    assert (after * target).sum() < (before * target).sum()


@pytest.mark.parametrize(
    ("weight", "stop", "pulls"), [(1.0, 0.5, True), (1.0, 3.0, False), (-1.0, -3.0, True), (-1.0, -0.5, False)]
)
def test_below_its_stop_a_prompt_no_longer_pulls_but_counts(weight: float, stop: float, pulls: bool) -> None:
    right = torch.tensor([[0.0, 1.0]]).requires_grad_()  # at 90 degrees: a loss of 1.23
    loss = losses.spherical(Seen(right), wanted(torch.tensor([[1.0, 0.0]]), weight, stop))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(weight * math.pi**2 / 8, rel=1e-5)
    assert right.grad is not None
    assert bool(right.grad.any()) == pulls


def test_averaging_judges_the_mean_of_the_crops() -> None:
    seen, target = directions(4), directions(1)
    together = F.normalize(seen.mean(0), dim=0)
    expected = 0.3 * (1 - together @ target[0]) + 0.7 * (1 - (seen @ target[0]).mean())
    assert float(losses.cosine(Seen(seen), wanted(target), averaging=0.3)) == pytest.approx(float(expected), rel=1e-5)


def layer(mean: float, std: float, trained_mean: float = 0.3, trained_std: float = 0.5) -> Layer:
    """A layer whose activations have exactly this mean and deviation."""
    activations = torch.randn(4, 6, 7, 7, generator=CHANCE)
    activations = activations - activations.mean((0, 2, 3), keepdim=True)
    activations = activations / activations.std((0, 2, 3), keepdim=True, correction=0) * std + mean
    return Layer(activations, torch.full((6,), trained_mean), torch.full((6,), trained_std))


def test_naturalness_is_nothing_for_the_statistics_of_training() -> None:
    assert float(losses.naturalness(Seen(directions(4), (layer(0.3, 0.5),)))) == pytest.approx(0, abs=1e-6)


def test_naturalness_measures_mean_and_deviation_in_units_of_training() -> None:
    strange = Seen(directions(4), (layer(0.8, 0.5), layer(0.3, 1.5)))
    assert float(losses.naturalness(strange)) == pytest.approx((1 + 4) / 2, rel=1e-4)


def test_naturalness_never_divides_by_less_than_a_twentieth() -> None:
    narrow = Seen(directions(4), (layer(0.05, 0.05, trained_mean=0.0, trained_std=1e-6),))
    assert float(losses.naturalness(narrow)) == pytest.approx(1, rel=1e-4)


def test_naturalness_of_dead_channels_has_a_finite_slope() -> None:
    flat = torch.zeros(2, 3, 4, 4, requires_grad=True)
    losses.naturalness(Seen(directions(2), (Layer(flat, torch.ones(3), torch.ones(3)),))).backward()  # type: ignore[no-untyped-call]
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_naturalness_without_layers_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"losses\.photographic"):
        losses.naturalness(Seen(directions(1)))


def test_total_variation_is_the_mean_of_differences() -> None:
    image = Image(torch.zeros(1, 3, 8, 8))
    image[..., 4:] = 0.5  # one edge in eight columns
    assert float(losses.total_variation(image)) == pytest.approx(0.25 / 8, rel=1e-5)
    assert float(losses.total_variation(image, variant="absolute")) == pytest.approx(0.5 / 8, rel=1e-2)


def test_a_reference_counts_only_inside_its_mask() -> None:
    image, other = constant(0.5, 0.5, 0.5), constant(0.5, 0.5, 0.5)
    other[..., :4] = 1.0
    assert float(losses.reference(image, other)) == pytest.approx(0.125)
    assert float(losses.reference(image, other, kind="l1")) == pytest.approx(0.25)
    left = Mask(torch.zeros(1, 1, 8, 8))
    left[..., :4] = 1.0
    assert float(losses.reference(image, other, left)) == pytest.approx(0.25)
    assert float(losses.reference(image, other, Mask(1 - left))) == pytest.approx(0)
    assert float(losses.reference(image, other, Mask(0 * left))) == 0


def test_a_reference_of_another_size_is_resized() -> None:
    large = Image(torch.full((1, 3, 20, 30), 0.25))
    assert float(losses.reference(constant(0.5, 0.5, 0.5), large)) == pytest.approx(0.0625)


def test_grey_has_no_saturation_and_red_has_the_most() -> None:
    assert float(losses.saturation(constant(0.4, 0.4, 0.4))) == pytest.approx(0)
    assert float(losses.saturation(constant(1, 0, 0))) == pytest.approx(2 / 9)


def test_range_counts_only_what_is_outside() -> None:
    assert float(losses.range(constant(0, 0.5, 1))) == 0
    assert float(losses.range(constant(-1, 0.5, 2))) == pytest.approx(2 / 3)


def test_photographic_prefers_a_photograph_to_extremes() -> None:
    row = torch.linspace(0.05, 0.85, 64)
    photograph = (row + torch.tensor([0.08, 0.0, -0.08]).view(3, 1, 1)).expand(1, 3, 64, 64)
    best = losses.photographic(Image(photograph))
    for extreme in (constant(0.45, 0.45, 0.45), constant(1, 0, 0), Image((photograph > 0.45).float())):
        assert losses.photographic(extreme) > best + 0.02


def test_a_total_is_the_weighted_sum() -> None:
    terms = [Loss(torch.tensor(2.0)), Loss(torch.tensor(3.0))]
    assert float(losses.total(terms)) == 5
    assert float(losses.total(terms, weights=[1.0, -0.5])) == 0.5
    with pytest.raises(ValueError, match="2 terms but 3 weights"):
        losses.total(terms, weights=[1.0, 1.0, 1.0])


def test_the_palette_loss_is_the_squared_distance_to_the_nearest_colour() -> None:
    image = constant(0.9, 0.1, 0.0)
    found = losses.palette(image, colours=["#ff0000", "#0000ff"], softness=0.01)
    assert float(found) == pytest.approx(0.1**2 + 0.1**2, rel=1e-3)
    assert float(losses.palette(constant(0.0, 0.0, 1.0), colours=["#ff0000", "#0000ff"], softness=0.2)) < 1e-6


def test_steps_against_the_palette_loss_lead_to_its_colours() -> None:
    image = torch.rand(1, 3, 8, 8, generator=CHANCE).requires_grad_()
    colours = ["#ff0000", "#00ff00", "#0000ff"]
    for _ in range(60):
        (gradient,) = torch.autograd.grad(losses.palette(Image(image), colours=colours) * image.numel(), image)
        image = (image - 0.05 * gradient).detach().requires_grad_()
    assert float(losses.palette(Image(image.detach()), colours=colours, softness=0.01)) < 0.01


def shown(*activations: Tensor) -> Seen:
    """What a perceptor saw in one crop, with these layers."""
    layers = tuple(Layer(one, torch.zeros(one.shape[1]), torch.ones(one.shape[1])) for one in activations)
    return Seen(directions(1), layers)


def test_style_is_the_same_wherever_it_is_and_content_is_not() -> None:
    activations = [torch.randn(1, 6, 5, 5, generator=CHANCE) for _ in range(3)]
    seen, elsewhere = shown(*activations), shown(*(one.flip(-1).roll(2, -2) for one in activations))
    seen = Seen(elsewhere.embeddings, seen.layers)
    assert float(losses.style(seen, elsewhere)) < 1e-6
    assert float(losses.content(seen, elsewhere)) > 0.5
    assert float(losses.content(seen, seen)) == pytest.approx(0, abs=1e-5)


def test_style_is_gatys_distance_of_gram_matrices() -> None:
    one, other = (torch.randn(1, 4, 3, 3, generator=CHANCE) for _ in range(2))
    grams = [numpy.einsum("chw,dhw->cd", each[0].numpy(), each[0].numpy()) / 9 for each in (one, other)]
    expected = ((grams[0] - grams[1]) ** 2).sum() / 4
    assert float(losses.style(shown(one), shown(other))) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("loss", [losses.style, losses.content])
def test_a_perceptor_without_layers_is_named_as_the_reason(loss: Callable[[Seen, Seen], Loss]) -> None:
    with pytest.raises(ValueError, match="needs a perceptor that shows its layers"):
        loss(Seen(directions(1)), Seen(directions(1)))
