"""Which frames of each film to write."""

from t2iflow.nodes.core.ambient import Part
from t2iflow.pipelines.plan.plan import Plan


def parts(part: Part, plan: Plan) -> dict[str, Part]:
    """The part of each film, by its output, counted in the frames that it shows: it may leave some out."""
    shots = [region.shot for region in plan.regions if region.shot]
    films = {name for name, node in plan.graph.nodes.items() if Part in node.spec.ambient_once.values()}
    return {
        watch.sink: part.thinned(shot.every * watch.every)
        for shot in shots
        for watch in shot.show
        if watch.sink in films
    }
