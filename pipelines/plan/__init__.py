"""From a graph to a plan: regions, clocks, checks of the whole, and the order in which nodes run."""
