"""From files to a recipe: YAML, layers, presets and references; no node is looked up yet."""
