"""What a run remembers: gathered from its live nodes for a checkpoint, and given back to them."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from t2iflow.nodes.core.node import Remembers, Trainable
from t2iflow.nodes.pictures.codec import LostFrameError
from t2iflow.runner.execution.checkpoint import Checkpoint, DamagedError, UnfitError
from t2iflow.runner.execution.link import Link


def gather(links: Mapping[str, Link]) -> tuple[dict[str, list[Tensor]], dict[str, dict[str, Any]]]:
    """The trained tensors of all canvases, and the memories of all nodes that have one, by node."""
    built = {name: link.live for name, link in links.items() if link.node.spec.is_class}
    trained = {name: live.trainable() for name, live in built.items() if isinstance(live, Trainable)}
    return trained, {name: live.state_dict() for name, live in built.items() if isinstance(live, Remembers)}


@torch.no_grad()
def give_back(links: Mapping[str, Link], names: Iterable[str], checkpoint: Checkpoint) -> None:
    """Let these nodes be as they were; UnfitError where the checkpoint is of others, DamagedError where a file that it
    counts on is."""
    for name in names:
        live = links[name].live
        if not links[name].node.spec.is_class:
            continue
        try:
            if isinstance(live, Trainable):
                _fill(live.trainable(), checkpoint.trained[name])
            if isinstance(live, Remembers):
                live.load_state_dict(checkpoint.memories[name])
        except LostFrameError as fault:
            raise DamagedError(str(fault)) from fault
        except (OSError, MemoryError, torch.OutOfMemoryError):  # no fault of the checkpoint's
            raise
        except Exception as fault:  # a node of anybody's takes back what isn't its own
            raise UnfitError(f"the checkpoint holds nothing that `{name}` can continue from") from fault


def _fill(tensors: list[Tensor], saved: list[Tensor]) -> None:
    for tensor, value in zip(tensors, saved, strict=True):
        if tensor.shape != value.shape or tensor.dtype != value.dtype:
            raise ValueError("another shape")
        tensor.copy_(value)
