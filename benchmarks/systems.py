"""Steps a second of three recipes beside plain loops over the reference networks, with the same random weights.

    pip install -e '.[dev]' && python benchmarks/systems.py vqgan-clip big-sleep aleph-image --size 512 --steps 5

`--full` takes weights of the true shapes (else small ones in the same formats). The other side of `big-sleep` is
big-sleep 0.9.1's own model; those of `vqgan-clip` and `aleph-image` are loops as their notebooks have them: decoders of
taming and dall_e, a Python loop over crops, float32, all crops in one batch.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from beside import Step, built, compare, our_step, random_vit
from torch import Tensor, nn

from t2iflow.nodes.weights.find import obtain
from t2iflow.runner.execution import device as devices

sys.path.insert(0, str(Path(__file__).parents[1]))  # for tests.weights

SILENCE: Any = mock.Mock()
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class Bench:
    """What both sides are given."""

    def __init__(self, arguments: argparse.Namespace, device: torch.device, folder: Path) -> None:
        self.size, self.cutouts, self.full = arguments.size, arguments.cutouts, arguments.full
        self.device, self.folder = device, folder
        self.vit = random_vit()
        torch.save(self.vit.state_dict(), folder / "vit.pt")
        self.vit.to(device)
        self.wanted = F.normalize(torch.randn(1, 512, device=device), dim=-1)

    def ours(self, recipe: str, weights: Path, *overrides: str) -> Step:
        """A step of the recipe with these weights, without its augmentations (the other side has none either)."""
        common = [
            f"clip.name=ViT-B-32-quickgelu:{self.folder / 'vit.pt'}",
            f"canvas.weights={weights}",
            f"cuts.count={self.cutouts}",
        ]
        return our_step(recipe, [*common, *overrides], self.device, self.folder)

    def seen(self, crops: Tensor) -> Tensor:
        """What the perceptor makes of crops, by the original's way."""
        mean, std = (torch.tensor(part, device=self.device).view(3, 1, 1) for part in (MEAN, STD))
        vit: Any = self.vit
        encoded: Tensor = vit.encode_image((crops - mean) / std)
        return F.normalize(encoded, dim=-1)


def vqgan_clip(bench: Bench) -> tuple[Callable[[], Step], Callable[[], Step]]:
    """z+quantize with a straight-through gradient, square crops resampled by Lanczos, spherical distance, Adam."""
    from taming.modules.diffusionmodules.model import Decoder

    from tests.weights import vqgan

    weights = vqgan.make(bench.folder / "vqgan", full=bench.full)

    def theirs() -> Step:
        stored = obtain(str(weights), "vqgan", SILENCE)
        layout = vqgan.config(bench.full, "vq")["params"]["ddconfig"]
        tensors = stored.tensors("checkpoint", drop=("loss.",))
        decoder = Decoder(**layout)
        decoder.load_state_dict({key[8:]: value for key, value in tensors.items() if key.startswith("decoder.")})
        decoder.to(bench.device).requires_grad_(False)
        codes = tensors["quantize.embedding.weight"].to(bench.device)
        weight, bias = (tensors[f"post_quant_conv.{part}"].to(bench.device) for part in ("weight", "bias"))
        side = bench.size // 2 ** (len(layout["ch_mult"]) - 1)
        z = codes[torch.randint(len(codes), (side * side,))].T.reshape(1, -1, side, side).clone().requires_grad_()
        optimizer = torch.optim.Adam([z], lr=0.05)

        def step() -> None:
            optimizer.zero_grad()
            flat = z.permute(0, 2, 3, 1)
            distances = flat.pow(2).sum(-1, keepdim=True) + codes.pow(2).sum(1) - 2 * flat @ codes.T
            hot = F.one_hot(distances.argmin(-1), len(codes)).to(codes.dtype)
            quantized = (hot @ codes).movedim(3, 1)
            quantized = z + (quantized - z).detach()
            image = ((decoder(F.conv2d(quantized, weight, bias)) + 1) / 2).clamp(0, 1)
            crops = []
            for _ in range(bench.cutouts):
                length = int(torch.rand([]) * max(bench.size - 224, 0) + min(bench.size, 224))
                left, top = (int(torch.randint(0, bench.size - length + 1, ())) for _ in range(2))
                crops.append(resampled(image[:, :, top : top + length, left : left + length], 224))
            seen = bench.seen(torch.cat(crops).clamp(0, 1))
            loss = (seen - bench.wanted).norm(dim=-1).div(2).arcsin().pow(2).mul(2).mean()
            loss.backward()
            optimizer.step()

        return step

    size = f"canvas.size=[{bench.size}, {bench.size}]"
    return lambda: bench.ours("vqgan-clip", weights, size), theirs


def big_sleep(bench: Bench) -> tuple[Callable[[], Step], Callable[[], Step]]:
    """big-sleep's own class; on a CPU its calls of `.cuda()` are made to do nothing."""
    from tests.weights import biggan

    weights = biggan.make(bench.folder / "biggan", full=bench.full, side=bench.size)

    def theirs() -> Step:
        on_cpu: list[Any] = [mock.patch.object(torch.cuda, "is_available", return_value=True)]
        on_cpu += [mock.patch.object(kind, "cuda", lambda self, *_: self) for kind in (torch.Tensor, nn.Module)]
        patches = on_cpu if bench.device.type == "cpu" else []
        for patch in patches:
            patch.start()
        try:
            from big_sleep import big_sleep as package
            from big_sleep.biggan import BigGAN, BigGANConfig
            from torchvision import transforms

            config = BigGANConfig.from_json_file(str(next(weights.glob("*config.json"))))
            network = BigGAN(config)
            network.load_state_dict(torch.load(next(weights.glob("*.bin")), weights_only=True), strict=False)
            loaded = (bench.vit, transforms.Normalize(MEAN, STD))
            network.requires_grad_(False)
            with (
                mock.patch.object(package.BigGAN, "from_pretrained", return_value=network),
                mock.patch.object(package, "load", return_value=loaded),
            ):
                imagine = package.Imagine(
                    encoding=bench.wanted, image_size=bench.size, num_cutouts=bench.cutouts, save_every=10**9
                )
            imagine.model.image_size = imagine.model(None, return_loss=False).shape[-1]  # small ones paint less
        finally:
            for patch in patches:
                patch.stop()
        return lambda: imagine.train_step(1, 1)

    return lambda: bench.ours("big-sleep", weights), theirs


def aleph_image(bench: Bench) -> tuple[Callable[[], Step], Callable[[], Step]]:
    """A softmax over interleaved halves, dall_e's decoder, 64 crops of 80 to 99 %, minus ten cosines, Adam."""
    from dall_e import Decoder, unmap_pixels

    from tests.weights import dvae

    weights = dvae.make(bench.folder / "dvae", full=bench.full)

    def theirs() -> Step:
        tensors = obtain(str(weights), "dvae", SILENCE, roles=("decoder",)).tensors("decoder")
        number, half = tensors["blocks.input.w"].shape[1], tensors["blocks.input.w"].shape[1] // 2
        hidden = tensors["blocks.output.conv.w"].shape[1]
        inner = tensors["blocks.input.w"].shape[0]
        blocks = len({key.split(".")[2] for key in tensors if key.startswith("blocks.group_1.")})
        decoder = Decoder(n_init=inner, n_hid=hidden, n_blk_per_group=blocks, vocab_size=number)
        decoder.load_state_dict(tensors)
        decoder.to(bench.device).requires_grad_(False)
        side = bench.size // 8
        start = F.one_hot(torch.randint(number - 1, (side * side,)), number).float()
        latent = start.T.reshape(1, number, side, side).to(bench.device).clone().requires_grad_()
        optimizer = torch.optim.Adam([latent], lr=0.05)

        def step() -> None:
            optimizer.zero_grad()
            soft = latent.reshape(1, half, -1).softmax(1).view(latent.shape)
            image = unmap_pixels(torch.sigmoid(decoder(soft)[:, :3].float()))
            crops = []
            for _ in range(bench.cutouts):
                length = int(torch.empty(()).uniform_(0.8, 0.99) * bench.size)
                left, top = (int(torch.randint(0, bench.size - length + 1, ())) for _ in range(2))
                crop = image[:, :, top : top + length, left : left + length]
                crops.append(F.interpolate(crop, (224, 224), mode="bilinear"))
            views = torch.cat(crops)
            views = views + 0.2 * torch.rand((), device=bench.device) * torch.randn_like(views)
            (-10 * (bench.seen(views) @ bench.wanted.T).mean()).backward()
            optimizer.step()

        return step

    size = f"canvas.size=[{bench.size}, {bench.size}]"
    return lambda: bench.ours("aleph-image", weights, size), theirs


def resampled(crop: Tensor, size: int) -> Tensor:
    """Crowson's resampling: Lanczos of two lobes along the axes that shrink, then bicubic."""
    for axis in (2, 3):
        ratio = size / crop.shape[axis]
        if ratio < 1:
            reach = torch.arange(-math.ceil(2 / ratio), math.ceil(2 / ratio) + 1, device=crop.device) * ratio
            kernel = torch.where(reach.abs() < 2, torch.sinc(reach) * torch.sinc(reach / 2), torch.zeros_like(reach))
            kernel = (
                (kernel / kernel.sum()).view(1, 1, -1, 1) if axis == 2 else (kernel / kernel.sum()).view(1, 1, 1, -1)
            )
            half = kernel.numel() // 2
            planes = crop.reshape(-1, 1, *crop.shape[2:])
            planes = F.pad(planes, (0, 0, half, half) if axis == 2 else (half, half, 0, 0), mode="reflect")
            filtered = F.conv2d(planes, kernel)
            crop = filtered.view(crop.shape[0], crop.shape[1], *filtered.shape[2:])
    return F.interpolate(crop, (size, size), mode="bicubic", align_corners=True)


SYSTEMS = {"vqgan-clip": (vqgan_clip, 32), "big-sleep": (big_sleep, 128), "aleph-image": (aleph_image, 64)}
"""Each with the crops that its original takes."""


def main() -> None:
    """Measure and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="*", default=list(SYSTEMS), metavar="system", help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--size", type=int, default=512, help="side of the picture in pixels")
    parser.add_argument("--cutouts", type=int, help="crops of a step, if not the original's number")
    parser.add_argument("--full", action="store_true", help="weights of the true shapes")
    parser.add_argument("--steps", type=int, default=5, help="measured steps of each side, after one that is not")
    arguments = parser.parse_args()
    device, why = devices.choose()
    print(f"{device} ({why}), torch {torch.__version__}, {torch.get_num_threads()} threads, {vars(arguments)}")
    for name in arguments.systems:
        torch.manual_seed(0)
        system, cutouts = SYSTEMS[name]
        given = argparse.Namespace(**{**vars(arguments), "cutouts": arguments.cutouts or cutouts})
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = system(Bench(given, device, Path(folder)))
            print(f"\n{name}, {given.cutouts} crops")
            print(compare(built("t2iflow", ours), built("reference", theirs), arguments.steps, device), flush=True)


if __name__ == "__main__":
    main()
