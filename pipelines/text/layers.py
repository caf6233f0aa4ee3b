"""Recipes on recipes: `extends`, presets and `--set`, applied to the text before anything is looked up."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from t2iflow.nodes.core import paths
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.problems import Place, Problems, RecipeError, shown
from t2iflow.pipelines.text.clashes import make_room
from t2iflow.pipelines.text.dollars import NAME, plain, reference
from t2iflow.pipelines.text.form import SECTIONS, check_structure
from t2iflow.pipelines.text.origin import Origin, of_file
from t2iflow.pipelines.text.overlays import merge, section_of
from t2iflow.pipelines.text.yaml_reader import Located, load, parse, readable

NULL = "null"
"""What an override writes for nothing, even where a text stands."""
BLOCK = re.compile(r"\s*[^\s\[{\"'!&*].*(?::\s| #)")
"""A text that YAML would take for a mapping without brackets, or cut short at a comment: nobody means either here."""

SEED = ("seed",)
"""The one thing to override that is neither a param nor of a node."""

Shipped = Callable[[str], Path | None]
"""Finds a recipe that ships by its name."""


def read_layers(
    text: str,
    file: str,
    origins: dict[str, Origin],
    shipped: Shipped,
    problems: Problems,
    sources: dict[str, str],
) -> list[Located]:
    """The recipe and those that it extends, the first of them first; RecipeError where one can't be read.

    `origins` has that of the recipe, and gets those of the others.
    """
    layers: list[Located] = []
    seen = {paths.whole(file)}
    while True:
        sources[file] = text
        document = parse(text, file, problems)
        layers.insert(0, check_structure(document, problems))
        base = layers[0].value.get("extends")
        if base is None or base.value is None:
            return layers
        path, whose = _base(base, origins[file], shipped, problems)
        if paths.whole(path) in seen:
            problems.add("T2I108", f"`{base.value}` leads back to itself", base.place)
            raise RecipeError(problems, sources)
        seen.add(paths.whole(path))
        text, file = load(path), str(path)
        origins[file] = whose


def _base(base: Located, whose: Origin, shipped: Shipped, problems: Problems) -> tuple[Path, Origin]:
    """The recipe that is extended, and whose it is: what a foreign one extends is foreign too, unless it ships."""
    message = f"there is no recipe {shown(plain(base))} beside this one, nor among those that ship"
    if isinstance(base.value, str):
        beside = paths.given(base.value, whose.folder)
        why = paths.no_file(beside) if whose.admits(beside) else None
        if whose.admits(beside) and not why:
            return beside, replace(whose, folder=beside.parent) if whose.fence else of_file(beside)
        if (path := shipped(base.value)) is not None:
            return path, Origin(path.parent)
        if not whose.admits(beside):  # so that not even whether it is there is known
            what = f"this recipe is foreign, and may not extend {shown(base.value)}"
            problems.add("T2I503", what, base.place, whose.rule, "it may extend those that ship")
            raise RecipeError(problems, {})
        if why != paths.MISSING:
            message = f"the recipe {shown(base.value)} {why}"
    bare = Path(base.value).stem.lower() if isinstance(base.value, str) else ""
    near = f"did you mean `{bare}`?" if bare != base.value and shipped(bare) else None
    problems.add("T2I108", message, base.place, near, "`t2iflow recipes` lists those that ship")
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


def _with_presets(document: Located, layer: Located, presets: Sequence[str], problems: Problems) -> Located:
    offered = section_of(layer, "presets").value
    for name in presets:
        if name in offered:
            document = merge(document, offered[name], problems)
    return document


def _check_presets(presets: Sequence[str], layers: Sequence[Located], problems: Problems) -> None:
    known = preset_names(layers)
    for name in presets:
        if name not in known:
            offer = f"presets: {', '.join(known)}" if known else "it has none"
            problems.add("T2I109", f"the recipe has no preset `{name}`", None, suggest(name, known), offer)


def preset_names(layers: Sequence[Located]) -> list[str]:
    """The presets of a recipe and of those that it extends."""
    return list(dict.fromkeys(name for layer in layers for name in section_of(layer, "presets").value))


def override(document: Located, overrides: Sequence[str], problems: Problems, sources: dict[str, str]) -> Located:
    """The recipe with each `param=value`, `node.setting=value` or `seed=value` applied.

    `null` is nothing. Else, where a text stands, the new value is a text, taken as it is, unless it is a list or a
    mapping in YAML's brackets; elsewhere it is read as YAML, but for a text like `Star Wars: a new hope`.
    """
    for text in overrides:
        file = f"--set {text}"
        sources[file] = file
        target, equals, written = text.partition("=")
        at = Place(file, 1, 7 + len(target) - len(target.lstrip()), max(1, len(target.strip())))
        begin = len(file) - len(written.lstrip())
        path = _target(target.strip(), document, at, problems) if equals else None
        if not equals:
            hint = "write `--set param=value` or `--set node.setting=value`"
            problems.add("T2I110", "an override needs a `=`", at, hint)
        if path is None:
            continue
        source = " " * begin + written.lstrip()
        is_text = BLOCK.match(written) or _is_text(_present(document, path), document)
        place = Place(file, 1, begin + 1, max(1, len(written.strip())))
        if not written.strip() and not is_text:
            value = Located(None, place)
        elif path != SEED and written.strip() != NULL and is_text:
            listed = _in_brackets(source, file)
            value = listed or Located(readable(written.replace("$", "$$"), place, problems), place)
        else:
            try:
                value = parse(source, file, problems)
            except RecipeError:  # its problems are noted
                continue
        document = _put(document, path, value, at)
    return document


def _target(target: str, document: Located, at: Place, problems: Problems) -> tuple[str, ...] | None:
    """Where in the document an override belongs; a problem is noted where there is no such thing."""
    params, nodes = (section_of(document, name).value for name in ("params", "nodes"))
    name, dot, setting = target.partition(".")
    if target == "seed":
        return SEED
    if not dot and target in params:
        return ("params", target)
    if dot and name in nodes and re.fullmatch(NAME, setting):
        return ("nodes", name, setting)
    hints: list[str | None]
    if name in nodes:
        message, hints = f"`{name}` is a node", [f"name one of its settings: `--set {name}.setting=value`"]
    elif dot and name in SECTIONS:
        message, hints = f"there is no node `{name}`", [f"leave `{name}.` out: `--set {setting}=value`"]
    elif dot:
        message, hints = f"there is no node `{name}`", [suggest(name, nodes), _listed("nodes", nodes)]
    else:
        having = [f"`--set {node}.{name}=value`" for node, body in nodes.items() if name in (body.value or {})]
        offer = f"it is a setting: {' or '.join(having)}" if having else None
        message = f"there is no param `{name}`"
        hints = [suggest(name, [*params, "seed", *nodes]), offer, _listed("params", [*params, "seed"])]
    problems.add("T2I110", message, at, *hints)
    return None


def _listed(what: str, names: Iterable[str]) -> str:
    return f"{what}: {', '.join(islice(names, 30))}"


def _present(document: Located, path: tuple[str, ...]) -> Located | None:
    value: Located | None = document
    for step in path:
        value = value.value.get(step) if value is not None else None
    return value


def _is_text(value: Located | None, document: Located) -> bool:
    """Whether a text stands there, itself or as a param."""
    params = section_of(document, "params").value
    for _ in range(len(params) + 1):
        if value is None or not isinstance(value.value, str):
            return False
        wire = reference(value.value)
        if wire is None:
            return True
        value = params.get(wire.node)
    return False


def _in_brackets(text: str, file: str) -> Located | None:
    """The list or mapping that the whole of a text is; None for what only begins like one."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return parse(text, file)
    except RecipeError:
        return None


def _put(document: Located, path: tuple[str, ...], value: Located, at: Place) -> Located:
    if not path:
        return value
    step, *rest = path
    below = document.value.get(step)
    inner = _put(below if below is not None else Located({}, at), tuple(rest), value, at)
    last = replace(at, column=at.column + at.width - len(step), width=len(step))
    keys: Mapping[str, Place] = {**document.keys, step: document.keys.get(step, at) if rest else last}
    return Located({**document.value, step: inner}, document.place, keys)
