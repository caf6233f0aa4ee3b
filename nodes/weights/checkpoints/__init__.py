"""Checkpoints in every container that weights are shared in, read as tensors only."""
