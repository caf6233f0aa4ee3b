"""Recipes run here as they do in the runner's tests."""

from tests.runner.conftest import command as command
