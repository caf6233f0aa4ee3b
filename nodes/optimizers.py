"""What trains the canvases upstream of a loss, step by step.

To add one, write a function from parameters and its own settings to a torch optimiser and mark it with `optimizer`.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from t2iflow.nodes.core.node import node
from t2iflow.nodes.core.types import Factor
from t2iflow.nodes.optimizing import eager
from t2iflow.nodes.optimizing.adamp import AdamP
from t2iflow.nodes.optimizing.fit import Decay, Fit

Betas = tuple[Decay, Decay]
Groups = list[dict[str, list[Tensor]]]
"""Tensors under `params`, as torch's optimisers take them: those of one pace together."""


optimizer = node(role="optimizer", base=Fit)
"""Marks a function from tensors and its own settings to a torch optimiser as an optimiser node."""


@optimizer
def adam(
    parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0, amsgrad: bool = False
) -> Optimizer:
    """Adam (Kingma and Ba 2014), what most of the notebooks use."""
    return _quiet(eager.Adam(parameters, betas=betas, weight_decay=weight_decay, amsgrad=amsgrad, **fused(parameters)))


@optimizer
def adamw(
    parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.01, amsgrad: bool = False
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017)."""
    return _quiet(eager.AdamW(parameters, betas=betas, weight_decay=weight_decay, amsgrad=amsgrad, **fused(parameters)))


@optimizer
def adamp(
    parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0, nesterov: bool = False
) -> Optimizer:
    """AdamP (Heo et al. 2020), Deep Daze's choice: steps without the part that only makes weights grow."""
    return AdamP(parameters, betas=betas, weight_decay=weight_decay, nesterov=nesterov)


@optimizer
def diffgrad(parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0) -> Optimizer:
    """DiffGrad (Dubey et al. 2019): slower where the gradient changes little."""
    from pytorch_optimizer import DiffGrad

    return DiffGrad(parameters, betas=betas, weight_decay=weight_decay)


@optimizer
def radam(parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0) -> Optimizer:
    """Rectified Adam (Liu et al. 2019), which needs no warm-up."""
    return eager.RAdam(parameters, betas=betas, weight_decay=weight_decay)


@optimizer
def adamax(parameters: Groups, /, *, betas: Betas = (0.9, 0.999), weight_decay: Factor = 0.0) -> Optimizer:
    """Adamax (Kingma and Ba 2014): Adam by the largest gradient instead of the mean square."""
    return eager.Adamax(parameters, betas=betas, weight_decay=weight_decay)


@optimizer
def adagrad(parameters: Groups, /, *, weight_decay: Factor = 0.0) -> Optimizer:
    """Adagrad (Duchi et al. 2011)."""
    return eager.Adagrad(parameters, weight_decay=weight_decay)


@optimizer
def rmsprop(
    parameters: Groups, /, *, smoothing: Decay = 0.99, momentum: Factor = 0.0, weight_decay: Factor = 0.0
) -> Optimizer:
    """RMSprop (Hinton 2012)."""
    return eager.RMSprop(parameters, alpha=smoothing, momentum=momentum, weight_decay=weight_decay)


def _check_momentum(settings: Mapping[str, Any]) -> None:
    """Refuse Nesterov's momentum where there is none."""
    if settings["nesterov"] and settings["momentum"] == 0:
        raise ValueError("`nesterov` needs a `momentum` above 0, such as 0.9")


@node(role="optimizer", base=Fit, check=_check_momentum)
def sgd(
    parameters: Groups, /, *, momentum: Factor = 0.0, nesterov: bool = False, weight_decay: Factor = 0.0
) -> Optimizer:
    """Stochastic gradient descent, optionally with momentum."""
    return eager.SGD(parameters, lr=1e-3, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


def fused(parameters: Groups) -> dict[str, Any]:
    """Options by which Adam is one call that asks a GPU nothing; a CPU's pictures stay what they were."""
    on_gpu = all(tensor.is_cuda for group in parameters for tensor in group["params"])
    return {"fused": True, "capturable": True} if on_gpu else {}


def _quiet(adam: Optimizer) -> Optimizer:
    """Without torch's warning that a capturable step may also be taken as it comes."""
    adam._warned_capturable_if_run_uncaptured = True
    return adam
