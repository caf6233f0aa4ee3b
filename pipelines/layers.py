"""Recipes on recipes: `extends`, presets and `--set`, applied to the text before anything is looked up.

Overlays merge by name: params, nodes, and the settings of a node. What a param or a setting holds is replaced
as a whole, so keyframes and weighted prompts are never mixed; `null` removes. A node whose overlay has another `use` is
replaced as a whole too: the settings of one node mean nothing to another.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from t2iflow.nodes import paths
from t2iflow.pipelines.problems import Place, Problem, RecipeError, problem, shown, suggest
from t2iflow.pipelines.references import NAME, WHOLE
from t2iflow.pipelines.source import Located, load, parse, readable
from t2iflow.pipelines.structure import check_structure

LEVELS = {"params": 1, "nodes": 2}
"""How deep overlays merge by name."""

NULL = "null"
"""What an override writes for nothing, even where a text stands."""

Shipped = Callable[[str], Path | None]
"""Finds a recipe that ships by its name."""


def read_layers(
    text: str, file: str, folder: Path, shipped: Shipped, problems: list[Problem], sources: dict[str, str]
) -> list[Located]:
    """The recipe and those that it extends, the first of them first; RecipeError where one can't be read."""
    layers: list[Located] = []
    seen = {paths.whole(file)}
    while True:
        sources[file] = text
        document = parse(text, file, problems)
        layers.insert(0, check_structure(document, problems))
        base = layers[0].value.get("extends")
        if base is None or base.value is None:
            return layers
        path = _base(base, folder, shipped, problems)
        if paths.whole(path) in seen:
            problems.append(Problem("T2I108", f"`{base.value}` leads back to itself", base.place))
            raise RecipeError(problems, sources)
        seen.add(paths.whole(path))
        text, file, folder = load(path), str(path), path.parent


def _base(base: Located, folder: Path, shipped: Shipped, problems: list[Problem]) -> Path:
    message = f"there is no recipe {shown(base.value)} beside this one, nor among those that ship"
    if isinstance(base.value, str):
        beside = paths.given(base.value, folder)
        why = paths.no_file(beside)
        path = shipped(base.value) if why else beside
        if path is not None:
            return path
        if why != paths.MISSING:
            message = f"the recipe {shown(base.value)} {why}"
    problems.append(problem("T2I108", message, base.place, "`t2iflow recipes` lists those that ship"))
    raise RecipeError(problems, {})


def chosen(presets: Sequence[str], layers: Sequence[Located], problems: list[Problem]) -> list[Located]:
    """The overlays of these presets; where several layers have one, each adds its own."""
    offered, known = [section_of(layer, "presets").value for layer in layers], preset_names(layers)
    for name in presets:
        if name not in known:
            offer = f"presets: {', '.join(known)}" if known else "it has none"
            problems.append(problem("T2I109", f"the recipe has no preset `{name}`", None, suggest(name, known), offer))
    return [some[name] for name in presets for some in offered if name in some]


def preset_names(layers: Sequence[Located]) -> list[str]:
    """The presets of a recipe and of those that it extends."""
    return list(dict.fromkeys(name for layer in layers for name in section_of(layer, "presets").value))


def merge(base: Located, over: Located, problems: list[Problem]) -> Located:
    """One recipe on another, without presets."""
    values, keys = {**base.value, **over.value}, {**over.keys, **base.keys}
    for section, levels in LEVELS.items():
        if section in base.value or section in over.value:
            values[section] = _merge_names(section_of(base, section), section_of(over, section), levels, problems)
    return Located(values, base.place, keys)


def section_of(document: Located, name: str) -> Located:
    """A section of the document, empty if it has none."""
    section = document.value.get(name)
    return section if section is not None else Located({}, document.place)


def _merge_names(base: Located, over: Located, levels: int, problems: list[Problem]) -> Located:
    values, keys = dict(base.value), dict(base.keys)
    for key, value in over.value.items():
        if value.value is None:
            removed = values.pop(key, None)
            hint = suggest(key, values) if removed is None else None
            if hint:  # what is spelt like nothing here may have been removed before
                message = f"`null` removes `{key}`, but it is not there"
                problems.append(problem("T2I110", message, over.keys[key], hint))
        elif levels > 1 and key in values and not _is_another(values[key], value):
            values[key] = _merge_names(values[key], value, levels - 1, problems)
        else:
            values[key], keys[key] = value, over.keys[key]
    return Located(values, base.place, keys)


def _is_another(base: Located, over: Located) -> bool:
    """Whether the overlay makes it another node."""
    uses = [node.value["use"].value for node in (base, over) if "use" in node.value]
    return len(uses) == 2 and uses[0] != uses[1]


def override(document: Located, overrides: Sequence[str], problems: list[Problem], sources: dict[str, str]) -> Located:
    """The recipe with each `param=value`, `node.setting=value` or `seed=value` applied.

    `null` is nothing. Else, where a text stands, the new value is a text, taken as it is, unless it is a list or a
    mapping in YAML's brackets; elsewhere it is read as YAML.
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
            problems.append(problem("T2I110", "an override needs a `=`", at, hint))
        if path is None:
            continue
        source = " " * begin + written.lstrip()
        if written.strip() != NULL and _is_text(_present(document, path), document):
            place = Place(file, 1, begin + 1, max(1, len(written.strip())))
            value = _in_brackets(source, file)
            value = value or Located(readable(written.replace("$", "$$"), place, problems), place)
        else:
            try:
                value = parse(source, file, problems)
            except RecipeError:  # its problems are noted
                continue
        document = _put(document, path, value, at)
    return document


def _target(target: str, document: Located, at: Place, problems: list[Problem]) -> tuple[str, ...] | None:
    """Where in the document an override belongs; a problem is noted where there is no such thing."""
    params, nodes = (section_of(document, name).value for name in ("params", "nodes"))
    name, dot, setting = target.partition(".")
    if target == "seed":
        return ("seed",)
    if not dot and target in params:
        return ("params", target)
    if dot and name in nodes and re.fullmatch(NAME, setting):
        return ("nodes", name, setting)
    if name in nodes:
        hint: str | None = f"name one of its settings: `--set {name}.setting=value`"
    else:
        hint = suggest(name, nodes if dot else [*params, "seed", *nodes])
    known = "there is no node" if dot else "there is no param"
    message = f"`{name}` is a node" if name in nodes else f"{known} `{name}`"
    problems.append(problem("T2I110", message, at, hint))
    return None


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
        whole = WHOLE.fullmatch(value.value)
        if not whole:
            return True
        value = params.get(whole[1] or whole[3])
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
