"""The transformer of DALLE-pytorch: after the words of a text it goes on with the codes of a picture, row by row.

Phil Wang's DALLE-pytorch 1.6.6 (2021-22), after Ramesh et al. 2021, "Zero-Shot Text-to-Image Generation". Whatever
a code may look at is remembered, so each code costs one pass of one token. A text is read once for all its pictures;
its keys and values are kept once too. The patterns of attention (Child et al. 2019) are slices of what is remembered:
they are not masks over all of it.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2iflow.nodes.generators.codes import picked

Pattern = Literal["full", "axial_row", "axial_col", "conv_like"]
REACH = 5
"""How many rows up and columns left, itself among them, a code looks at by `conv_like`."""


@dataclass(frozen=True)
class Shape:
    """What the networks differ in; the first names and defaults are those of the checkpoints' `hparams`."""

    dim: int
    depth: int
    heads: int = 8
    dim_head: int = 64
    num_text_tokens: int = 10000
    text_seq_len: int = 256
    reversible: bool = False
    stable: bool = False
    sandwich_norm: bool = False
    attn_types: Sequence[str] | None = None
    shared_attn_ids: Sequence[int] | None = None
    shared_ff_ids: Sequence[int] | None = None
    share_input_output_emb: bool = False
    rotary_emb: bool = True
    shift_tokens: bool = True
    codes: int = 8192
    side: int = 32

    def __post_init__(self) -> None:
        for pattern in self.attn_types or ():
            if pattern == "sparse":
                raise ValueError(
                    "its `sparse` attention uses blocks that DeepSpeed chose at random and the file does not hold"
                )
            if pattern not in get_args(Pattern):
                raise ValueError(f"its attention `{pattern}` is none of {', '.join(get_args(Pattern))}")

    @property
    def layers(self) -> Iterator[tuple[str, int, int]]:
        """Of each layer its pattern, and by what numbers it shares its attention and its network with others."""
        columns = (self.attn_types or ("full",), self.shared_attn_ids, self.shared_ff_ids)
        return islice(zip(*(cycle(column or range(self.depth)) for column in columns), strict=False), self.depth)

    def most(self, part: float) -> int:
        """How many codes there are to draw from, when a part of all tokens, a text's among them, is kept."""
        return min(max(int(part * (self.num_text_tokens + self.text_seq_len + self.codes)), 1), self.codes)


class Memory:
    """What one half of a layer remembers of a text and of the codes after it."""

    text: Tensor  # keys and values, (2, texts, heads, words, d)
    codes: Tensor  # the same, (2, texts, heads, pictures of each, side * side, d)

    def __init__(self, side: int) -> None:
        self.row: deque[Sequence[Tensor]] = deque(maxlen=side + 1)


class Attention(nn.Module):
    """Looks at all words before, and at the codes before that its pattern shows."""

    def __init__(self, shape: Shape, pattern: str) -> None:
        super().__init__()
        self.heads, self.side, self.pattern = shape.heads, shape.side, pattern
        self.to_qkv = nn.Linear(shape.dim, 3 * shape.heads * shape.dim_head, bias=False)
        self.to_out = nn.Sequential(nn.Linear(shape.heads * shape.dim_head, shape.dim))

    def forward(self, x: Tensor, memory: Memory, turn: tuple[Tensor, Tensor] | None, number: int | None) -> Tensor:
        """All words (texts, words, dim), or of each picture code `number`, (texts * pictures, 1, dim)."""
        three = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if three.device.type == "cpu":
            three = three.float()  # where bfloat16 pays for weights, but is copied to look at what is remembered
        if turn is not None:
            three = _turned(three, *turn)
        if number is None:
            memory.text = three[1:]
            looked = F.scaled_dot_product_attention(three[0], three[1], three[2], is_causal=True)
        else:
            looked = self._look(three, memory, number)
        out: Tensor = self.to_out(looked.to(x.dtype).transpose(1, 2).flatten(2))
        return out

    def _look(self, three: Tensor, memory: Memory, number: int) -> Tensor:
        """From one code of each picture, (3, texts * pictures, heads, 1, d)."""
        texts, heads, words, size = memory.text.shape[1:]
        three = three.reshape(3, texts, -1, heads, size).transpose(2, 3)
        if number == 0:
            memory.codes = three.new_empty(*three[1:].shape[:-1], self.side**2, size)
        memory.codes[..., number, :] = three[1:]
        query = three[0] * size**-0.5
        word_keys, word_values = memory.text
        keys, values = self._shown(memory.codes, number)
        scores = torch.cat([query @ word_keys.mT, (query[..., None, :] @ keys.mT)[..., 0, :]], -1)
        of_words, of_codes = scores.softmax(-1).tensor_split([words], -1)
        looked: Tensor = of_words @ word_values + (of_codes[..., None, :] @ values)[..., 0, :]
        return looked.transpose(1, 2).reshape(-1, heads, 1, size)

    def _shown(self, codes: Tensor, number: int) -> Tensor:
        """Those of the codes (..., side * side, d) that code `number` looks at."""
        if self.pattern == "full":
            return codes[..., : number + 1, :]
        row, column = divmod(number, self.side)
        grid: Tensor = codes.unflatten(-2, (self.side, self.side))
        if self.pattern == "axial_row":
            return grid[..., row, : column + 1, :]
        if self.pattern == "axial_col":
            return grid[..., : row + 1, column, :]
        rows, columns = (slice(max(last - REACH + 1, 0), last + 1) for last in (row, column))
        return grid[..., rows, columns, :].flatten(-3, -2)


class Gate(nn.Module):
    """One half of the numbers, as far as the other half lets them through."""

    def forward(self, x: Tensor) -> Tensor:
        """From (..., 2 d) to (..., d)."""
        value, gate = x.chunk(2, -1)
        return value * F.gelu(gate)


class Feed(nn.Module):
    """A gated network on each token by itself (GEGLU, Shazeer 2020)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        dropout = nn.Identity()
        self.net = nn.Sequential(nn.Linear(dim, 8 * dim), Gate(), dropout, nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor, *_: object) -> Tensor:
        """Tokens (n, length, dim)."""
        out: Tensor = self.net(x)
        return out


class Half(nn.Module):
    """Half a layer, without the sum: what it works by, between norms, and scaled (Touvron et al. 2021)."""

    def __init__(self, shape: Shape, work: nn.Module) -> None:
        super().__init__()
        self.side, self.shifts = shape.side, shape.shift_tokens
        self.norm = nn.LayerNorm(shape.dim)
        self.norm_out = nn.LayerNorm(shape.dim) if shape.sandwich_norm else nn.Identity()
        self.scale = nn.Parameter(torch.empty(1, 1, shape.dim))
        self.work = work

    def forward(self, x: Tensor, memory: Memory, turn: tuple[Tensor, Tensor] | None, number: int | None) -> Tensor:
        """All words, or code `number` of each picture; as in `Attention`."""
        x = self.norm(x)
        if self.shifts:
            x = self._shifted(x, memory, number)
        out: Tensor = self.norm_out(self.work(x, memory, turn, number)) * self.scale
        return out

    def _shifted(self, x: Tensor, memory: Memory, number: int | None) -> Tensor:
        """Parts of a token exchanged for those of others: half of it for the word before; or a quarter for the code
        above and a quarter for that to the left."""
        if number is None:
            return after_words(x)
        above, left, *rest = x.chunk(4, -1)
        memory.row.append((above, left))
        above = memory.row[0][0] if number >= self.side else torch.zeros_like(above)
        left = memory.row[-2][1] if number % self.side else torch.zeros_like(left)
        return torch.cat([above, left, *rest], -1)


class Dalle(nn.Module):
    """From tokens of a text, (texts, text_seq_len) with 0 where there is none, to codes of pictures."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        words = shape.text_seq_len + 1
        self.text_emb = nn.Embedding(shape.num_text_tokens + shape.text_seq_len, shape.dim)
        self.image_emb = nn.Embedding(shape.codes, shape.dim)
        if shape.rotary_emb:
            self.angles = nn.Parameter(torch.empty(words + shape.side**2, 6 * (shape.dim_head // 3 // 2)))
        else:
            self.text_places = nn.Parameter(torch.empty(words, shape.dim))
            self.rows = nn.Parameter(torch.empty(shape.side, 1, shape.dim))
            self.columns = nn.Parameter(torch.empty(1, shape.side, shape.dim))
        layers = list(shape.layers)
        attentions = {key: Attention(shape, pattern) for pattern, key, _ in layers}
        feeds = {key: Feed(shape.dim) for *_, key in layers}
        self._halves = [(Half(shape, attentions[one]), Half(shape, feeds[other])) for _, one, other in layers]
        self.layers = nn.ModuleList(nn.ModuleList(halves) for halves in self._halves)
        self.to_logits = nn.Sequential(nn.LayerNorm(shape.dim), nn.Linear(shape.dim, shape.codes))

    @torch.no_grad()
    def draw(
        self, text: Tensor, chances: Tensor, *, batch: int, most: int, temperature: float, condition: float
    ) -> Iterator[Tensor]:
        """Codes (n, side, side) of pictures to a text (1, text_seq_len), `batch` at a time.

        `chances`, (pictures, side * side) in 0..1, decide each code: one of the `most` likeliest, more evenly at a
        higher `temperature`. `condition` other than 1: that many times the difference that the text makes to none.
        """
        texts = text if condition == 1 else torch.cat([text, torch.zeros_like(text)])
        first, memories = self.read(texts)
        for chance in chances.split(batch):
            logits = first.repeat_interleave(len(chance), 0)
            codes: list[Tensor] = []
            for number, one in enumerate(chance.unbind(1)):
                if number:
                    logits = self.go_on(codes[-1].repeat(len(texts)), number - 1, memories)
                if len(texts) == 2:
                    wanted, anyhow = logits.chunk(2)
                    logits = anyhow + (wanted - anyhow) * condition
                codes.append(picked(logits, one, most, temperature))
            yield torch.stack(codes, 1).unflatten(1, (self.shape.side, self.shape.side))

    def read(self, text: Tensor) -> tuple[Tensor, list[Memory]]:
        """Take in texts; how likely each code comes first, as logits (texts, codes), and what to remember of them."""
        memories = [Memory(self.shape.side) for _ in range(2 * len(self.layers))]
        return self._through(self.words(text), memories, None), memories

    def words(self, text: Tensor) -> Tensor:
        """What the transformer begins with, for texts: (texts, 1 + text_seq_len, dim)."""
        shape = self.shape
        own = torch.arange(shape.text_seq_len, device=text.device) + shape.num_text_tokens  # for where there is no word
        x: Tensor = self.text_emb(F.pad(torch.where(text == 0, own, text), (1, 0)))
        return x if shape.rotary_emb else x + self.text_places

    def go_on(self, codes: Tensor, number: int, memories: list[Memory]) -> Tensor:
        """Take in code `number`, counted from 0, of some pictures to each text in turn; what comes next, as logits.

        Codes (texts * pictures,), logits (texts * pictures, codes). Beginning anew at 0 forgets all but the texts.
        """
        x = self.image_emb(codes)[:, None]
        if not self.shape.rotary_emb:
            row, column = divmod(number, self.shape.side)
            x = x + self.rows[row] + self.columns[:, column]
        return self._through(x, memories, number)

    def _through(self, x: Tensor, memories: list[Memory], number: int | None) -> Tensor:
        turn = self._turn(number) if self.shape.rotary_emb else None
        other = x
        for (attend, feed), one, two in zip(self._halves, memories[::2], memories[1::2], strict=True):
            if self.shape.reversible:
                x = x + attend(other, one, turn, number)
                other = other + feed(x, two, turn, number)
            else:
                x = x + attend(x, one, turn, number)
                x = x + feed(x, two, turn, number)
        if self.shape.reversible:
            x = (x + other) / 2
        last = x[:, -1]
        if self.shape.stable:
            last = last / last.amax(-1, keepdim=True)
        logits: Tensor = self.to_logits(last).float()
        return logits

    def _turn(self, number: int | None) -> tuple[Tensor, Tensor]:
        words = self.shape.text_seq_len + 1
        angles = self.angles[:words] if number is None else self.angles[words + number, None]
        return angles.cos(), angles.sin()


def after_words(x: Tensor) -> Tensor:
    """Words (n, length, dim) with half of each exchanged for that of the word before."""
    before, own = x.chunk(2, -1)
    return torch.cat([F.pad(before, (0, 0, 1, -1)), own], -1)


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Queries, keys and, unlike elsewhere, values with pairs of their numbers turned by angles (Su et al. 2021)."""
    turning, rest = x.tensor_split([cosine.shape[-1]], -1)
    one, other = turning.unflatten(-1, (-1, 2)).unbind(-1)
    across = torch.stack([-other, one], -1).flatten(-2)
    return torch.cat([(turning * cosine + across * sine).to(x.dtype), rest], -1)
