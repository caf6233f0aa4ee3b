"""How much longer a run takes, by the events in its log."""

import contextlib
from collections.abc import Mapping
from typing import Any


class Left:
    """Follows a run, event by event."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._began = (0, 0.0)
        self._node, self._ahead, self._each = "", 0, 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """Take note; an event that is not as it should be, as after somebody's edit, says nothing."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if event["type"] == "started":
                self._totals = {str(node): int(steps) for node, steps in event["optimizers"]}
            elif event["type"] == "fitting":
                self._node, self._began = str(event["node"]), (int(event["first"]), float(event["time"]))
            elif event["type"] == "stepped":
                self._step(int(event["step"]) + 1, int(event["steps"]), float(event["time"]))

    @property
    def seconds(self) -> float | None:
        """Seconds that all optimisers still need, where later ones are taken to be as quick as this one; None before
        its first step."""
        names = list(self._totals)
        later = names[names.index(self._node) + 1 :] if self._node in names else []
        return (self._ahead + sum(self._totals[name] for name in later)) * self._each if self._each else None

    def _step(self, done: int, steps: int, time: float) -> None:
        first, began = self._began
        if done > first:
            self._ahead, self._each = steps - done, max(time - began, 1e-9) / (done - first)
