"""Where nodes are found: the modules of this package, and those that installed packages offer.

A recipe can name only what is listed here. There are no import paths: `cutouts.square` is the marked function `square`
of the module `cutouts`, which is one of this folder's files or an entry point in the group `t2iflow.nodes`.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint
from types import ModuleType

import t2iflow.nodes as package
from t2iflow.nodes.core.blame import blamed
from t2iflow.nodes.core.node import Spec, is_node
from t2iflow.nodes.core.offered import offered, packages
from t2iflow.nodes.core.signature import read_spec

GROUP = "t2iflow.nodes"


class UnknownNodeError(LookupError):
    """No node has this name."""


class BrokenPackageError(ImportError):
    """A package that offers nodes can't be imported, or offers them under a name that another has too."""


@cache
def families() -> dict[str, EntryPoint | None]:
    """The names that may stand before the dot; None for our own, the entry point for others'."""
    own = {module.name: None for module in pkgutil.iter_modules(package.__path__) if not module.ispkg}
    others = {family: points[0] for family, points in offered(GROUP).items() if len(points) == 1 and family not in own}
    return {**own, **others}


@cache
def clashing() -> dict[str, list[EntryPoint]]:
    """What packages offer under names that are also those of others, so that none of it can be used."""
    return {name: points for name, points in offered(GROUP).items() if families().get(name) is None}


def find(name: str) -> Spec:
    """The spec of a node by the name that recipes use; UnknownNodeError, or BrokenPackageError with the reason."""
    family, _, rest = name.partition(".")
    if family in families() and rest:
        for spec in _family(family):
            if spec.name == name:
                return spec
    for point in clashing().get(family, ()):
        if any(spec.name == name for spec in _loaded(point)):
            raise BrokenPackageError(_clash(family))
    raise UnknownNodeError(name)


def every_node() -> Iterator[Spec]:
    """All nodes that can be imported, by family and then in the order of their file."""
    for family in families():
        try:
            yield from _family(family)
        except BrokenPackageError:
            continue


def broken() -> dict[str, str]:
    """Families of packages whose nodes can't be used, with the reason."""
    faults = {family: _clash(family) for family in clashing()}
    for family in families():
        try:
            _family(family)
        except BrokenPackageError as fault:
            faults[family] = str(fault)
    return faults


def _clash(family: str) -> str:
    named = packages(clashing()[family])
    if family in families():
        return f"{named}: t2iflow itself has nodes under this name"
    return f"{named}: more than one package has nodes under this name"


@cache
def _family(family: str) -> tuple[Spec, ...]:
    point = families()[family]
    if point is None:
        return tuple(_nodes(importlib.import_module(f"{package.__name__}.{family}"), family))
    return _loaded(point)


def _loaded(point: EntryPoint) -> tuple[Spec, ...]:
    try:
        return tuple(_nodes(point.load(), point.name))
    except Exception as fault:  # whatever a stranger's module does when it is imported
        where = f", at {place}" if (place := blamed(fault)) else ""
        raise BrokenPackageError(f"{packages([point])}: {fault!r}{where}") from fault


def _nodes(module: ModuleType, family: str) -> Iterator[Spec]:
    for thing in vars(module).values():
        if is_node(thing) and thing.__module__ == module.__name__:
            yield read_spec(thing, family)
