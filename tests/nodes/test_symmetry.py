"""Pictures that are symmetric, and pictures that are laid side by side with themselves."""

import pytest
import torch
import torch.nn.functional as F

from t2iflow.nodes import images, losses
from t2iflow.nodes.core.ambient import Random
from t2iflow.nodes.core.types import Image
from t2iflow.nodes.pictures.symmetry import Symmetry

CHANCE = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("kind", ["left-right", "up-down", "both", "kaleidoscope"])
def test_what_is_mirrored_is_symmetric(kind: Symmetry) -> None:
    image = Image(F.interpolate(torch.rand(2, 3, 5, 5, generator=CHANCE), (33, 40), mode="bicubic"))
    mirrored = images.mirror(image, kind=kind)
    assert mirrored.shape == image.shape
    assert float(losses.symmetry(mirrored, kind=kind)) < 0.05 * float(losses.symmetry(image, kind=kind))
    if kind != "up-down":
        torch.testing.assert_close(mirrored, mirrored.flip(-1), atol=1e-4, rtol=0)


def test_a_kaleidoscope_looks_the_same_from_each_of_its_sectors() -> None:
    image = Image(F.interpolate(torch.rand(1, 3, 5, 5, generator=CHANCE), (48, 48), mode="bicubic"))
    four = images.mirror(image, kind="kaleidoscope", sectors=4)
    torch.testing.assert_close(four, four.rot90(1, (-2, -1)), atol=1e-4, rtol=0)


def test_steps_against_the_symmetry_loss_lead_to_symmetry() -> None:
    image = torch.rand(1, 3, 8, 8, generator=CHANCE).requires_grad_()
    for _ in range(40):
        (gradient,) = torch.autograd.grad(losses.symmetry(Image(image), kind="both") * image.numel(), image)
        image = (image - 0.1 * gradient).detach().requires_grad_()
    assert float(losses.symmetry(Image(image.detach()), kind="both")) < 1e-4


def test_a_rolled_picture_has_the_same_lines_and_columns_in_the_same_order() -> None:
    image = Image(torch.arange(24.0).view(1, 1, 4, 6).expand(1, 3, 4, 6))
    rolled = {tuple(images.roll(image, Random(seed, "roll"))[0, 0, 0].tolist()) for seed in range(40)}
    lines = image[0, 0].tolist()
    assert rolled <= {tuple(line[n:] + line[:n]) for line in lines for n in range(6)}
    assert len(rolled) > 12
    still = images.roll(image, Random(0, "roll"), across=0.0, down=0.0)
    assert torch.equal(still, image)


def test_a_tiled_picture_is_itself_side_by_side() -> None:
    image = Image(torch.rand(1, 3, 4, 6, generator=CHANCE))
    tiled = images.tile(image, columns=3, rows=2)
    assert tiled.shape == (1, 3, 8, 18)
    assert torch.equal(tiled[..., 4:, 12:], image)
