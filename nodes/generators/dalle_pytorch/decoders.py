"""The decoders in DALLE-pytorch's checkpoints: its own, taming's, OpenAI's."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from t2iflow.nodes.generators import dvae
from t2iflow.nodes.generators.dalle_pytorch.discrete_vae import DiscreteDecoder
from t2iflow.nodes.generators.vqgan.layout import Layout
from t2iflow.nodes.generators.vqgan.network import Painter
from t2iflow.nodes.weights.checkpoints.filling import filled


def load(
    parameters: Mapping[str, Any] | None,
    tensors: Mapping[str, Tensor],
    name: str,
    device: torch.device,
    dtype: torch.dtype,
) -> nn.Module:
    """Whichever decoder the tensors, those of its encoder among them, are of: from codes (n, h, w) to pictures in 0..1.

    `parameters` are what a checkpoint says of a DiscreteVAE; of the others it says nothing. ValueError where the
    tensors are of none of these.
    """
    make: Callable[[], DiscreteDecoder | VqganDecoder]
    if parameters is not None:
        make = partial(DiscreteDecoder, parameters)
        wanted = _under(tensors, "codebook.", "decoder.")
    elif any(key.startswith("model.decoder.") for key in tensors):
        tensors = {key.removeprefix("model."): tensor for key, tensor in tensors.items()}
        try:
            layout = Layout.of(tensors)
        except KeyError as fault:
            raise ValueError(f"their VQGAN lacks {fault}") from fault
        make = partial(VqganDecoder, layout)
        wanted = _under(tensors, f"quantize.{layout.book}.", "post_quant_conv.", "decoder.")
    elif any(key.startswith("dec.") for key in tensors):
        wanted = {key.removeprefix("dec."): tensor for key, tensor in _under(tensors, "dec.").items()}
        return DvaeDecoder(dvae.Decoder(wanted, name, device, dtype))
    else:
        raise ValueError("they hold no decoder: no DiscreteVAE, no VQGAN, no dVAE of OpenAI's")
    return filled(make, {key: tensor.to(dtype) for key, tensor in wanted.items()}, name).to(device)


class DvaeDecoder(nn.Module):
    """OpenAI's autoencoder, as `OpenAIDiscreteVAE` paints with it."""

    def __init__(self, painter: dvae.Decoder) -> None:
        super().__init__()
        self.painter = painter

    def forward(self, codes: Tensor) -> Tensor:
        """Codes are numbers of the first layer's columns, int64."""
        painter = self.painter
        logits: Tensor = painter((painter.rows[codes] + painter.bias).permute(0, 3, 1, 2))
        return ((torch.sigmoid(logits[:, :3]) - 0.1) / 0.8).clamp(0, 1)


class VqganDecoder(Painter):
    """Taming's VQGAN, as `VQGanVAE` paints with it."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.book = layout.book

    def forward(self, codes: Tensor) -> Tensor:
        """Codes are numbers of rows in the codebook, int64."""
        z: Tensor = getattr(self.quantize, self.book)(codes)
        return ((super().forward(z.permute(0, 3, 1, 2)).float() + 1) / 2).clamp(0, 1)


def _under(tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}
