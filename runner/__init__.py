"""From a plan to pictures: linking, the loop, events, the run folder, the command line."""
