"""Tests of what `import t2iflow` offers."""
