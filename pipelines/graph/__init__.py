"""From a recipe to a graph: nodes found, settings checked, ports joined."""
