"""What the studio answers where it can't do what a request says."""

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """A request is refused: the status of the answer, words for whoever reads it, and the mistakes of a recipe."""

    def __init__(self, status: int, error: str, problems: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(error)
        self.status, self.error, self.problems = status, error, problems

    @property
    def body(self) -> dict[str, Any]:
        """The answer, as JSON has it."""
        return {"error": self.error, "problems": list(self.problems)}
