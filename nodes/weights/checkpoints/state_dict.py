"""The tensors in what a pickle of torch's describes, by the names that the network itself has for them."""

from collections.abc import Iterable, Iterator
from typing import Any

from t2iflow.nodes.weights.checkpoints.allowed import Holder, RefusedError, Stored

UNDER = ("state_dict", "weights", "model", "model_state_dict", "module", "params_ema", "params", "ema")
"""Where dicts that hold more than weights have these: Lightning's, DALLE-pytorch's, and what others' trainers write."""

PARALLEL, COMPILED = "module.", "_orig_mod."
"""What DataParallel puts before the names of all tensors, and `torch.compile` before those of a module."""

MOST = 100
"""Things that a checkpoint says beside its tensors."""

MOST_SAID = 10_000
"""Values in such a thing, written out: a few bytes can hold themselves twice, and so on, sixty times over."""


def sorted_out(root: Any) -> tuple[dict[str, Stored], dict[str, Any]]:
    """The tensors by their names, and what else is said in plain values."""
    if isinstance(root, Holder):
        return _tensors_in(root), {}
    if not isinstance(root, dict):
        raise ValueError(f"it holds a {type(root).__name__.lower()}, not tensors by their names")
    key = next((key for key in UNDER if _tensors_in(root.get(key))), None)
    if key is None:
        return _tensors_in(root), {}
    others = [(name, value) for name, value in root.items() if isinstance(name, str) and name != key]
    return _tensors_in(root[key]), {name: value for name, value in others[:MOST] if _is_plain(value)}


def _tensors_in(value: Any) -> dict[str, Stored]:
    """The tensors of a state dict, or of a whole module, by their names."""
    if isinstance(value, Holder):
        return dict(_walk(value, "", set()))
    named = value.items() if isinstance(value, dict) else ()
    return {name: part for name, part in named if isinstance(name, str) and isinstance(part, Stored)}


def bare(names: Iterable[str]) -> dict[str, str]:
    """For each name in a file the one that the network itself has, without those of its wrappers."""
    given = list(names)
    bare = [name.replace(COMPILED, "") for name in given]
    while bare and all(name.startswith(PARALLEL) for name in bare):
        bare = [name.removeprefix(PARALLEL) for name in bare]
    return dict(zip(given, bare if len(set(bare)) == len(given) else given, strict=True))


def _walk(module: Holder, prefix: str, met: set[int]) -> Iterator[tuple[str, Stored]]:
    """The tensors in a module and in those it holds, by their path; each module once."""
    if len(prefix) > 500:
        raise RefusedError("it has modules in modules without end")
    met.add(id(module))
    held = module.attributes
    inner = [part for name in ("_parameters", "_buffers", "_modules") if isinstance(part := held.get(name), dict)]
    for part in inner or [held]:
        for name, value in () if id(part) in met else part.items():
            if isinstance(value, Stored):
                yield f"{prefix}{name}", value
            elif isinstance(value, Holder) and id(value) not in met:
                yield from _walk(value, f"{prefix}{name}.", met)
        met.add(id(part))


def _is_plain(value: Any) -> bool:
    """Whether there are only plain values in it, and not too many once each is written out where it stands."""
    waiting = [value]
    for _ in range(MOST_SAID):
        if not waiting:
            return True
        value = waiting.pop()
        if type(value) in (dict, list, tuple):
            waiting += [*value, *value.values()] if isinstance(value, dict) else value
        elif not isinstance(value, str | int | float | bytes | None):
            return False
    return False
