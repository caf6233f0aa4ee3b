"""A recipe's prompts, and when each of them applies where they change over time."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

from t2iflow.nodes.core.hooks import Tells
from t2iflow.nodes.core.prompts import read_prompt
from t2iflow.pipelines.graph.graph import Node
from t2iflow.pipelines.graph.schedule import Moment, Over, Schedule
from t2iflow.pipelines.graph.unfolding import keyframe
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.text.located import Located


@dataclass(frozen=True)
class Prompt:
    """A text with its weight, None where the recipe gives none, and when it counts, empty if always."""

    text: str
    weight: float | None = None
    when: str = ""


def prompts_of(plan: Plan) -> list[Prompt]:
    """Every prompt, each once."""
    found = (one for node in plan.graph.nodes.values() for one in _prompts_at(node, plan))
    return list(dict.fromkeys(found))


def first_prompt(plan: Plan) -> str:
    """The text of the first prompt, empty if there is none."""
    return next((one.text for one in prompts_of(plan)), "")


def written(plan: Plan) -> Iterator[tuple[str, Located, Any]]:
    """What nodes that run are asked for: their name, what the recipe says, and what its setting has become, if it is
    not unfolded."""
    for name, text in plan.graph.recipe.nodes.items():
        if name not in plan.idle:
            node = plan.graph.nodes[name]
            for key, setting in node.written_spec.settings.items():
                if "asked" in setting.means and key in text.values:
                    yield name, text.values[key], node.settings.get(key)


def _prompts_at(node: Node, plan: Plan) -> Iterator[Prompt]:
    if node.spec.is_class and issubclass(node.spec.model, Tells):
        yield from _scenes_of(node, plan)
        return
    counts = keyframe(node, plan.graph.nodes)  # when it counts wholly, if it was unfolded from one that changes
    when = _at(counts[0], counts[1] or _length(node, plan)[1]) if counts else ""
    for prompt in filter(None, node.values("asked")):
        yield from _weighted(prompt, when)


def _scenes_of(node: Node, plan: Plan) -> Iterator[Prompt]:
    """What a story asks for, each with the frame (or step) that it begins at."""
    length, clock = _length(node, plan)
    with suppress(OSError, ValueError):  # a file that has changed since
        for start, scene in node.spec.model.begins(node.settings, length):
            yield from _weighted(scene, f"from {clock} {round(start)}")


def _weighted(prompt: Any, when: str) -> Iterator[Prompt]:
    """The texts of a prompt; a list may hold texts that change over time."""
    changing = [one for one in prompt if isinstance(one, Schedule)] if isinstance(prompt, list) else []
    for one in changing:
        for moment, text in zip(one.moments(), one.values, strict=True):
            yield from _weighted(text, _at(moment, one.over or "step") if moment else "")
    if steady := [one for one in prompt if one not in changing] if changing else prompt:
        for text, weight, _ in read_prompt(steady):
            yield Prompt(text, weight if weight != 1 or isinstance(prompt, dict) else None, when)


def _at(moment: Moment, clock: str) -> str:
    if moment.unit:
        return f"at {moment}"
    return f"at {clock} {moment}" if clock in get_args(Over) else f"at step {moment} of {clock}"


def _length(node: Node, plan: Plan) -> tuple[int, str]:
    """How many frames of a film, or steps of an optimiser, go by for a node."""
    for region in sorted(plan.regions, key=lambda region: region.shot is None):
        if node.name in region.members:
            return (region.shot.frames, "frame") if region.shot else (region.steps, "step")
    return 1, "step"
