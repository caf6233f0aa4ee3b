"""Training of networks that paint pictures again, from whatever they keep of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.core.precision import native
from training.ahead import Ahead
from training.averaging import Mean
from training.features import Critic, Features, distance, mistakes, truth
from training.pictures import Batch

RATE, CRITIC_RATE = 1e-3, 5e-4
SEEN_WEIGHT = 0.1
HUE_WEIGHT = 1.0
"""Without it, few codes come to mean what few pictures show: greens become browns."""
CRITIC_WEIGHT = 0.01
CRITIC_FROM = 0.3
"""The part of the training after which the critic is heard: before, pictures are too blurred to learn from it."""
CRITIC_AHEAD = 0.02
"""By how much of the training the critic learns before it is heard."""
SHOWN, ACROSS = 2, 8
"""Batches of which samples are shown, and how many pictures of each, those that have so many."""
FAR = 2**40
"""The step whose pictures are shown, which no training comes to."""


class Painted(NamedTuple):
    """What came of pictures, in about 0..1; a loss of the model's own; and what is logged."""

    pictures: Tensor
    loss: Tensor
    told: dict[str, float]


class Coder(Protocol):
    """Networks that read and paint, which training exports together."""

    @property
    def networks(self) -> nn.Module:
        """All that is trained."""

    def paint(self, batch: Batch, progress: float) -> Painted:
        """Read pictures and paint them, with the randomness that training needs."""

    def reconstruct(self, batch: Batch) -> Tensor:
        """Read and paint without chance, (n, 3, h, w)."""

    def export(self, folder: Path) -> None:
        """Write the weights."""


class Autoencoder:
    """A coder in training: L1, features of EfficientNet-Lite, colours at a coarse scale, and a critic's opinion."""

    def __init__(self, coder: Coder, pictures: Callable[[int], Batch], device: torch.device) -> None:
        self._coder, self._pictures, self._device = coder, pictures, device
        self._upcoming = Ahead(pictures) if device.type == "cuda" else pictures
        coder.networks.to(device)
        self._mean = Mean(coder.networks)
        self._features = Features(dtype=native(device)).to(device)
        self._critic = Critic(self._features.channels).to(device)
        trained = [one for one in coder.networks.parameters() if one.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, RATE, (0.9, 0.99), weight_decay=1e-4, fused=True)
        self._critics = torch.optim.AdamW(self._critic.parameters(), CRITIC_RATE, (0.5, 0.99), fused=True)

    def step(self, number: int, progress: float) -> dict[str, float]:
        """Train by one batch."""
        batch = self._upcoming(number).to(self._device)
        images = batch.images
        for optimizer, rate in ((self._optimizer, RATE), (self._critics, CRITIC_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * paced(number, progress)
        with quickly(self._device):
            painted = self._coder.paint(batch, progress)
            with torch.no_grad():
                true = self._features(images)
            seen = self._features(painted.pictures)
            off, unlike = (painted.pictures.float() - images).abs().mean(), distance(seen, true)
            hue = discoloured(painted.pictures.float() - images)
            loss = off + SEEN_WEIGHT * unlike + HUE_WEIGHT * hue + painted.loss
            if progress >= CRITIC_FROM:
                loss = loss - CRITIC_WEIGHT * truth(self._critic(seen))
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._coder.networks.parameters(), 1.0)
        self._optimizer.step()
        told = {"loss": loss.item(), "off": off.item(), "unlike": unlike.item(), "hue": hue.item(), **painted.told}
        if progress >= CRITIC_FROM - CRITIC_AHEAD:
            told["critic"] = self._teach_critic(true, seen)
        self._mean.follow(number)
        return told

    def _teach_critic(self, true: list[Tensor], seen: list[Tensor]) -> float:
        """Train the critic by what it is shown of true pictures and of painted ones; gives its loss."""
        with quickly(self._device):
            wrong = mistakes(self._critic(true), self._critic([one.detach() for one in seen]))
        self._critics.zero_grad()
        wrong.backward()
        self._critics.step()
        return wrong.item()

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Pictures, and under them what becomes of them."""
        rows = []
        with self._mean.used():
            for number in range(SHOWN):
                batch = self._pictures(FAR + number).to(self._device)
                rows += [batch.images[:ACROSS], self._coder.reconstruct(batch)[:ACROSS]]
        return torch.cat(rows).float().cpu()

    def state(self) -> dict[str, Any]:
        """Networks, their means, the critic and the moments of both optimisers."""
        return {
            "networks": self._coder.networks.state_dict(),
            "mean": self._mean.weights,
            "critic": self._critic.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "critics": self._critics.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._coder.networks.load_state_dict(state["networks"])
        self._critic.load_state_dict(state["critic"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._critics.load_state_dict(state["critics"])
        self._mean.resume(state["mean"])

    def export(self, folder: Path) -> None:
        """Write the mean of the weights over steps."""
        folder.mkdir(parents=True, exist_ok=True)
        with self._mean.used():
            self._coder.export(folder)


def discoloured(difference: Tensor) -> Tensor:
    """How far colours are off on the average of 8 x 8 pixels, from red to green and from yellow to blue."""
    red, green, blue = F.avg_pool2d(difference, 8).unbind(1)
    return ((red - green).abs() + (blue - (red + green) / 2).abs()).mean() / 2


def quickly(device: torch.device) -> torch.autocast:
    """What is computed within it is computed in the numbers that the device is fastest with."""
    return torch.autocast(device.type, torch.bfloat16, enabled=native(device) is torch.bfloat16)


def paced(number: int, progress: float) -> float:
    """Which part of the rate a step has: 100 steps to warm up, then a cosine to a hundredth."""
    falling = 0.505 + 0.495 * torch.cos(torch.tensor(progress * torch.pi)).item()
    return falling * min(1.0, (number + 1) / 100)
