"""What optimisers train: canvases that their losses reach, each by one optimiser."""

from collections.abc import Iterator

from t2iflow.nodes.core.ambient import Share
from t2iflow.pipelines.graph.graph import Graph
from t2iflow.pipelines.graph.schedule import least
from t2iflow.pipelines.plan.regions import Regions, upstream
from t2iflow.pipelines.problems import Problem


def nothing_to_train(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Losses that no canvas can change, or none of those whose picture the optimiser passes on."""
    for region in regions:
        fit = graph.nodes[region.optimizer]
        before = upstream(graph, fit.name, "loss")
        judged, painted = before.intersection(region.canvases), {*region.canvases}.intersection(region.paint)
        if fit.wires.get("loss") and not judged and not graph.torn & {fit.name, *before}:
            yield Problem(
                "T2I402",
                f"no canvas can reach the loss of `{fit.name}`, so there is nothing to train",
                fit.place,
                hints=("wire a canvas (such as `siren.canvas`) through crops and `clip.look` to the loss",),
            )
        if judged and painted and not judged & painted:
            yield Problem(
                "T2I402",
                f"`{fit.name}` passes on what {_listed(painted)} paints, but its loss judges {_listed(judged)}",
                fit.place,
                hints=("wire the same canvas to `image` and, through what judges it, to `loss`",),
            )


def shared_canvases(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Canvases that two optimisers train."""
    owner: dict[str, str] = {}
    for region in regions:
        for name in sorted(region.canvases):
            if owner.setdefault(name, region.optimizer) != region.optimizer:
                yield Problem(
                    "T2I404",
                    f"`{owner[name]}` and `{region.optimizer}` both train the canvas `{name}`",
                    graph.nodes[region.optimizer].place,
                    hints=(f"give the second its own canvas, starting from the first: `init: ${owner[name]}`",),
                )


def too_many_passes(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Steps that are spread over more passes than a node makes crops."""
    for region in regions:
        for name in sorted(region.judge):
            node = graph.nodes[name]
            count = least(node.value("count"))
            if Share in node.spec.ambient.values() and isinstance(count, int) and count < region.passes:
                yield Problem(
                    "T2I407",
                    f"`{region.optimizer}` spreads its crops over {region.passes} passes, but `{name}` makes only"
                    f" {count}",
                    graph.nodes[region.optimizer].place,
                    hints=(f"an `accumulate` of at most {count}, or a higher `count`",),
                )


def canvases_before_themselves(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Canvases that start from one that is trained at the same time."""
    for region in regions:
        for name in region.canvases:
            canvas = graph.nodes[name]
            ahead = upstream(graph, name, *(port for port, spec in canvas.spec.ports.items() if spec.once))
            for other in sorted(ahead.intersection(region.canvases)):
                yield Problem(
                    "T2I401",
                    f"the canvas `{name}` starts from `{other}`, which `{region.optimizer}` trains at the same time",
                    canvas.place,
                    hints=("give each an optimiser of its own, and start the second from the first's: `init: $fit`",),
                )


def outputs_of_several(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Outputs that would need two optimisers at once."""
    trains = {name: region.optimizer for region in regions for name in region.canvases}
    for node in graph.nodes.values():
        if node.spec.role == "sink":
            fits = {trains[name] for name in upstream(graph, node.name, *node.spec.ports) if name in trains}
            if len(fits) > 1:
                yield Problem(
                    "T2I410",
                    f"`{node.name}` needs pictures from {_listed(fits)} while they train, but they train in turn",
                    node.place,
                    hints=("wire it to the optimisers' finished pictures instead",),
                )


def _listed(names: set[str]) -> str:
    return " and ".join(f"`{name}`" for name in sorted(names))
