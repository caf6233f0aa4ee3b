"""A recipe as written, with presets, `extends` and `--set` applied and each `$` filled in; nothing is looked up yet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.texts import printable
from t2iflow.pipelines.problems import Place, Problems, RecipeError
from t2iflow.pipelines.text import origin, packs
from t2iflow.pipelines.text.dollars import UNREAD, References, mentions
from t2iflow.pipelines.text.layers import overlays, preset_names, read_layers, stack
from t2iflow.pipelines.text.located import Located, plain
from t2iflow.pipelines.text.origin import HERE, Origin
from t2iflow.pipelines.text.overlays import Change, carried, changes, put, removed
from t2iflow.pipelines.text.overrides import SEED, ReadOverride, ValueOverride, give, override
from t2iflow.pipelines.text.packs import Found
from t2iflow.pipelines.text.packs import shipped_recipes as shipped_recipes
from t2iflow.pipelines.text.seed import is_drawn, read_best, read_seed
from t2iflow.pipelines.text.sweep import Sweep, read_sweep
from t2iflow.pipelines.text.yaml_reader import load
from t2iflow.pipelines.text.yaml_writer import flow
from t2iflow.pipelines.values import shown

RESERVED = ("use", "every")
USE = "`use:` names what it is, such as `use: cutouts.square`"


@dataclass(frozen=True)
class NodeText:
    """A node of the recipe: `values` are its ports and settings with every `$` filled in; `written` are the same before
    that, and `every`.

    `use` always is a text, and empty if the recipe has none, a problem that is reported already. `place` and `keys` are
    those of the names. `carried` are settings that were written for another `use`, each with that: a preset beneath has
    made this node another.
    """

    name: str
    place: Place
    use: Located
    every: Located | None
    values: Mapping[str, Located]
    keys: Mapping[str, Place]
    written: Mapping[str, Located] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Text:
    """A recipe before its `$` are filled in: its `document`, and what it was without overrides and without presets.
    `removed` says where its layers and presets have a `null` for what they remove."""

    name: str
    file: str
    layers: tuple[Located, ...]
    unset: Located
    preset: Located
    document: Located
    sources: Mapping[str, str]
    origins: Mapping[str, Origin]
    removed: Mapping[str, Place]
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """The recipe. `params` are as written; `sources` are the texts of its files, its own first, and `origins` say whose
    those are; `start` is where its nodes begin; `overrides` are the options that changed it, such as `--preset lite`.
    `changed` is what presets put in place of what it says; `unused` are params that nothing refers to; `notes` are for
    whoever runs it; `sweep` is what its section of this name says; `best` is how many seeds a run makes, to rank them;
    `text` is what other recipes are made of, see `vary`."""

    name: str
    title: str
    about: str
    params: Mapping[str, Located]
    presets: tuple[str, ...]
    nodes: Mapping[str, NodeText]
    seed: int
    sources: Mapping[str, str]
    origins: Mapping[str, Origin]
    start: Place
    text: _Text
    sweep: Sweep
    best: int = 1
    overrides: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def origin_of(self, place: Place) -> Origin:
        """Whose word is written there: that of a recipe's file, or of the person who gave the command."""
        return self.origins.get(place.file, HERE)

    @property
    def own_presets(self) -> tuple[str, ...]:
        """Those that it has itself, not only a recipe that it extends."""
        return tuple(preset_names(self.text.layers[-1:]))

    @property
    def preset_note(self) -> str:
        """What presets put in place of what it says, as a line for whoever runs it; empty if that is nothing."""
        names = ", ".join(change.name for change in self.changed)
        return f"changed by presets: {names}" if names else ""

    @property
    def address(self) -> str:
        """Where it was fetched from, with its digest, or what it was made from; empty for most."""
        return self.origins[self.text.file].address

    @property
    def removed(self) -> Mapping[str, Place]:
        """Where overlays have a `null` for a param, a node, or what a node has (`cuts.count`)."""
        return self.text.removed

    def param_at(self, place: Place) -> str | None:
        """The param whose value stands there, if one does."""
        return next((name for name, value in self.params.items() if value.place == place), None)


def find(where: str | Path) -> Found:
    """A recipe file, whose place decides whose it is, or a shipped recipe by its name; RecipeError where there is
    neither."""
    path = paths.given(where)
    why = paths.no_file(path)
    if why is None:
        return Found(path, origin.of_file(path))
    named = packs.find(str(where))
    if named is None and why == paths.MISSING:
        message = f"there is no recipe file {shown(str(where))}, and no bundled recipe of this name"
        near = suggest(path.stem, packs.names()) or suggest(str(where), packs.packed_recipes())
        found = Problems()
        found.add("T2I107", message, None, near, "`t2iflow recipes` lists the bundled ones")
        raise RecipeError(found, {})
    return named or Found(path, Origin(path.parent))


def read(
    where: str | Path,
    *,
    presets: Sequence[str] = (),
    overrides: Sequence[str | ValueOverride] = (),
    problems: Problems | None = None,
) -> Recipe:
    """Read a recipe file, or a shipped recipe by its name.

    With a list of `problems`, mistakes that can be read past are added to it; RecipeError, with those in the list too,
    only when no recipe can be made. Without one, RecipeError for any mistake.
    """
    found = find(where)
    text = load(found.path)
    return read_text(text, str(found.path), found.origin, presets=presets, overrides=overrides, problems=problems)


def read_text(
    text: str,
    file: str,
    origin: Origin | Path,
    *,
    name: str = "",
    presets: Sequence[str] = (),
    overrides: Sequence[str | ValueOverride] = (),
    problems: Problems | None = None,
) -> Recipe:
    """Read a recipe's text; `file` is what messages call it, `origin` where it is from, or for your own the folder
    where relative paths start. See `read`."""
    found = Problems() if problems is None else problems
    sources: dict[str, str] = {}
    origins = {file: Origin(origin) if isinstance(origin, Path) else origin}
    try:
        layers = read_layers(text, file, origins, found, sources)
    except RecipeError as fault:
        raise RecipeError(dict.fromkeys([*found, *fault.problems]), {**fault.sources, **sources}) from None
    unset, preset = stack(layers, presets, found)
    gone = removed(overlays(layers, presets))
    document = override(preset, overrides, found, sources)
    given = (*(f"--preset {one}" for one in presets), *(f"--set {one}" for one in overrides))
    parts = _Text(name, file, tuple(layers), unset, preset, document, sources, origins, gone, given)
    recipe = _recipe(parts, read_sweep(document, origins), found)
    if problems is None and found:
        raise RecipeError(found, sources)
    return recipe


def vary(recipe: Recipe, given: Sequence[ReadOverride], sources: Mapping[str, str], problems: Problems) -> Recipe:
    """The recipe with other values in it, which stand in its own text or in these `sources`; its seed, if it was drawn,
    stays as it is. See `read` for the problems."""
    text = recipe.text
    kept = put(text.document, SEED, Located(recipe.seed, recipe.start), recipe.start)
    options = tuple(f"--set {one.name}={flow(plain(one.value))}" for one in given)
    changed = replace(
        text,
        document=give(kept, given, problems),
        overrides=text.overrides + options,
        sources={**text.sources, **sources},
    )
    return _recipe(changed, recipe.sweep, problems)


def with_presets(recipe: Recipe, presets: Sequence[str], problems: Problems) -> Recipe:
    """The recipe under these presets in place of others, without overrides. See `read` for the problems."""
    unset, preset = stack(recipe.text.layers, presets, problems)
    gone, given = removed(overlays(recipe.text.layers, presets)), tuple(f"--preset {one}" for one in presets)
    changed = replace(recipe.text, unset=unset, preset=preset, document=preset, removed=gone, overrides=given)
    return _recipe(changed, recipe.sweep, problems)


def _recipe(text: _Text, sweep: Sweep, problems: Problems) -> Recipe:
    """The recipe of a text, with its `$` filled in."""
    document, preset = text.document, text.preset
    references = References(document.value["params"].value, document.value["nodes"].value, problems)
    nodes = _nodes(document, references, text.layers[0].value["nodes"].value, problems)
    used = {*references.used, *mentions(preset)}  # an override may take the place of what used a param
    seed = read_seed(document.value.get("seed"), problems)
    notes = [f"the seed {seed} was drawn; `--seed {seed}` repeats it"] if is_drawn(document.value.get("seed")) else []
    name = printable(text.name or Path(text.file).stem)
    recipe = Recipe(
        name=name,
        title=_words(document, "title", problems) or name,
        about=_words(document, "about", problems),
        params=references.params,
        presets=tuple(preset_names(text.layers)),
        nodes={name: replace(node, carried=carried(name, text.unset, preset)) for name, node in nodes.items()},
        seed=seed,
        sources=text.sources,
        origins=text.origins,
        start=document.keys.get("nodes", document.place),
        text=text,
        sweep=sweep,
        best=read_best(document.value.get("best"), problems),
        overrides=text.overrides,
        changed=tuple(changes(text.unset, preset)),
        unused=tuple(param for param in references.params if param not in used),
        notes=tuple(notes),
    )
    _check_names(document, text.layers[0].value["params"].value.keys(), recipe.unused, problems)
    return recipe


def _check_names(document: Located, own: Collection[str], unused: Collection[str], problems: Problems) -> None:
    """No name twice, and no param that only an overlay has and nobody uses; `own` are those of the first layer."""
    params, nodes = document.value["params"], document.value["nodes"]
    for key in params.value:
        place = params.keys[key]
        if key in nodes.value:
            hint = f"the node stands on line {nodes.keys[key].line}; one of the two needs another name"
            problems.add("T2I112", f"`{key}` is a param and a node", place, hint)
        if key == "seed":
            problems.add("T2I112", "`seed` is the recipe's own", place, "write it at the top, as `seed: 1`")
        if key in unused and key not in own:
            message = f"the overlay's param `{key}` is used nowhere"
            problems.add("T2I110", message, place, suggest(key, own))


def _nodes(document: Located, references: References, own: Collection[str], problems: Problems) -> dict[str, NodeText]:
    nodes = document.value["nodes"]
    if not nodes.value and "nodes" not in document.keys:
        problems.add("T2I405", "the recipe has no nodes", document.place, "they stand in `nodes:`")
    return {name: _node(name, nodes, references, own, problems) for name in nodes.value}


def _node(name: str, nodes: Located, references: References, own: Collection[str], problems: Problems) -> NodeText:
    """The text of a node; an overlay may have misspelt the name of one of the first layer's `own`."""
    text = nodes.value[name]
    filled = {key: references.fill(value) for key, value in text.value.items()}
    use = filled.get("use", Located(None, nodes.keys[name]))
    if "use" not in filled:
        near = None if name in own else suggest(name, own)
        problems.add("T2I203", f"node `{name}` has no `use`", use.place, near, USE)
    elif use.value != UNREAD and (not isinstance(use.value, str) or not use.value):
        problems.add("T2I204", f"`use` of node `{name}` must be a node's name", use.place, USE)
    return NodeText(
        name=name,
        place=nodes.keys[name],
        use=use if isinstance(use.value, str) else Located("", use.place),
        every=filled.get("every"),
        values={key: value for key, value in filled.items() if key not in RESERVED},
        keys={key: place for key, place in text.keys.items() if key not in RESERVED},
        written={key: text.value[key] for key in ("every", *text.value) if key in text.value and key != "use"},
    )


def _words(document: Located, key: str, problems: Problems) -> str:
    value = document.value.get(key)
    if value is None or value.value is None:
        return ""
    if not isinstance(value.value, str):
        problems.add("T2I105", f"`{key}` must be a text", value.place, "put quotes around it")
    return str(value.value)
