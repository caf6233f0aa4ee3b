"""All about nodes, in words, for the terminal and for the documentation; everything comes from signatures."""

import sys
import textwrap
from typing import Any

from t2iflow.nodes.core import catalog
from t2iflow.nodes.core.node import Port, Setting, Spec, kind_name
from t2iflow.nodes.core.spelling import suggest
from t2iflow.nodes.core.texts import aligned
from t2iflow.pipelines.graph.allowed import describe
from t2iflow.pipelines.show.kinds import every_kind, fields, makers, said_of, takers
from t2iflow.pipelines.text.yaml_writer import flow

WIDTH = 100
"""Columns of running text."""


def listing() -> str:
    """All nodes, by family, with what each does; and packages whose nodes can't be used."""
    parts = [_family(family, specs) for family, specs in _families().items()]
    parts += [f"{family}: broken: {fault}\n" for family, fault in catalog.broken().items()]
    kinds = [(kind_name(kind), said_of(kind)) for kind in every_kind(catalog.every_node())]
    return "\n".join([*parts, _lines("kinds", "what flows along wires.", kinds), "`t2iflow nodes NAME` shows one.\n"])


def about(name: str) -> str:
    """All about a node, a kind, or the nodes of a family; LookupError, with a hint, if there is none of this name."""
    families = _families()
    kinds = {kind_name(kind): kind for kind in every_kind(catalog.every_node())}
    if name in kinds:
        return _kind(kinds[name])
    if name in families:
        return _family(name, families[name])
    if name in (broken := catalog.broken()):
        raise LookupError(f"`{name}` belongs to a package that can't be used: {broken[name]}")
    try:
        return _page_of(catalog.find(name))
    except catalog.BrokenPackageError as fault:
        raise LookupError(f"`{name}` belongs to a package that can't be used: {fault}") from fault
    except catalog.UnknownNodeError:
        near = suggest(name, [*(spec.name for spec in catalog.every_node()), *families, *kinds])
    raise LookupError(f"there is no node, family or kind `{name}`; {near or '`t2iflow nodes` lists all of them'}")


def markdown() -> str:
    """The page of all nodes that come with the program."""
    own = {name: specs for name, specs in _families().items() if catalog.families()[name] is None}
    parts = [
        "# Nodes\n\nMade from the code by `make docs`. A port takes a wire (`$name` of a node), a setting a value; a"
        " setting marked ~ may be [keyframed](recipes.md#keyframes). A port or setting without a default is required.\n"
    ]
    parts.append("\n".join(f"- [{name}](#{name}): {_module_about(specs[0])}" for name, specs in own.items()))
    parts.append("- [kinds](#kinds): what flows along wires\n")
    parts.append(_kinds([spec for specs in own.values() for spec in specs]))
    for name, specs in own.items():
        parts.append(f"## {name}\n\n{_module_doc(specs[0])}\n")
        parts += [_section(spec) for spec in specs]
    return "\n".join(parts)


def _families() -> dict[str, list[Spec]]:
    found: dict[str, list[Spec]] = {}
    for spec in sorted(catalog.every_node(), key=lambda spec: spec.name.partition(".")[0]):
        found.setdefault(spec.name.partition(".")[0], []).append(spec)
    return found


def _family(name: str, specs: list[Spec]) -> str:
    return _lines(name, _module_about(specs[0]), [(spec.name, spec.about) for spec in specs])


def _lines(title: str, about: str, rows: list[tuple[str, str]]) -> str:
    """A title with a sentence, and below it names with a sentence each."""
    width = 2 + max(len(name) for name, _ in rows)
    written = textwrap.wrap(about, WIDTH, initial_indent=f"{title}: ", subsequent_indent="  ")
    for name, said in rows:
        indent = " " * (width + 2)
        written += textwrap.wrap(f"  {name.ljust(width)}{said}", WIDTH, subsequent_indent=indent)
    return "\n".join(written) + "\n"


def _kind(kind: Any) -> str:
    specs = list(catalog.every_node())
    parts = [kind_name(kind), "\n".join(textwrap.wrap(said_of(kind), WIDTH))]
    if rows := [(name, said, "") for name, said in fields(kind)]:
        parts.append("\n".join(["fields:", *(f"  {row}" for row in aligned(rows))]))
    for title, names in (("made by", makers(kind, specs)), ("taken by", takers(kind, specs))):
        if listed := ", ".join(names):
            parts.append("\n".join(textwrap.wrap(listed, WIDTH, initial_indent=f"{title}: ", subsequent_indent="  ")))
    return "\n\n".join(parts) + "\n"


def _page_of(spec: Spec) -> str:
    parts = [f"{spec.name}\n\n{spec.doc}"]
    ports = [(port.name, kind_name(port.kind), _port_marks(port)) for port in spec.ports.values()]
    settings = [
        (name, describe(setting.annotation), _setting_marks(setting)) for name, setting in spec.settings.items()
    ]
    outputs = [(name or "(the only one)", kind_name(kind), "") for name, kind in spec.outputs.items()]
    for title, rows in (("ports", ports), ("settings", settings), ("outputs", outputs)):
        if rows:
            parts.append("\n".join([f"{title}:", *(f"  {row}" for row in aligned(rows))]))
    return "\n\n".join(parts) + "\n"


def _port_marks(port: Port) -> str:
    marks = {"one or several wires": port.many, "may be left out": not port.required, "read once": port.once}
    return ", ".join(mark for mark, holds in marks.items() if holds)


def _setting_marks(setting: Setting) -> str:
    first = "required" if setting.required else f"default {flow(setting.default)}"
    return first if setting.fixed else f"{first}, may be keyframed"


def _kinds(specs: list[Spec]) -> str:
    """A table of kinds; of those that are more than one tensor, their fields, for nodes of your own."""
    rows = []
    for kind in every_kind(specs):
        parts = "; ".join(f"`{name}`" + (f" {said}" if said else "") for name, said in fields(kind))
        rows.append(
            f"| {kind_name(kind)} | {_cell(said_of(kind))}"
            + (f" Fields: {_cell(parts)}." * bool(parts))
            + f" | `{kind.__module__}` |"
        )
    about = "What flows along wires; a wire joins an output and a port of the same kind. Shapes are of tensors."
    return "\n".join([f"## kinds\n\n{about}\n", "| kind | what it is | module |", "|---|---|---|", *rows]) + "\n"


def _section(spec: Spec) -> str:
    heading = f"### {spec.name}\n\n`{_signature(spec)}`\n\n{spec.doc}\n"
    rows = [
        f"| {name}{'' if setting.fixed else ' ~'} | {_cell(describe(setting.annotation))} | {_default(setting)} |"
        for name, setting in spec.settings.items()
    ]
    return heading + (
        "\n" + "\n".join(["| setting | takes | default |", "|---|---|---|", *rows]) + "\n" if rows else ""
    )


def _signature(spec: Spec) -> str:
    """Ports and outputs in one line: `image: Image, [mask: Mask] -> Image`."""
    ports = []
    for port in spec.ports.values():
        text = f"{port.name}: {kind_name(port.kind)}{', ...' * port.many}"
        ports.append(text if port.required else f"[{text}]")
    outputs = [f"{name}: {kind_name(kind)}" if name else kind_name(kind) for name, kind in spec.outputs.items()]
    return f"{', '.join(ports) or '(no ports)'} -> {', '.join(outputs) or 'a file'}"


def _default(setting: Setting) -> str:
    return "" if setting.required else f"`{_cell(flow(setting.default))}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _module_doc(spec: Spec) -> str:
    return (sys.modules[spec.target.__module__].__doc__ or "").strip()


def _module_about(spec: Spec) -> str:
    """The module's first paragraph, in one line."""
    return _module_doc(spec).split("\n\n")[0].replace("\n", " ")
