"""What options of a run say: which part of a film is made, and whether steps are recorded."""

import re
from collections.abc import Callable

from t2iflow.nodes.core.ambient import WHOLE, Part
from t2iflow.pipelines.plan.plan import Plan
from t2iflow.runner.execution.capture import Recording
from t2iflow.runner.execution.parts import parts
from t2iflow.runner.exits import UsageError


def read_part(frames: str | None, plan: Plan, note: Callable[[str], None]) -> Part:
    """The part, of the plan's longest film; the whole without a name, UsageError where there is no such part. What may
    not be what was meant is noted."""
    if frames is None:
        return WHOLE
    said = re.fullmatch(r"(\d{0,9})\.\.(\d{0,9})|(\d{1,9})", frames.strip())
    first, last = (said[1] or said[3] or "0", said[2] or said[3]) if said else ("1", "0")
    if last and int(last) < int(first):
        raise UsageError(
            f"`--frames {frames}` is not a range of frames: write 10..20, ..20, 10.. or 15, counted from 0"
        )
    longest = max((region.shot.frames for region in plan.regions if region.shot), default=0)
    if not longest:
        raise UsageError("this recipe has no camera, so it makes no film of which `--frames` could select a part")
    if said and said[3] and "frames" in plan.graph.recipe.params:
        note(f"this makes only frame {said[3]}; for a film of {said[3]}, use `--set frames={said[3]}`")
    if int(first) >= longest:
        raise UsageError(f"`--frames {frames}` starts after the film ends: its frames are 0 to {longest - 1}")
    part = Part(int(first), int(last) if last else None)
    shown = parts(Part(part.first, min(int(last or longest), longest - 1)), plan).values()
    if shown and all(one.first > (one.last or 0) for one in shown):
        raise UsageError(
            f"`--frames {frames}` selects no frame, since not every frame is made (`every`); select more of them"
        )
    return part


def read_recording(capture: bool, compile: bool) -> Recording:
    """What `--capture` and `--compile` mean together; UsageError where they contradict each other."""
    if compile and not capture:
        raise UsageError("`--compile` compiles what is recorded, so it can't go with `--no-capture`")
    return "compiled" if compile else "on" if capture else "off"
