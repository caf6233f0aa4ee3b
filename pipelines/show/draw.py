"""A plan drawn: for terminals, as Mermaid or Graphviz text, and as SVG made here, with no program and no network.

All show the same: nodes in groups by when they run, and the wires between them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from xml.sax.saxutils import escape

from t2iflow.nodes.core.texts import counted
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.plan import Plan, watching
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.show.layout import CARD, Layout, arrange


@dataclass(frozen=True)
class Group:
    """Nodes that run at the same times; `stage` says how often, `part` which part of an optimiser's step it is."""

    stage: str
    part: str
    nodes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Both in one."""
        return f"{self.stage}: {self.part}" if self.part else self.stage


@dataclass(frozen=True)
class Line:
    """A wire, with a label where the kind alone does not say which port or output it is."""

    start: str
    end: str
    label: str
    once: bool


def groups(plan: Plan) -> list[Group]:
    """The nodes in the order in which they run; those that no output needs come last."""
    found: list[Group] = []
    for item in plan.items:
        if isinstance(item, Region):
            found += _parts(item)
        elif found and not found[-1].part:
            found[-1] = Group("once", "", (*found[-1].nodes, item))
        else:
            found.append(Group("once", "", (item,)))
    placed = {name for group in found for name in group.nodes}
    idle = tuple(name for name in plan.graph.nodes if name not in placed)
    return [*found, *([Group("never", "", idle)] if idle else [])]


def _parts(region: Region) -> Iterator[Group]:
    """Each node once, where it first runs."""
    passes = f" in {region.passes} passes" if region.passes > 1 else ""
    painting = {"begin": region.first, "paint": region.paint, f"judge{passes}": region.judge}
    steps = f"{counted(region.steps, 'step')} of {region.optimizer}"
    stages = {steps: {**painting, "optimise": (region.optimizer,), **watching(region.watch, "step")}}
    if region.shot:
        moving = {"move": (*region.shot.aim, region.shot.camera)}
        stages[str(region.shot)] = {**moving, **watching(region.shot.show, "frame")}
    met: set[str] = set()
    for stage, parts in stages.items():
        for part, names in parts.items():
            fresh = tuple(name for name in names if name not in met)
            met |= {*fresh}
            if fresh:
                yield Group(stage, part, fresh)


def lines(plan: Plan) -> list[Line]:
    """All wires, in the order of the recipe."""
    nodes = plan.graph.nodes
    return [
        Line(source.node, node.name, _label(node, port, nodes[source.node], source.output), node.spec.ports[port].once)
        for node in nodes.values()
        for port, sources in node.wires.items()
        for source in sources
    ]


def _label(node: Node, port: str, start: Node, output: str) -> str:
    alike = [other for other in node.spec.ports.values() if other.kind is node.spec.ports[port].kind]
    end = port if len(alike) > 1 or node.spec.ports[port].once else ""
    return " to ".join(filter(None, (output if len(start.spec.outputs) > 1 else "", end)))


def term(plan: Plan) -> str:
    """Four columns: when, which node, what it is, and where its inputs come from."""
    entering: dict[str, list[str]] = {}
    for line in lines(plan):
        entering.setdefault(line.end, []).append(line.start + (f" ({line.label})" if line.label else ""))
    rows: list[tuple[str, str, str, str]] = []
    stage = ""
    for group in groups(plan):
        when = group.part or group.stage
        if group.part and group.stage != stage:
            rows.append((group.stage, "", "", ""))
        stage = group.stage
        for name in group.nodes:
            before = ", ".join(entering.get(name, []))
            rows.append((f"  {when}" if group.part else when, name, plan.graph.nodes[name].spec.name, before))
            when = ""
    widths = [max(len(row[column]) for row in rows if row[1]) for column in range(3)] if rows else [0, 0, 0]
    written = []
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        written.append(f"{cells}  <- {row[3]}" if row[3] else cells.rstrip())
    return "\n".join(written) + "\n"


def mermaid(plan: Plan) -> str:
    """A Mermaid flowchart, as many places that show Markdown draw it."""
    numbers = {name: f"n{number}" for number, name in enumerate(plan.graph.nodes)}
    written = ["flowchart TB"]
    for number, group in enumerate(groups(plan)):
        written.append(f'  subgraph g{number}["{_entities(group.title)}"]')
        for name in group.nodes:
            label = f"<b>{_entities(name)}</b><br>{_entities(plan.graph.nodes[name].spec.name)}"
            written.append(f'    {numbers[name]}["{label}"]')
        written.append("  end")
    for line in lines(plan):
        arrow = "-.->" if line.once else "-->"
        label = f'|"{_entities(line.label)}"|' if line.label else ""
        written.append(f"  {numbers[line.start]} {arrow}{label} {numbers[line.end]}")
    return "\n".join(written) + "\n"


def _entities(text: str) -> str:
    """Text as Mermaid takes it between quotes: everything that could be markup as a numbered entity."""
    return re.sub(r"[^\w .,:-]", lambda sign: f"#{ord(sign[0])};", text)


def dot(plan: Plan) -> str:
    """A graph for Graphviz."""
    written = ["digraph recipe {", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for number, group in enumerate(groups(plan)):
        written.append(f"  subgraph cluster_{number} {{ label={_quoted(group.title)};")
        for name in group.nodes:
            written.append(f"    {_quoted(name)} [label={_quoted(name, plan.graph.nodes[name].spec.name)}];")
        written.append("  }")
    for line in lines(plan):
        style = ", style=dashed" if line.once else ""
        written.append(f"  {_quoted(line.start)} -> {_quoted(line.end)} [label={_quoted(line.label)}{style}];")
    return "\n".join([*written, "}"]) + "\n"


def _quoted(*texts: str) -> str:
    """Lines of text as Graphviz takes them."""
    return '"' + r"\n".join(text.replace("\\", r"\\").replace('"', r"\"") for text in texts) + '"'


STYLE = """
.flow { --ink: #24292f; --soft: #656d76; --line: #9aa2ab; --card: #ffffff; --band: #f2f2f1; --edge: #80808059; }
@media (prefers-color-scheme: dark) {
  .flow { --ink: #e6e6e6; --soft: #9aa2ab; --line: #8a929b; --card: #34363b; --band: #26272b; }
}
.flow text { font-family: system-ui, sans-serif; font-size: 12px; fill: var(--soft); }
.flow .name { font-size: 13px; font-weight: 600; fill: var(--ink); }
.flow .band { fill: var(--band); }
.flow .card { fill: var(--card); stroke: var(--edge); }
.flow .wire { fill: none; stroke: var(--line); stroke-width: 1.4; }
.flow .once { stroke-dasharray: 4 3; }
.flow .tip { fill: var(--line); }
.flow .label, .flow .head { paint-order: stroke; stroke: var(--band); stroke-width: 4px; }
.flow .label { font-size: 11px; }
.flow .canvas { fill: #3b82c4; } .flow .optimizer { fill: #d97706; } .flow .sink { fill: #2f9e61; }
.flow .camera { fill: #8b5fd0; }
.flow .function, .flow .memory { fill: var(--edge); }
"""


def svg(plan: Plan) -> str:
    """An SVG picture that follows light and dark, for a page or a file of its own."""
    nodes, found, wires = plan.graph.nodes, groups(plan), lines(plan)
    widths = {name: 34 + max(8.0 * len(name), 6.8 * len(node.spec.name)) for name, node in nodes.items()}
    labels = [10 + 6.6 * len(line.label) if line.label else 0.0 for line in wires]
    layout = arrange([group.nodes for group in found], [(line.start, line.end) for line in wires], widths, labels)
    width = max([layout.width, *(28 + 7.6 * len(group.title) for group in found)])
    height = layout.height
    title = escape(f"The nodes and wires of {plan.graph.recipe.title}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" role="img" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}"><title>{title}</title><style>{STYLE}</style>',
        *_bands(layout, width),
        f'<g transform="translate({(width - layout.width) / 2:g} 0)">',
        *_wires(wires, layout),
        *_cards(plan.graph, layout),
        "</g>",
        *_headings(found, layout),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bands(layout: Layout, width: float) -> Iterator[str]:
    for top, bottom in layout.bands:
        yield f'<rect class="band" y="{top:g}" width="{width:g}" height="{bottom - top:g}" rx="8"/>'


def _headings(found: list[Group], layout: Layout) -> Iterator[str]:
    """When each band runs, above its cards; a stage is named at its first band."""
    stage = ""
    for group, (top, _) in zip(found, layout.bands, strict=True):
        again = group.part and group.stage == stage
        part = f" {escape(group.part)}" if group.part else ""
        text = part.strip() if again else f'<tspan class="name">{escape(group.stage)}</tspan>{part}'
        yield f'<text class="head" x="14" y="{top + 22:g}">{text}</text>'
        stage = group.stage


def _wires(wires: list[Line], layout: Layout) -> Iterator[str]:
    labels: list[str] = []
    for line, points in zip(wires, layout.routes, strict=True):
        path = "M{:g} {:g}".format(*points[0])
        for number, ((x, y), (right, down)) in enumerate(pairwise(points)):
            middle = (y + down) / 2
            bend = f"C{x:g} {middle:g} {right:g} {middle:g} " if number % 2 == 0 else "L"
            path += f" {bend}{right:g} {down:g}"
        x, y = points[-1]
        yield f'<path class="wire{" once" * line.once}" d="{path}"/>'
        yield f'<path class="tip" d="M{x - 4:g} {y - 7:g}h8l-4 7z"/>'
        if line.label:
            labels.append(f'<text class="label" x="{x + 7:g}" y="{y - 5:g}">{escape(line.label)}</text>')
    yield from labels


def _cards(graph: Graph, layout: Layout) -> Iterator[str]:
    for name, (left, top, width) in layout.boxes.items():
        node = graph.nodes[name]
        yield (
            f'<g data-node="{escape(name)}"><title>{escape(_tooltip(node, graph.shared))}</title>'
            f'<rect class="card" x="{left:g}" y="{top:g}" width="{width:g}" '
            f'height="{CARD:g}" rx="6"/><rect class="{node.spec.role}" x="{left + 6:g}" y="{top + 8:g}" width="3" '
            f'height="{CARD - 16:g}" rx="1.5"/><text class="name" x="{left + 16:g}" y="{top + 18:g}">'
            f'{escape(name)}</text><text x="{left + 16:g}" y="{top + 34:g}">{escape(node.spec.name)}</text></g>'
        )


def _tooltip(node: Node, shared: Mapping[str, str]) -> str:
    """A node with its settings, shown when it is pointed at; of files only the names that are `shared`."""
    settings = (f"{name}: {getattr(value, 'plain', lambda v=value: v)()}" for name, value in node.settings.items())
    text = "\n".join([f"{node.name} ({node.spec.name})", *settings])
    return reduce(lambda said, path: said.replace(*path), shared.items(), text)


FORMATS: dict[str, Callable[[Plan], str]] = {"term": term, "mermaid": mermaid, "dot": dot, "svg": svg}
"""How a plan can be drawn, by name."""
