"""Broken recipes without end: sound ones, changed at random as people and accidents change them."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml

Random = random.Random

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2.5,
    1e38,
    -1e308,
    10**39,
    float("nan"),
    float("inf"),
    "",
    "a fox",
    "512x512",
    "0:(1.02), 50:(1.0)",
    "{0: 1, 10: 2}",
    "photo.jpg",
    "../../etc/passwd",
    "C:\\pictures\\fox.png",
    "$",
    "$$",
    "${canvas}",
    "$canvas",
    "$fit.image",
    "$nowhere",
    "lite",
    "狐\u200d🦊",
    [],
    [[]],
    [1, 2],
    [0.9, 0.1],
    [8, 8],
    ["a", None, 3],
    {},
    {0: 1},
    {0: 1, "100%": 2},
    {0: "a fox", "50%": "a lake"},
    {0: [1, 2], 10: [3, 4], "ease": "smooth"},
    {"2s": 1, 9: 0, "over": "frame"},
    {0: None, 5: {}},
    {"of": "$smooth", "weight": {0: 1, 9: 2}},
    {"music": "nowhere.wav", "low": 1},
    {"music": "castle.mp4", "low": 0, "high": 1},
    {"use": "canvas.pixels"},
    {"a fox": 1, "a lake": -0.5},
)
"""What may stand where something else was."""

INSERTED = "\t\n \"'#$&*:-[]{}|>!%@`,?~\\\x00\x07\u00a0\u2028\ufeff\ud800é狐"


def mutated(text: str, others: list[str], draw: Random) -> str:
    """The recipe with one to three mistakes."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        text = draw.choice(LINES if draw.random() < 0.5 else TREES)(text, others, draw)
    return text


def overrides(text: str, draw: Random) -> list[str]:
    """Changes as `--set` takes them: of things that are there, or of nothing."""
    if draw.random() < 0.7:
        return []
    names = [name for name, _ in _places(_tree(text))] or ["a"]
    target = draw.choice(
        [".".join(map(str, draw.choice(names)[-2:])), str(draw.choice(names)[-1]), "seed", "", "a.b.c"]
    )
    value = draw.choice([str(draw.choice(VALUES)), _flow(draw.choice(VALUES)), "=", "{", "", "-"])
    return [draw.choice([f"{target}={value}", target])]


# Of the text


def _line(change: Callable[[list[str], int, Random], list[str]]) -> "Change":
    def changed(text: str, others: list[str], draw: Random) -> str:
        lines = text.splitlines(keepends=True) or ["\n"]
        at = draw.randrange(len(lines))
        return "".join([*lines[:at], *change(lines, at, draw), *lines[at + 1 :]])

    return changed


def _character(change: Callable[[str, Random], str]) -> "Change":
    def changed(text: str, others: list[str], draw: Random) -> str:
        at = draw.randrange(len(text) + 1)
        return text[:at] + change(text[at : at + 1], draw) + text[at + 1 :]

    return changed


def _cut(text: str, others: list[str], draw: Random) -> str:
    return text[: draw.randrange(len(text) + 1)]


def _from_another(text: str, others: list[str], draw: Random) -> str:
    """A line of another recipe."""
    lines = draw.choice(others).splitlines(keepends=True) or ["\n"]
    return _line(lambda mine, at, draw: [mine[at], draw.choice(lines)])(text, others, draw)


def _flipped(text: str, others: list[str], draw: Random) -> str:
    data = bytearray(text.encode("utf-8", "surrogatepass")) or bytearray(b" ")
    at = draw.randrange(len(data))
    data[at] ^= 1 << draw.randrange(8)
    return data.decode("utf-8", "surrogateescape")


Change = Callable[[str, list[str], Random], str]

LINES: list[Change] = [
    _line(lambda lines, at, draw: []),
    _line(lambda lines, at, draw: [lines[at], lines[at]]),
    _line(lambda lines, at, draw: [" " * draw.choice((1, 2, 8)) + lines[at]]),
    _line(lambda lines, at, draw: [lines[at].lstrip(" ")]),
    _line(lambda lines, at, draw: ["- " + lines[at].lstrip(" ")]),
    _line(lambda lines, at, draw: ["\t" + lines[at]]),
    _line(lambda lines, at, draw: [lines[at], draw.choice(lines)]),
    _line(lambda lines, at, draw: [lines[at].replace(draw.choice("{}[]:,$"), "", 1)]),
    _line(lambda lines, at, draw: [lines[at].replace("$", "")]),
    _character(lambda sign, draw: ""),
    _character(lambda sign, draw: sign + draw.choice(INSERTED)),
    _character(lambda sign, draw: draw.choice(INSERTED)),
    _character(lambda sign, draw: sign * draw.choice((2, 100))),
    _cut,
    _from_another,
    _flipped,
]


# Of what it says


def _tree(text: str) -> Any:
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeError):
        return None


def _places(tree: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value with the mapping or list that holds it, and the way to it."""
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield (*way, key), tree
            yield from _places(inner, (*way, key))
    elif isinstance(tree, list):
        for number, inner in enumerate(tree):
            yield (*way, number), tree
            yield from _places(inner, (*way, number))


def _of_the_tree(change: Callable[[Any, Any, Any, Random], None]) -> Change:
    def changed(text: str, others: list[str], draw: Random) -> str:
        tree = _tree(text)
        places = list(_places(tree))
        if not places:
            return text
        way, holder = draw.choice(places)
        change(holder, way[-1], tree, draw)
        return yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=10**6)

    return changed


def _flow(value: Any) -> str:
    return yaml.dump(value, Dumper=yaml.SafeDumper, default_flow_style=True, width=10**6).removesuffix("...\n").strip()


def _replace(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    holder[key] = draw.choice(VALUES)


def _rename(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    if isinstance(holder, dict):
        fresh = draw.choice([f"{key}s", str(key)[:-1], draw.choice(VALUES[:20]), "use", "every", "nodes", "size"])
        holder[fresh] = holder.pop(key)


def _remove(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    del holder[key]


def _move(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    """What stood there stands elsewhere too."""
    way, other = draw.choice(list(_places(tree)))
    other[way[-1]] = _copy(holder[key])


def _wire(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    nodes = tree.get("nodes") if isinstance(tree, dict) else None
    names = list(nodes) if isinstance(nodes, dict) and nodes else ["canvas"]
    wire = f"${draw.choice(names)}"
    holder[key] = draw.choice([wire, [wire, wire], {"of": wire, "weight": 0.5}, {0: wire, 9: wire}, f"{wire}.x"])


def _keyframe(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    holder[key] = {0: holder[key], draw.choice((5, "50%", "2s", -3, 1e300)): _copy(holder[key])}


def _nest(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    for _ in range(draw.choice((1, 2, 70))):
        holder[key] = [holder[key]]


def _param(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    if isinstance(tree, dict) and isinstance(tree.setdefault("params", {}), dict):
        tree["params"]["fresh"] = _copy(holder[key])
        holder[key] = draw.choice(["$fresh", "${fresh}", "to ${fresh}", ["$fresh"]])


def _setting(holder: Any, key: Any, tree: Any, draw: Random) -> None:
    nodes = tree.get("nodes") if isinstance(tree, dict) else None
    bodies = [body for body in nodes.values() if isinstance(body, dict)] if isinstance(nodes, dict) else []
    if bodies:
        name = draw.choice(("size", "steps", "rate", "every", "count", "file", "init", "weight", "prompt", "use"))
        draw.choice(bodies)[name] = draw.choice(VALUES)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


TREES: list[Change] = [
    _of_the_tree(change)
    for change in (_replace, _replace, _replace, _rename, _remove, _move, _wire, _keyframe, _nest, _param, _setting)
]
