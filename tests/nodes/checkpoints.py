"""Small CLIPs with random weights, in the forms in which CLIPs are shared: the names and proportions are OpenAI's."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

EMBEDDING, VOCABULARY = 32, 49408


def vit(width: int = 64, layers: int = 2, patch: int = 8, side: int = 32, text: int = 16) -> dict[str, Tensor]:
    """The tensors of a CLIP that looks with a vision transformer at `side` pixels."""
    make = _Maker()
    make("visual.class_embedding", width)
    make("visual.positional_embedding", (side // patch) ** 2 + 1, width)
    make("visual.conv1.weight", width, 3, patch, patch)
    make.norm("visual.ln_pre", width)
    make.transformer("visual.transformer", width, layers)
    make.norm("visual.ln_post", width)
    make("visual.proj", width, EMBEDDING)
    return make.text(text)


def resnet(width: int = 8, side: int = 64) -> dict[str, Tensor]:
    """The tensors of a CLIP that looks with a ResNet, of one block a stage."""
    make, stem = _Maker(), width // 2
    for number, (old, new) in enumerate(((3, stem), (stem, stem), (stem, width)), 1):
        make(f"visual.conv{number}.weight", new, old, 3, 3)
        make.batch_norm(f"visual.bn{number}", new)
    old = width
    for stage in (1, 2, 3, 4):
        block, planes = f"visual.layer{stage}.0", width * 2 ** (stage - 1)
        for number, (taken, made, reach) in enumerate(
            ((old, planes, 1), (planes, planes, 3), (planes, 4 * planes, 1)), 1
        ):
            make(f"{block}.conv{number}.weight", made, taken, reach, reach)
            make.batch_norm(f"{block}.bn{number}", made)
        make(f"{block}.downsample.0.weight", 4 * planes, old, 1, 1)
        make.batch_norm(f"{block}.downsample.1", 4 * planes)
        old = 4 * planes
    make("visual.attnpool.positional_embedding", (side // 32) ** 2 + 1, old)
    for part in "kqv":
        make.linear(f"visual.attnpool.{part}_proj", old, old)
    make.linear("visual.attnpool.c_proj", old, EMBEDDING)
    return make.text(16)


class _Maker:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._chance = torch.Generator().manual_seed(0)

    def __call__(self, name: str, *shape: int) -> None:
        fan = torch.Size(shape[1:]).numel() if len(shape) > 1 else 1
        self.tensors[name] = torch.randn(shape, generator=self._chance) * (fan**-0.5 if fan > 1 else 0.1)

    def norm(self, name: str, width: int) -> None:
        self.tensors[f"{name}.weight"] = torch.ones(width)
        self.tensors[f"{name}.bias"] = torch.zeros(width)

    def batch_norm(self, name: str, width: int) -> None:
        self.norm(name, width)
        self.tensors[f"{name}.running_mean"] = torch.randn(width, generator=self._chance) * 0.1
        self.tensors[f"{name}.running_var"] = torch.rand(width, generator=self._chance) + 0.5
        self.tensors[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def linear(self, name: str, taken: int, made: int) -> None:
        self(f"{name}.weight", made, taken)
        self(f"{name}.bias", made)

    def transformer(self, name: str, width: int, layers: int) -> None:
        for number in range(layers):
            block = f"{name}.resblocks.{number}"
            self.norm(f"{block}.ln_1", width)
            self(f"{block}.attn.in_proj_weight", 3 * width, width)
            self(f"{block}.attn.in_proj_bias", 3 * width)
            self.linear(f"{block}.attn.out_proj", width, width)
            self.norm(f"{block}.ln_2", width)
            self.linear(f"{block}.mlp.c_fc", width, 4 * width)
            self.linear(f"{block}.mlp.c_proj", 4 * width, width)

    def text(self, width: int) -> dict[str, Tensor]:
        self("positional_embedding", 77, width)
        self("token_embedding.weight", VOCABULARY, width)
        self.transformer("transformer", width, 2)
        self.norm("ln_final", width)
        self("text_projection", width, EMBEDDING)
        self.tensors["logit_scale"] = torch.tensor(4.6052)
        return self.tensors


def save_openai(tensors: dict[str, Tensor], path: Path) -> Path:
    """As OpenAI publishes them: a TorchScript archive, mostly in half precision, with three buffers of bookkeeping."""
    root = nn.Module()
    bookkeeping = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77)}
    for name, tensor in {**halved(tensors), **bookkeeping, "vocab_size": torch.tensor(VOCABULARY)}.items():
        *folders, last = name.split(".")
        place = root
        for folder in folders:
            if not hasattr(place, folder):
                place.add_module(folder, nn.Module())
            place = getattr(place, folder)
        place.register_buffer(last, tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript has had its day
        torch.jit.save(torch.jit.script(root), path)
    return path


def save_openclip(tensors: dict[str, Tensor], path: Path) -> Path:
    """As open_clip's training writes them."""
    torch.save({"epoch": 3, "name": "tiny", "state_dict": {f"module.{key}": tensors[key] for key in tensors}}, path)
    return path


def halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions, linear layers and projections in float16, as in OpenAI's files."""
    return {name: tensor.half() if _is_half(name) else tensor for name, tensor in tensors.items()}


def _is_half(name: str) -> bool:
    kept = ("ln_", "bn", "downsample.1", "embedding", "logit_scale")
    return not any(part in name for part in kept)
