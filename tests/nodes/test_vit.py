"""The folded image tower sees what open_clip's own does, whatever a ViT is made of; CLIPs here are small and random."""

import copy
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from t2iflow.nodes import clip as nodes
from t2iflow.nodes.perceptors.clip import loading, vit
from t2iflow.nodes.perceptors.clip.loading import MEAN, STD
from t2iflow.nodes.perceptors.interface import Clip
from tests.captured import Captured
from tests.nodes.conftest import Heard

CPU = torch.device("cpu")

VIT = {"image_size": 48, "layers": 3, "width": 64, "head_width": 32, "patch_size": 16}

FOLDED: dict[str, dict[str, Any]] = {
    "openai": {"quick_gelu": True},
    "laion": {},
    "heads of 40": {"width": 80, "head_width": 40, "mlp_ratio": 2.5},
    "patches that leave a border": {"image_size": 56},
    "layer scale": {"ls_init_value": 0.1},
    "tanh gelu": {"act_kwargs": {"approximate": "tanh"}},
    "another epsilon": {"norm_kwargs": {"eps": 1e-2}},
    "patch dropout": {"patch_dropout": 0.5},
    "no norm before": {"no_ln_pre": True},
    "mean": {"pool_type": "avg"},
    "norm after the mean": {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True},
    "norm after the token": {"final_ln_after_pool": True},
    "fixed places": {"pos_embed_type": "sin_cos_2d"},
    "a text tower of its own": {"custom_text": True},
}
"""Settings that a vision transformer of open_clip can have besides those of `VIT`."""

NOT: dict[str, dict[str, Any]] = {
    "pooling by attention": {"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4},
    "norms of queries and keys": {"qk_norm": True},
    "a norm between products": {"scale_fc": True},
    "custom blocks": {"block_type": "custom"},
    "a resnet": {"layers": [1, 1, 1, 1], "width": 8, "image_size": 64, "head_width": 16},
}
"""What isn't folded."""

Made = Callable[..., tuple[Any, Path]]


@pytest.fixture
def make(library: ModuleType, tmp_path: Path) -> Made:
    """Makes a network in float32 and a file of its weights; the architecture is called `ViT-tiny`."""

    def made(quick_gelu: bool = False, custom_text: bool = False, **vision: Any) -> tuple[Any, Path]:
        config = {
            "embed_dim": 32,
            "quick_gelu": quick_gelu,
            "custom_text": custom_text,
            "vision_cfg": {**VIT, **vision},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
        }
        (tmp_path / "ViT-tiny.json").write_text(json.dumps(config), encoding="utf-8")
        library.add_model_config(tmp_path)
        torch.manual_seed(0)
        try:
            network = unsettled(library.create_model("ViT-tiny"))
        except TypeError as fault:
            pytest.skip(f"this open_clip has no such towers: {fault}")
        file = tmp_path / "tiny.pt"
        torch.save(network.state_dict(), file)
        return network, file

    return made


@torch.no_grad()
def unsettled(network: Any) -> Any:
    """With norms, biases and scales as training leaves them: none that does nothing."""
    for module in network.visual.modules():
        if isinstance(module, nn.LayerNorm):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
        elif isinstance(module, nn.MultiheadAttention):
            module.in_proj_bias.normal_(0, 0.3)
            if module.in_proj_weight is not None:  # of attention to itself
                module.in_proj_weight.mul_(2)
        elif type(module).__name__ == "LayerScale":
            module.gamma.uniform_(0.2, 1)
    return network.eval().requires_grad_(False)


def picture(side: int, seed: int = 0) -> Tensor:
    return torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def features(network: Any, pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Embeddings as open_clip has them."""
    mean, std = (torch.tensor(three).view(3, 1, 1) for three in (MEAN, STD))
    encoded: Tensor = network.encode_image(((pixels - mean) / std).to(dtype)).float()
    return nn.functional.normalize(encoded, dim=-1)


def seen(see: Callable[[Tensor], Tensor], pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings, and the gradient at the pixels of one number of them."""
    embeddings = see(pixels)
    (gradient,) = torch.autograd.grad(embeddings[:, :5].sum(), pixels)
    return embeddings.detach(), gradient


def looked(clip: Clip) -> Callable[[Tensor], Tensor]:
    return lambda pixels: clip.look(pixels).embeddings


def apart(one: Tensor, other: Tensor) -> float:
    return float(((one - other).norm() / one.norm()).detach())


@pytest.mark.parametrize("made_of", [*FOLDED, *NOT])
def test_it_sees_what_open_clip_does_and_gives_the_same_gradient(made_of: str, make: Made, notes: Heard) -> None:
    network, file = make(**{**FOLDED, **NOT}[made_of])
    assert vit.foldable(network.visual) == (made_of in FOLDED)
    clip = nodes.model(CPU, notes, name=f"ViT-tiny:{file}", precision="float32")
    pixels = picture(clip.size)
    theirs, ours = seen(lambda crops: features(network, crops), pixels), seen(looked(clip), pixels)
    assert apart(theirs[0], ours[0]) < 1e-5
    assert apart(theirs[1], ours[1]) < 1e-5


@pytest.mark.parametrize("made_of", ["openai", "laion", "heads of 40", "norm after the mean"])
def test_bfloat16_is_as_exact_as_open_clips(made_of: str, make: Made, notes: Heard, library: ModuleType) -> None:
    network, file = make(**{"width": 128, "layers": 4, **FOLDED[made_of]})
    low = library.create_model("ViT-tiny", str(file), precision="bf16").eval().requires_grad_(False)
    clip = nodes.model(CPU, notes, name=f"ViT-tiny:{file}", precision="bfloat16")
    errors = []
    for seed in range(6):
        pixels = picture(clip.size, seed)
        exact = seen(lambda crops: features(network, crops), pixels)
        theirs = seen(lambda crops: features(low, crops, torch.bfloat16), pixels)
        ours = seen(looked(clip), pixels)
        errors.append([apart(exact[n], side[n]) for side in (theirs, ours) for n in (0, 1)])
    (seen_theirs, back_theirs, seen_ours, back_ours) = torch.tensor(errors).square().mean(0).sqrt().tolist()
    assert seen_ours < 1.05 * seen_theirs
    assert back_ours < 1.05 * back_theirs


def test_a_part_that_is_not_known_is_not_folded(make: Made) -> None:
    network, _ = make()

    class Block(type(network.visual.transformer.resblocks[0])):  # type: ignore[misc]
        """One that may compute something else."""

    def activation(visual: Any) -> None:
        visual.transformer.resblocks[1].mlp.gelu = nn.ReLU()

    def block(visual: Any) -> None:
        visual.transformer.resblocks[1].__class__ = Block

    def tensor(visual: Any) -> None:
        visual.conv1.bias = nn.Parameter(torch.zeros(VIT["width"]))

    def no_projection(visual: Any) -> None:
        visual.proj = None

    def no_pool(visual: Any) -> None:
        visual.pool_type = "none"

    for change in (activation, block, tensor, no_projection, no_pool):
        visual = copy.deepcopy(network.visual)
        assert vit.foldable(visual)
        change(visual)
        assert not vit.foldable(visual), change.__name__


def test_its_weights_are_in_memory_once(make: Made) -> None:
    network, _ = make()
    originals = [weakref.ref(block.attn.in_proj_weight) for block in network.visual.transformer.resblocks]
    largest = sum(tensor.nbytes for tensor in network.visual.parameters())
    tower = vit.ViT(network.visual, MEAN, STD, torch.bfloat16)
    assert [original() for original in originals] == [None] * VIT["layers"]
    assert sum(tensor.nbytes for tensor in tower.buffers()) < 0.6 * largest
    assert not any(tensor.requires_grad for tensor in tower.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("made_of", ["openai", "norm after the mean"])
def test_a_step_can_be_captured_on_any_device(dtype: torch.dtype, made_of: str, make: Made) -> None:
    network, _ = make(**FOLDED[made_of])
    tower = vit.ViT(network.visual, MEAN, STD, dtype)
    for device in ("cpu", "meta"):
        pixels = picture(48).detach().to(device).requires_grad_()
        tower.to(device)
        with Captured(torch.device(device)):
            tower(pixels).square().sum().backward()
        assert pixels.grad is not None
        assert pixels.grad.shape == pixels.shape


def test_the_same_crops_give_the_same_bytes(make: Made, notes: Heard) -> None:
    _, file = make()
    clips = [nodes.model(CPU, notes, name=f"ViT-tiny:{file}", precision="bfloat16") for _ in range(2)]
    (first, second) = (seen(looked(clip), picture(48)) for clip in clips)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


@pytest.mark.parametrize("best", [torch.float32, torch.bfloat16])
def test_auto_is_what_the_cpu_computes_in_best(
    best: torch.dtype, make: Made, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "native", lambda device: best)
    _, file = make()
    by_itself, asked = (
        nodes.model(CPU, notes, name=f"ViT-tiny:{file}", precision=precision)
        for precision in ("auto", str(best).removeprefix("torch."))
    )
    pixels = picture(48)
    assert torch.equal(by_itself.look(pixels).embeddings, asked.look(pixels).embeddings)


def test_auto_on_a_cpu_is_float32_where_nothing_is_folded(
    make: Made, notes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "native", lambda device: torch.bfloat16)
    network, file = make(**NOT["a resnet"])
    clip = nodes.model(CPU, notes, name=f"ViT-tiny:{file}")
    pixels = picture(64)
    assert apart(features(network, pixels), clip.look(pixels).embeddings) < 1e-6


def test_prompts_are_read_in_float32_by_a_folded_clip(make: Made, notes: Heard, library: ModuleType) -> None:
    network, file = make(custom_text=True)
    clip = nodes.model(CPU, notes, name=f"ViT-tiny:{file}", precision="bfloat16")
    read = network.encode_text(library.tokenize(["a fox"]), normalize=True)
    assert torch.allclose(clip.encode_texts(["a fox"], notes), read, atol=1e-6)
    assert clip.width == read.shape[1]


def test_it_compiles_without_a_break(make: Made) -> None:
    network, _ = make(quick_gelu=True)
    tower = vit.ViT(network.visual, MEAN, STD, torch.bfloat16)
    compiled = torch.compile(tower, fullgraph=True, backend="eager")
    plain, traced = seen(tower, picture(48)), seen(compiled, picture(48))
    assert torch.equal(plain[0], traced[0])
    assert torch.equal(plain[1], traced[1])
