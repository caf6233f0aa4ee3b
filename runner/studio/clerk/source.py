"""What a recipe is read from, and with whose rights: a name or a file, a run, what was dropped, or a text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from t2iflow.nodes.core import paths
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.graph.outside import missing
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Place, Problem, Problems, RecipeError
from t2iflow.pipelines.text import packs
from t2iflow.pipelines.text.origin import HERE, Origin, of_file
from t2iflow.pipelines.text.overrides import passed
from t2iflow.pipelines.text.recipe import Recipe, read_text
from t2iflow.pipelines.text.yaml_reader import decoded, load
from t2iflow.runner import opening
from t2iflow.runner.exits import UsageError
from t2iflow.runner.folder.history import RECIPE, recipe_name
from t2iflow.runner.folder.own_recipe import origin
from t2iflow.runner.studio.refused import Refused

BY_TEXT = "read its text, save that in a file of yours, and open it"
"""How to make a recipe that was dropped your own."""
TYPED = "recipe"
"""What messages call a recipe that was typed."""


@dataclass(frozen=True)
class Source:
    """The text of a recipe as it is where it comes from, what messages call that, whose it is, and what the recipe is
    called; `path` is where it is, if it is in a file."""

    text: str
    file: str
    whose: Origin
    name: str
    path: Path | None = None


@dataclass(frozen=True)
class Request:
    """A recipe with what is changed in it: a `text` in place of its source's, presets and values."""

    source: Source
    text: str | None = None
    presets: Sequence[str] = ()
    set: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_changed(self) -> bool:
        """Whether anything is."""
        return bool(self.presets or self.set or self.text not in (None, self.source.text))

    @property
    def threads(self) -> int | None:
        """With how many threads a picture is made again, unchanged; None, as many as there are, for all else."""
        path = self.source.path
        return opening.threads(path) if path and not self.is_changed and opening.carries(path) else None

    def recipe(self, problems: Problems) -> Recipe:
        """The recipe, with its mistakes added to the problems; RecipeError if none can be made of it."""
        source = self.source
        text = source.text if self.text is None else decoded(self.text.encode(errors="surrogatepass"), source.file)
        given = [passed(name, value) for name, value in self.set.items()]
        return read_text(
            text,
            source.file,
            source.whose,
            name=source.name,
            presets=self.presets,
            overrides=given,
            problems=problems,
        )

    def plan(self, lacking: bool = True) -> Plan:
        """The recipe compiled; see `runner.request.Request.plan`."""
        problems = Problems()
        plan = compile_recipe(self.recipe(problems), problems)
        if not lacking and (lost := list(missing(plan.graph))):
            raise RecipeError(lost, plan.graph.recipe.sources)
        return plan


def request(
    recipe: str | None = None,
    run: str | None = None,
    dropped: str | None = None,
    text: str | None = None,
    presets: Sequence[str] = (),
    set: Mapping[str, Any] | None = None,
) -> Request:
    """What a SOURCE asks for, with whole paths in place of a run's name and of what was dropped."""
    return Request(_source(recipe, run, dropped), text, presets, set or {})


def _source(recipe: str | None, run: str | None, dropped: str | None) -> Source:
    if run is not None:
        path = Path(run) / RECIPE
        return Source(load(path), str(path), origin(path, resumed=False), recipe_name(Path(run)), path)
    if dropped is not None:
        return _dropped(Path(dropped))
    if recipe is None:
        return Source("", TYPED, HERE, TYPED)
    return _named(recipe)


def _named(recipe: str) -> Source:
    """Of a recipe file, of a picture, film or bundle, or of a recipe that is bundled or in a pack, by its name."""
    path = paths.given(recipe)
    if opening.carries(path):
        return _carried(path)
    if (why := paths.no_file(path)) is None:
        return Source(load(path), str(path), of_file(path), path.stem, path)
    if why != paths.MISSING:
        raise UsageError(f"`{recipe}` {why}")
    found = packs.find(recipe)
    if found is None:
        raise Refused(404, f"`{recipe}` {why}, and there is no bundled recipe of this name")
    return Source(load(found.path), found.path.name, found.whose, recipe, found.path)


def _dropped(path: Path) -> Source:
    """Of what may come from anybody: it reads nothing but what lies beside it, where nothing else is."""
    if opening.carries(path):
        return _carried(path)
    whose = Origin(path.parent, paths.whole(path.parent), owned=BY_TEXT)
    return Source(load(path), path.name, whose, path.stem, path)


def _carried(path: Path) -> Source:
    """Of a picture, film or bundle."""
    found = opening.carried(path, path.name, path.stem)
    return Source(found.text, found.file, found.whose, found.name, path)


def told(problems: Sequence[Problem], sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Mistakes as JSON has them, each once; at one in what was given, not in a file, there is no line."""
    return [_told(problem, sources) for problem in dict.fromkeys(problems)]


def _told(problem: Problem, sources: Mapping[str, str]) -> dict[str, Any]:
    place = problem.place
    given = place is not None and sources.get(place.file) == place.file
    at = asdict(place) if place and not given else dict.fromkeys(asdict(Place("", 1, 1)))
    return (
        {"code": problem.code, "message": problem.message, "hints": list(problem.hints)}
        | at
        | {"given": place.file.partition("=")[0].strip() if place and given else None}
    )
