"""What a page shows of the steps of an optimiser, once they are taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from t2iflow.runner.report.table import Row


@dataclass(frozen=True)
class PastSteps:
    """Its losses, and small pictures (the bytes of PNGs) by step."""

    losses: Sequence[Row]
    snapshots: Mapping[int, bytes]
