"""Recipes on recipes: those that a recipe extends, and the presets of each, before anything is looked up."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.text import packs
from t2iflow.pipelines.text.clashes import make_room
from t2iflow.pipelines.text.form import check_structure
from t2iflow.pipelines.text.located import Located, plain
from t2iflow.pipelines.text.origin import Origin, of_file
from t2iflow.pipelines.text.overlays import merge
from t2iflow.pipelines.text.yaml_reader import load, parse
from t2iflow.pipelines.values import shown


def read_layers(
    text: str,
    file: str,
    origins: dict[str, Origin],
    problems: Problems,
    sources: dict[str, str],
) -> list[Located]:
    """The recipe and those that it extends, the first of them first; RecipeError where one can't be read.

    `origins` has that of the recipe, and gets those of the others.
    """
    layers: list[Located] = []
    seen = {paths.real(file)}
    while True:
        sources[file] = text
        document = parse(text, file, problems)
        layers.insert(0, check_structure(document, problems))
        base = layers[0].value.get("extends")
        if base is None or base.value is None:
            return layers
        path, origin = _base(base, origins[file], problems)
        if paths.real(path) in seen:
            problems.add("T2I108", f"`{base.value}` refers back to itself", base.place)
            raise RecipeError(problems, sources)
        seen.add(paths.real(path))
        text, file = load(path), str(path)
        origins[file] = origin


def _base(base: Located, origin: Origin, problems: Problems) -> tuple[Path, Origin]:
    """The recipe that is extended, and whose it is: what a foreign one extends is foreign too, unless it ships; of
    packs it extends only its own."""
    message = f"there is no recipe {shown(plain(base))} beside this one, nor among the bundled ones"
    if isinstance(base.value, str):
        beside = paths.given(base.value, origin.folder)
        why = paths.no_file(beside) if origin.admits(beside) else None
        if origin.admits(beside) and not why:
            return beside, replace(origin, folder=beside.parent) if origin.fence else of_file(beside)
        named = packs.find(base.value)
        if named and (not origin.fence or named.origin.fence in (None, origin.fence)):
            return named.path, named.origin
        if named or not origin.admits(beside):  # so that not even whether it is there is known
            what = f"this recipe is foreign, so it may not extend {shown(base.value)}"
            problems.add("T2I503", what, base.place, origin.rule, "it may extend the bundled ones")
            raise RecipeError(problems, {})
        if why != paths.MISSING:
            message = f"the recipe {shown(base.value)} {why}"
    bare = Path(base.value).stem.lower() if isinstance(base.value, str) else ""
    near = suggest(bare, packs.names()) if bare else None
    problems.add("T2I108", message, base.place, near, "`t2iflow recipes` lists the bundled ones")
    raise RecipeError(problems, {})


def stack(layers: Sequence[Located], presets: Sequence[str], problems: Problems) -> tuple[Located, Located]:
    """The recipe of all layers without presets, and with these: each lies over those that it extends and over their
    presets, and under its own."""
    _check_presets(presets, layers, problems)
    plain, whole = layers[0], _with_presets(layers[0], layers[0], presets, problems)
    for layer in layers[1:]:
        over = merge(make_room(whole, layer, plain), layer, problems, plain)
        whole = _with_presets(over, layer, presets, problems)
        plain = merge(plain, layer, Problems())
    return plain, whole


def overlays(layers: Sequence[Located], presets: Sequence[str]) -> Iterator[Located]:
    """What lies over the first of the layers, in this order."""
    for number, layer in enumerate(layers):
        if number:
            yield layer
        yield from _chosen(layer, presets)


def _with_presets(document: Located, layer: Located, presets: Sequence[str], problems: Problems) -> Located:
    for preset in _chosen(layer, presets):
        document = merge(document, preset, problems)
    return document


def _chosen(layer: Located, presets: Sequence[str]) -> list[Located]:
    """Those of the presets that a layer has."""
    offered = layer.value["presets"].value
    return [offered[name] for name in presets if name in offered]


def _check_presets(presets: Sequence[str], layers: Sequence[Located], problems: Problems) -> None:
    known = preset_names(layers)
    for name in presets:
        if name not in known:
            offer = f"presets: {', '.join(known)}" if known else "it has none"
            problems.add("T2I109", f"the recipe has no preset `{name}`", None, suggest(name, known), offer)


def preset_names(layers: Sequence[Located]) -> list[str]:
    """The presets of a recipe and of those that it extends."""
    return list(dict.fromkeys(name for layer in layers for name in layer.value["presets"].value))
