"""From recipe text to a plan: `source` -> `recipe` -> `graph` -> `plan`. Nothing here computes a pixel."""
