"""A VQGAN's yaml and Lightning checkpoint with random weights, as taming-transformers writes them."""

import contextlib
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from unittest import mock

import torch
import yaml
from taming.modules.diffusionmodules.model import Decoder, Encoder
from torch import Tensor

Kind = Literal["vq", "gumbel", "net2net"]

VGG = {1: {0: (3, 64), 2: (64, 64)}, 2: {5: (64, 128), 7: (128, 128)}} | {
    piece: {first + 2 * number: (old if number == 0 else new, new) for number in range(3)}
    for piece, first, old, new in ((3, 10, 128, 256), (4, 17, 256, 512), (5, 24, 512, 512))
}
"""The convolutions of LPIPS' network: slice, place in it, channels in and out."""


def make(folder: Path, full: bool = False, kind: Kind = "vq") -> Path:
    """Write model.yaml and last.ckpt; gives the folder.

    Small ones paint 4 x 4 pixels from each of 64 codes of 16 channels. Full ones have the shapes of imagenet-f16-16384
    and of gumbel-f8-8192, and the size of these files; `net2net` has a transformer around.
    """
    model = config(full, kind)
    first_stage = model["params"]["first_stage_config"] if kind == "net2net" else model
    layers = 2 if kind == "vq" else 3
    shapes = network_shapes(first_stage["params"], first_stage["target"].endswith("GumbelVQ"))
    loss = {f"loss.{name}": shape for name, shape in _loss_shapes(64 if full else 4, layers).items()}
    chance = torch.Generator().manual_seed(0)
    state = {name: _values(name, shape, chance) for name, shape in (shapes | loss).items()}
    if kind == "net2net":
        state = {f"first_stage_model.{name}": tensor for name, tensor in state.items()}
        state["cond_stage_model.sos_token"] = torch.zeros(1, dtype=torch.int64)
        state["transformer.tok_emb.weight"] = torch.randn(first_stage["params"]["n_embed"], 8, generator=chance)
    trained = [shape for name, shape in (shapes | loss).items() if "perceptual" not in name and "running" not in name]
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"model": {"base_learning_rate": 4.5e-06, **model}}, sort_keys=False)
    (folder / "model.yaml").write_text(text, encoding="utf-8")
    moments = {
        number: {"step": 10, "exp_avg": torch.zeros(shape), "exp_avg_sq": torch.zeros(shape)}
        for number, shape in enumerate(trained if kind != "gumbel" else [])
    }
    groups = [{"lr": 4.5e-06, "betas": (0.5, 0.9), "eps": 1e-08, "params": list(moments)}]
    with lightning() as callback:
        checkpoint = {
            "epoch": 12,
            "global_step": 480_200,
            "pytorch-lightning_version": "1.0.8",
            "callbacks": {callback: {"best_model_score": torch.tensor(0.4), "best_model_path": "last.ckpt"}},
            "optimizer_states": [{"state": moments, "param_groups": groups}],
            "lr_schedulers": [],
            "state_dict": state,
        }
        torch.save(checkpoint, folder / "last.ckpt")
    return folder


def config(full: bool, kind: Kind) -> dict[str, Any]:
    """What the yaml says under `model`."""
    gumbel = kind == "gumbel"
    levels = {
        "double_z": False,
        "z_channels": 256 if full else 16,
        "resolution": 256 if full else 32,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128 if full else 32,
        "ch_mult": ([1, 1, 2, 4] if gumbel else [1, 1, 2, 2, 4]) if full else [1, 1, 2],
        "num_res_blocks": 2 if full else 1,
        "attn_resolutions": ([32] if gumbel else [16]) if full else [8],
        "dropout": 0.0,
    }
    params: dict[str, Any] = {
        "embed_dim": 256 if full else 16,
        "n_embed": (8192 if gumbel else 16384) if full else 64,
        "ddconfig": levels,
        "lossconfig": {
            "target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator",
            "params": {"disc_conditional": False, "disc_in_channels": 3, "disc_start": 0, "disc_weight": 0.75},
        },
    }
    if gumbel:
        params["kl_weight"] = 1e-8
        params["temperature_scheduler_config"] = {
            "target": "taming.lr_scheduler.LambdaWarmUpCosineScheduler",
            "params": {"warm_up_steps": 0, "max_decay_steps": 1000001, "lr_start": 0.9, "lr_max": 0.9, "lr_min": 1e-06},
        }
    model = {"target": f"taming.models.vqgan.{'GumbelVQ' if gumbel else 'VQModel'}", "params": params}
    if kind != "net2net":
        return model
    around = {
        "first_stage_config": model,
        "cond_stage_config": {"target": "taming.modules.misc.coord.CoordStage", "params": {"n_embed": 4}},
        "transformer_config": {"target": "taming.modules.transformer.mingpt.GPT", "params": {"n_embd": 8}},
    }
    return {"target": "taming.models.cond_transformer.Net2NetTransformer", "params": around}


def network_shapes(params: dict[str, Any], gumbel: bool) -> dict[str, tuple[int, ...]]:
    """The tensors without which there is no picture."""
    with torch.device("meta"), contextlib.redirect_stdout(io.StringIO()):
        modules = {"encoder": Encoder(**params["ddconfig"]), "decoder": Decoder(**params["ddconfig"])}
    shapes = {
        f"{part}.{name}": tuple(tensor.shape)
        for part, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    z, width, codes = params["ddconfig"]["z_channels"], params["embed_dim"], params["n_embed"]
    if gumbel:
        shapes |= {"quantize.proj.weight": (codes, z, 1, 1), "quantize.proj.bias": (codes,)}
        shapes |= {"quantize.embed.weight": (codes, width)}
    else:
        shapes |= {"quantize.embedding.weight": (codes, width)}
    shapes |= {"quant_conv.weight": (width, z, 1, 1), "quant_conv.bias": (width,)}
    return shapes | {"post_quant_conv.weight": (z, width, 1, 1), "post_quant_conv.bias": (z,)}


def _loss_shapes(width: int, layers: int) -> dict[str, tuple[int, ...]]:
    """LPIPS and the discriminator, whose first layer has `width` channels (64 in truth)."""
    shapes: dict[str, tuple[int, ...]] = {"perceptual_loss.scaling_layer.shift": (1, 3, 1, 1)}
    for number, piece in VGG.items():
        for place, ends in piece.items():
            old, new = (side if side == 3 else side * width // 64 for side in ends)
            shapes[f"perceptual_loss.net.slice{number}.{place}.weight"] = (new, old, 3, 3)
            shapes[f"perceptual_loss.net.slice{number}.{place}.bias"] = (new,)
            shapes[f"perceptual_loss.lin{number - 1}.model.1.weight"] = (1, new, 1, 1)
    main = "discriminator.main"
    shapes |= {f"{main}.0.weight": (width, 3, 4, 4), f"{main}.0.bias": (width,)}
    for layer in range(layers):
        old, new, place = width << layer, width << layer + 1, 2 + 3 * layer
        shapes[f"{main}.{place}.weight"] = (new, old, 4, 4)
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{main}.{place + 1}.{name}"] = (new,)
    return shapes | {
        f"{main}.{2 + 3 * layers}.weight": (1, width << layers, 4, 4),
        f"{main}.{2 + 3 * layers}.bias": (1,),
    }


def _values(name: str, shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    values: Tensor = torch.randn(shape, generator=chance)
    if len(shape) == 4:
        return values * math.sqrt(1.5 / math.prod(shape[1:]))
    return values * 0.1 + 1 if "norm" in name and name.endswith("weight") else values * (0.1 if len(shape) == 1 else 1)


@contextlib.contextmanager
def lightning() -> Iterator[type]:
    """A class of the name by which Lightning's checkpoints call who wrote them, whether or not Lightning is here."""
    place = "pytorch_lightning.callbacks.model_checkpoint"
    names = ["pytorch_lightning", "pytorch_lightning.callbacks", place]
    modules = {name: ModuleType(name) for name in names}
    callback = type("ModelCheckpoint", (), {"__module__": place})
    modules[place].ModelCheckpoint = callback  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, modules):
        yield callback
