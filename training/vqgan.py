"""A small VQGAN in the form of taming-transformers: a code of 1024 for each 8 x 8 pixels.

Esser et al. 2021, with its networks; the codebook follows the encoder (van den Oord et al. 2017, appendix A.1) in place
of being trained by gradients, and a code that is hardly used begins anew where one is wanted.
"""

import contextlib
import io
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from t2iflow.nodes.generators.taming import Layout, Levels, Painter, Reader, nearest
from training.autoencoder import Painted
from training.pictures import Batch

LAYOUT = Layout(
    ddconfig=Levels(
        ch=64,
        ch_mult=(1, 1, 1, 2),
        num_res_blocks=0,
        attn_resolutions=(),
        resolution=128,
        z_channels=128,
        in_channels=3,
        out_ch=3,
        double_z=False,
    ),
    n_embed=1024,
    embed_dim=8,
    book="embedding",
    prefix="",
)
COMMITMENT = 0.25
TAKING_OVER = (0.2, 0.4)
"""The parts of the training between which codes take over from what was read. What is read until then they can stand
for; what is not, colours that few pictures have among it, is never learnt from codes."""
MEMORY = 0.98
"""Of the mean of what each code stood for."""
RARE = 0.05
"""A code used less than this part of the mean begins anew."""


class Networks(nn.Module):
    """The reader, the painter and the codebook, and how often and for what its codes were used of late."""

    used: Tensor
    stood_for: Tensor

    def __init__(self) -> None:
        super().__init__()
        with contextlib.redirect_stdout(io.StringIO()):  # taming's decoder prints how many numbers it paints from
            self.reader, self.painter = Reader(LAYOUT), Painter(LAYOUT)
        self.codes.requires_grad_(False)
        self.register_buffer("used", torch.zeros(LAYOUT.n_embed))  # so that all codes begin as places of pictures
        self.register_buffer("stood_for", torch.zeros_like(self.codes))

    @property
    def codes(self) -> Tensor:
        """(codes, channels)."""
        book = self.painter.quantize[LAYOUT.book]
        assert isinstance(book, nn.Embedding)
        return book.weight


class Coder:
    """The encoder, the codebook and the decoder."""

    def __init__(self) -> None:
        self.networks = Networks()

    def paint(self, batch: Batch, progress: float) -> Painted:
        """Read, take the nearest codes, paint; the codebook follows."""
        read, codes = self._read(batch.images), self.networks.codes
        places = read.permute(0, 2, 3, 1).flatten(0, 2)
        numbers = nearest(places.detach(), codes)
        quantized = codes[numbers].view(read.shape[0], *read.shape[2:], -1).permute(0, 3, 1, 2)
        commitment = (read - quantized).square().mean()
        first, last = TAKING_OVER
        share = min(1.0, max(0.0, (progress - first) / (last - first)))
        pictures = self._painted(read + share * (quantized - read).detach())
        self._follow(places.detach(), numbers)
        return Painted(
            pictures, COMMITMENT * commitment, {"perplexity": self._perplexity(), "apart": commitment.item()}
        )

    def reconstruct(self, batch: Batch) -> Tensor:
        """Read, take the nearest codes, paint."""
        read, codes = self._read(batch.images), self.networks.codes
        numbers = nearest(read.permute(0, 2, 3, 1).flatten(0, 2), codes)
        return self._painted(codes[numbers].view(read.shape[0], *read.shape[2:], -1).permute(0, 3, 1, 2))

    def export(self, folder: Path) -> None:
        """Write `small.yaml` and `small.ckpt`, in half precision."""
        params = {
            "embed_dim": LAYOUT.embed_dim,
            "n_embed": LAYOUT.n_embed,
            "ddconfig": LAYOUT.ddconfig.model_dump(mode="json"),
            "lossconfig": {"target": "taming.modules.losses.vqperceptual.DummyLoss"},
        }
        told = {"model": {"target": "taming.models.vqgan.VQModel", "params": params}}
        (folder / "small.yaml").write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
        tensors = {**self.networks.reader.state_dict(), **self.networks.painter.state_dict()}
        halved = {name: value.half().contiguous() for name, value in tensors.items()}
        torch.save({"state_dict": halved}, folder / "small.ckpt")

    def _read(self, images: Tensor) -> Tensor:
        # Channels last, the backward of a GroupNorm takes 60 times as long on a CPU, a step twice.
        read: Tensor = self.networks.reader((images * 2 - 1).contiguous())
        return read.float()

    def _painted(self, quantized: Tensor) -> Tensor:
        painted: Tensor = self.networks.painter(quantized.contiguous())
        return (painted.float() + 1) / 2

    @torch.no_grad()
    def _follow(self, places: Tensor, numbers: Tensor) -> None:
        """Move each code towards the mean of the places that it stood for."""
        networks = self.networks
        chosen = torch.bincount(numbers, minlength=LAYOUT.n_embed).float()
        summed = torch.zeros_like(networks.stood_for).index_add_(0, numbers, places)
        networks.used.lerp_(chosen, 1 - MEMORY)
        networks.stood_for.lerp_(summed, 1 - MEMORY)
        common = networks.used.mean()
        rare = networks.used < RARE * common
        anew = places[torch.randint(len(places), (int(rare.sum()),), device="cpu").to(places.device)]
        networks.used[rare] = common
        networks.stood_for[rare] = anew * common
        networks.codes.copy_(networks.stood_for / networks.used[:, None])

    def _perplexity(self) -> float:
        shares = self.networks.used / self.networks.used.sum().clamp(min=1e-6)
        return float(torch.exp(-(shares * torch.log(shares + 1e-10)).sum()))
