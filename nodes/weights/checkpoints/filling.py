"""Weights put into a network: every tensor has its place and every place its tensor."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def filled(make: Callable[[], Network], tensors: Mapping[str, Tensor], name: str) -> Network:
    """A network with these tensors in its places, made without values of its own; ValueError as by `fill`."""
    with torch.device("meta"):
        network = make()
    fill(network, tensors, name)
    return network


def fill(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Put the tensors in the network's places, as they are (so a network may be built on the meta device).

    ValueError, with the first names, where tensors are missing, too many, or of another shape or kind of number.
    """
    places = network.state_dict()
    missing = [key for key in places if key not in tensors]
    extra = [key for key in tensors if key not in places]
    unlike = [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(place.shape)}"
        for key, place in places.items()
        if key in tensors and tensors[key].shape != place.shape
    ]
    unlike += [
        f"{key} is of {str(tensors[key].dtype).removeprefix('torch.')}"
        for key, place in places.items()
        if key in tensors and tensors[key].is_floating_point() != place.is_floating_point()
    ]
    faults = [
        f"{what}: {', '.join(keys[:3])}{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}"
        for what, keys in (("missing", missing), ("without a place", extra), ("of another form", unlike))
        if keys
    ]
    if faults:
        raise ValueError(f"the weights `{name}` do not fit: {'; '.join(faults)}; they are of another network")
    network.load_state_dict(dict(tensors), assign=True)
    network.requires_grad_(False).eval()
