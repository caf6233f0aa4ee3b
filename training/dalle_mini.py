"""A small DALL-E mini in the form of min-dalle: from the names of icons and cut-outs to the codes of our small VQGAN.

Dayma et al. 2021, with its networks. What is trained is which code comes next, for all codes of a picture at a time.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, trainers
from torch import Tensor, nn

from t2iflow.nodes.core.ambient import SILENCE
from t2iflow.nodes.generators.dalle_mini.text import SPACE
from t2iflow.nodes.generators.dalle_mini.transformer import JOINED, PADDING, Reader, Sampling, Writer, draw
from t2iflow.nodes.weights.weights import Weights
from training.captions import Captions

WIDTH, INNER = 192, 384
READING, WRITING = 3, 4
"""Layers of the encoder and of the decoder."""
TOKENS, LENGTH = 2000, 64
"""Of the vocabulary, and of a text."""
SHOWN = Sampling(top_k=64, temperature=1.0, condition=4.0)
"""How samples are drawn."""


class Vocabulary:
    """Pieces of words, by byte pair encoding, down to letters."""

    def __init__(self, words: Iterable[str]) -> None:
        self._tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
        trainer = trainers.BpeTrainer(
            vocab_size=TOKENS,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            initial_alphabet=[SPACE, *map(chr, range(33, 127))],
            show_progress=False,
        )
        self._tokenizer.train_from_iterator((SPACE + word for word in words), trainer)

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def __call__(self, texts: Iterable[str]) -> Tensor:
        """Tokens of texts, (n, length), as long as the longest."""
        begin, end = (self._tokenizer.token_to_id(one) for one in ("<s>", "</s>"))
        pieces = [[one for word in text.split() for one in self._tokenizer.encode(SPACE + word).ids] for text in texts]
        rows = [torch.tensor([begin, *row[: LENGTH - 2], end]) for row in pieces]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)

    def export(self, folder: Path) -> None:
        """Write `vocab_small.json` and `merges_small.txt`."""
        for path in map(Path, self._tokenizer.model.save(str(folder), "small")):
            path.rename(folder / f"{path.stem.removeprefix('small-')}_small{path.suffix}")


class DalleMini:
    """The vocabulary and the networks."""

    def __init__(self, captions: Captions, device: torch.device) -> None:
        self._device, self._weights = device, captions.weights
        self._vocabulary = Vocabulary(captions.words)
        # min-dalle has a token more than codes, Dayma's start, but starts from the last code; so do we.
        self._start = captions.vqgan.layout.n_embed - 1
        encoder = Reader(_shapes(len(self._vocabulary), LENGTH, READING))
        decoder = Writer(_shapes(self._start + 2, captions.side**2, WRITING))
        self.networks = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        for name, parameter in self.networks.named_parameters():
            if parameter.dim() > 1:
                # A place that no text of the training reaches stays at zero, and is none.
                nn.init.normal_(parameter, std=0.0 if "embed_positions" in name else 0.02)

    def logits(self, texts: Sequence[str], codes: Tensor) -> Tensor:
        """How likely each code is after a text and the codes before it."""
        return follow(self.networks, self._vocabulary(texts).to(self._device), codes, self._start)

    def draw(self, prompt: str, chances: Tensor) -> Tensor:
        """Codes of pictures to a prompt."""
        writer: Any = self.networks["decoder"]
        tokens = self._vocabulary(["", prompt]).to(self._device)
        begun = writer.begin(tokens, self.networks["encoder"](tokens), len(chances))
        return draw(begun, chances, SHOWN, known=self._start + 1, start=self._start, notes=SILENCE)

    def export(self, folder: Path) -> None:
        """Write the networks and the VQGAN's painter in half precision, and the vocabulary."""
        files = {role: _apart(network.state_dict()) for role, network in self.networks.items()}
        files["detoker"] = _detoker(self._weights)
        for role, tensors in files.items():
            # Copies, as some are parts of others, or of the VQGAN's file.
            halved = {name: tensor.to("cpu", torch.float16, copy=True) for name, tensor in tensors.items()}
            torch.save(halved, folder / f"{role}_small.pt")
        self._vocabulary.export(folder)


def follow(networks: nn.ModuleDict, tokens: Tensor, codes: Tensor, start: int) -> Tensor:
    """Logits of all codes (n, codes), each from a text (n, length) and the codes before it: (n, codes, tokens).

    What the writer does code by code with a memory, for all at once.
    """
    read, mask = networks["encoder"](tokens), (tokens != PADDING)[:, None, None]
    writer: Any = networks["decoder"]
    before = F.pad(codes[:, :-1], (1, 0), value=start)
    x = writer.layernorm_embedding(writer.embed_tokens(before) + writer.embed_positions.weight[: before.shape[1]])
    for layer in writer.layers:
        queries, keys, values = layer.self_attn.all(layer.pre_self_attn_layer_norm(x))
        taken = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = x + layer.self_attn_layer_norm(layer.self_attn.out_proj(taken.transpose(1, 2).flatten(2)))
        asked = layer.encoder_attn.queries(layer.pre_encoder_attn_layer_norm(x))
        x = x + layer.encoder_attn_layer_norm(layer.encoder_attn(asked, layer.encoder_attn.keys(read), mask))
        x = x + layer.glu(x)
    logits: Tensor = writer.lm_head(writer.final_ln(x))
    return logits


def _shapes(tokens: int, length: int, layers: int) -> dict[str, Tensor]:
    """The part of a checkpoint that determines a network's sizes."""
    shapes = {"embed_tokens": (tokens, WIDTH), "embed_positions": (length, WIDTH), "lm_head": (tokens, WIDTH)}
    shapes |= {f"layers.{number}.glu.fc2": (WIDTH, INNER) for number in range(layers)}
    return {f"{name}.weight": torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the names of the checkpoint, with the matrices apart that the networks have in one."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        start, dot, part = name.removesuffix(".weight").rpartition(".")
        if part in JOINED:
            parts = JOINED[part]
            pieces = tensor.chunk(len(parts))
            found |= {f"{start}{dot}{one}.weight": piece for one, piece in zip(parts, pieces, strict=True)}
        else:
            found[name] = tensor
    return found


def _detoker(weights: Weights) -> dict[str, Tensor]:
    """A VQGAN's codes and painter by min-dalle's names, painting in 0..1 in place of -1..1."""
    tensors = weights.tensors("checkpoint", drop=("encoder.", "quant_conv."))
    tensors["embedding.weight"] = tensors.pop("quantize.embedding.weight")
    tensors["decoder.conv_out.weight"] = tensors["decoder.conv_out.weight"].float() / 2
    tensors["decoder.conv_out.bias"] = tensors["decoder.conv_out.bias"].float() / 2 + 0.5
    return tensors
