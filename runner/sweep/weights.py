"""The weights that a sweep's cells name, fetched before the first of them begins."""

from collections.abc import Iterable
from typing import TypeAlias

from t2iflow.nodes.core.ambient import SILENCE
from t2iflow.nodes.perceptors.clip import fetching, sources
from t2iflow.nodes.weights import find
from t2iflow.nodes.weights.families import FAMILIES
from t2iflow.nodes.weights.published import KNOWN
from t2iflow.pipelines.problems import Problems
from t2iflow.pipelines.show.needs import generator, perceptor
from t2iflow.runner.sweep.folder import SweepFolder
from t2iflow.runner.sweep.work import recipe

Named: TypeAlias = str
"""Published weights of a generator, or a CLIP."""


def named(sweep: SweepFolder) -> tuple[Named, ...]:
    """The names of all weights that have to be fetched, each once."""
    names: dict[str, None] = {}
    for cell in sweep.cells:
        for node in recipe(sweep, cell, Problems()).nodes.values():
            if record := generator(node):
                names[record.name] = None
            if name := perceptor(node):
                names[name] = None
    return tuple(names)


def fetch(names: Iterable[Named]) -> None:
    """Fetch what is not here; MissingWeightsError or MissingPackageError where that is not possible."""
    for name in names:
        if record := KNOWN.get(name):
            roles = record.files.keys() - FAMILIES[record.family].on_demand
            find.obtain(name, record.family, SILENCE, roles=tuple(roles))
        else:
            source = sources.find(name, None)
            library = sources.package()
            if not source.file:
                fetching.obtain(library, sources.published(library, source.architecture, source.tag), name, SILENCE)
