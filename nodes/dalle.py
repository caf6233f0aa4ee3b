"""Pictures without steering, code after code from a transformer that reads the text, as DALL-E's successors paint."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch

from t2iflow.nodes.core.ambient import Notes, Random
from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.precision import Precision, dtype_of
from t2iflow.nodes.core.shelf import NOWHERE, Shelf
from t2iflow.nodes.core.types import Caption, Count, Fraction, Image, Made, Means, NonNegative, Positive, Reads
from t2iflow.nodes.weights.find import loads, obtain, offers


def _check_square(settings: Mapping[str, Any]) -> None:
    """Refuse a number of pictures that doesn't fill a square, with `seamless`."""
    count = settings["count"]
    if settings["seamless"] and math.isqrt(count) ** 2 != count:
        less, more = math.isqrt(count) ** 2, (math.isqrt(count) + 1) ** 2
        raise ValueError(f"`seamless` lays pictures out in a square, which {count} don't fill; take {less} or {more}")


@node(check=_check_square)
def mini(
    random: Random,
    notes: Notes,
    device: torch.device,
    shelf: Shelf = NOWHERE,
    *,
    weights: Annotated[str, loads("dalle-mini")] = "dalle-mini",
    prompt: Caption,
    count: Made = 9,
    batch: Count = 9,
    top_k: Count = 256,
    temperature: Positive = 1.0,
    condition: NonNegative = 16.0,
    seamless: Annotated[bool, Means("joined")] = False,
    precision: Precision = "auto",
) -> Image:
    """Pictures of 256 x 256 pixels from a text by DALL-E mini, or by its larger sister with `weights: dalle-mega`.

    `count` pictures, `batch` at a time, which changes only speed and memory. Each code is drawn from the `top_k`
    likeliest, more evenly at a higher `temperature`. `condition`: the guidance scale, how many times the difference
    that the text makes (supercondition; Dayma's notebook has 10). `seamless` paints all as one picture, in which they
    lie in a square and blend into each other. `precision`: what the networks compute in; `auto` is bfloat16 where the
    device has it. English only: accents are removed; other letters, emoji, and words beyond 62 tokens are left out with
    a warning.

    Dayma et al. 2021, in the form of min-dalle (Kuprel 2022), with its defaults. Each code is drawn with one random
    number, where min-dalle uses torch's multinomial, so the same seed gives another picture.
    """
    from t2iflow.nodes.generators.dalle_mini import pictures
    from t2iflow.nodes.generators.dalle_mini.transformer import Sampling

    dtype = dtype_of(precision, device)
    found = obtain(weights, "dalle-mini", notes)
    length = pictures.rows(found, "decoder", "embed_positions.weight")
    chances = random.uniform(count, length)
    sampling = Sampling(top_k, temperature, condition)
    codes = pictures.codes(prompt, found, chances, sampling, batch, dtype, notes, shelf)
    return Image(pictures.pictures(pictures.side_by_side(codes) if seamless else codes, found, dtype, shelf))


@node
def pytorch(
    random: Random,
    notes: Notes,
    device: torch.device,
    shelf: Shelf = NOWHERE,
    *,
    weights: Annotated[str, loads("dalle-pytorch")],
    prompt: Caption,
    count: Made = 16,
    batch: Count = 4,
    likeliest: Fraction = 0.1,
    temperature: Positive = 1.0,
    condition: NonNegative = 1.0,
    tokenizer: Annotated[str, Reads("tokenizer")] | None = None,
    precision: Precision = "auto",
) -> Image:
    """Pictures from a text by a checkpoint of DALLE-pytorch, which describes its own networks.

    `weights`: a `.pt` that `train_dalle.py` wrote; there are no official ones. `count` pictures, `batch` at a time,
    which changes only speed and memory. Each code is drawn from the `likeliest` fraction of all tokens, text tokens
    included (1 - `filter_thres`, the `--top_k` of `generate.py`; 0 takes the likeliest), more evenly at a higher
    `temperature`. `condition` (`cond_scale`): the guidance scale, how many times the difference that the text makes;
    for weights that were also trained with empty texts. `tokenizer`: the JSON file of HuggingFace's `tokenizers` with
    which the weights were trained, if that was not CLIP's and isn't beside them as `tokenizer.json`. `precision`: what
    the networks compute in; `auto` is bfloat16 where the device has it.

    Phil Wang's DALLE-pytorch 1.6.6 (2021-22). Each code is drawn with one random number where the reference adds Gumbel
    noise to all tokens; the distribution is the same, but the same seed gives another picture.
    """
    from t2iflow.nodes.generators.dalle_pytorch import checkpoint
    from t2iflow.nodes.generators.dalle_pytorch.text import tokens

    dtype = dtype_of(precision, device)
    found = obtain(weights, "dalle-pytorch", notes, roles=("checkpoint",))
    transformer, decoder = shelf.get(checkpoint.load, found, device, dtype)
    if tokenizer is None and offers(weights, "dalle-pytorch", "tokenizer"):
        tokenizer = str(obtain(weights, "dalle-pytorch", notes, roles=("tokenizer",)).files["tokenizer"])
    shape = transformer.shape
    text = tokens(prompt, shape.text_seq_len, shape.num_text_tokens, tokenizer, notes).to(device)
    drawn = transformer.draw(
        text,
        random.uniform(count, shape.side**2),
        batch=batch,
        most=shape.most(likeliest),
        temperature=temperature,
        condition=condition,
    )
    with torch.no_grad():
        return Image(torch.cat([decoder(codes) for codes in drawn]))
