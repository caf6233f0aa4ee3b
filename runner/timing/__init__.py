"""How long things take: measured, predicted, and in words."""
