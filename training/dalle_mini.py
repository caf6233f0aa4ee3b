"""A small DALL-E mini in the form of min-dalle: from the names of icons and cut-outs to the codes of our small VQGAN.

Dayma et al. 2021, with its networks. Pictures are read into codes once, in some views each; what is trained is which
code comes next, for all codes of a picture at a time. Some texts are empty, which supercondition needs.
"""

import copy
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer, models, trainers
from torch import Tensor, nn

from t2iflow.nodes.generators.bart import JOINED, PADDING, Reader, Sampling, Writer, draw
from t2iflow.nodes.generators.dalle_mini import SPACE
from t2iflow.nodes.generators.taming import VQGAN
from t2iflow.nodes.precision import dtype_of
from t2iflow.nodes.store.obtaining import Weights, obtain
from training.autoencoder import MEMORY, paced, quickly
from training.evaluate import Silent
from training.packages import Kind
from training.pictures import sized
from training.things import Thing, things

WIDTH, INNER = 192, 384
READING, WRITING = 3, 4
"""Layers of the encoder and of the decoder."""
TOKENS, LENGTH = 2000, 64
"""Of the vocabulary, and of a text."""
SIDE = 128
"""Pixels of a picture."""
VIEWS = 6
"""Of each picture."""
RATE = 1e-3
EMPTY, SHUFFLED = 0.15, 0.1
"""Parts of the texts: those that say nothing, and those whose name has its words in any order."""
WHITE = 0.85
"""The part of views on white."""

TEMPLATES: dict[Kind, tuple[str, ...]] = {
    "icons": ("{name}", "{a} {name}", "a picture of {a} {name}", "{name} icon", "an icon of {a} {name}"),
    "cut-outs": ("{name}", "{a} {name}", "a picture of {a} {name}", "{name} photo", "a photo of {a} {name}"),
}
GROUNDS = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "red": (220, 50, 50),
    "orange": (245, 150, 40),
    "yellow": (250, 220, 70),
    "green": (70, 160, 80),
    "blue": (50, 110, 210),
    "purple": (130, 80, 180),
    "pink": (245, 160, 190),
}
"""Colours behind things; all but the first are told of."""
BEHIND = (" on {}", " on a {} background")
SIDED = {
    *("left", "leftwards", "right", "rightwards", "clockwise", "anticlockwise", "counterclockwise", "arrow", "arrows"),
    *("letter", "letters", "latin", "number", "numbers", "input", "keycap", "button", "sign", "symbol", "mark"),
    *("flag", "oclock", "thirty"),
}
"""Words of things that would be others if they were mirrored."""

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
SHOWN = Sampling(top_k=64, temperature=1.0, condition=4.0)


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


class Views(NamedTuple):
    """Codes of things in some views each, (things, views, codes), int16, and the numbers of the colours behind them,
    (things, views)."""

    codes: Tensor
    grounds: Tensor


def views(things: list[Thing], weights: Weights, vqgan: VQGAN, work: Path) -> Views:
    """Views of things as a VQGAN reads them; from a file, where the same one has read the same things before."""
    seen = repr((VIEWS, WHITE, GROUNDS, [thing.words for thing in things]))
    digest = sha256(weights.files["checkpoint"].read_bytes() + seen.encode()).hexdigest()
    path = work / "codes" / f"{digest[:16]}.pt"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        torch.save(_read(things, vqgan), scratch)
        scratch.replace(path)
    return Views(**torch.load(path, weights_only=True))


@torch.no_grad()
def _read(things: list[Thing], vqgan: VQGAN) -> dict[str, Tensor]:
    device = vqgan.codes.device
    codes = torch.empty(len(things), VIEWS, (SIDE // vqgan.layout.factor) ** 2, dtype=torch.int16)
    grounds = torch.empty(len(things), VIEWS, dtype=torch.uint8)
    for number, thing in enumerate(things):
        random = np.random.default_rng(number)
        for view in range(VIEWS):
            ground = 0 if random.random() < WHITE else int(random.integers(1, len(GROUNDS)))
            seen = torch.from_numpy(seen_on(tuple(GROUNDS.values())[ground], thing, random)).to(device)
            codes[number, view] = vqgan.nearness(seen.permute(2, 0, 1)[None].float() / 255).argmax(1).short()
            grounds[number, view] = ground
        if (number + 1) % 1000 == 0:
            print(f"{number + 1} of {len(things)} pictures read", flush=True)
    return {"codes": codes, "grounds": grounds}


def seen_on(colour: tuple[int, int, int], thing: Thing, random: np.random.Generator) -> np.ndarray:
    """A thing on a plain ground, somewhat larger or smaller, off the middle, or mirrored; (side, side, 3), 0 to 255."""
    picture = Image.fromarray(thing.picture)
    picture = sized(picture, SIDE * random.uniform(0.75, 0.98))
    if random.random() < 0.5 and SIDED.isdisjoint(thing.words):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    behind = Image.new("RGB", (SIDE, SIDE), colour)
    left, top = (round((SIDE - length) * random.uniform(0.3, 0.7)) for length in picture.size)
    behind.paste(picture, (left, top), picture)
    return np.array(behind)


def phrase(thing: Thing, ground: int, random: np.random.Generator) -> str:
    """A text for a thing on a ground, or none."""
    if random.random() < EMPTY:
        return ""
    name = " ".join(random.permutation(thing.words) if random.random() < SHUFFLED else thing.words)
    template = str(random.choice(TEMPLATES[thing.kind]))
    text = template.format(a="an" if name[0] in "aeiou" else "a", name=name)
    return text + str(random.choice(BEHIND)).format(tuple(GROUNDS)[ground]) if ground else text


class DalleMini:
    """The transformers in training."""

    def __init__(self, work: Path, device: torch.device, seed: int, batch: int, vqgan: Path) -> None:
        self._device, self._seed, self._size = device, seed, batch
        self._things = things(work)
        said = re.findall(r"(?<!{)\b[a-z]+", " ".join((*TEMPLATES["icons"], *TEMPLATES["cut-outs"], *BEHIND, *GROUNDS)))
        # What is said of all things is as common as the commonest words of names.
        self._vocabulary = Vocabulary([word for thing in self._things for word in thing.words] + 100 * said)
        self._weights = obtain(str(vqgan), "vqgan", Silent())
        self._vqgan = VQGAN(self._weights, [], device, dtype_of("auto", device))
        self._views = views(self._things, self._weights, self._vqgan, work)
        # min-dalle has a token more than codes, Dayma's start, but starts from the last code; so do we.
        self._start = self._vqgan.layout.n_embed - 1
        encoder = Reader(_shapes(len(self._vocabulary), LENGTH, READING))
        decoder = Writer(_shapes(self._start + 2, self._views.codes.shape[2], WRITING))
        self._networks = nn.ModuleDict({"encoder": encoder, "decoder": decoder}).to(device)
        for name, parameter in self._networks.named_parameters():
            if parameter.dim() > 1:
                # A place that no text of the training reaches stays at zero, and is none.
                nn.init.normal_(parameter, std=0.0 if "embed_positions" in name else 0.02)
        self._mean = copy.deepcopy(self._networks).requires_grad_(False)
        self._optimizer = torch.optim.AdamW(self._networks.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)

    def step(self, number: int, progress: float) -> dict[str, float]:
        """Train by one batch."""
        tokens, codes = self._batch(number)
        for group in self._optimizer.param_groups:
            group["lr"] = RATE * paced(number, progress)
        with quickly(self._device):
            logits = follow(self._networks, tokens, codes, self._start)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), codes.flatten())
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._networks.parameters(), 1.0)
        self._optimizer.step()
        memory = min(MEMORY, number / (number + 10))
        torch._foreach_lerp_(list(self._mean.parameters()), list(self._networks.parameters()), 1 - memory)
        right = (logits.argmax(-1) == codes).float().mean()
        return {"loss": loss.item(), "right": right.item()}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Two pictures to each of some prompts, one under the other."""
        writer: Any = self._mean["decoder"]
        painted = []
        for prompt in PROMPTS:
            tokens = self._vocabulary(["", prompt]).to(self._device)
            begun = writer.begin(tokens, self._mean["encoder"](tokens), 2)
            chances = torch.rand(2, writer.length, generator=torch.Generator().manual_seed(0)).to(self._device)
            codes = draw(begun, chances, SHOWN, known=self._start + 1, start=self._start, notes=Silent())
            z = self._vqgan.codes[codes].unflatten(1, (SIDE // self._vqgan.layout.factor, -1)).permute(0, 3, 1, 2)
            painted.append(torch.cat([self._vqgan.decode(one) for one in z.split(1)]))
        return (torch.stack(painted, 1).flatten(0, 1).cpu() + 1) / 2

    def state(self) -> dict[str, Any]:
        """Networks, their means and the optimiser's moments."""
        return {
            "networks": self._networks.state_dict(),
            "mean": self._mean.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._networks.load_state_dict(state["networks"])
        self._mean.load_state_dict(state["mean"])
        self._optimizer.load_state_dict(state["optimizer"])

    def export(self, folder: Path) -> None:
        """Write the mean of the weights over steps and the VQGAN's painter in half precision, and the vocabulary."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {role: _apart(network.state_dict()) for role, network in self._mean.items()}
        files["detoker"] = _detoker(self._weights)
        for role, tensors in files.items():
            # Copies, as some are parts of others, or of the VQGAN's file.
            halved = {name: tensor.to("cpu", torch.float16, copy=True) for name, tensor in tensors.items()}
            torch.save(halved, folder / f"{role}_small.pt")
        self._vocabulary.export(folder)

    def _batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Tokens (batch, length) and codes (batch, codes) of a step."""
        random = np.random.default_rng((self._seed, number))
        chosen, view = random.integers(len(self._things), size=self._size), random.integers(VIEWS, size=self._size)
        grounds = self._views.grounds[chosen, view].tolist()
        texts = [phrase(self._things[one], ground, random) for one, ground in zip(chosen, grounds, strict=True)]
        return self._vocabulary(texts).to(self._device), self._views.codes[chosen, view].long().to(self._device)


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
    """As much of a checkpoint as tells a network its sizes."""
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
