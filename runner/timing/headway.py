"""How far the optimisers of a run are, and how long they still need."""

from t2iflow.runner import entries, events


class Headway:
    """Follows a run, by its events or by the entries of its log."""

    def __init__(self) -> None:
        self.done = self.steps = 0
        """Of the present optimiser, the steps that are taken, and all."""
        self._totals: dict[str, int] = {}
        self._node = ""
        self._first, self._began, self._now = 0, 0.0, 0.0

    def __call__(self, event: events.Event | entries.Entry) -> None:
        """Take note."""
        match event:
            case events.Started():
                self._totals = dict(event.optimizers)
            case entries.Started():
                self._totals = event.totals
            case events.Fitting() | entries.Fitting():
                self._node, self._first, self._began = event.node, event.first, event.at
                self.done, self.steps = event.first, event.steps
            case events.Stepped() | entries.Stepped():
                self._node, self._now = event.node, event.at
                self.done, self.steps = event.step + 1, event.steps
            case events.Fitted() | entries.Fitted():
                self._node = event.node
                self.done = self.steps = event.steps

    @property
    def speed(self) -> float:
        """Steps a second; 0 before the first."""
        return max(self.done - self._first, 0) / max(self._now - self._began, 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds that all optimisers still need, where later ones are taken to be as quick as this one; None before
        its first step."""
        return self._ahead / self.speed if self.speed else None

    @property
    def part(self) -> float | None:
        """The part of all optimisers' steps that is taken, from 0 to 1; None where that is not known."""
        if self._node not in self._totals:
            return None
        total = sum(self._totals.values())
        return (total - self._ahead) / max(total, 1)

    @property
    def _ahead(self) -> int:
        """Steps that are still to be taken."""
        names = list(self._totals)
        later = names[names.index(self._node) + 1 :] if self._node in names else []
        return self.steps - self.done + sum(self._totals[name] for name in later)
