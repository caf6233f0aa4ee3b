"""A change to the recipe of a run where it stands: written as a keyframe, so that the recipe still says all.

Which form of keyframe is right depends on what was written, on clocks, on whoever else uses a param; so the plainest is
taken of those by which the recipe has the same past as before, to the bit, and from now on is as if the new value had
always been there. Where there is none, the change is refused.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.spelling import suggest
from t2iflow.pipelines.graph.present import present
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.pipelines.problems import Problems, RecipeError
from t2iflow.pipelines.steering.editing import UnwrittenError, edited
from t2iflow.pipelines.steering.past import altered
from t2iflow.pipelines.steering.standing import Standing
from t2iflow.pipelines.steering.states import differing, names, same
from t2iflow.pipelines.steering.targets import Target, Weighted, targets
from t2iflow.pipelines.steering.turns import changes, turns
from t2iflow.pipelines.text.dollars import reference
from t2iflow.pipelines.text.located import Located, plain
from t2iflow.pipelines.text.overrides import TextOverride, ValueOverride

Compile: TypeAlias = Callable[[str, Sequence[str | ValueOverride]], Plan]
"""Reads and compiles the text of a recipe with overrides; RecipeError with all its mistakes."""


class SteeringError(ValueError):
    """Something can't be steered: why, and what can."""


@dataclass(frozen=True)
class Steerable:
    """Something that can be steered where a run stands, and what it is now."""

    name: str
    now: Any


def steered(text: str, changed: Sequence[str | ValueOverride], standing: Standing, compiled: Compile) -> str:
    """The recipe with these changes (`param=value`, `node.setting=value`, or `node.port.term=value` for a weight) as
    they count from where a run stands. RecipeError for mistakes in a value, SteeringError for what can't be steered.
    """
    for change in changed:
        text = _Steering(text, compiled(text, ()), standing, compiled).with_change(change)
    return text


def steerable(text: str, standing: Standing, compiled: Compile) -> list[Steerable]:
    """All that can be steered where a run stands; what is no more than a param, by the param."""
    return _Steering(text, compiled(text, ()), standing, compiled).offer()


@dataclass(frozen=True)
class _Steering:
    text: str
    plan: Plan
    standing: Standing
    compiled: Compile

    def with_change(self, change: str | ValueOverride) -> str:
        parsed = TextOverride(*change.partition("=")) if isinstance(change, str) else change
        if not parsed.equals:
            raise SteeringError(f"`--set {parsed.target}` needs a value: `--set name=value`")
        target = self._target(parsed.target.strip())
        value, plainly = self._plainly(target, parsed, change)
        if not self._has_effect(plainly):
            if value in (target.written, self._now(target)):
                raise SteeringError(f"`{target.name}` already has that value")
            self._refuse(target.name, f"nothing depends on it from {self.standing} on")
        mistakes, reasons = [], []
        for written in self._turns(target, value):
            text = edited(self.text, target.way, written)
            try:
                plan = self.compiled(text, ())
            except RecipeError as fault:
                mistakes.append(fault.problems[0].message)
                continue
            reason = altered(self.plan, plan, self.standing)
            if reason is None and (changes(value) or self._goes_on_as(plan, plainly)):
                return text
            reasons += [reason] if reason else []
        self._refuse(target.name, next(iter([*mistakes, *reversed(reasons)]), "no keyframe says so"))

    def offer(self) -> list[Steerable]:
        return [Steerable(target.name, self._now(target)) for target in targets(self.plan) if self._can_turn(target)]

    def _target(self, name: str) -> Target:
        known = {target.name: target for target in targets(self.plan)}
        if found := known.get(name) or known.get(name.replace("_", "-")):
            return found
        near = suggest(name, known)
        self._refuse(name, f"the recipe has nothing of this name{'; ' + near if near else ''}")

    def _plainly(self, target: Target, parsed: TextOverride, change: str | ValueOverride) -> tuple[Any, Plan]:
        """The value as a recipe writes it, and the recipe that has always had it."""
        if len(target.way) <= 3:
            plan = self.compiled(self.text, [change])
            return plain(_at(plan.graph.recipe.text.document, target)), plan
        problems, document = Problems(), self.plan.graph.recipe.text.document
        value = parsed.value((), document, problems)
        if value is None or problems:
            raise RecipeError(problems, {parsed.file: parsed.file})
        given = plain(value)
        return given, self.compiled(edited(self.text, target.way, _in_place(target, given)), ())

    def _turns(self, target: Target, value: Any) -> Iterator[Any]:
        """What can be written in place of the target: the value itself, if nothing of it is past, or keyframes."""
        yield _in_place(target, value)
        was = 1 if isinstance(target.written, Weighted) else target.written
        for written in turns(was, value, self.plan, self.standing):
            yield _in_place(target, written)

    def _has_effect(self, plan: Plan) -> bool:
        """Whether another recipe goes on otherwise."""
        return not (self._goes_on_as(plan, self.plan) and self._goes_on_as(self.plan, plan))

    def _goes_on_as(self, plan: Plan, other: Plan) -> bool:
        """Whether two recipes are the same at all moments to come."""
        these, those = names(plan.graph), names(other.graph)
        if these.keys() != those.keys():
            return False
        stepping = {name for one in (plan, other) for region in one.regions for name in region.members}
        before = {name for one in (plan, other) for name in self._done(one)}
        alone = [name for name in these if name not in stepping and name not in before]
        if not all(same(plan.graph, other.graph, name) for name in alone):
            return False
        return differing(plan, other, these, self.standing.future(plan)) is None

    def _done(self, plan: Plan) -> list[str]:
        """What ran before the present optimiser, and only then."""
        begun = self.standing.begun(plan)
        items = plan.items[: plan.items.index(begun[-1])] if begun else ()
        return [item for item in items if isinstance(item, str) and plan.graph.nodes[item].spec.role == "sink"]

    def _can_turn(self, target: Target) -> bool:
        if reference(target.written) or self._is_fixed(target):
            return False
        value = self._now(target)
        for written in self._turns(target, value):
            if written == target.written and self.standing.optimizer:
                continue
            try:
                plan = self.compiled(edited(self.text, target.way, written), ())
            except (RecipeError, UnwrittenError):
                continue
            if altered(self.plan, plan, self.standing) is None and self._counts(plan):
                return True
        return False

    def _counts(self, plan: Plan) -> bool:
        """Whether anything to come depends on what differs in a plan: whether its keyframes are read then."""
        coming = {tick.optimizer for tick in self.standing.future(plan)}
        members = {name for region in plan.regions if region.optimizer in coming for name in region.members}
        return any(not same(self.plan.graph, plan.graph, name) for name in names(self.plan.graph) if name in members)

    def _is_fixed(self, target: Target) -> bool:
        """Whether a setting of this node is never steered, without a trial."""
        if target.way[0] != "nodes" or len(target.way) > 3:
            return False
        return self.plan.graph.nodes[str(target.way[1])].written_spec.settings[str(target.way[2])].fixed

    def _now(self, target: Target) -> Any:
        """What a target is where the run stands; None where no setting or weight has it as a whole."""
        if isinstance(target.written, Weighted):
            return 1
        tick = next(self.standing.future(self.plan), None)
        if tick is None or not changes(target.written):
            return target.written
        place = _at(self.plan.graph.recipe.text.document, target).place
        return next((present(now, tick) for value, now in _values(self.plan, tick) if value.place == place), None)

    def _refuse(self, name: str, why: str) -> NoReturn:
        offered = ", ".join(one.name for one in self.offer())
        can = f"you can steer {offered}" if offered else f"nothing can be steered at {self.standing}"
        raise SteeringError(f"can't steer `{name}`: {why}\n{can}")


def _values(plan: Plan, tick: Tick) -> Iterator[tuple[Located, Any]]:
    """Where each setting and each weight is written, with what it has become; of a list each item, too."""
    for text in plan.graph.recipe.nodes.values():
        node = plan.graph.nodes[text.name]
        if blend := node.blend:
            node = plan.graph.nodes[blend.texts[round(blend.position.present(tick))]]
        for key, value in text.values.items():
            if key in node.settings:
                yield value, node.settings[key]
                yield from _items(value, node.settings[key])
            elif isinstance(value.value, list) and (total := plan.graph.nodes.get(f"{text.name}.{key}")):
                for term, weight in zip(value.value, total.settings["weights"], strict=True):
                    if isinstance(term.value, dict):
                        yield term.value.get("weight", term), weight


def _items(value: Located, now: Any) -> Iterator[tuple[Located, Any]]:
    return zip(value.value, now, strict=False) if isinstance(value.value, list) and isinstance(now, list) else iter(())


def _in_place(target: Target, written: Any) -> Any:
    return target.written.weighing(written) if isinstance(target.written, Weighted) else written


def _at(document: Located, target: Target) -> Located:
    value = document
    for step in target.way:
        value = value.value[step]
    return value
