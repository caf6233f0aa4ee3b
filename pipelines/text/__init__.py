"""From files to a recipe: YAML, layers, presets and references; nothing is looked up yet."""
