"""Training of transformers that predict the codes of a picture from a text, all codes of a picture at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.autoencoder import paced, quickly
from training.averaging import Mean
from training.captions import Captions

RATE = 1e-3
PROMPTS = (
    "a red heart",
    "a cat face",
    "a photo of a dog",
    "a green apple",
    "a house on a blue background",
    "a blue car",
    "a yellow flower",
    "a fox with a crown",
)
"""What samples are of, two of each."""


class Transformer(Protocol):
    """Networks that predict codes from texts."""

    @property
    def networks(self) -> nn.Module:
        """All that is trained."""

    def logits(self, texts: Sequence[str], codes: Tensor) -> Tensor:
        """How likely each code is after a text and the codes before it, (n, codes, known), of codes (n, codes)."""

    def draw(self, prompt: str, chances: Tensor) -> Tensor:
        """Codes of pictures to a prompt, (n, codes), by chances (n, codes) in 0..1."""

    def export(self, folder: Path) -> None:
        """Write the weights."""


class Prior:
    """A transformer in training."""

    def __init__(self, transformer: Transformer, captions: Captions, device: torch.device) -> None:
        self._transformer, self._captions, self._device = transformer, captions, device
        networks = transformer.networks.to(device)
        self._mean = Mean(networks)
        self._optimizer = torch.optim.AdamW(networks.parameters(), RATE, (0.9, 0.98), weight_decay=0.01, fused=True)

    def step(self, number: int, progress: float) -> dict[str, float]:
        """Train by one batch."""
        texts, codes = self._captions(number)
        for group in self._optimizer.param_groups:
            group["lr"] = RATE * paced(number, progress)
        with quickly(self._device):
            logits = self._transformer.logits(texts, codes)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), codes.flatten())
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._transformer.networks.parameters(), 1.0)
        self._optimizer.step()
        self._mean.follow(number)
        right = (logits.argmax(-1) == codes).float().mean()
        return {"loss": loss.item(), "right": right.item()}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Two pictures to each of some prompts, one under the other."""
        chances = torch.rand(2, self._captions.side**2, generator=torch.Generator().manual_seed(0)).to(self._device)
        with self._mean.used():
            drawn = [self._captions.painted(self._transformer.draw(prompt, chances)) for prompt in PROMPTS]
        return torch.stack(drawn, 1).flatten(0, 1).cpu()

    def state(self) -> dict[str, Any]:
        """Networks, their means and the optimiser's moments."""
        return {
            "networks": self._transformer.networks.state_dict(),
            "mean": self._mean.weights,
            "optimizer": self._optimizer.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._transformer.networks.load_state_dict(state["networks"])
        self._mean.resume(state["mean"])
        self._optimizer.load_state_dict(state["optimizer"])

    def export(self, folder: Path) -> None:
        """Write the mean of the weights over steps."""
        folder.mkdir(parents=True, exist_ok=True)
        with self._mean.used():
            self._transformer.export(folder)
