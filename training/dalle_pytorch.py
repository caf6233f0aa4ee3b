"""A small DALLE-pytorch, in the form of its checkpoints: texts and codes in one row of tokens.

Phil Wang's DALLE-pytorch 1.6.6, after Ramesh et al. 2021, with one of its simpler networks: places are of rows and
columns, and all codes are looked at. Of the loss, only the part of the codes is left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn

from t2iflow.nodes.generators.dalle_mini.transformer import Sampling
from t2iflow.nodes.generators.dalle_pytorch.transformer import Attention, Dalle, Half, Shape, after_words
from training.captions import Captions

SHAPE = Shape(
    num_text_tokens=1200, text_seq_len=24, dim=128, depth=4, heads=2, dim_head=64, rotary_emb=False, shift_tokens=True
)
"""The transformer, but for the codes."""
SHOWN = Sampling(top_k=64, temperature=1.0, condition=3.0)
"""How samples are drawn."""
PASSED = ("encoder.", "quant_conv.")
"""Of a VQGAN what reads pictures, which nobody does here."""


class DallePytorch:
    """The tokenizer and the transformer."""

    def __init__(self, captions: Captions, device: torch.device) -> None:
        self._device, self._weights = device, captions.weights
        self._tokenizer = spelling(captions.words)
        self.networks = Dalle(replace(SHAPE, codes=captions.vqgan.layout.n_embed, side=captions.side))
        for name, parameter in self.networks.named_parameters():
            if name.endswith("scale"):
                nn.init.constant_(parameter, 0.1)  # of Touvron et al., as the package has it for up to 18 layers
            elif parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def logits(self, texts: Sequence[str], codes: Tensor) -> Tensor:
        """How likely each code is after a text and the codes before it."""
        return follow(self.networks, self._tokens(texts), codes)

    def draw(self, prompt: str, chances: Tensor) -> Tensor:
        """Codes of pictures to a prompt."""
        most, temperature, condition = SHOWN
        (drawn,) = self.networks.draw(
            self._tokens([prompt]),
            chances,
            batch=len(chances),
            most=most,
            temperature=temperature,
            condition=condition,
        )
        return drawn.flatten(1)

    def export(self, folder: Path) -> None:
        """Write `small.pt`, with the VQGAN in it, in half precision; and `small-tokenizer.json`."""
        vae = {f"vae.model.{name}": tensor for name, tensor in self._weights.tensors("checkpoint", PASSED).items()}
        weights = {name: tensor.to("cpu", torch.float16) for name, tensor in (vae | dict(self._stored())).items()}
        hparams = {name: value for name, value in asdict(SHAPE).items() if name not in ("codes", "side")}
        told = {"version": "1.6.6", "vae_class_name": "VQGanVAE", "vae_params": None, "hparams": hparams}
        torch.save({**told, "weights": weights}, folder / "small.pt")
        self._tokenizer.save(str(folder / "small-tokenizer.json"))

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        """(n, length), with 0 where there is no word."""
        length = self.networks.shape.text_seq_len
        rows = [self._tokenizer.encode(text).ids[:length] for text in texts]
        return torch.tensor([row + [0] * (length - len(row)) for row in rows]).to(self._device)

    def _stored(self) -> Iterator[tuple[str, Tensor]]:
        """Tensors by their names in a checkpoint."""
        network, shape = self.networks, self.networks.shape
        yield "text_emb.weight", network.text_emb.weight
        yield "image_emb.weight", network.image_emb.weight
        yield "text_pos_emb.weight", network.text_places
        yield "image_pos_emb.weights.0", network.rows[None]
        yield "image_pos_emb.weights.1", network.columns[None]
        for name, tensor in network.layers.state_dict().items():
            layer, half, part = name.split(".", 2)
            start = f"transformer.layers.layers.{layer}.{half}"
            if part.startswith("work."):
                # A key to the memory, the shift of tokens, again a key or that there is none, and attention's own.
                inside = "fn.fn.fn.fn.fn." if half == "0" else "fn.fn.fn.fn."
                yield f"{start}.{part.replace('work.', inside)}", tensor
            else:
                yield f"{start}.{part.replace('norm.', 'fn.norm.')}", tensor
        words = shape.num_text_tokens + shape.text_seq_len
        for name, tensor in network.to_logits.state_dict().items():
            # The head has rows for words as well, which are never asked for.
            none = tensor.new_zeros(words if name.startswith("1.") else 0, *tensor.shape[1:])
            yield f"to_logits.{name}", torch.cat([none, tensor])


def spelling(words: Sequence[str]) -> Tokenizer:
    """Pieces of words, by byte pair encoding, down to letters; number 0 is none of them. Word endings are not marked:
    the library finds them in another order each time."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[a-z]+|[0-9]|[^\sa-z0-9]"), "removed", invert=True)
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE.num_text_tokens,
        special_tokens=["<none>", "<unk>"],
        initial_alphabet=list(map(chr, range(33, 127))),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    return tokenizer


def follow(network: Dalle, text: Tensor, codes: Tensor) -> Tensor:
    """Logits of all codes (n, codes), each from a text (n, length) and the codes before it: (n, codes, known).

    What `Dalle.draw` does code by code with a memory, for all at once.
    """
    words = network.words(text)
    before = network.image_emb(codes) + (network.rows + network.columns).flatten(0, 1)
    x = torch.cat([words, before], 1)
    for layer in network.layers:
        assert isinstance(layer, nn.ModuleList)
        for half in layer:
            assert isinstance(half, Half)
            x = x + _half(half, x, words.shape[1])
    logits: Tensor = network.to_logits(x[:, words.shape[1] - 1 : -1])
    return logits


def _half(half: Half, x: Tensor, words: int) -> Tensor:
    """Half a layer on all tokens, of which the first are words."""
    text, codes = half.norm(x).tensor_split([words], 1)
    grid = codes.unflatten(1, (half.side, half.side))
    above, left, *rest = grid.chunk(4, -1)
    above, left = F.pad(above, (0, 0, 0, 0, 1, -1)), F.pad(left, (0, 0, 1, -1))
    codes = torch.cat([above, left, *rest], -1).flatten(1, 2)
    x = torch.cat([after_words(text), codes], 1)
    work = half.work
    if isinstance(work, Attention):
        queries, keys, values = work.to_qkv(x).unflatten(-1, (3, work.heads, -1)).permute(2, 0, 3, 1, 4)
        looked = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = work.to_out(looked.transpose(1, 2).flatten(2))
    else:
        x = work(x)
    out: Tensor = x * half.scale
    return out
