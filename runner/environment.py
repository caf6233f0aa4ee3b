"""What the environment must say before torch is imported; what the user says there stays."""

import os


def prepare() -> None:
    """Set it for this process and those that it starts."""
    # Threads that spin long while they wait for each other slow a busy machine down severalfold, and gain nothing.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what an Apple GPU can't compute, the CPU does
