"""All cells of a sweep, compiled before one of them runs, so that all mistakes come at once."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from t2iflow.nodes.core.missing import MissingPackageError
from t2iflow.nodes.core.texts import first_of
from t2iflow.nodes.perceptors.clip.sources import check_published
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.graph import COPIED, Graph, free_name
from t2iflow.pipelines.graph.outside import missing
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.work_digests import work_digests
from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.show.copies import Copies
from t2iflow.pipelines.show.resolved import resolved
from t2iflow.pipelines.text.columns import MOST
from t2iflow.pipelines.text.lines import lines
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.origin import HERE
from t2iflow.pipelines.text.overrides import ReadOverride
from t2iflow.pipelines.text.recipe import Recipe, vary
from t2iflow.pipelines.text.seed import read_seed
from t2iflow.pipelines.text.sweep import Sweep
from t2iflow.pipelines.text.wildcards import UndrawnError, drawn, has_wildcards
from t2iflow.pipelines.text.yaml_writer import flow
from t2iflow.runner.execution.frames import total
from t2iflow.runner.sweep.cell import Cell, cell_name, said
from t2iflow.runner.sweep.sharing import shared

SEED = "seed"
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Grid:
    """The cells in order, and the `steps` of each by optimiser; the `recipe` that they change, resolved; what they
    read, by whole path, with the names of copies; the plan of the first."""

    cells: tuple[Cell, ...]
    recipe: str
    files: Mapping[str, str]
    plan: Plan
    steps: tuple[Mapping[str, int], ...]


def compiled(recipe: Recipe, sweep: Sweep, found: Problems) -> Grid:
    """Compile every cell; RecipeError with all their mistakes, each once and with the cells that make it, and with
    those `found` before."""
    return _Compiler(recipe, sweep, found).grid()


def without_judge(sweep: Sweep) -> Iterator[Problem]:
    """A perceptor to rank by that there isn't."""
    rank = sweep.rank
    if rank is not None and rank.value != "lite":
        try:
            check_published(str(rank.value), None)
        except (ValueError, MissingPackageError) as fault:
            yield Problem("T2I204", f"`rank`: {fault}", rank.place)


@dataclass
class _Alike:
    """Cells that differ in no more than their seed, and so are compiled once: what they change, their stages and steps,
    none of which is known where they have mistakes; and each of the `cells` in words."""

    values: Values = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    cells: list[str] = field(default_factory=list)


@dataclass
class _Compiler:
    recipe: Recipe
    sweep: Sweep
    found: Problems
    files: dict[str, str] = field(default_factory=dict)
    alike: dict[str, _Alike] = field(default_factory=dict)  # by what they change
    lines: dict[tuple[str, Place], list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    first: Plan | None = None  # of the plans

    def grid(self) -> Grid:
        wrong = [*self.sweep.mistakes(), *without_judge(self.sweep)]
        if (wrong or self.found) and math.prod(len(axis.rows) for axis in self.sweep.axes) > MOST:
            raise RecipeError(dict.fromkeys([*wrong, *self.found]), {**self.recipe.sources, **self.sweep.sources})
        rows = list(itertools.product(*(axis.overrides() for axis in self.sweep.axes)))
        made = [self._cell(number, len(rows), list(itertools.chain(*row))) for number, row in enumerate(rows)]
        if problems := [*wrong, *self.found, *self._mistakes(len(rows))]:
            raise RecipeError(dict.fromkeys(problems), {**self.recipe.sources, **self.sweep.sources, **self.sources})
        assert self.first is not None  # there is a cell, and it has no mistakes
        cells, steps = shared([cell for cell, _ in made]), tuple(alike.steps for _, alike in made)
        return Grid(cells, resolved(self.first.graph, self.files), self.files, self.first, steps)

    def _cell(self, number: int, count: int, row: Sequence[ReadOverride]) -> tuple[Cell, _Alike]:
        seed = self._seed(row)
        others = [one for one in row if one.name != SEED]
        fixed = [one for one in self._templates if one.name not in {other.name for other in others}]
        given = [self._drawn(one, seed) for one in (*fixed, *others)]
        shown = {one.name: said(plain(one.value)) for one in given} | {SEED: str(seed)}
        named = {one.name: shown[one.name] for one in row}
        key = flow({one.name: plain(one.value) for one in given})
        if key not in self.alike:
            self.alike[key] = self._compiled(given, seed)
        alike = self.alike[key]
        alike.cells.append(", ".join(f"{name}={value}" for name, value in named.items()))
        return Cell(cell_name(number, count, named), {**alike.values, SEED: seed}, alike.stages), alike

    def _drawn(self, one: ReadOverride, seed: int) -> ReadOverride:
        try:
            return replace(one, value=drawn(one.value, seed, self._lines))
        except UndrawnError as fault:
            self.found.add("T2I204", f"`{one.name}` {fault}", one.value.place)
            return one

    def _lines(self, name: str, at: Place) -> list[str]:
        """The lines of a file that a wildcard names; none where it can't be read, which is reported once."""
        if (name, at) not in self.lines:
            origin = self.recipe.origins.get(at.file, HERE)
            found = lines(name, origin, at, self.found, self.sources) or ()
            self.lines[name, at] = [line.replace("$", "$$") for _, line in found]
        return self.lines[name, at]

    def _seed(self, row: Sequence[ReadOverride]) -> int:
        given = next((one for one in row if one.name == SEED), None)
        return self.recipe.seed if given is None else read_seed(given.value, self.found)

    @cached_property
    def _templates(self) -> list[ReadOverride]:
        """The params and prompts of the recipe itself that have wildcards."""
        written = {f"{node.name}.prompt": node.written.get("prompt") for node in self.recipe.nodes.values()}
        texts = {**self.recipe.params, **written}.items()
        return [ReadOverride(name, value, value.place) for name, value in texts if value and has_wildcards(value)]

    def _compiled(self, given: Sequence[ReadOverride], seed: int) -> _Alike:
        """What becomes of the recipe with these changes."""
        alike = _Alike()
        with suppress(RecipeError):  # its problems are noted
            sources = {**self.sweep.sources, **self.sources}
            recipe = vary(replace(self.recipe, seed=seed), given, sources, alike.problems)
            plan = compile_recipe(recipe, alike.problems)
            alike.problems.extend(missing(plan.graph))
            self.first = self.first or plan
            alike.values = self._values(plan.graph, [one.name for one in given])
            alike.stages = work_digests(plan)
            alike.steps = {region.optimizer: total(region, plan.graph) for region in plan.regions}
        return alike

    def _values(self, graph: Graph, names: Sequence[str]) -> Values:
        """What is written at these names, and wherever a file is named, by the names of the copies."""
        for one in graph.resources:
            if one.kind in COPIED and one.name not in self.files:
                self.files[one.name] = free_name(one.name, self.files.values())
        copies, nodes = Copies(graph, self.files), graph.recipe.nodes
        inputs = {f"{node}.{key}": value for (node, key), value in copies.inputs.items()}
        written = {f"{text.name}.{key}": value for text in nodes.values() for key, value in text.written.items()}
        changed = [name for name, value in inputs.items() if plain(value) != plain(written[name])]
        values = {**inputs, **copies.params}
        return {name: plain(values[name]) for name in dict.fromkeys([*names, *changed]) if name in values}

    def _mistakes(self, count: int) -> Iterator[Problem]:
        """Each mistake once, with the cells that make it, unless all do."""
        makers: dict[Problem, list[str]] = {}
        for alike in self.alike.values():
            for problem in dict.fromkeys(alike.problems):
                makers.setdefault(problem, []).extend(alike.cells)
        for problem, cells in makers.items():
            hint = () if len(cells) == count else (f"in the cell {first_of(cells, 1)}",)
            yield replace(problem, hints=(*problem.hints, *hint))
