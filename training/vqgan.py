"""A small VQGAN in the form of taming-transformers: a code of 1024 for each 8 x 8 pixels.

Esser et al. 2021, with its networks, but for the blocks that the reader would have before the fewest pixels. Codes are
those of `training.codes`, which stay as they are: the reader learns to read what the tiny autoencoder does.
"""

import contextlib
import io
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from t2iflow.nodes.generators.vqgan.layout import Layout, Levels
from t2iflow.nodes.generators.vqgan.network import Painter, Reader, nearest
from training.autoencoder import Painted
from training.codes import CODES, Codes
from training.evaluate import perplexity
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
    n_embed=CODES,
    embed_dim=12,
    book="embedding",
    prefix="",
)
READING = 0.5
"""Weight of how far off the reader is."""


class Networks(nn.Module):
    """The reader and the painter."""

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        with contextlib.redirect_stdout(io.StringIO()):  # taming's decoder prints how many numbers it paints from
            self.reader, self.painter = Reader(LAYOUT), Painter(LAYOUT)
        book = self.painter.quantize[LAYOUT.book]
        assert isinstance(book, nn.Embedding)
        book.weight.requires_grad_(False).copy_(centres)


class Coder:
    """The encoder, the codebook and the decoder."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self.networks = Networks(codes.centres)

    def paint(self, batch: Batch, progress: float) -> Painted:
        """Paint one half from codes, and the other from what was read: mixtures of codes are to be painted too."""
        wanted, numbers = self._codes.read(batch.images)
        off = (self._read(batch.images) - wanted).square().mean()
        half = (torch.arange(len(wanted), device=wanted.device) % 2 == 0)[:, None, None, None]
        pictures = self._painted(torch.where(half, self._codes[numbers], wanted))
        return Painted(pictures, READING * off, {"perplexity": perplexity(numbers), "misread": off.item()})

    def reconstruct(self, batch: Batch) -> Tensor:
        """Read, take the nearest codes, paint."""
        read = self._read(batch.images)
        numbers = nearest(read.permute(0, 2, 3, 1).flatten(0, 2), self._codes.centres)
        return self._painted(self._codes[numbers.view(len(read), *read.shape[2:])])

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
