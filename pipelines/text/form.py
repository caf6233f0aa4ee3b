"""The form of a recipe: its top-level keys, and that sections, presets and nodes are mappings with names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from t2iflow.nodes.core.spelling import near, suggest
from t2iflow.pipelines.problems import Place, Problems, RecipeError
from t2iflow.pipelines.text.dollars import NAME
from t2iflow.pipelines.text.located import Located, plain
from t2iflow.pipelines.text.yaml_errors import unspaced
from t2iflow.pipelines.text.yaml_scalars import plain_scalar
from t2iflow.pipelines.values import shown

FORMAT = 1
SECTIONS = ("params", "nodes")
PRESET_WORDS = ("title", "about", "seed", *SECTIONS)
SWEEP_WORDS = ("each", "together", "rank", "sheet")
SHEET_WORDS = ("across", "down")
EXAMPLES = {
    "sweep": "each: {seed: 0..3}",
    "each": "seed: 0..3",
    "together": "steps: [40, 80]",
    "sheet": "across: seed",
    "nodes": "canvas: {use: canvas.pixels}",
    "params": "prompt: a fox",
    "presets": "quick: {params: {steps: 50}}",
}
JOINED = re.compile(rf"({NAME})\s*[:=]\s*(\S.*)")
"""A key and its value without a space between them, or with what only looks like one."""
MISSPELT = 0.8
"""How much alike a key and the one that it is taken for are, from 0 to 1."""
WORDS = ("t2iflow", "title", "about", "extends", "seed", "params", "presets", "nodes", "sweep", "best")


def check_structure(document: Located, problems: Problems) -> Located:
    """The document with only its well-formed parts, all sections among them; RecipeError if it has none."""
    return _Form(problems).document(document)


@dataclass(frozen=True)
class _Form:
    problems: Problems

    def document(self, document: Located) -> Located:
        if not isinstance(document.value, dict):
            what = "the recipe is empty" if document.value is None else "a recipe is a mapping"
            self.problems.add("T2I105", what, document.place, "it starts with `t2iflow: 1`")
            raise RecipeError(self.problems, {})
        sound = self._known(document, WORDS, "a recipe")
        self._check_version(sound)
        presets = self._mapping(sound.value.get("presets", Located({}, document.place)), "presets")
        bodies = {str(name): self._preset(name, body) for name, body in presets.value.items()}  # `512:` is a number
        bodies = {name: body for name, body in bodies.items() if body is not None}
        keys = {str(name): place for name, place in presets.keys.items()}
        sound = replace(sound, value={**sound.value, "presets": replace(presets, value=bodies, keys=keys)})
        if "sweep" in sound.value:
            sound = replace(sound, value={**sound.value, "sweep": self._sweep(sound.value["sweep"])})
        extends = sound.value.get("extends")
        return self._sections(sound, overlay=extends is not None and extends.value is not None)

    def _sweep(self, section: Located) -> Located:
        sound = self._known(self._mapping(section, "sweep"), SWEEP_WORDS, "a sweep")
        values = {word: self._mapping(sound.value[word], word) for word in sound.value if word != "rank"}
        if "sheet" in values:
            values["sheet"] = self._known(values["sheet"], SHEET_WORDS, "a sheet")
        return replace(sound, value={**sound.value, **values})

    def _check_version(self, document: Located) -> None:
        version = document.value.get("t2iflow")
        if version is None:
            said, place = "the recipe doesn't state its format", Place(document.place.file, 1, 1)
        elif version.value != FORMAT or isinstance(version.value, bool | float):
            said, place = f"format {shown(plain(version))} is unknown", version.place
        else:
            return
        self.problems.add("T2I106", said, place, f"this version reads `t2iflow: {FORMAT}`")

    def _preset(self, name: object, body: Located) -> Located | None:
        if not self._is_mapping(body, f"the preset `{name}`"):
            return None
        return self._sections(self._known(body, PRESET_WORDS, "a preset"), overlay=True)

    def _sections(self, document: Located, overlay: bool) -> Located:
        values = dict(document.value)
        for section in SECTIONS:
            names = self._mapping(values.get(section, Located({}, document.place)), section)
            kept = {name: value for name, value in names.value.items() if self._is_name(name, names)}
            if section == "nodes":
                bodies = {name: self._node(name, value, overlay) for name, value in kept.items()}
                kept = {name: value for name, value in bodies.items() if value is not None}
            values[section] = replace(names, value=kept)
        return replace(document, value=values)

    def _node(self, name: str, value: Located, overlay: bool) -> Located | None:
        """The node's mapping, or the null of an overlay; a text is reported and then taken for its `use`."""
        if overlay and value.value is None:
            return value
        if self._is_mapping(value, f"the node `{name}`", "such as `{use: cutouts.square}`"):
            return self._known(self._spaced(value), None, f"the node `{name}`")
        if isinstance(value.value, str):
            return Located({"use": value}, value.place, {"use": value.place})
        return None

    def _spaced(self, node: Located) -> Located:
        """The node's mapping; a key such as `size:8` or `size=8`, a text in YAML, is reported and then taken apart."""
        values: dict[Any, Located] = {}
        keys: dict[Any, Place] = {}
        for key, value in node.value.items():
            place = node.keys[key]
            joined = JOINED.fullmatch(key) if isinstance(key, str) and value.value is None else None
            if joined:
                what, hint = unspaced(joined[1], joined[2])
                self.problems.add("T2I105", what, place, hint)
                key, value = joined[1], Located(plain_scalar(joined[2]), place)
            values[key], keys[key] = value, place
        return replace(node, value=values, keys=keys)

    def _known(self, document: Located, words: Sequence[str] | None, what: str) -> Located:
        """The mapping without keys that it can't have; a misspelt one is reported and then read as it is meant."""
        kept, keys = {}, dict(document.keys)
        for key, value in document.value.items():
            if (words is None and isinstance(key, str)) or key in (words or ()):
                kept[key] = value
            else:
                known = f"known: {', '.join(words)}" if words else None
                if words is None and value.value is None and isinstance(key, int | float):
                    known = "a `,` starts another entry; decimals need a point, as in `1.02`"
                question = suggest(key, words or ())
                self.problems.add("T2I105", f"{what} has no `{key}`", document.keys[key], question, known)
                for meant in near(str(key), words or (), alike=MISSPELT):
                    if meant not in document.value:
                        kept[meant], keys[meant] = value, document.keys[key]
        return replace(document, value=kept, keys=keys)

    def _mapping(self, value: Located, what: str) -> Located:
        """The section; what is written as a list of names is reported and then read without its dashes."""
        named = _unlisted(value)
        example = f"such as `{EXAMPLES[what]}`" + ("" if named is None else ", without `- ` before it")
        if self._is_mapping(value, f"`{what}`", example):
            return value
        return named or Located({}, value.place)

    def _is_mapping(self, value: Located, what: str, hint: str = "") -> bool:
        if not isinstance(value.value, dict):
            message = f"{what} must be a mapping" + ("" if value.value is not None else ", and there is nothing here")
            self.problems.add("T2I105", message, value.place, hint)
        return isinstance(value.value, dict)

    def _is_name(self, name: object, names: Located) -> bool:
        sound = isinstance(name, str) and re.fullmatch(NAME, name) is not None
        if not sound:
            message = f"`{name}` can't be a name: use letters from a to z, digits, `_` and `-`, and begin with a letter"
            self.problems.add("T2I105", message, names.keys[name])
        return sound


def _unlisted(value: Located) -> Located | None:
    """The names of a list such as `- clip: {...}`, also where what belongs to a name stands beside it."""
    items = value.value if isinstance(value.value, list) else []
    if not items or not all(isinstance(item.value, dict) and item.value for item in items):
        return None
    values: dict[Any, Located] = {}
    keys: dict[Any, Place] = {}
    for item in items:
        (name, first), *others = item.value.items()
        if first.value is None and others:
            values[name] = Located(dict(others), item.place, item.keys)
        else:
            values.update(item.value)
        keys.update(item.keys)
    return Located(values, value.place, {name: keys[name] for name in values})
