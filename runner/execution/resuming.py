"""Resuming: live nodes are restored from a checkpoint; UnfitError if it is of others."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from t2iflow.nodes.core.hooks import Remembers, Trainable
from t2iflow.nodes.pictures.codec import LostFrameError
from t2iflow.runner.execution.checkpoint import Checkpoint, DamagedError, UnfitError
from t2iflow.runner.execution.circuit import Circuit
from t2iflow.runner.execution.frames import Reel
from t2iflow.runner.execution.link import Link
from t2iflow.runner.execution.stage import Stage


def recall(stage: Stage, circuit: Circuit, saved: Checkpoint) -> dict[str, Tensor]:
    """The finished pictures of a region that had ended before the checkpoint, put where the rest of the run finds
    them."""
    others = [name for name in stage.region.members if name != stage.region.optimizer]
    give_back(circuit.links, others, saved)
    results = {}
    for name, slot in stage.results.items():
        result = saved.results.get(name)
        if result is None or result.shape != circuit.values[stage.image].shape:
            raise UnfitError(f"the checkpoint lacks the finished picture of `{name}`")
        results[name] = circuit.values[slot] = result.to(stage.device)
    return results


def take_up(reel: Reel, circuit: Circuit, saved: Checkpoint) -> tuple[int, int]:
    """Bring a region to where the checkpoint was written; returns the turn and step to continue with."""
    stage = reel.stage
    wrong = UnfitError(f"the checkpoint is at turn {saved.turn}, step {saved.step}, which this recipe doesn't reach")
    if saved.turn >= reel.turns or saved.parts > max(stage.most_passes, stage.passes):
        raise wrong
    turn = reel.turn(saved.turn if saved.step else max(saved.turn - 1, 0))
    reel.aim(turn)
    give_back(circuit.links, stage.region.members, saved)
    stage.passes = saved.parts
    steps = reel.take(turn).steps
    if saved.step > steps:
        raise wrong
    if not saved.step:  # the next frame begins with the finished picture
        stage.finish(stage.region.tick(steps - 1, steps, turn.frame), show=False)
    return saved.turn, saved.step


@torch.no_grad()
def give_back(links: Mapping[str, Link], names: Iterable[str], saved: Checkpoint) -> None:
    """Restore these nodes; DamagedError if a file that they rely on is not as it was."""
    for name in names:
        live = links[name].live
        if not links[name].node.spec.is_class:
            continue
        try:
            if isinstance(live, Trainable):
                _fill(live.trainable(), saved.trained[name])
            if isinstance(live, Remembers):
                live.load_state_dict(saved.memories[name])
        except LostFrameError as fault:
            raise DamagedError(str(fault)) from fault
        except (OSError, MemoryError, torch.OutOfMemoryError):  # no fault of the checkpoint's
            raise
        except Exception as fault:  # from anyone's node, given what isn't its own
            raise UnfitError(f"the checkpoint holds nothing that `{name}` can continue from") from fault


def _fill(tensors: list[Tensor], saved: list[Tensor]) -> None:
    for tensor, value in zip(tensors, saved, strict=True):
        if tensor.shape != value.shape or tensor.dtype != value.dtype:
            raise ValueError("another shape")
        tensor.copy_(value)
