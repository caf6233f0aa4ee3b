"""A step of each system of 2021 as it was published, on random weights: the other side of `gpu.py`.

Where a package is still published, its own class takes the step; otherwise its loop is written anew from its figures.
On a GPU all of them see with CLIP in half precision, as OpenAI's package loads it, and paint in float32.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.weights.find import obtain

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # for tests.weights

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
FOREIGN = ("boto3", "botocore", "botocore.exceptions", "requests", "blobfile", "imageio")
"""What the packages import to fetch weights and to write pictures, which nobody does here."""

Step = Callable[[], object]


@dataclass(frozen=True)
class Setting:
    """What both sides are given: a device, a side of the picture in pixels, a number of crops, weights in a folder.

    `small` weights have few channels and layers, to try the whole path on any machine.
    """

    device: torch.device
    folder: Path
    small: bool

    @property
    def side(self) -> int:
        """The side of the picture."""
        return 64 if self.small else 512

    def crops(self, published: int) -> int:
        """How many crops a step has."""
        return 4 if self.small else published

    def weights(self, family: str) -> Path:
        """A folder with a generator's files, made when they are first needed."""
        folder = self.folder / family
        if not folder.exists():
            make = importlib.import_module(f"tests.weights.{family}").make
            make(folder, full=not self.small, **({"side": 512} if family == "biggan" else {}))
        return folder

    @cached_property
    def clip(self) -> Path:
        """A CLIP in OpenAI's format: a ViT-B/32."""
        from tests.nodes import checkpoints

        shape = {"width": 128, "layers": 2} if self.small else {"width": 768, "layers": 12}
        return checkpoints.save_openai(checkpoints.vit(**shape, patch=32, side=224, text=64), self.folder / "clip.pt")

    def network(self) -> Any:
        """open_clip's network for it, as OpenAI's package loads it."""
        from open_clip.model import build_model_from_openai_state_dict

        from t2iflow.nodes.perceptors.clip import checkpoint

        half = torch.float16 if self.device.type == "cuda" else torch.float32
        network: Any = build_model_from_openai_state_dict(dict(checkpoint.read(self.clip).tensors), cast_dtype=half)
        network = network.to(self.device)
        network = network if half is torch.float16 else network.float()
        network.visual.input_resolution = 224
        seen, dtype = network.encode_image, network.visual.conv1.weight.dtype
        network.encode_image = lambda pictures: seen(pictures.to(dtype))
        return network

    @property
    def width(self) -> int:
        """How many numbers an embedding has."""
        from tests.nodes import checkpoints

        return checkpoints.EMBEDDING

    def look(self) -> Callable[[Tensor], Tensor]:
        """What the network sees in crops in 0..1."""
        network = self.network().requires_grad_(False)
        mean, std = (torch.tensor(three, device=self.device).view(3, 1, 1) for three in (MEAN, STD))
        return lambda crops: network.encode_image((crops - mean) / std).float()


def vqgan_clip(setting: Setting) -> Step:
    """nerdyrodent's VQGAN-CLIP (generate.py of 2022) with its defaults: the whole picture pooled and repeated 32 times,
    kornia's augmentations, noise, Adam."""
    import kornia.augmentation as K
    from taming.modules.diffusionmodules.model import Decoder

    from tests.weights import vqgan

    device, count = setting.device, setting.crops(32)
    layout = vqgan.config(not setting.small, "vq")["params"]["ddconfig"]
    tensors = obtain(str(setting.weights("vqgan")), "vqgan", mock.Mock()).tensors("checkpoint", drop=("loss.",))
    decoder = Decoder(**layout)
    decoder.load_state_dict({name[8:]: one for name, one in tensors.items() if name.startswith("decoder.")})
    decoder.to(device).eval().requires_grad_(False)
    codes = tensors["quantize.embedding.weight"].to(device)
    weight, bias = (tensors[f"post_quant_conv.{part}"].to(device) for part in ("weight", "bias"))
    side = setting.side // 2 ** (len(layout["ch_mult"]) - 1)
    chosen = codes[torch.randint(len(codes), (side * side,), device=device)]
    z = chosen.T.reshape(1, -1, side, side).clone().requires_grad_()
    low, high = codes.amin(0).view(1, -1, 1, 1), codes.amax(0).view(1, -1, 1, 1)
    optimizer, look = torch.optim.Adam([z], lr=0.1), setting.look()
    wanted = F.normalize(torch.randn(1, setting.width, device=device), dim=-1)
    augment = nn.Sequential(
        K.RandomAffine(degrees=15, translate=(0.1, 0.1), shear=5, p=0.7, padding_mode="zeros", keepdim=True),
        K.RandomPerspective(distortion_scale=0.7, p=0.7),
        K.ColorJitter(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1, p=0.7),
        K.RandomErasing(scale=(0.1, 0.4), ratio=(0.3, 1 / 0.3), same_on_batch=True, p=0.7),
    )

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        flat = z.movedim(1, 3)
        distances = flat.pow(2).sum(-1, keepdim=True) + codes.pow(2).sum(1) - 2 * flat @ codes.T
        nearest = F.one_hot(distances.argmin(-1), len(codes)).to(codes.dtype) @ codes
        painted = (flat + (nearest - flat).detach()).movedim(3, 1)
        image = ((decoder(F.conv2d(painted, weight, bias)) + 1) / 2).clamp(0, 1)
        pooled = [(F.adaptive_avg_pool2d(image, 224) + F.adaptive_max_pool2d(image, 224)) / 2 for _ in range(count)]
        views: Tensor = augment(torch.cat(pooled))
        views = views + 0.1 * torch.rand(count, 1, 1, 1, device=device) * torch.randn_like(views)
        chord = (F.normalize(look(views), dim=-1)[:, None] - wanted[None]).norm(dim=-1)
        chord.div(2).arcsin().pow(2).mul(2).mean().backward()
        optimizer.step()
        with torch.no_grad():
            z.copy_(z.clamp(low, high))

    return step


def big_sleep(setting: Setting) -> Step:
    """big-sleep 0.9.1's own class, which reads the loss at each step and freezes nothing."""
    with _without_fetching(), mock.patch.object(torch.cuda, "is_available", return_value=True):  # it refuses all else
        package = importlib.import_module("big_sleep.big_sleep")
    with _on(setting.device):
        biggan = importlib.import_module("big_sleep.biggan")
        folder = setting.weights("biggan")
        network = biggan.BigGAN(biggan.BigGANConfig.from_json_file(str(next(folder.glob("*config.json")))))
        network.load_state_dict(torch.load(next(folder.glob("*.bin")), weights_only=True), strict=False)
        with (
            mock.patch.object(package.BigGAN, "from_pretrained", return_value=network),
            mock.patch.object(package, "load", return_value=(setting.network(), _normalized())),
        ):
            imagine = package.Imagine(
                encoding=torch.randn(1, setting.width, device=setting.device),
                image_size=512,
                num_cutouts=setting.crops(128),
                save_every=10**9,
                open_folder=False,
            )
        imagine.model.image_size = imagine.model(None, return_loss=False).shape[-1]

    def step() -> None:
        with _on(setting.device):
            imagine.train_step(1, 1)[1].item()

    return step


def deep_daze(setting: Setting) -> Step:
    """deep-daze 0.11.1's own class, which reads the loss at each step: autocast, a picture painted anew in each of 4
    passes of 4 crops, AdamP."""
    with _without_fetching():
        package = importlib.import_module("deep_daze.deep_daze")
    with mock.patch.object(package, "load", return_value=(setting.network(), _normalized())):
        imagine = package.Imagine(
            text="a red fox",
            clip_encoding=torch.randn(1, setting.width, device=setting.device),
            batch_size=4,
            gradient_accumulate_every=4,
            image_width=setting.side,
            num_layers=2 if setting.small else 16,
            hidden_size=16 if setting.small else 256,
            open_folder=False,
            save_progress=False,
            save_every=10**9,
        )
    return lambda: imagine.train_step(1, 1)[1].item()


def aleph_image(setting: Setting) -> Step:
    """Aleph2Image Delta: a softmax over halves of the codes, dall_e's decoder, 64 crops cut out in a loop, noise, minus
    ten cosines, Adam."""
    with _without_fetching():
        package = importlib.import_module("dall_e")
    device, count, size = setting.device, setting.crops(64), setting.side
    tensors = obtain(str(setting.weights("dvae")), "dvae", mock.Mock(), roles=("decoder",)).tensors("decoder")
    inner, codes = tensors["blocks.input.w"].shape[:2]
    blocks = len({name.split(".")[2] for name in tensors if name.startswith("blocks.group_1.")})
    hidden = tensors["blocks.output.conv.w"].shape[1]
    decoder = package.Decoder(n_init=inner, n_hid=hidden, n_blk_per_group=blocks, vocab_size=codes)
    decoder.load_state_dict(tensors)
    decoder.to(device).requires_grad_(False)
    latent = torch.randn(1, codes, size // 8, size // 8, device=device).requires_grad_()
    optimizer, look = torch.optim.Adam([latent], lr=0.05), setting.look()
    wanted = F.normalize(torch.randn(setting.width, 1, device=device), dim=0)

    def step() -> None:
        optimizer.zero_grad()
        soft = latent.reshape(1, codes // 2, -1).softmax(1).view(latent.shape)
        image = package.unmap_pixels(torch.sigmoid(decoder(soft)[:, :3].float()))
        crops = []
        for _ in range(count):
            length = int(torch.empty(()).uniform_(0.8, 0.99) * size)
            left, top = (int(torch.randint(0, size - length + 1, ())) for _ in range(2))
            crop = image[:, :, top : top + length, left : left + length]
            crops.append(F.interpolate(crop, (224, 224), mode="bilinear"))
        views = torch.cat(crops)
        views = views + 0.2 * torch.rand((), device=device) * torch.randn_like(views)
        (-10 * (F.normalize(look(views), dim=-1) @ wanted).mean()).backward()
        optimizer.step()

    return step


ORIGINALS: dict[str, Callable[[Setting], Step]] = {
    "vqgan-clip": vqgan_clip,
    "big-sleep": big_sleep,
    "aleph-image": aleph_image,
    "deep-daze": deep_daze,
}
"""By the name of our recipe."""


def _normalized() -> Any:
    from torchvision import transforms

    return transforms.Normalize(MEAN, STD)


@contextmanager
def _on(device: torch.device) -> Iterator[None]:
    """Within it, what is moved to CUDA comes to the device."""
    if device.type == "cuda":
        yield
        return
    with (
        mock.patch.object(torch.Tensor, "cuda", lambda self, *_: self.to(device)),
        mock.patch.object(nn.Module, "cuda", lambda self, *_: self.to(device)),
    ):
        yield


@contextmanager
def _without_fetching() -> Iterator[None]:
    """Within it, what is only needed to fetch and write can be imported, whether or not it is installed."""
    lacking: dict[str, Any] = {}
    for name in FOREIGN:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            lacking[name] = mock.MagicMock()
    sys.modules.update(lacking)
    try:
        yield
    finally:
        for name in lacking:
            del sys.modules[name]
