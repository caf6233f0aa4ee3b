"""What `torch.compile` must know, so that it can follow nodes without a gap.

It follows whatever is computed with tensors. Of what else nodes do in a step it doesn't know the kinds, `Image(...)`:
a `NewType` is called by C code, which gives back what it is given.
"""

from functools import cache
from typing import NewType

import torch


@cache
def teach() -> None:
    """Let `torch.compile` know what a kind does, of ours and of other packages; once is enough."""

    @torch.compiler.substitute_in_graph(NewType.__call__, skip_signature_check=True)  # type: ignore[arg-type]
    def same(*given: object) -> object:
        return given[-1]  # before it comes the kind
