"""Where a run that left a checkpoint stands."""

from t2iflow.nodes.film.takes import Camera
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.plan.regions import Region
from t2iflow.pipelines.steering.standing import Standing
from t2iflow.runner.execution.checkpoint import Checkpoint, UnfitError


def standing(plan: Plan, saved: Checkpoint) -> Standing:
    """Where a checkpoint stands in a plan; UnfitError where that has no such optimiser."""
    region = next((region for region in plan.regions if region.optimizer == saved.optimizer), None)
    if region is None:
        raise UnfitError(f"the checkpoint is of the optimiser `{saved.optimizer}`, which this recipe doesn't have")
    if not saved.turn:
        return Standing(region.optimizer, saved.step, 1 if region.shot else 0)
    return Standing(region.optimizer, region.steps, _frame(plan, region, saved.turn + (saved.step > 0)))


def _frame(plan: Plan, region: Region, turn: int) -> int:
    """The first frame of a turn that none before it has led to, past the film's last where there is none: the last
    turns of an endless zoom paint what the last frame shows."""
    shot = region.shot
    if shot is None:
        return 0
    node = plan.graph.nodes[shot.camera]
    kind: type[Camera] = node.spec.model
    begun = kind.passed(node.settings, turn - 1, shot.every).stop if turn > 1 else 1
    turns = kind.turns(node.settings, shot.every).number
    return max(kind.passed(node.settings, turn, shot.every).start, begun) if turn < turns else shot.frames
