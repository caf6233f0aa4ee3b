"""CLIP (Radford et al. 2021): OpenAI's networks and all others that open_clip knows."""

from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.core.ambient import Notes
from t2iflow.nodes.core.texts import ending, quoted
from t2iflow.nodes.perceptors.clip.own import Own
from t2iflow.nodes.perceptors.clip.vit import ViT
from t2iflow.nodes.perceptors.interface import Layer, Seen
from t2iflow.nodes.perceptors.languages import MANY, foreign

UPLIFT = 1024.0
"""What gradients are multiplied by on their way through float16, where small ones would vanish."""


class OpenClip:
    """A network of open_clip as a `Clip`, its image tower apart from the rest.

    Crops of another size than its own are resized (bilinear, low-passed).
    """

    def __init__(self, name: str, network: Any, tower: ViT | Own, tokenizer: Any, device: torch.device) -> None:
        self.name = name
        self.size = tower.size
        self.scale = float(network.logit_scale.detach().float().exp())
        self._device = device
        self._network = network.to(device).eval().requires_grad_(False)
        self._tower = tower.to(device).eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._english = type(tokenizer).__name__ == "SimpleTokenizer"  # that of OpenAI's, made of English texts
        self._layers: list[Layer] = []
        self._read: dict[tuple[str, ...], Tensor] = {}
        for module in tower.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_pre_hook(self._watch)

    @cached_property
    @torch.no_grad()
    def width(self) -> int:
        """How many numbers an embedding has."""
        features: Tensor = self._network.encode_text(self._tokenizer([""]).to(self._device))
        return features.shape[-1]

    @torch.no_grad()
    def encode_texts(self, texts: list[str], notes: Notes) -> Tensor:
        """Embeddings of texts, (k, d); warns where a text is cut, or not in a language that is read."""
        for text in texts:
            self._check_length(text, notes)
            self._check_language(text, notes)
        read = self._read.get(tuple(texts))  # together, as another batch may round otherwise
        if read is None:
            tokens = self._tokenizer(texts).to(self._device)
            read = self._read[tuple(texts)] = F.normalize(self._network.encode_text(tokens).float(), dim=-1)
        return read.clone()

    def look(self, pixels: Tensor) -> Seen:
        """Embeddings of crops (n, 3, s, s) of 0..1; of a ResNet also what its layers saw before each normalisation."""
        if pixels.shape[-2:] != (self.size, self.size):
            pixels = F.interpolate(pixels, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
        try:
            features = self._tower(self._uplifted(pixels.float(), 1 / UPLIFT))
            layers = tuple(self._layers)
        finally:
            self._layers = []  # also where memory ran out, or the next look would have them, too
        return Seen(F.normalize(self._uplifted(features, UPLIFT), dim=-1), layers)

    def _watch(self, module: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        mean, variance = module.running_mean, module.running_var
        if mean is not None and variance is not None:
            activations = self._uplifted(inputs[0].float(), UPLIFT)
            self._layers.append(Layer(activations, mean.float(), (variance.float() + module.eps).sqrt()))

    def _uplifted(self, tensor: Tensor, factor: float) -> Tensor:
        """The tensor itself; where the tower computes in float16, with its gradient multiplied on the way back."""
        if self._tower.dtype == torch.float16 and tensor.requires_grad:
            tensor = tensor.view_as(tensor)
            tensor.register_hook(lambda gradient: gradient * factor)
        return tensor

    def _check_length(self, text: str, notes: Notes) -> None:
        """Warn if words at the end make no difference, whatever the tokenizer."""
        tokens = self._tokenizer([text])
        if not torch.equal(tokens, self._tokenizer([f"{text} dog"])):
            return
        low, high = 0, len(text)
        while low < high:
            middle = (low + high) // 2
            same = torch.equal(tokens, self._tokenizer([text[:middle]]))
            low, high = (low, middle) if same else (middle + 1, high)
        if text[low:].strip():
            most = f"{self.name} reads {tokens.shape[1]} tokens, the two that frame a text among them"
            notes.warn(f"{most}. It reads {ending(text[:low])!r}, but no more of {quoted(text[low:])}")

    def _check_language(self, text: str, notes: Notes) -> None:
        if self._english and (language := foreign(text)):
            advice = f"one that reads a hundred languages is {MANY}"
            notes.warn(f"{self.name} reads English best, but {quoted(text)} seems to be {language}; {advice}")
