"""The presets of a recipe that nobody has asked for, compiled to find their mistakes."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from shlex import quote

from t2iflow.nodes.core.texts import first_of
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.text.recipe import Recipe, with_presets

MOST = 24
"""Presets that are tried; each that fails alone is tried over all others, too."""
SHOWN = 3
"""Ways to make a mistake that its hint names."""


@dataclass(frozen=True)
class Trial:
    """The presets of a recipe, each tried; `known` are the mistakes that it has without any."""

    recipe: Recipe
    known: Collection[Problem]

    @property
    def mistakes(self) -> list[Problem]:
        """Those of its own presets, each once and with the presets that make it; what works over another preset is
        meant to be given with that, and has none."""
        makers: dict[Problem, list[str]] = {}
        for name in self.recipe.own_presets:
            for problem, given in self._of(name) if self._alone.get(name) else ():
                makers.setdefault(problem, []).append(given)
        return [
            replace(problem, hints=(*problem.hints, f"with {first_of(ways, SHOWN, ' or ')}"))
            for problem, ways in makers.items()
        ]

    @property
    def notes(self) -> list[str]:
        """Which presets of the recipes that it extends it has mistakes with, which are not its own; and how many were
        tried, if not all."""
        inherited = [name for name in self._alone if name not in self.recipe.own_presets and self._alone[name]]
        unfit = [f"the inherited preset `{name}` doesn't fit: {_options(name)} shows why" for name in inherited]
        count = len(self.recipe.presets)
        return unfit + ([f"only {MOST} of the {count} presets were tried"] if count > MOST else [])

    def _of(self, name: str) -> Iterator[tuple[Problem, str]]:
        """The mistakes of a preset, and the options with which each shows: those that it makes alone and over any that
        is sound; if there are none, those that it makes where it makes the fewest."""
        over = {below: self._faults(below, name) for below in self._alone if below != name}
        if not all(over.values()):
            return
        alone, sound = self._alone[name], [below for below in over if not self._alone[below]]
        always = [one for one in alone if all(_key(one) in map(_key, over[below]) for below in sound)]
        fittest = min(sound, key=lambda below: len(over[below]), default="")
        for problem in always or over[fittest]:
            yield problem, _options(name) if always else _options(fittest, name)

    @cached_property
    def _alone(self) -> dict[str, list[Problem]]:
        """What each preset makes wrong by itself."""
        return {name: self._faults(name) for name in self.recipe.presets[:MOST]}

    def _faults(self, *presets: str) -> list[Problem]:
        """What presets make wrong."""
        found = Problems()
        with suppress(RecipeError):  # its problems are noted
            compile_recipe(with_presets(self.recipe, presets, found), found)
        known = set(map(_key, self.known))
        return [problem for problem in dict.fromkeys(found) if _key(problem) not in known]


def _key(problem: Problem) -> tuple[str, Place | None]:
    """What and where a mistake is: what its message says beside may differ from one preset to another."""
    return problem.code, problem.place


def _options(*presets: str) -> str:
    return f"`{' '.join(f'--preset {quote(name)}' for name in presets)}`"
