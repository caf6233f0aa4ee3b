"""How far a run is, at what speed, and how much longer it takes."""

from t2iflow.runner.events import Computing, Event, Filmed, Fitted, Fitting, Started, Stepped, Wrote
from t2iflow.runner.timing.duration import duration


class Pace:
    """Follows a run by its events; as text, how far it is."""

    def __init__(self) -> None:
        self.frame = ""
        """Which frame of its film an optimiser works at, as a beginning of a sentence; empty before the first."""
        self._optimizers: tuple[tuple[str, int], ...] = ()
        self._doing = "starting"
        self._began = (0, 0.0)
        self._steps = (0, 0)
        self._now = 0.0

    def __call__(self, event: Event) -> None:
        """Take note."""
        if isinstance(event, Stepped):
            self._steps, self._doing, self._now = (event.step + 1, event.steps), event.node, event.at
        elif isinstance(event, Fitting):
            self._began = (event.first, event.at)
            self._steps, self.frame, self._doing = (event.first, event.steps), "", event.node
        elif isinstance(event, Filmed):
            self.frame = f"frame {event.frame + 1} of {event.frames}, "
        elif isinstance(event, Computing):
            self._doing, self._steps = f"computing {event.node}", (0, 0)
        elif isinstance(event, Fitted):
            self._doing, self._steps = f"{event.node} is done", (0, 0)
        elif isinstance(event, Wrote):
            self._doing = f"{event.path.name} is written"
        elif isinstance(event, Started):
            self._optimizers = event.optimizers

    @property
    def part(self) -> float | None:
        """How much of an optimiser's steps is taken, from 0 to 1; None where none is working."""
        done, steps = self._steps
        return done / steps if steps else None

    @property
    def speed(self) -> float:
        """Steps a second; 0 before the first."""
        first, began = self._began
        return (self._steps[0] - first) / max(self._now - began, 1e-9)

    @property
    def left(self) -> str:
        """The time that all optimisers still need, in words; later ones are taken to be as quick as this one."""
        done, steps = self._steps
        return f"about {duration((steps - done + self._later) / self.speed)} left"

    @property
    def _later(self) -> int:
        """Steps of the optimisers after the present one."""
        names = [name for name, _ in self._optimizers]
        after = names.index(self._doing) + 1 if self._doing in names else len(names)
        return sum(steps for _, steps in self._optimizers[after:])

    def __str__(self) -> str:
        done, steps = self._steps
        if not steps:
            return self._doing
        said = f"{self._doing}: {self.frame}step {done} of {steps}"
        return f"{said}, {self.left}" if self.speed else said
