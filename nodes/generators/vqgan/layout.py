"""How a VQGAN is built: what the yaml beside its checkpoint says, or the shapes of its tensors."""

import math
from collections.abc import Mapping

import yaml
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor

BOOKS = {"taming.models.vqgan.VQModel": "embedding", "taming.models.vqgan.GumbelVQ": "embed"}
"""The kinds of VQGAN by their names in the yaml, and what each calls its codebook."""

WRAPPED = "taming.models.cond_transformer.Net2NetTransformer"
"""A transformer that paints codes; the VQGAN that it was trained with is in the same checkpoint."""


class Levels(BaseModel, frozen=True):
    """The yaml's ddconfig: each level but the first halves the picture's sides.

    A level of the trained `resolution` that is in `attn_resolutions` has attention after each of its blocks.
    """

    ch: int = Field(ge=1, le=4096)
    ch_mult: tuple[int, ...] = Field(min_length=1, max_length=12)
    num_res_blocks: int = Field(ge=0, le=64)
    attn_resolutions: tuple[int, ...]
    resolution: int
    z_channels: int = Field(ge=1)
    in_channels: int
    out_ch: int
    double_z: bool = True
    resamp_with_conv: bool = True


class Layout(BaseModel, frozen=True):
    """What the yaml says of a VQGAN."""

    ddconfig: Levels
    n_embed: int = Field(ge=2)
    embed_dim: int = Field(ge=1)
    book: str
    prefix: str

    @property
    def factor(self) -> int:
        """How many pixels high and wide what one code paints is."""
        factor: int = 2 ** (len(self.ddconfig.ch_mult) - 1)
        return factor

    @classmethod
    def read(cls, text: str, name: str) -> "Layout":
        """The layout of the weights of this name; ValueError where the yaml describes something else."""
        try:
            model = yaml.safe_load(text)["model"]
            prefix = ""
            if model["target"] == WRAPPED:
                model, prefix = model["params"]["first_stage_config"], "first_stage_model."
            if model["target"] not in BOOKS:
                raise ValueError(f"`{model['target']}` is not one of {', '.join((*BOOKS, WRAPPED))}")
            return cls.model_validate({**model["params"], "book": BOOKS[model["target"]], "prefix": prefix})
        except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
            raise ValueError(f"the yaml of the weights `{name}` is not a VQGAN's: {_reason(fault)}") from fault

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Layout":
        """What the yaml would say, from the tensors by taming's names; KeyError where one is missing."""

        def number(pattern: str) -> int:
            return sum(1 for at in range(100) if pattern.format(at) in tensors)

        levels = range(number("decoder.up.{}.block.0.conv1.weight"))
        widths = [len(tensors[f"decoder.up.{level}.block.0.conv1.weight"]) for level in levels]
        book = "embed" if "quantize.embed.weight" in tensors else "embedding"
        codes, channels = tensors[f"quantize.{book}.weight"].shape
        with_attention = [level for level in levels if f"decoder.up.{level}.attn.0.q.weight" in tensors]
        side = 2 ** len(levels)  # of which only the ratio to that of the levels with attention counts
        return cls(
            ddconfig=Levels(
                ch=math.gcd(*widths),
                ch_mult=tuple(width // math.gcd(*widths) for width in widths),
                num_res_blocks=number("decoder.up.0.block.{}.conv1.weight") - 1,
                attn_resolutions=tuple(side >> level for level in with_attention),
                resolution=side,
                z_channels=len(tensors["post_quant_conv.weight"]),
                in_channels=3,
                out_ch=len(tensors["decoder.conv_out.weight"]),
                resamp_with_conv=len(levels) == 1 or "decoder.up.1.upsample.conv.weight" in tensors,
            ),
            n_embed=codes,
            embed_dim=channels,
            book=book,
            prefix="",
        )


def _reason(fault: Exception) -> str:
    """What is wrong with a yaml; of what pydantic finds, the first."""
    if isinstance(fault, ValidationError):
        first = fault.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"it lacks {fault}" if isinstance(fault, KeyError) else str(fault)
