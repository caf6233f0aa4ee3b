"""The report that a run keeps about itself."""
