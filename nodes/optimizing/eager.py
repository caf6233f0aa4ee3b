"""torch's optimisers, without the import of its compiler: that takes seconds, and a step taken as it is needs none."""

import inspect
from typing import TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=type[Optimizer])

KEPT_FROM_COMPILER = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
"""What torch takes from its compiler's sight when it is first called."""


def spare_compiler() -> None:
    """Let what every optimiser calls be called as it is, without asking the compiler to look away."""
    for name in KEPT_FROM_COMPILER:
        plain = inspect.unwrap(getattr(Optimizer, name))
        plain.__dynamo_disable = plain  # where torch looks first for what its compiler made of it


def eager(kind: Kind) -> Kind:
    """The same kind of optimiser, whose step is not prepared for being compiled."""
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"step": step})  # type: ignore[return-value]


spare_compiler()

Adagrad = eager(torch.optim.Adagrad)
Adam = eager(torch.optim.Adam)
Adamax = eager(torch.optim.Adamax)
AdamW = eager(torch.optim.AdamW)
RAdam = eager(torch.optim.RAdam)
RMSprop = eager(torch.optim.RMSprop)
SGD = eager(torch.optim.SGD)
