"""A recipe as it is asked for: where it is, and what is changed in it. Reads without torch, which compiles."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.run_files import RECIPE
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.text.origin import of_picture
from t2iflow.pipelines.text.overrides import ValueOverride
from t2iflow.pipelines.text.recipe import Recipe, read_text
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.folder import check_finished
from t2iflow.runner.opening import Source, carries, is_bundle, opened, threads, unpacked

if TYPE_CHECKING:
    from t2iflow.pipelines.graph.graph import Resource
    from t2iflow.pipelines.plan.plan import Plan

Option: TypeAlias = tuple[str, str | None]
"""An option that the command itself doesn't have, and its value."""


@dataclass(frozen=True)
class Request:
    """A recipe, presets and overrides; and options that the command itself (whose own are `known`) doesn't have, so
    that they must be params of the recipe or settings of its nodes. A `draft` is smaller and shorter. What is at
    `where` is opened when it is needed, if it isn't `given`."""

    where: str
    presets: Sequence[str] = ()
    overrides: Sequence[str | ValueOverride] = ()
    options: Sequence[Option] = ()
    known: Sequence[str] = ()
    draft: bool = False
    given: Source | None = None

    @cached_property
    def source(self) -> Source:
        """Where the recipe comes from; RecipeError or UsageError as of `opened`."""
        return self.given or opened(self.where)

    def plan(self, lacking: bool = True) -> "Plan":
        """Read and compile the recipe; RecipeError with all its mistakes, or UsageError.

        A recipe that comes out of a picture may be `lacking` what it reads, unless it is to run.
        """
        changes = self._changes()
        made = self._compiled(changes)
        if self.draft:
            from t2iflow.pipelines.show.draft import overrides

            made = self._compiled([*overrides(made), *changes])  # what the user gives comes last
        from t2iflow.pipelines.graph.outside import missing

        if not lacking and (lost := list(missing(made.graph))):
            raise RecipeError(lost, made.graph.recipe.sources)
        return made

    @property
    def is_changed(self) -> bool:
        """Whether presets or values are given, or a draft is wanted."""
        return bool(self.presets or self.overrides or self.options or self.draft)

    @property
    def threads(self) -> int | None:
        """With how many threads to make a picture or bundle again, unchanged, so that all bytes are the same; None, as
        many as there are, for all else."""
        return threads(self.source.made) if self.source.made and not self.is_changed else None

    def recipe(self, problems: Problems) -> Recipe:
        """Read the recipe; its mistakes are added to the problems, and RecipeError if none can be made of it."""
        return self.source.read(self.presets, self._changes(), problems)

    def _compiled(self, changes: Sequence[str | ValueOverride]) -> "Plan":
        problems = Problems()
        recipe = self.source.read(self.presets, changes, problems)
        from t2iflow.pipelines.compiling import compile_recipe  # and torch, once there is something to compile

        return compile_recipe(recipe, problems)

    def _changes(self) -> list[str | ValueOverride]:
        """The overrides, and the options as `--set` has them."""
        if not self.options:
            return [*self.overrides]
        recipe = self.source.read(self.presets, (), Problems())
        return [*self.overrides, *(self._override(name, value, recipe) for name, value in self.options)]

    def _override(self, name: str, value: str | None, recipe: Recipe) -> str:
        names = {param.replace("_", "-"): param for param in recipe.params} | {param: param for param in recipe.params}
        node, dot, _ = name.partition(".")
        if name not in names and not (dot and node in recipe.nodes):
            near = suggest(name, [*names, *self.known])
            raise UsageError(
                f"there is no option `--{name}`, and `{self.where}` has no such param; "
                + (near.replace("`", "`--", 1) if near else _params(recipe))
            )
        if value is None:
            raise UsageError(
                f"`--{name}` needs a value: `--{name} VALUE`, or `--{name}=VALUE` where that begins with --"
            )
        return f"{names.get(name, name)}={value}"


def lacking(text: str, place: Path) -> "list[Resource]":
    """What a recipe out of a picture reads and does not find from a place; nothing, if it has mistakes of its own."""
    from t2iflow.pipelines.graph.wiring import wire

    try:
        resources = wire(read_text(text, str(place), of_picture(place), problems=Problems()), Problems()).resources
    except RecipeError:
        return []
    return [one for one in resources if one.missing]


def _params(recipe: Recipe) -> str:
    written = ", ".join(f"--{name}" for name in recipe.params)
    return f"its params are {written}" if written else "it has no params; change a setting by --NODE.SETTING VALUE"


def again(target: Path, overrides: Sequence[str | ValueOverride] = ()) -> tuple[Path, Request]:
    """What to compare, a bundle as it is unpacked, and what to make for it; UsageError where it can't carry a recipe,
    RecipeError for a bundle that isn't sound."""
    if os.path.isdir(target):  # which answers for impossible names too
        check_finished(target)
        return target, Request(str(target / RECIPE), overrides=overrides)
    if not carries(target):
        why = paths.no_file(target) or "can't carry a recipe: give a picture, a film or the folder of a run"
        raise UsageError(f"`{target}` {why}")
    return unpacked(target).folder if is_bundle(target) else target, Request(str(target), overrides=overrides)
