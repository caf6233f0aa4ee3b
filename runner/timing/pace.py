"""How far a run is, at what speed, and how much longer it takes, in words."""

from t2iflow.runner.events import Computing, Event, Filmed, Fitted, Fitting, Stepped, Wrote
from t2iflow.runner.timing.duration import duration
from t2iflow.runner.timing.headway import Headway


class Pace:
    """Follows a run by its events; as text, how far it is."""

    def __init__(self) -> None:
        self.frame = ""
        """Which frame of its film an optimiser works at, as a beginning of a sentence; empty before the first."""
        self._headway = Headway()
        self._doing, self._fits = "starting", False

    def __call__(self, event: Event) -> None:
        """Take note."""
        self._headway(event)
        match event:
            case Stepped():
                self._doing, self._fits = event.node, True
            case Fitting():
                self._doing, self._fits, self.frame = event.node, True, ""
            case Filmed():
                self.frame = f"frame {event.frame + 1} of {event.frames}, "
            case Computing():
                self._doing, self._fits = f"computing {event.node}", False
            case Fitted():
                self._doing, self._fits = f"{event.node} is done", False
            case Wrote():
                self._doing = f"{event.path.name} is written"

    @property
    def part(self) -> float | None:
        """How much of an optimiser's steps is taken, from 0 to 1; None where none is working."""
        return self._headway.done / self._headway.steps if self._fits and self._headway.steps else None

    @property
    def speed(self) -> float:
        """Steps a second; 0 before the first."""
        return self._headway.speed

    @property
    def left(self) -> str:
        """The time that all optimisers still need, in words; later ones are taken to be as quick as this one."""
        return f"about {duration(self._headway.left or 0.0)} left"

    def __str__(self) -> str:
        if self.part is None:
            return self._doing
        said = f"{self._doing}: {self.frame}step {self._headway.done} of {self._headway.steps}"
        return f"{said}, {self.left}" if self.speed else said
