"""What must hold of a wired recipe as a whole, before anything runs."""

from collections.abc import Iterator

import networkx as nx

from t2iflow.nodes.core.ambient import Share
from t2iflow.nodes.perceptors.interface import Seen, Wanted
from t2iflow.nodes.pictures.motion import Motion
from t2iflow.pipelines.graph.graph import Graph, Node, Source
from t2iflow.pipelines.graph.schedule import least
from t2iflow.pipelines.plan import outputs
from t2iflow.pipelines.plan.fitting import unfitting
from t2iflow.pipelines.plan.limits import immoderate
from t2iflow.pipelines.plan.regions import cameras, filmed, optimizers, scopes, upstream
from t2iflow.pipelines.problems import Problem


def check(graph: Graph) -> Iterator[Problem]:
    """All that is wrong with the whole."""
    yield from _makes_nothing(graph)
    yield from immoderate(graph)
    loops = list(_cycles(graph))
    yield from loops
    yield from _unreachable_losses(graph)
    yield from _aimless_cameras(graph)
    if not loops:  # else looking for where an embedding comes from might never end
        yield from outputs.same_files(graph)
        yield from _mixed_perceptors(graph)
        yield from _shared_canvases(graph)
        yield from _unjudged_pictures(graph)
        yield from _tangled_regions(graph)
        yield from outputs.unfitting_sizes(graph)
        yield from _too_many_passes(graph)
        yield from _idle_every(graph)
        yield from unfitting(graph)


def _makes_nothing(graph: Graph) -> Iterator[Problem]:
    known = graph.recipe.nodes.keys() <= graph.nodes.keys()
    if known and not any(node.spec.role == "sink" for node in graph.nodes.values()):
        yield Problem(
            "T2I405",
            "the recipe writes nothing",
            graph.recipe.start,
            hints=("add an output, such as `still: {use: output.image, image: $fit}`",),
        )


def _cycles(graph: Graph) -> Iterator[Problem]:
    for knot in nx.strongly_connected_components(graph.net):
        inside = graph.net.subgraph(knot)
        if len(knot) > 1 or inside.number_of_edges():
            first = next(name for name in graph.nodes if name in knot)
            way = [edge[0] for edge in nx.find_cycle(inside, first)]
            turn = way[way.index(first) :] + way[: way.index(first)] if first in way else way
            yield Problem(
                "T2I401",
                "these nodes wait for each other: " + " -> ".join([*turn, turn[0]]),
                graph.nodes[turn[0]].place,
                hints=("a wire must not lead back to where its value comes from",),
            )


def _unreachable_losses(graph: Graph) -> Iterator[Problem]:
    for fit in optimizers(graph):
        if "loss" not in fit.wires or not fit.wires["loss"]:
            continue
        before = upstream(graph, fit.name, "loss")
        if graph.torn & {fit.name, *before}:
            continue
        if not any(graph.nodes[name].spec.role == "canvas" for name in before):
            yield Problem(
                "T2I402",
                f"no canvas can reach the loss of `{fit.name}`, so there is nothing to train",
                fit.place,
                hints=("wire a canvas (such as `siren.canvas`) through crops and `clip.look` to the loss",),
            )


def _unjudged_pictures(graph: Graph) -> Iterator[Problem]:
    for fit in optimizers(graph):
        judged, painted = (_canvases(graph, upstream(graph, fit.name, port)) for port in ("loss", "image"))
        if judged and painted and not judged & painted:
            yield Problem(
                "T2I402",
                f"`{fit.name}` passes on what {_listed(painted)} paints, but its loss judges {_listed(judged)}",
                fit.place,
                hints=("wire the same canvas to `image` and, through what judges it, to `loss`",),
            )


def _listed(names: set[str]) -> str:
    return " and ".join(f"`{name}`" for name in sorted(names))


def _canvases(graph: Graph, names: set[str]) -> set[str]:
    return {name for name in names if graph.nodes[name].spec.role == "canvas"}


def _aimless_cameras(graph: Graph) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for camera in cameras(graph):
        name = filmed(graph, camera)
        if graph.nodes[name].spec.role != "optimizer":
            fits = [fit.name for fit in optimizers(graph)]
            yield Problem(
                "T2I412",
                f"the camera `{camera.name}` films what `{name}` makes, which is no optimiser's picture",
                camera.place,
                hints=(f"wire it to an optimiser: `image: ${fits[0] if fits else 'fit'}`",),
            )
        elif owner.setdefault(name, camera.name) != camera.name:
            yield Problem(
                "T2I412",
                f"`{owner[name]}` and `{camera.name}` both film what `{name}` makes",
                camera.place,
                hints=("join their motions in one: `camera.path` takes several, and goes from one to the next",),
            )
    lent = {source.node for node in graph.nodes.values() for source in _motions(node)}
    for node in graph.nodes.values():
        lends = node.name in lent
        if node.spec.role == "camera" and not node.wires.get("image") and not lends and node.name not in graph.torn:
            yield Problem(
                "T2I412",
                f"the camera `{node.name}` films nothing",
                node.place,
                hints=("wire it to an optimiser (`image: $fit`), or lend its motion to a `camera.path`",),
            )


def _motions(node: Node) -> Iterator[Source]:
    """Where the motions come from that a node takes."""
    for port, sources in node.wires.items():
        if node.spec.ports[port].kind is Motion:
            yield from sources


def _mixed_perceptors(graph: Graph) -> Iterator[Problem]:
    judges = _judges(graph)
    for node in graph.nodes.values():
        ends = dict(_embeddings(node))
        perceptors = {name for end in ends.values() if (name := judges.get(end))}
        if len(perceptors) > 1:
            whose = ", ".join(f"`{port}` is from `{judges.get(end)}`" for port, end in ends.items())
            yield Problem(
                "T2I403",
                f"node `{node.name}` compares what two perceptors made: {whose}",
                node.place,
                hints=("an embedding means something only to the perceptor that made it",),
            )


def _judges(graph: Graph) -> dict[str, str]:
    """The perceptor that each embedding comes from, where it is one."""
    judges: dict[str, str] = {}
    for node in map(graph.nodes.__getitem__, nx.topological_sort(graph.net)):
        clips = {source.node for source in node.wires.get("clip", ())}
        found = clips or {judges[end] for _, end in _embeddings(node) if end in judges}
        if len(found) == 1:
            judges[node.name] = found.pop()
    return judges


def _embeddings(node: Node) -> Iterator[tuple[str, str]]:
    """The ports that take embeddings, and the nodes that these come from."""
    for port, wires in node.wires.items():
        if node.spec.ports[port].kind in (Seen, Wanted):
            yield from ((port, source.node) for source in wires)


def _shared_canvases(graph: Graph) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for fit in optimizers(graph):
        for name in sorted(upstream(graph, fit.name, "loss", "image")):
            if graph.nodes[name].spec.role == "canvas" and owner.setdefault(name, fit.name) != fit.name:
                yield Problem(
                    "T2I404",
                    f"`{owner[name]}` and `{fit.name}` both train the canvas `{name}`",
                    fit.place,
                    hints=(f"give the second its own canvas, starting from the first: `init: ${owner[name]}`",),
                )


def _tangled_regions(graph: Graph) -> Iterator[Problem]:
    """Canvases that would have to be there before themselves, and outputs that would need two optimisers at once."""
    trains = {
        name: fit.name
        for fit in optimizers(graph)
        for name in _canvases(graph, upstream(graph, fit.name, "loss", "image"))
    }
    for name, fit in trains.items():
        ports = [port for port, spec in graph.nodes[name].spec.ports.items() if spec.once]
        for other in sorted(upstream(graph, name, *ports)):
            if trains.get(other) == fit:
                yield Problem(
                    "T2I401",
                    f"the canvas `{name}` starts from `{other}`, which `{fit}` trains at the same time",
                    graph.nodes[name].place,
                    hints=("give each an optimiser of its own, and start the second from the first's: `init: $fit`",),
                )
    for node in graph.nodes.values():
        if node.spec.role == "sink":
            fits = {trains[name] for name in upstream(graph, node.name, *node.spec.ports) if name in trains}
            if len(fits) > 1:
                yield Problem(
                    "T2I410",
                    f"`{node.name}` needs pictures of {_listed(fits)}, which train in turn",
                    node.place,
                    hints=("wire it to the optimisers' finished pictures instead",),
                )


def _too_many_passes(graph: Graph) -> Iterator[Problem]:
    for fit in optimizers(graph):
        passes = fit.settings.get("accumulate") or 1
        for name in sorted(upstream(graph, fit.name, "loss")):
            node = graph.nodes[name]
            count = least(node.settings.get("count"))
            if Share in node.spec.ambient.values() and isinstance(count, int) and count < passes:
                yield Problem(
                    "T2I407",
                    f"`{fit.name}` spreads its crops over {passes} passes, but `{name}` makes only {count}",
                    fit.place,
                    hints=(f"an `accumulate` of at most {count}, or a higher `count`",),
                )


def _idle_every(graph: Graph) -> Iterator[Problem]:
    rare = [node for node in graph.nodes.values() if node.every > 1]
    found = scopes(graph).values() if rare else ()
    shown = {sink for scope in found for sink, _ in scope.shown}
    filming = {scope.camera.name for scope in found if scope.camera}

    def looks_on(name: str, fit: Node) -> bool:
        during = upstream(graph, fit.name, "loss", "image")
        return name not in nx.descendants(graph.net, fit.name) and bool(nx.ancestors(graph.net, name) & during)

    for node in rare:
        watching = node.spec.role == "sink" and any(looks_on(node.name, fit) for fit in optimizers(graph))
        if not watching and node.name not in shown | filming:
            yield Problem(
                "T2I406",
                f"`every` on node `{node.name}` has no meaning: it runs neither in the steps of an optimiser nor in the"
                " frames of a camera",
                node.place,
                hints=(
                    "`every` is for outputs wired to a canvas or a camera, such as"
                    " `film: {use: output.video, image: $canvas}`",
                ),
            )
