"""What a run itself writes into its folder: the names of the files, and how often."""

RECIPE, LOCK, LOG = "recipe.yaml", "lock.yaml", "events.jsonl"
REPORT, LOSSES = "report.html", "losses.csv"
NOW = "now.png"
"""The picture as it is, while a run goes on and where it stopped."""
CHECKPOINT, BEFORE = "checkpoint.pt", "checkpoint-before.pt"
WAITING = ".frames"
"""The folder where frames wait."""

OWN = (RECIPE, LOCK, LOG, REPORT, LOSSES, NOW, CHECKPOINT, BEFORE)
"""All of them, which no output may have."""

SAVE_EVERY = 10.0
"""Seconds between checkpoints, where nothing else is said."""
