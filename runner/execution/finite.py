"""Which node first gives something infinite, or no number."""

from collections.abc import Iterable
from typing import Any

import torch

from t2iflow.nodes.core.ambient import Share, Tick
from t2iflow.runner.execution.link import Link, now, run
from t2iflow.runner.execution.tensors import tensors


class NotFiniteError(ArithmeticError):
    """A value became infinite or not a number; says in which node first."""


@torch.no_grad()
def blame(links: Iterable[Link], values: list[Any], tick: Tick, share: Share) -> NotFiniteError:
    """Compute the links of a step again, looking at the values of each."""
    for link in links:
        run([link], values, now(tick), share)
        if not all(bool(torch.isfinite(one).all()) for slot in link.outputs for one in tensors(values[slot])):
            return NotFiniteError(
                f"at step {tick.step} the values of `{link.node.name}` ({link.node.spec.name}) are no longer"
                " finite; a lower rate or a smaller weight of its loss may help"
            )
    return NotFiniteError(f"at step {tick.step} the loss is no longer finite; a lower rate may help")
