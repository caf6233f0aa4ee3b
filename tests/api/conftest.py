"""Runs from Python are compared with the commands'."""

from tests.runner.conftest import command

__all__ = ["command"]
