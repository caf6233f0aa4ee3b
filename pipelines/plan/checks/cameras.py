"""What cameras film, and whether it can be moved."""

from collections.abc import Iterator
from typing import Any

from t2iflow.nodes.core.hooks import Repaints
from t2iflow.nodes.pictures.motion import Motion, Moves
from t2iflow.pipelines.graph.graph import Graph, Node
from t2iflow.pipelines.plan.regions import Regions, cameras, filmed
from t2iflow.pipelines.problems import Problem


def aimless(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Cameras that film no optimiser's picture, or one that another camera films too."""
    fits = [region.optimizer for region in regions]
    owner: dict[str, str] = {}
    for camera in cameras(graph):
        name = filmed(camera)
        if name not in fits:
            yield Problem(
                "T2I412",
                f"the camera `{camera.name}` films what `{name}` makes, which is not an optimiser's picture",
                camera.place,
                hints=(f"wire it to an optimiser: `image: ${fits[0] if fits else 'fit'}`",),
            )
        elif owner.setdefault(name, camera.name) != camera.name:
            yield Problem(
                "T2I412",
                f"`{owner[name]}` and `{camera.name}` both film what `{name}` makes",
                camera.place,
                hints=("combine their motions: `camera.path` takes several, and moves from one to the next",),
            )


def idle(graph: Graph, _: Regions) -> Iterator[Problem]:
    """Cameras that neither film nor lend their motion."""
    wires = graph.net.edges(data=True)
    lent = {start for start, end, wire in wires if graph.nodes[end].spec.ports[wire["port"]].kind is Motion}
    for node in graph.nodes.values():
        if node.spec.role == "camera" and not node.wires.get("image") and node.name not in lent | graph.torn:
            yield Problem(
                "T2I412",
                f"the camera `{node.name}` films nothing",
                node.place,
                hints=("wire it to an optimiser (`image: $fit`), or lend its motion to a `camera.path`",),
            )


def unmoved_canvases(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Canvases that a camera can't move as its settings ask."""
    for region in regions:
        if region.shot is None:
            continue
        camera = graph.nodes[region.shot.camera]
        latent = camera.value("moved") == "latent"
        for canvas in (graph.nodes[name] for name in sorted(region.canvases)):
            repaints = _can(canvas.spec.target, Repaints)
            stuck = latent and not _can(canvas.spec.target, Moves)
            if stuck or not repaints:
                lacking = "what it is painted from" if stuck else "pictures"
                name = f"`{canvas.name}` ({canvas.spec.name})"
                yield Problem(
                    "T2I412",
                    f"the camera `{camera.name}` moves {lacking}, which {name} can't take on",
                    camera.place,
                    hints=("take `move: auto`" if latent and repaints else "film another canvas",),
                )


def out_of_step(graph: Graph, regions: Regions) -> Iterator[Problem]:
    """Films that are out of step with a song: that close, and so begin with another frame than the first, but have a
    sound or follow one; or that are shown backwards, but follow one."""
    for region in regions:
        if region.shot is None:
            continue
        camera, nodes = graph.nodes[region.shot.camera], [graph.nodes[name] for name in region.members]
        music = [what for node in nodes for what in _followed(node)]
        heard = [*music, *(what for node in nodes for what in _sounds(node))]
        if heard and camera.value("loop"):
            yield Problem(
                "T2I204",
                f"`loop` of the camera `{camera.name}` lets the film begin with whichever frame closes it best, which "
                f"would be out of step with {heard[0]}",
                camera.place,
                hints=("leave out `loop`, or the sound and everything that follows it",),
            )
        for sink in (graph.nodes[watch.sink] for watch in region.shot.show):
            if music and sink.value("order") not in (None, "forward"):
                yield Problem(
                    "T2I204",
                    f"`{sink.spec.meanings['order']}: {sink.value('order')}` of `{sink.name}` shows the film "
                    f"backwards, which would be out of step with {music[0]}",
                    sink.place,
                    hints=("leave out one of the two; `sound` alone goes with any order",),
                )


def _followed(node: Node) -> Iterator[str]:
    """The music that values of a node follow, in words."""
    for one in node.schedules:
        if any(part.followed for part in one.schedule.parts()):
            yield f"the music that {node.subject(one.setting)} follows"


def _sounds(node: Node) -> Iterator[str]:
    """The sounds of a film, in words."""
    for name, setting in node.spec.settings.items():
        if setting.reads == "sound" and node.settings.get(name):
            yield f"`{name}` of `{node.name}`"


def _can(target: Any, protocol: Any) -> bool:
    """Whether a canvas has the methods of a protocol."""
    return issubclass(target, protocol)
